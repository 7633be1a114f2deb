//! Watches what a node tells to be final: blocks, and payments that somebody waits for.
use crate::{
    node::Node,
    outcome::{Outcome, until},
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};
use timecoin::rpc_client::Events;

/// How long payments took.
#[derive(Debug)]
pub(crate) struct Finality {
    /// Of each payment, shortest first. One that was not final in the end counts as long as it was waited for.
    pub(crate) ms: Vec<u64>,
    /// Payments that were not final in the end.
    pub(crate) lost: usize,
    /// When each block was told.
    pub(crate) blocks: Vec<(u64, Instant)>,
    begun: Instant,
    ended: Instant,
}

impl Finality {
    /// The 99th of 100.
    pub(crate) fn p99(&self) -> u64 {
        p99(&self.ms)
    }

    /// The longest time without a block.
    pub(crate) fn gap_ms(&self) -> u64 {
        let times = self.blocks.iter().map(|(_, at)| *at).chain([self.ended]);
        let mut last = self.begun;
        let gaps = times.map(|at| millis(at.duration_since(std::mem::replace(&mut last, at))));
        gaps.max().unwrap_or_default()
    }
}

/// The 99th of 100 of these, which are in ascending order.
pub(crate) fn p99(sorted: &[u64]) -> u64 {
    let rank = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or(u64::MAX)
}

/// A reader of one node's events, on a thread of its own that ends with the stream or the watch.
pub(crate) struct Watch(Arc<Track>);

struct Track {
    waiting: Mutex<HashMap<String, Instant>>,
    took: Mutex<Vec<Duration>>,
    blocks: Mutex<Vec<(u64, Instant)>>,
    is_over: AtomicBool,
    begun: Instant,
}

impl Watch {
    pub(crate) fn begin(node: &Node) -> Outcome<Self> {
        let client = node.client();
        let events = node.host.enter(|| client.events("block,tx"))?;
        let track = Arc::new(Track {
            waiting: Mutex::default(),
            took: Mutex::default(),
            blocks: Mutex::default(),
            is_over: AtomicBool::new(false),
            begun: Instant::now(),
        });
        let reading = Arc::clone(&track);
        thread::spawn(move || read(events, &reading));
        Ok(Self(track))
    }

    /// A payment whose time began then.
    pub(crate) fn expect(&self, id: String, since: Instant) {
        lock(&self.0.waiting).insert(id, since);
    }

    /// The figures, when nothing is expected any more or the limit is over.
    pub(crate) fn end(self, limit: Duration) -> Finality {
        let is_done = || lock(&self.0.waiting).is_empty().then_some(());
        // What is missing is counted below.
        let _ = until(limit, is_done);
        self.0.is_over.store(true, Relaxed);
        let waiting = lock(&self.0.waiting);
        let mut ms: Vec<u64> = lock(&self.0.took).iter().map(|took| millis(*took)).collect();
        ms.extend(waiting.values().map(|since| millis(since.elapsed())));
        ms.sort_unstable();
        let (blocks, begun) = (lock(&self.0.blocks).clone(), self.0.begun);
        Finality { ms, lost: waiting.len(), blocks, begun, ended: Instant::now() }
    }
}

fn read(mut events: Events, track: &Track) {
    let mut line = Vec::new();
    while !track.is_over.load(Relaxed) {
        line.clear();
        // A stream that ends leaves everything waiting, and a gap that grows.
        let Ok(1..) = events.read_line(&mut line) else { return };
        let text = String::from_utf8_lossy(&line);
        let height =
            text.strip_prefix("data: {\"height\":").and_then(|rest| rest.split(',').next());
        if let Some(height) = height.and_then(|height| height.parse().ok()) {
            lock(&track.blocks).push((height, Instant::now()));
        }
        let id = text.strip_prefix("data: {\"txid\":\"").and_then(|rest| rest.split('"').next());
        if let Some(since) = id.and_then(|id| lock(&track.waiting).remove(id)) {
            lock(&track.took).push(since.elapsed());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
