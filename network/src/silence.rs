//! Closes connections whose link is broken soon, and those to machines that stand still later.
//!
//! Both ends of every connection send a ping each second, so bytes are on their way while the link
//! works. On a broken link TCP doubles its retransmission delay: 10 s after a cut of 10 s ends, the
//! connection may still be silent. A new connection works at once. Where the system can (Linux,
//! `TCP_USER_TIMEOUT`), the connection ends when sent bytes are not acknowledged for [`BROKEN`]. A
//! process that stands still does not matter to that: its system acknowledges. It is given up when
//! nothing arrives for [`SILENCE_MAX`].

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

/// A connection ends after this long without an acknowledgement. Several ping intervals.
pub(crate) const BROKEN: Duration = Duration::from_secs(3);
/// A connection ends after this long without a byte from the other end.
pub(crate) const SILENCE_MAX: Duration =
    if cfg!(target_os = "linux") { Duration::from_secs(15) } else { BROKEN };

/// Has the system end a connection whose bytes are not acknowledged for [`BROKEN`].
#[cfg(target_os = "linux")]
pub(crate) fn watch_link(stream: &tokio::net::TcpStream) {
    let socket = socket2::SockRef::from(stream);
    if let Err(error) = socket.set_tcp_user_timeout(Some(BROKEN)) {
        tracing::debug!(%error, "a broken link is noticed late");
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn watch_link(_stream: &tokio::net::TcpStream) {}

/// A stream that fails when nothing is read for too long.
pub(crate) struct Silence<S> {
    inner: S,
    limit: Duration,
    read_at: Instant,
    /// When it fires, it compares `read_at` and is rearmed; not on each read, because reads are
    /// frequent.
    check: Pin<Box<Sleep>>,
}

impl<S> Silence<S> {
    pub(crate) fn new(inner: S, limit: Duration) -> Self {
        let read_at = Instant::now();
        Self { inner, limit, read_at, check: Box::pin(tokio::time::sleep_until(read_at + limit)) }
    }

    /// Ready when the limit is exceeded.
    fn poll_limit(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.check.as_mut().poll(context));
            let end = self.read_at + self.limit;
            if end <= Instant::now() {
                return Poll::Ready(());
            }
            self.check.as_mut().reset(end);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Silence<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        // Bytes waiting to be read count, even if this side reads them late.
        if let Poll::Ready(read) = Pin::new(&mut self.inner).poll_read(context, buffer) {
            self.read_at = Instant::now();
            return Poll::Ready(read);
        }
        ready!(self.poll_limit(context));
        let what = format!("nothing arrived for {:?}", self.limit);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, what)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Silence<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use futures::{AsyncReadExt, AsyncWriteExt};
    use libp2p::tcp::tokio::TcpStream;

    use super::*;

    /// Both ends of a connection; the first is watched.
    async fn pair(limit: Duration) -> (Silence<TcpStream>, TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        (Silence::new(TcpStream(near), limit), TcpStream(far))
    }

    #[tokio::test]
    async fn a_silent_connection_ends_and_a_busy_one_does_not() {
        let limit = Duration::from_millis(300);
        let (mut near, mut far) = pair(limit).await;
        let mut byte = [0; 1];
        let begun = Instant::now();
        while begun.elapsed() < 3 * limit {
            far.write_all(&[7]).await.unwrap();
            near.read_exact(&mut byte).await.unwrap();
        }
        let last = Instant::now();
        let error = near.read_exact(&mut byte).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
        assert!(last.elapsed() >= limit - Duration::from_millis(50), "{:?}", last.elapsed());
    }

    #[tokio::test]
    async fn what_waits_to_be_read_counts_however_late_it_is_read() {
        let limit = Duration::from_millis(50);
        let (mut near, mut far) = pair(limit).await;
        far.write_all(&[7]).await.unwrap();
        tokio::time::sleep(3 * limit).await;
        let mut byte = [0; 1];
        near.read_exact(&mut byte).await.unwrap();
        assert_eq!(byte, [7]);
    }
}
