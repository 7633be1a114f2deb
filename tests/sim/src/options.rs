//! What to run, and how it ended.
use crate::{
    byzantine::{plot::Plot, twins::Scenario},
    coverage::Coverage,
    disk::Flaw,
    faults::Faults,
    instances::Instance,
    oracle::Violation,
    role::Role,
    traffic::Traffic,
};
use timecoin_chain::types::Height;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Masternodes.
    pub masternodes: u8,
    /// The minimum number of heights.
    pub heights: u64,
    /// Use ed25519 in every seed.
    pub real_signatures: bool,
    /// These faults instead of those that the seed draws.
    pub faults: Option<Faults>,
    /// Average connections per node; a full mesh if none.
    pub degree: Option<usize>,
    /// Whether to count what travels.
    pub counts_traffic: bool,
    /// Only these faults strike; all if none.
    pub only: Option<Vec<Instance>>,
    /// Masternodes with up to a third of the weight have this role instead of those that the seed
    /// draws.
    pub byzantine: Option<Role>,
    /// One key on several nodes, and who reaches whom.
    pub twins: Option<Scenario>,
    /// More than a third of the weight tries to fork the chain.
    pub fork: Option<Plot>,
    /// Whether every seed is a flood.
    pub is_flood: bool,
    /// A planted fault.
    pub flaw: Flaw,
    /// Stop after the event with this number.
    pub until: Option<u64>,
    /// Whether to keep lines for people.
    pub trace: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            masternodes: 4,
            heights: 20,
            real_signatures: false,
            faults: None,
            degree: None,
            counts_traffic: false,
            only: None,
            byzantine: None,
            twins: None,
            fork: None,
            is_flood: false,
            flaw: Flaw::None,
            until: None,
            trace: false,
        }
    }
}

/// How a seed ended.
#[derive(Debug)]
pub struct Outcome {
    /// The violated property.
    pub violation: Option<Violation>,
    /// The digest over all events.
    pub hash: [u8; 32],
    /// How many events.
    pub events: u64,
    /// All single faults.
    pub faults: Vec<Instance>,
    /// Virtual time in microseconds.
    pub time: u64,
    /// Virtual time from healing to the end.
    pub recovery: u64,
    /// How long honest votes waited for their verdict at the 99th percentile, where they were flooded.
    pub vote_wait: Option<u64>,
    /// The greatest final height.
    pub height: Height,
    /// The height with two final blocks, if enough weight is Byzantine to make a fork.
    pub forked: Option<Height>,
    /// The coverage.
    pub coverage: Coverage,
    /// The traffic, if it was counted.
    pub traffic: Option<Traffic>,
    /// Lines for people.
    pub trace: Vec<String>,
}
