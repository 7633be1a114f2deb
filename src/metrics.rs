//! Figures for Prometheus, as OpenMetrics text.
//!
//! Counters and histograms live here; the engine's reports and RPC feed them. Everything that the node
//! already knows is read at a scrape. Labels are bounded: an index of a masternode,
//! a name from the code, never an id, an address or a text of a peer.
pub(crate) mod process;
mod snapshot;

use crate::{logging::Losses, node::NodeHandle};
use prometheus_client::{
    encoding::{
        EncodeLabelSet,
        text::{encode_eof, encode_registry},
    },
    metrics::{counter::Counter, family::Family, histogram::Histogram, info::Info},
    registry::Registry,
};
use snapshot::Snapshot;
use std::sync::Arc;
use timecoin_chain::{
    engine::{Refusal, Report},
    types::{Millis, VoteKind},
};
use timecoin_store::StoreStats;

/// Bounds of the finality histogram in seconds.
const FINALITY_BUCKETS: [f64; 18] = [
    0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0,
    20.0, 30.0,
];

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

/// The counters since the start.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    counts: Counts,
    log: Arc<Losses>,
}

#[derive(Debug)]
struct Counts {
    finality: Histogram,
    blocks: Counter,
    synced_blocks: Counter,
    transactions: Counter,
    proposals: Counter,
    invalid_blocks: Counter,
    clock_skews: Counter,
    evidence: Counter,
    behind: Counter,
    rounds: Family<OfReason, Counter>,
    nil_votes: Family<OfVote, Counter>,
    missed_votes: Family<OfMasternode, Counter>,
    refusals: Family<OfReason, Counter>,
    calls: Family<OfCall, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Metrics {
    /// All counters at zero, with those of the log.
    pub fn new(log: Arc<Losses>) -> Self {
        let counts = Counts {
            finality: Histogram::new(FINALITY_BUCKETS),
            blocks: Counter::default(),
            synced_blocks: Counter::default(),
            transactions: Counter::default(),
            proposals: Counter::default(),
            invalid_blocks: Counter::default(),
            clock_skews: Counter::default(),
            evidence: Counter::default(),
            behind: Counter::default(),
            rounds: Family::default(),
            nil_votes: Family::default(),
            missed_votes: Family::default(),
            refusals: Family::default(),
            calls: Family::default(),
        };
        Self { registry: counts.register(), counts, log }
    }

    /// Counts what the engine reports.
    pub fn on_report(&self, report: &Report) {
        let counts = &self.counts;
        match report {
            Report::Round { why, .. } => {
                let reason = why.code();
                counts.rounds.get_or_create(&OfReason { reason }).inc();
            }
            Report::Proposed { .. } => drop(counts.proposals.inc()),
            Report::Nil { kind, why, .. } => {
                let (kind, reason) = (vote_kind(*kind), why.code());
                counts.nil_votes.get_or_create(&OfVote { kind, reason }).inc();
            }
            Report::InvalidBlock { .. } => drop(counts.invalid_blocks.inc()),
            Report::ClockSkew { .. } => drop(counts.clock_skews.inc()),
            // The log and the troubles of the status show it.
            Report::ClockAhead { .. } => {}
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

    /// Counts a call of RPC by its error code; 0 is success.
    pub(crate) fn on_call(&self, method: &'static str, code: i64) {
        self.counts.calls.get_or_create(&OfCall { method, code }).inc();
    }

    /// All figures now. The caller reads the store's, which takes time.
    pub(crate) fn render(&self, node: &NodeHandle, store: Option<StoreStats>) -> String {
        self.encode(Snapshot::new(node, store, &self.log))
    }

    fn encode(&self, snapshot: Snapshot) -> String {
        let mut now = Registry::default();
        now.register_collector(Box::new(snapshot));
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &now))
            .and_then(|()| encode_eof(&mut text))
            .expect("writing to a string does not fail");
        text
    }
}

impl Counts {
    fn committed(&self, transactions: usize, took: Millis, missed: &[u16], synced: bool) {
        self.blocks.inc();
        self.transactions.inc_by(transactions as u64);
        if synced {
            // It was decided elsewhere: the time it took and the late votes are not known here.
            self.synced_blocks.inc();
            return;
        }
        let millis = u32::try_from(took.0).unwrap_or(u32::MAX);
        self.finality.observe(f64::from(millis) / 1_000.0);
        for masternode in missed {
            self.missed_votes.get_or_create(&OfMasternode { masternode: *masternode }).inc();
        }
    }

    fn register(&self) -> Registry {
        let mut registry = Registry::with_prefix("timecoin");
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "The running program", Info::new(version));
        registry.register(
            "consensus_finality_seconds",
            "From a proposal seen here to its block durable here",
            self.finality.clone(),
        );
        for (name, help, counter) in [
            ("chain_blocks", "Blocks that became final here", &self.blocks),
            ("chain_synced_blocks", "Blocks that came by sync", &self.synced_blocks),
            ("chain_transactions", "Transactions of final blocks", &self.transactions),
            ("consensus_proposals", "Blocks proposed by this node", &self.proposals),
            ("consensus_invalid_blocks", "Proposed blocks against a rule", &self.invalid_blocks),
            ("consensus_clock_skews", "Proposals too far ahead of the clock", &self.clock_skews),
            ("consensus_evidence", "Masternodes seen to break the rules", &self.evidence),
            ("sync_behind", "Times a peer proved a later height", &self.behind),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register("consensus_rounds", "Rounds begun, by why", self.rounds.clone());
        registry.register(
            "consensus_nil_votes",
            "Votes of this node for no block, by why",
            self.nil_votes.clone(),
        );
        registry.register(
            "consensus_missed_votes",
            "Blocks whose certificate lacks a masternode",
            self.missed_votes.clone(),
        );
        registry.register(
            "consensus_refused_signatures",
            "Signatures this node refused itself, by why",
            self.refusals.clone(),
        );
        registry.register("rpc_requests", "Calls, by error code or 0", self.calls.clone());
        registry
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
