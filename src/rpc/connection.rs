//! Limits the number of connections and how long each may be idle.
//!
//! When all places are taken, a newcomer gets that of the connection that has been without a complete request for
//! longest, so idle clients, however many, keep nobody out: not the monitoring, and not the operator.
//!
//! Invariant: a connection is closed whose request head does not arrive within [`HEAD_PATIENCE`], or on which no
//! answer makes progress for [`PATIENCE`], whether the body does not arrive, arrives byte by byte, or the answer
//! is not read.
use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep, timeout},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Open connections.
const CONNECTIONS_MAX: usize = 256;
/// From the connection, or the first byte of a request, to the end of the request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// From the last progress of an answer to the first byte of the next request, and from the end of a request's head to
/// the first byte of its answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause after a failed accept, whose usual cause is a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How often a newcomer looks for a place when every connection is being answered.
const PLACE_PAUSE: Duration = Duration::from_millis(20);
/// Ends the head of an HTTP request.
const HEAD_END: &[u8; 4] = b"\r\n\r\n";

/// A listener with a bounded number of open connections.
pub(super) struct Gate {
    listener: TcpListener,
    places: Arc<Semaphore>,
    idle: Arc<Idle>,
    next: u64,
}

/// The connections that may be closed for another, by their number: since when, and how.
#[derive(Default)]
struct Idle(Mutex<BTreeMap<u64, (Instant, CancellationToken)>>);

impl Idle {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<u64, (Instant, CancellationToken)>> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the one that has been idle for longest.
    fn evict(&self) {
        let mut idle = self.locked();
        let first = idle.iter().min_by_key(|(_, (since, _))| *since).map(|(id, _)| *id);
        if let Some((_, evicted)) = first.and_then(|id| idle.remove(&id)) {
            evicted.cancel();
        }
    }
}

/// Whether a connection may be closed for another.
#[derive(Clone)]
pub(super) struct Seat {
    number: u64,
    idle: Arc<Idle>,
    evicted: CancellationToken,
    is_kept: Arc<AtomicBool>,
}

impl Seat {
    fn new(number: u64, idle: Arc<Idle>) -> Self {
        let (evicted, is_kept) = (CancellationToken::new(), Arc::default());
        Self { number, idle, evicted, is_kept }
    }

    fn is_idle(&self) {
        // A stream may end after its connection.
        if !self.is_kept.load(Relaxed) && !self.evicted.is_cancelled() {
            let entry = (Instant::now(), self.evicted.clone());
            self.idle.locked().insert(self.number, entry);
        }
    }

    fn is_busy(&self) {
        self.idle.locked().remove(&self.number);
    }

    /// The connection is not closed for another while this is held: it carries a stream of events.
    pub(super) fn keep(&self) -> Kept {
        self.is_kept.store(true, Relaxed);
        self.is_busy();
        Kept(self.clone())
    }
}

/// Ends with the stream of events, also when a `HEAD` request never reads it.
pub(super) struct Kept(Seat);

#[cfg(test)]
impl Kept {
    /// Of a connection that nobody counts.
    pub(super) fn none() -> Self {
        Self(Seat::new(0, Arc::default()))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.is_kept.store(false, Relaxed);
        self.0.is_idle();
    }
}

impl Connected<IncomingStream<'_, Gate>> for Seat {
    fn connect_info(stream: IncomingStream<'_, Gate>) -> Self {
        stream.io().seat.clone()
    }
}

impl Gate {
    pub(super) fn new(listener: TcpListener) -> Self {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        Self { listener, places, idle: Arc::default(), next: 0 }
    }

    /// A place, for which another connection may have to leave.
    async fn place(&self) -> OwnedSemaphorePermit {
        loop {
            let place = self.places.clone().acquire_owned();
            // Free places are taken at once.
            let patience = if self.places.available_permits() == 0 {
                self.idle.evict();
                PLACE_PAUSE
            } else {
                PATIENCE
            };
            if let Ok(place) = timeout(patience, place).await {
                return place.expect("the semaphore is never closed");
            }
        }
    }
}

impl Listener for Gate {
    type Io = Patient;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Patient, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    // A refusal costs latency only.
                    let _ = stream.set_nodelay(true);
                    let place = self.place().await;
                    self.next += 1;
                    let seat = Seat::new(self.next, self.idle.clone());
                    return (Patient::new(stream, place, seat, PATIENCE), address);
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

/// What is expected of a client next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A request; nothing of it is here.
    Idle,
    /// The rest of a request's head, of whose end so many bytes are here.
    Head(usize),
    /// The body, and to read the answer.
    Answer,
}

/// A connection with a deadline.
pub(super) struct Patient {
    stream: TcpStream,
    patience: Duration,
    deadline: Pin<Box<Sleep>>,
    phase: Phase,
    seat: Seat,
    is_evicted: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: OwnedSemaphorePermit,
}

impl Patient {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit, seat: Seat, patience: Duration) -> Self {
        seat.is_idle();
        Self {
            stream,
            patience,
            deadline: Box::pin(sleep(HEAD_PATIENCE.min(patience))),
            phase: Phase::Idle,
            is_evicted: Box::pin(seat.evicted.clone().cancelled_owned()),
            seat,
            _place: place,
        }
    }

    fn extend(&mut self, patience: Duration) {
        let later = Instant::now() + patience;
        self.deadline.as_mut().reset(later);
    }

    fn expire<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if self.phase != Phase::Answer && self.is_evicted.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Bytes of a request have come.
    fn received(&mut self, bytes: &[u8]) {
        let (matched, bytes) = match self.phase {
            Phase::Answer => return,
            Phase::Head(matched) => (matched, bytes),
            Phase::Idle => {
                // Blank lines before a request are no request.
                let blank = bytes.iter().take_while(|byte| matches!(**byte, b'\r' | b'\n')).count();
                let request = bytes.get(blank..).unwrap_or_default();
                if request.is_empty() {
                    return;
                }
                self.extend(HEAD_PATIENCE.min(self.patience));
                (0, request)
            }
        };
        match end_of_head(matched, bytes) {
            Some(matched) => self.phase = Phase::Head(matched),
            None => {
                self.phase = Phase::Answer;
                self.seat.is_busy();
                self.extend(self.patience);
            }
        }
    }

    fn wrote(
        &mut self,
        written: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_pending() {
            return self.expire(cx);
        }
        self.phase = Phase::Idle;
        self.seat.is_idle();
        self.extend(self.patience);
        written
    }
}

/// How many bytes of the end of a head are at the end of `bytes`, with `matched` before them; none if the head ends in them.
fn end_of_head(matched: usize, bytes: &[u8]) -> Option<usize> {
    let mut matched = matched;
    for byte in bytes {
        matched = match *byte {
            byte if HEAD_END.get(matched) == Some(&byte) => matched + 1,
            b'\r' => 1,
            _ => 0,
        };
        if matched == HEAD_END.len() {
            return None;
        }
    }
    Some(matched)
}

impl Drop for Patient {
    fn drop(&mut self) {
        self.seat.evicted.cancel();
        self.seat.is_busy();
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_pending() {
            return self.expire(cx);
        }
        let bytes = buffer.filled().get(before..).unwrap_or_default();
        self.received(bytes);
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
        (Patient::new(server, place, Seat::new(0, Arc::default()), SHORT), client)
    }

    #[test]
    fn the_end_of_a_head_is_found_across_reads() {
        for (reads, is_found) in [
            (&["GET / HTTP/1.1\r\n\r\n"][..], true),
            (&["GET /\r", "\n\r", "\nbody"], true),
            (&["a\r\n\r", "\r\n\r\n"], true),
            (&["a\r\n", "\r"], false),
            (&["a\n\n", "\r\rb\r\n"], false),
        ] {
            let found =
                reads.iter().try_fold(0, |matched, read| end_of_head(matched, read.as_bytes()));
            assert_eq!(found.is_none(), is_found, "{reads:?}");
        }
    }

    #[tokio::test]
    async fn the_connection_that_has_been_idle_for_longest_leaves_unless_it_is_kept() {
        let idle = Arc::<Idle>::default();
        let seats: Vec<Seat> = (0..3).map(|number| Seat::new(number, idle.clone())).collect();
        seats.iter().for_each(Seat::is_idle);
        let kept = seats[0].keep();
        seats[0].is_idle();
        seats[1].is_busy();
        let evicted = || seats.iter().map(|seat| seat.evicted.is_cancelled()).collect::<Vec<_>>();
        idle.evict();
        assert_eq!(evicted(), [false, false, true]);
        idle.evict();
        assert_eq!(evicted(), [false, false, true], "who is answered stays");
        seats[1].is_idle();
        idle.evict();
        assert_eq!(evicted(), [false, true, true]);
        drop(kept);
        idle.evict();
        assert_eq!(evicted(), [true; 3], "its stream has ended");
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
