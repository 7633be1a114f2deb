//! Limits the number of connections and how long each may be idle.
//!
//! Invariant: a connection on which no answer makes progress for [`PATIENCE`] is closed, whether
//! its request does not arrive, arrives byte by byte, or its answer is not read. An idle client
//! cannot occupy a connection.
use axum::serve::Listener;
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep},
};

/// Open connections; more wait in the system's backlog.
const CONNECTIONS_MAX: usize = 256;
/// From the last progress of an answer to the first byte of the next request, and from there to the
/// first byte of its answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause after a failed accept, whose usual cause is a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A listener with a bounded number of open connections.
pub(super) struct Gate {
    listener: TcpListener,
    places: Arc<Semaphore>,
}

impl Gate {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)) }
    }
}

impl Listener for Gate {
    type Io = Patient;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Patient, SocketAddr) {
        let places = self.places.clone();
        let place = places.acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    // A refusal costs latency only.
                    let _ = stream.set_nodelay(true);
                    return (Patient::new(stream, place, PATIENCE), address);
                }
                Err(error) => {
                    tracing::debug!(%error, "accepting an RPC connection failed");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection with a deadline.
pub(super) struct Patient {
    stream: TcpStream,
    patience: Duration,
    deadline: Pin<Box<Sleep>>,
    /// Whether part of a request has arrived since the last part of an answer was written.
    is_asking: bool,
    _place: OwnedSemaphorePermit,
}

impl Patient {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit, patience: Duration) -> Self {
        let deadline = Box::pin(sleep(patience));
        Self { stream, patience, deadline, is_asking: false, _place: place }
    }

    fn extend(&mut self) {
        let later = Instant::now() + self.patience;
        self.deadline.as_mut().reset(later);
    }

    fn expire<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn wrote(
        &mut self,
        written: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_pending() {
            return self.expire(cx);
        }
        self.is_asking = false;
        self.extend();
        written
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_pending() {
            return self.expire(cx);
        }
        if !self.is_asking {
            self.is_asking = true;
            self.extend();
        }
        read
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.wrote(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        time::timeout,
    };

    const SHORT: Duration = Duration::from_millis(200);

    async fn pair() -> (Patient, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let client = TcpStream::connect(address).await.expect("connected");
        let (server, _) = listener.accept().await.expect("accepted");
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("free");
        (Patient::new(server, place, SHORT), client)
    }

    #[tokio::test]
    async fn a_request_that_arrives_byte_by_byte_is_cut_off() {
        let (mut server, mut client) = pair().await;
        let dripping = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                sleep(SHORT / 10).await;
            }
        });
        let mut bytes = Vec::new();
        let read = timeout(SHORT * 20, server.read_to_end(&mut bytes)).await.expect("in time");
        assert_eq!(read.expect_err("cut off").kind(), io::ErrorKind::TimedOut);
        drop(server);
        dripping.await.expect("ended");
    }

    #[tokio::test]
    async fn an_answer_extends_the_deadline() {
        let (mut server, mut client) = pair().await;
        for _ in 0..4 {
            sleep(SHORT / 2).await;
            client.write_all(b"ask").await.expect("sent");
            let mut asked = [0; 3];
            server.read_exact(&mut asked).await.expect("in time");
            server.write_all(b"answer").await.expect("in time");
        }
        let silence = server.read_u8().await.expect_err("nothing comes");
        assert_eq!(silence.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_is_cut_off() {
        let (mut server, _client) = pair().await;
        let chunk = vec![0; 1024 * 1024];
        let written = timeout(SHORT * 50, async {
            loop {
                server.write_all(&chunk).await?;
            }
        });
        let written: io::Result<()> = written.await.expect("in time");
        assert_eq!(written.expect_err("cut off").kind(), io::ErrorKind::TimedOut);
    }
}
