//! The cost of a fault: how long running nodes go without a block while payments are pending, from
//! their own events.
//!
//! Never kills or cuts anything: the command line does, and measures the effect here.
use super::{Node, Payments, percentile::percentile};
use crate::{api::BlockEvent, rpc_client::RpcClient};
use serde::Serialize;
use serde_json::json;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// The delay before an unreachable node is tried again.
const RETRY: Duration = Duration::from_millis(10);

/// A node reported a final block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The index of the node.
    pub node: usize,
    /// The block's height.
    pub height: u64,
    /// When the report was read.
    pub at: Instant,
}

/// Follows the blocks of all nodes, including nodes that stop and restart.
#[derive(Debug)]
pub struct Watch {
    seen: Receiver<Seen>,
    /// The greatest height that each node reported.
    heights: Vec<u64>,
    is_over: Arc<AtomicBool>,
}

/// How long a network went without a block, at the node with the longest wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Until the first block at any of the nodes.
    pub first: Duration,
    /// Until every node had a block.
    pub everywhere: Duration,
    /// The longest time without a block at one of the nodes.
    pub longest: Duration,
}

impl Watch {
    /// Begins; one thread for each node.
    pub fn start(nodes: &[Node]) -> Self {
        let (tell, seen) = mpsc::channel();
        let is_over = Arc::new(AtomicBool::new(false));
        for (index, node) in nodes.iter().enumerate() {
            let client = node.client();
            let (tell, is_over) = (tell.clone(), is_over.clone());
            thread::spawn(move || follow(index, &client, &tell, &is_over));
        }
        Self { seen, heights: vec![0; nodes.len()], is_over }
    }

    /// The greatest height that any node reported so far.
    pub fn height(&mut self) -> u64 {
        while let Ok(seen) = self.seen.try_recv() {
            self.note(seen);
        }
        self.heights.iter().copied().max().unwrap_or(0)
    }

    /// Waits until one of these nodes reports this height; false after `until`.
    pub fn reaches(&mut self, nodes: &[usize], height: u64, until: Instant) -> bool {
        loop {
            if nodes.iter().any(|node| self.heights.get(*node).is_some_and(|at| *at >= height)) {
                return true;
            }
            if self.next(until).is_none() {
                return false;
            }
        }
    }

    /// Measures from a moment on until each of these nodes has reported a height. Only blocks above
    /// a height count. `None` if a node does not reach it by `until`.
    pub fn measure(
        &mut self,
        nodes: &[usize],
        from: Instant,
        (above, goal): (u64, u64),
        until: Instant,
    ) -> Option<Wait> {
        let mut gaps = Gaps::new(nodes, from);
        while !gaps.all_reached(goal) {
            let seen = self.next(until)?;
            if seen.height > above {
                gaps.add(seen);
            }
        }
        gaps.wait()
    }

    fn next(&mut self, until: Instant) -> Option<Seen> {
        let seen = self.seen.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?;
        self.note(seen);
        Some(seen)
    }

    fn note(&mut self, seen: Seen) {
        if let Some(height) = self.heights.get_mut(seen.node) {
            *height = seen.height.max(*height);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
    }
}

/// Reads the events of one node until the watch is dropped; reconnects while the node is
/// unreachable.
fn follow(node: usize, client: &RpcClient, tell: &Sender<Seen>, is_over: &AtomicBool) {
    while !is_over.load(Relaxed) {
        for event in
            client.events("block").into_iter().flatten().filter(|event| event.name == "block")
        {
            let at = Instant::now();
            let Ok(block) = serde_json::from_str::<BlockEvent>(&event.data) else { continue };
            if tell.send(Seen { node, height: block.height, at }).is_err() {
                return;
            }
        }
        thread::sleep(RETRY);
    }
}

/// From block to block at each node.
#[derive(Debug)]
struct Gaps {
    from: Instant,
    /// Node, its last block, its height, its first wait, its longest.
    nodes: Vec<(usize, Instant, u64, Option<Duration>, Duration)>,
}

impl Gaps {
    fn new(nodes: &[usize], from: Instant) -> Self {
        let nodes = nodes.iter().map(|node| (*node, from, 0, None, Duration::ZERO)).collect();
        Self { from, nodes }
    }

    fn add(&mut self, seen: Seen) {
        for (node, last, height, first, longest) in &mut self.nodes {
            if *node == seen.node && seen.at >= self.from {
                let gap = seen.at.duration_since(*last);
                first.get_or_insert(gap);
                *longest = gap.max(*longest);
                (*last, *height) = (seen.at, seen.height.max(*height));
            }
        }
    }

    fn all_reached(&self, goal: u64) -> bool {
        self.nodes.iter().all(|(_, _, height, ..)| *height >= goal)
    }

    fn wait(&self) -> Option<Wait> {
        let firsts = || self.nodes.iter().filter_map(|(_, _, _, first, _)| *first);
        Some(Wait {
            first: firsts().min()?,
            everywhere: firsts().max()?,
            longest: self.nodes.iter().map(|(.., longest)| *longest).max()?,
        })
    }
}

/// Sends payments at a rate, an equal share to each node. The share of an unreachable node is not
/// sent to another.
#[derive(Debug)]
pub struct Feed {
    next: Arc<AtomicUsize>,
    payments: usize,
    is_over: Arc<AtomicBool>,
}

impl Feed {
    /// Begins; one thread for each node.
    pub fn start(nodes: &[Node], payments: Payments, rate: u64) -> Self {
        let count = payments.len();
        let payments = Arc::new(payments);
        let (next, is_over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let nodes_count = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
        let pause = Duration::from_secs(1) * nodes_count / u32::try_from(rate).unwrap_or(1).max(1);
        for (index, node) in nodes.iter().enumerate() {
            let client = node.client();
            let (payments, next, is_over) = (payments.clone(), next.clone(), is_over.clone());
            let shift = pause * u32::try_from(index).unwrap_or(0) / nodes_count;
            thread::spawn(move || {
                thread::sleep(shift);
                while !is_over.load(Relaxed) {
                    let payment = payments.bytes(next.fetch_add(1, Relaxed));
                    if !payment.is_empty() {
                        // An unreachable node accepts nothing.
                        let _ =
                            client.call_raw("sendrawtransaction", &json!([hex::encode(payment)]));
                    }
                    thread::sleep(pause);
                }
            });
        }
        Self { next, payments: count, is_over }
    }

    /// Whether all payments were sent: from then on blocks are empty and come late.
    pub fn is_exhausted(&self) -> bool {
        self.next.load(Relaxed) >= self.payments
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
    }
}

/// Times in milliseconds, in the order in which they were measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spread {
    p50_ms: u64,
    max_ms: u64,
    all_ms: Vec<u64>,
}

impl Spread {
    /// The spread of these; `None` if there are none.
    pub fn of(spans: impl IntoIterator<Item = Duration>) -> Option<Self> {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let all_ms: Vec<u64> = spans.into_iter().map(ms).collect();
        let mut ascending = all_ms.clone();
        ascending.sort_unstable();
        let (p50_ms, max_ms) = (percentile(&ascending, 500)?, *ascending.last()?);
        Some(Self { p50_ms, max_ms, all_ms })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {} ms, max {} ms, each {:?}", self.p50_ms, self.max_ms, self.all_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_counted_from_the_fault_at_the_node_for_which_it_is_longest() {
        let from = Instant::now();
        let at = |ms| from + Duration::from_millis(ms);
        let mut gaps = Gaps::new(&[0, 2], from);
        assert_eq!(gaps.wait(), None);
        for (node, height, ms) in [(0, 5, 100), (1, 5, 90), (2, 5, 130), (0, 6, 700), (2, 6, 710)] {
            assert!(!gaps.all_reached(6));
            gaps.add(Seen { node, height, at: at(ms) });
        }
        assert!(gaps.all_reached(6), "node 1 is none of those that are asked about");
        let ms = Duration::from_millis;
        let expected = Wait { first: ms(100), everywhere: ms(130), longest: ms(600) };
        assert_eq!(gaps.wait(), Some(expected));
    }

    #[test]
    fn a_spread_keeps_the_order_and_finds_the_greatest() {
        let spread = Spread::of([30, 10, 20].map(Duration::from_millis));
        let expected = Spread { p50_ms: 20, max_ms: 30, all_ms: vec![30, 10, 20] };
        assert_eq!(spread, Some(expected));
        assert_eq!(Spread::of([]), None);
    }
}
