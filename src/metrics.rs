//! Figures for Prometheus.
//!
//! Counters and histograms live here; the engine's reports and RPC feed them. Everything that the node
//! already knows is read at a scrape. Labels are bounded: an index of a masternode,
//! a name from the code, never an id, an address or a text of a peer.
mod catalog;
pub(crate) mod disk;
mod list;
pub(crate) mod process;
mod snapshot;
mod text;
mod writer;

pub use list::{Row, list, markdown};
pub(crate) use text::Form;

use crate::{logging::Losses, node::NodeHandle};
use catalog as c;
use disk::Disk;
use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeLabelSet,
        text::{encode_eof, encode_registry},
    },
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use snapshot::Snapshot;
use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use timecoin_chain::{
    engine::{Refusal, Report},
    types::{Height, Millis, Round, VoteKind},
};
use timecoin_store::StoreStats;
use writer::Writer;

/// Bounds of the finality histogram in seconds.
const FINALITY_BUCKETS: [f64; 18] = [
    0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0,
    20.0, 30.0,
];
/// Of the time between blocks.
const INTERVAL_BUCKETS: [f64; 12] =
    [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Of calls.
const CALL_BUCKETS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfMasternode {
    masternode: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfVote {
    kind: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCall {
    method: &'static str,
    code: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfMethod {
    method: &'static str,
}

/// The counters since the start.
#[derive(Debug)]
pub struct Metrics {
    counts: Arc<Counts>,
    data_dir: PathBuf,
    log: Arc<Losses>,
}

#[derive(Debug)]
struct Counts {
    finality: Histogram,
    block_interval: Histogram,
    blocks: Counter,
    synced_blocks: Counter,
    transactions: Counter,
    proposals: Counter,
    invalid_blocks: Counter,
    clock_skews: Counter,
    clock_warnings: Counter,
    evidence: Counter,
    behind: Counter,
    rounds: Family<OfReason, Counter>,
    nil_votes: Family<OfVote, Counter>,
    missed_votes: Family<OfMasternode, Counter>,
    lost_turns: Family<OfMasternode, Counter>,
    refusals: Family<OfReason, Counter>,
    calls: Family<OfCall, Counter>,
    call_seconds: Family<OfMethod, Histogram, fn() -> Histogram>,
    last: Mutex<Last>,
}

/// What came last, to compare the next with. Locked for a moment, by the node's loop alone.
#[derive(Debug, Default)]
struct Last {
    block: Option<Instant>,
    round: Option<(Height, Round, u16)>,
}

impl Metrics {
    /// All counters at zero. Those of each masternode are there from the start: a counter that appears
    /// with its first count hides it from `increase`.
    pub fn new(data_dir: PathBuf, masternodes: usize, log: Arc<Losses>) -> Self {
        let counts = Counts::new();
        for masternode in (0..).take(masternodes) {
            drop(counts.missed_votes.get_or_create(&OfMasternode { masternode }));
            drop(counts.lost_turns.get_or_create(&OfMasternode { masternode }));
        }
        Self { counts: Arc::new(counts), data_dir, log }
    }

    /// Counts what the engine reports.
    pub fn on_report(&self, report: &Report) {
        let counts = &self.counts;
        match report {
            Report::Round { height, round, why, proposer } => {
                let reason = why.code();
                counts.rounds.get_or_create(&OfReason { reason }).inc();
                counts.round_began(*height, *round, *proposer);
            }
            Report::Proposed { .. } => drop(counts.proposals.inc()),
            Report::Nil { kind, why, .. } => {
                let (kind, reason) = (vote_kind(*kind), why.code());
                counts.nil_votes.get_or_create(&OfVote { kind, reason }).inc();
            }
            Report::InvalidBlock { .. } => drop(counts.invalid_blocks.inc()),
            Report::ClockSkew { .. } => drop(counts.clock_skews.inc()),
            Report::ClockAhead { .. } => drop(counts.clock_warnings.inc()),
            Report::Final { transactions, took, missed, synced, .. } => {
                counts.committed(*transactions, *took, missed, *synced);
            }
            Report::Behind { .. } => drop(counts.behind.inc()),
            // A gauge shows it.
            Report::Signing(_) => {}
            Report::Refused { refusal, .. } => {
                let reason = match refusal {
                    Refusal::Conflict => "conflict",
                    Refusal::TooLate => "too_late",
                    Refusal::Stopped => "stopped",
                };
                counts.refusals.get_or_create(&OfReason { reason }).inc();
            }
            Report::Evidence(_) => drop(counts.evidence.inc()),
        }
    }

    /// Counts a call of RPC by its error code, 0 is success, and the time it took.
    pub(crate) fn on_call(&self, method: &'static str, code: i64, took: Duration) {
        self.counts.calls.get_or_create(&OfCall { method, code }).inc();
        self.counts.call_seconds.get_or_create(&OfMethod { method }).observe(took.as_secs_f64());
    }

    /// Space for the data, as the system tells. May take time.
    pub(crate) fn disk(&self) -> Option<Disk> {
        Disk::read(&self.data_dir)
    }

    /// All figures now. The caller reads those of the disk, which takes time.
    pub(crate) fn render(
        &self,
        node: &NodeHandle,
        store: Option<StoreStats>,
        disk: Option<Disk>,
        form: Form,
    ) -> String {
        self.encode(Snapshot::new(node, store, disk, &self.log), form)
    }

    fn encode(&self, snapshot: Snapshot, form: Form) -> String {
        let mut now = Registry::default();
        now.register_collector(Box::new(Scrape { counts: self.counts.clone(), snapshot }));
        let mut text = String::new();
        encode_registry(&mut text, &now)
            .and_then(|()| encode_eof(&mut text))
            .expect("writing to a string does not fail");
        match form {
            Form::OpenMetrics => text,
            Form::Classic => text::classic(&text),
        }
    }
}

/// What is counted and what is read, in one answer.
#[derive(Debug)]
struct Scrape {
    counts: Arc<Counts>,
    snapshot: Snapshot,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Writer::new(&mut encoder);
        self.counts.encode(&mut out)?;
        self.snapshot.encode(&mut out)
    }
}

impl Counts {
    fn new() -> Self {
        Self {
            finality: Histogram::new(FINALITY_BUCKETS),
            block_interval: Histogram::new(INTERVAL_BUCKETS),
            blocks: Counter::default(),
            synced_blocks: Counter::default(),
            transactions: Counter::default(),
            proposals: Counter::default(),
            invalid_blocks: Counter::default(),
            clock_skews: Counter::default(),
            clock_warnings: Counter::default(),
            evidence: Counter::default(),
            behind: Counter::default(),
            rounds: Family::default(),
            nil_votes: Family::default(),
            missed_votes: Family::default(),
            lost_turns: Family::default(),
            refusals: Family::default(),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(|| Histogram::new(CALL_BUCKETS)),
            last: Mutex::default(),
        }
    }

    /// A round that follows another one of its height ended without a decision.
    fn round_began(&self, height: Height, round: Round, proposer: u16) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, lost, masternode)) = last.round.replace((height, round, proposer))
            && before == height
            && lost < round
        {
            self.lost_turns.get_or_create(&OfMasternode { masternode }).inc();
        }
    }

    fn committed(&self, transactions: usize, took: Millis, missed: &[u16], synced: bool) {
        self.blocks.inc();
        self.transactions.inc_by(transactions as u64);
        let now = (!synced).then(Instant::now);
        let before = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut last.block, now)
        };
        let Some(now) = now else {
            // It was decided elsewhere: the time it took and the late votes are not known here.
            self.synced_blocks.inc();
            return;
        };
        if let Some(before) = before {
            self.block_interval.observe(now.duration_since(before).as_secs_f64());
        }
        let millis = u32::try_from(took.0).unwrap_or(u32::MAX);
        self.finality.observe(f64::from(millis) / 1_000.0);
        for masternode in missed {
            self.missed_votes.get_or_create(&OfMasternode { masternode: *masternode }).inc();
        }
    }

    fn encode(&self, out: &mut Writer<'_, '_>) -> fmt::Result {
        out.held(&c::FINALITY, &self.finality)?;
        out.held(&c::BLOCK_INTERVAL, &self.block_interval)?;
        out.held(&c::BLOCKS, &self.blocks)?;
        out.held(&c::SYNCED_BLOCKS, &self.synced_blocks)?;
        out.held(&c::TRANSACTIONS, &self.transactions)?;
        out.held(&c::PROPOSALS, &self.proposals)?;
        out.held(&c::INVALID_BLOCKS, &self.invalid_blocks)?;
        out.held(&c::CLOCK_SKEWS, &self.clock_skews)?;
        out.held(&c::CLOCK_WARNINGS, &self.clock_warnings)?;
        out.held(&c::EVIDENCE, &self.evidence)?;
        out.held(&c::BEHIND, &self.behind)?;
        out.held(&c::ROUNDS, &self.rounds)?;
        out.held(&c::NIL_VOTES, &self.nil_votes)?;
        out.held(&c::MISSED_VOTES, &self.missed_votes)?;
        out.held(&c::LOST_TURNS, &self.lost_turns)?;
        out.held(&c::REFUSED_SIGNATURES, &self.refusals)?;
        out.held(&c::RPC_REQUESTS, &self.calls)?;
        out.held(&c::RPC_SECONDS, &self.call_seconds)
    }
}

fn vote_kind(kind: VoteKind) -> &'static str {
    match kind {
        VoteKind::Prevote => "prevote",
        VoteKind::Precommit => "precommit",
    }
}

#[cfg(test)]
mod tests;
