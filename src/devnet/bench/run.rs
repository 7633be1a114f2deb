//! The phases of a measurement: warm-up, window, stragglers.
use super::{
    BenchError, Ceiling, Load, Node, Payments, Plan, Report,
    follow::{SeenBlock, follow},
    measure::{Marks, Measured, figures},
    pace,
    send::Sender,
    track::Track,
    usage::{Usage, load_average, machine_cpu_seconds},
};
use crate::{
    api::GetNetTotals,
    rpc_client::{Events, RpcClientError},
};
use std::{
    sync::atomic::AtomicUsize,
    thread::{self, Scope, ScopedJoinHandle},
    time::{Duration, Instant},
};

/// The interval between checks of the clock.
const TICK: Duration = Duration::from_millis(10);
/// How long payments may take after the last was sent.
const STRAGGLERS_WITHIN: Duration = Duration::from_secs(30);

/// Sends payments to running nodes and measures when they become final. `is_interrupted` ends it early.
pub fn run(
    plan: &Plan,
    nodes: &[Node],
    payments: &Payments,
    ceiling: Ceiling,
    is_interrupted: &dyn Fn() -> bool,
) -> Result<Report, BenchError> {
    let load_before = load_average();
    let streams = nodes.iter().map(subscribe).collect::<Result<_, _>>()?;
    let track = Track::new(payments.len(), nodes.len());
    let clock = Clock { plan, nodes, track: &track, is_interrupted };
    let sender = Sender { payments, track: &track, next: &AtomicUsize::new(0) };
    let (marks, blocks) = thread::scope(|scope| {
        let followers = start_followers(scope, nodes, streams, &sender);
        let senders = start_senders(scope, plan, nodes, &sender);
        let is_exhausted = || senders.iter().all(ScopedJoinHandle::is_finished);
        let marks = clock.watch(&is_exhausted);
        track.stop();
        join(senders, &track);
        clock.wait_for_stragglers();
        // Followers notice at the next event: a block, or a keep-alive comment if no block is made.
        track.end();
        (marks, join(followers, &track))
    });
    let (records, late_us, troubles) = track.into_records();
    if let Some(failure) = troubles.failure {
        return Err(failure);
    }
    let marks = marks?;
    let payment_bytes = payments.bytes(0).len();
    let measured = Measured {
        plan,
        nodes,
        ceiling,
        load_before,
        marks,
        records,
        late_us,
        payment_bytes,
        blocks,
    };
    Ok(figures(measured, troubles.refusals, troubles.missed_blocks))
}

/// Follows final blocks and transactions from now on.
fn subscribe(node: &Node) -> Result<Events, BenchError> {
    let failed = |error| BenchError::Rpc { node: node.name.clone(), error };
    node.client().events("block,tx").map_err(failed)
}

fn start_followers<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    nodes: &'env [Node],
    streams: Vec<Events>,
    of: &Sender<'env>,
) -> Vec<ScopedJoinHandle<'scope, Vec<SeenBlock>>> {
    let (payments, track) = (of.payments, of.track);
    nodes
        .iter()
        .zip(streams)
        .map(|(node, stream)| scope.spawn(move || follow(&node.name, stream, payments, track)))
        .collect()
}

/// One thread for each connection; each connection serves one node.
fn start_senders<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    plan: &Plan,
    nodes: &'env [Node],
    sender: &Sender<'env>,
) -> Vec<ScopedJoinHandle<'scope, ()>> {
    let sender = *sender;
    match plan.load {
        Load::Idle => Vec::new(),
        Load::Rate(rate) => {
            let all = pace::connections(rate, nodes.len());
            let start = |(first, node): (usize, &'env Node)| {
                scope.spawn(move || sender.open_loop(node, rate, first, all))
            };
            (0..all).zip(nodes.iter().cycle()).map(start).collect()
        }
        Load::Maximum { outstanding } => {
            let start = |node| scope.spawn(move || sender.closed_loop(node, outstanding));
            nodes.iter().map(start).collect()
        }
    }
}

/// What a node has sent to others so far.
fn sent_bytes(node: &Node) -> Result<u64, BenchError> {
    let totals = node.client().ask(&GetNetTotals {});
    let failed = |error: RpcClientError| BenchError::Totals {
        node: node.name.clone(),
        reason: error.to_string(),
    };
    totals.map(|totals| totals.totalbytessent).map_err(failed)
}

fn join<T>(threads: Vec<ScopedJoinHandle<'_, T>>, track: &Track) -> Vec<T> {
    let mut outcomes = Vec::with_capacity(threads.len());
    for thread in threads {
        match thread.join() {
            Ok(outcome) => outcomes.push(outcome),
            Err(_) => track.fail(BenchError::Thread),
        }
    }
    outcomes
}

struct Clock<'a> {
    plan: &'a Plan,
    nodes: &'a [Node],
    track: &'a Track,
    is_interrupted: &'a dyn Fn() -> bool,
}

impl Clock<'_> {
    /// Waits through warm-up and window. The window ends early if there are no more payments to send.
    fn watch(&self, is_exhausted: &dyn Fn() -> bool) -> Result<(Marks, Marks), BenchError> {
        self.wait(self.plan.warmup, &|| false)?;
        let from = self.mark()?;
        // An open loop sends its last payment just before the end.
        let ends_early = matches!(self.plan.load, Load::Maximum { .. });
        self.wait(self.plan.warmup + self.plan.window, &|| ends_early && is_exhausted())?;
        Ok((from, self.mark()?))
    }

    fn wait(&self, until: Duration, is_done: &dyn Fn() -> bool) -> Result<(), BenchError> {
        while self.track.begun().elapsed() < until && !is_done() {
            if (self.is_interrupted)() || self.track.has_failed() {
                return Err(BenchError::Interrupted);
            }
            thread::sleep(TICK);
        }
        Ok(())
    }

    fn mark(&self) -> Result<Marks, BenchError> {
        Ok(Marks {
            at_us: self.track.now_us(),
            nodes: self.nodes.iter().map(|node| Usage::of(node.pid)).collect::<Result<_, _>>()?,
            own: Usage::of(std::process::id())?,
            machine_cpu_seconds: machine_cpu_seconds(),
            sent_bytes: self.nodes.iter().map(sent_bytes).collect::<Result<_, _>>()?,
        })
    }

    fn wait_for_stragglers(&self) {
        let begun = Instant::now();
        while self.track.on_their_way() > 0
            && begun.elapsed() < STRAGGLERS_WITHIN
            && !(self.is_interrupted)()
            && !self.track.has_failed()
        {
            thread::sleep(TICK);
        }
    }
}
