//! Counts the bytes of each peer and slows down one that sends more than anyone needs.
//!
//! It wraps every stream of every connection, whatever protocol runs on it, so that control messages
//! of gossipsub and refused messages count as well. A peer over [`READ`] is read more slowly: its
//! own sends wait, and what it may send without being asked is bounded before any byte is parsed.
//! Answers that this node asked for are free. Encryption and framing of the connection are not counted.
//!
//! Invariant: the table has an entry for each connected peer, and few others.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use futures::{AsyncRead, AsyncWrite};
use libp2p::{
    PeerId,
    core::muxing::{StreamMuxer, StreamMuxerEvent},
};
use tokio::time::Sleep;

use crate::{
    rate::{Bucket, Quota},
    stats::Stats,
};

const MIB: u64 = 1024 * 1024;
/// Bytes that one peer may send without being asked: several times the gossip of a busy network.
const READ: Quota = Quota::per_second(8 * MIB, 64 * MIB);
/// The pause of a connection whose peer is over [`READ`].
const PAUSE: Duration = Duration::from_millis(20);
/// Entries of which some may be of peers that are gone.
const FLOWS_MIN: usize = 64;

/// The flows of all peers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic {
    // Locked once for each new connection.
    flows: Arc<Mutex<HashMap<PeerId, Weak<Flow>>>>,
    stats: Stats,
}

/// The bytes of one peer, on all its connections.
#[derive(Debug)]
pub(crate) struct Flow {
    read: AtomicU64,
    written: AtomicU64,
    // Locked for a few instructions, by the tasks of this peer's connections and by a request to it.
    allowance: Mutex<Bucket>,
    stats: Stats,
}

impl Traffic {
    pub(crate) fn new(stats: Stats) -> Self {
        Traffic { flows: Arc::default(), stats }
    }

    /// The flow of a peer that has a connection, or is getting one.
    pub(crate) fn flow(&self, peer: PeerId) -> Arc<Flow> {
        let mut flows = locked(&self.flows);
        if let Some(flow) = flows.get(&peer).and_then(Weak::upgrade) {
            return flow;
        }
        if flows.len() >= FLOWS_MIN {
            flows.retain(|_, flow| flow.strong_count() > 0);
        }
        let flow = Arc::new(Flow::new(self.stats.clone(), Instant::now()));
        flows.insert(peer, Arc::downgrade(&flow));
        flow
    }
}

impl Flow {
    fn new(stats: Stats, now: Instant) -> Self {
        let allowance = Mutex::new(Bucket::full(READ, now));
        Flow { read: AtomicU64::new(0), written: AtomicU64::new(0), allowance, stats }
    }

    /// Bytes read from the peer and written to it.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.read.load(Relaxed), self.written.load(Relaxed))
    }

    /// The peer is asked for an answer of at most this many bytes, which it may send.
    pub(crate) fn expect(&self, bytes: usize) {
        locked(&self.allowance).give(count(bytes));
    }

    fn may_read(&self, now: Instant) -> bool {
        !locked(&self.allowance).is_empty(now)
    }

    fn has_read(&self, bytes: usize) {
        self.read.fetch_add(count(bytes), Relaxed);
        self.stats.counters.bytes_read.add(count(bytes));
        locked(&self.allowance).spend(count(bytes));
    }

    fn has_written(&self, bytes: usize) {
        self.written.fetch_add(count(bytes), Relaxed);
        self.stats.counters.bytes_written.add(count(bytes));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is locked, and each value is valid at any time.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// A connection whose streams are counted.
pub(crate) struct Counted<M> {
    inner: M,
    flow: Arc<Flow>,
    pause: Pause,
}

/// Runs while the peer is over its quota.
#[derive(Default)]
struct Pause(Option<Pin<Box<Sleep>>>);

impl Pause {
    /// Ready when the peer may be read.
    fn poll(&mut self, flow: &Flow, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(pause) = &mut self.0 {
                ready!(pause.as_mut().poll(context));
                self.0 = None;
            }
            if flow.may_read(Instant::now()) {
                return Poll::Ready(());
            }
            flow.stats.counters.read_pauses.add_one();
            self.0 = Some(Box::pin(tokio::time::sleep(PAUSE)));
        }
    }
}

impl<M> Counted<M> {
    pub(crate) fn new(inner: M, flow: Arc<Flow>) -> Self {
        Counted { inner, flow, pause: Pause::default() }
    }

    fn stream<S>(&self, inner: S) -> CountedStream<S> {
        CountedStream { inner, flow: Arc::clone(&self.flow), pause: Pause::default() }
    }
}

impl<M: StreamMuxer<Substream: Unpin> + Unpin> StreamMuxer for Counted<M> {
    type Substream = CountedStream<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let Self { inner, flow, pause } = &mut *self;
        // yamux reads the socket here and buffers for its streams: their pause alone would not be felt.
        ready!(pause.poll(flow, context));
        let stream = ready!(Pin::new(inner).poll_inbound(context))?;
        Poll::Ready(Ok(self.stream(stream)))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let stream = ready!(Pin::new(&mut self.inner).poll_outbound(context))?;
        Poll::Ready(Ok(self.stream(stream)))
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.inner).poll_close(context)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        let Self { inner, flow, pause } = &mut *self;
        ready!(pause.poll(flow, context));
        Pin::new(inner).poll(context)
    }
}

/// A stream whose bytes count for its peer.
pub(crate) struct CountedStream<S> {
    inner: S,
    flow: Arc<Flow>,
    pause: Pause,
}

impl<S: AsyncRead + Unpin> AsyncRead for CountedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { inner, flow, pause } = &mut *self;
        ready!(pause.poll(flow, context));
        let bytes = ready!(Pin::new(inner).poll_read(context, buffer))?;
        flow.has_read(bytes);
        Poll::Ready(Ok(bytes))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let bytes = ready!(Pin::new(&mut self.inner).poll_write(context, buffer))?;
        self.flow.has_written(bytes);
        Poll::Ready(Ok(bytes))
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

    use futures::{AsyncReadExt, FutureExt, io::Cursor};

    use super::*;

    /// Reads what may be read at once of so many bytes.
    fn read_of(flow: &Arc<Flow>, bytes: usize) -> usize {
        let inner = Cursor::new(vec![7; bytes]);
        let mut stream = CountedStream { inner, flow: Arc::clone(flow), pause: Pause::default() };
        let mut buffer = [0; 64 * 1024];
        let mut read = 0;
        while let Some(Ok(more)) = stream.read(&mut buffer).now_or_never()
            && more > 0
        {
            read += more;
        }
        read
    }

    #[tokio::test]
    async fn a_peer_over_its_quota_is_read_more_slowly_and_answers_are_free() {
        let traffic = Traffic::default();
        let flow = traffic.flow(PeerId::random());
        let burst = usize::try_from(READ.burst).unwrap();
        let read = read_of(&flow, 2 * burst);
        assert!((burst..2 * burst).contains(&read), "{read}");
        assert!(traffic.stats.snapshot().read_pauses > 0);
        flow.expect(burst);
        assert_eq!(read_of(&flow, burst / 2), burst / 2, "an expected answer waits for nothing");
    }

    /// A connection on which something has always arrived.
    struct Talkative;

    impl StreamMuxer for Talkative {
        type Substream = Cursor<Vec<u8>>;
        type Error = io::Error;

        fn poll_inbound(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<io::Result<Self::Substream>> {
            Poll::Ready(Ok(Cursor::new(Vec::new())))
        }

        fn poll_outbound(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<io::Result<Self::Substream>> {
            Poll::Ready(Ok(Cursor::new(Vec::new())))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
            Poll::Ready(Err(io::ErrorKind::Other.into()))
        }
    }

    /// Its socket is read in both, for all streams.
    #[tokio::test]
    async fn the_connection_of_a_peer_over_its_quota_is_not_read_at_all() {
        let traffic = Traffic::default();
        let flow = traffic.flow(PeerId::random());
        let mut connection = Counted::new(Talkative, Arc::clone(&flow));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut reads = || {
            let inbound = Pin::new(&mut connection).poll_inbound(&mut context).is_ready();
            (inbound, Pin::new(&mut connection).poll(&mut context).is_ready())
        };
        assert_eq!(reads(), (true, true));
        flow.has_read(usize::try_from(2 * READ.burst).unwrap());
        assert_eq!(reads(), (false, false));
    }

    #[test]
    fn bytes_count_for_the_peer_and_the_node_and_tables_forget_who_left() {
        let traffic = Traffic::default();
        let peer = PeerId::random();
        let flow = traffic.flow(peer);
        flow.has_read(5);
        traffic.flow(peer).has_written(7);
        assert_eq!(flow.bytes(), (5, 7));
        let stats = traffic.stats.snapshot();
        assert_eq!((stats.bytes_read, stats.bytes_written), (5, 7));
        for _ in 0..10 * FLOWS_MIN {
            drop(traffic.flow(PeerId::random()));
        }
        assert!(locked(&traffic.flows).len() <= FLOWS_MIN);
        assert_eq!(traffic.flow(peer).bytes(), (5, 7), "a connected peer is kept");
    }
}
