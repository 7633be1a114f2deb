//! The roles of Byzantine masternodes. `byzantine` implements them.
use crate::{coverage::Met, rng::Rng};
use clap::ValueEnum;

/// What a Byzantine masternode does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Role {
    /// Proposes nothing, or says nothing at all.
    Silent,
    /// Sends its proposals to exactly 2f others.
    SelectiveProposer,
    /// Proposes two blocks to two halves and votes for both.
    EquivocatingProposer,
    /// Collects a polka that others lack and shows it to one of them.
    HiddenLock,
    /// Forgets its lock: prevotes whatever is proposed.
    Amnesia,
    /// Prevotes just before the timeout, precommits seconds later.
    Withholder,
    /// Sends many votes and proposals, far ahead and contradicting each other, at a bounded rate.
    Flooder,
    /// Votes when the height is over.
    LateVoter,
    /// Keeps its precommits, and commits that need them, until a later round.
    PastRoundDecider,
    /// Sends old messages again and again, its own and others'.
    StaleResender,
    /// Changes any field of messages that it sends or forwards, and signs its own again.
    Mutator,
    /// Sends every vote back to its voter as its own.
    Echo,
    /// The same, but casts one vote per slot.
    Turncoat,
    /// Proposes invalid blocks whose many signatures must be verified before they are refused. Not drawn with the
    /// others: its chain needs coins of its own (`Faults::bad_blocks`).
    CostlyProposer,
    /// Runs twice under one key, each of the two on its own disk.
    Twin,
}

/// As Rust writes it, to be pasted into a test.
impl std::fmt::Debug for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Role::{:?}", self.met())
    }
}

impl Role {
    /// Those that a seed may draw.
    pub const ALL: [Self; 14] = [
        Self::Silent,
        Self::SelectiveProposer,
        Self::EquivocatingProposer,
        Self::HiddenLock,
        Self::Amnesia,
        Self::Withholder,
        Self::Flooder,
        Self::LateVoter,
        Self::PastRoundDecider,
        Self::StaleResender,
        Self::Mutator,
        Self::Echo,
        Self::Turncoat,
        Self::Twin,
    ];

    /// Any of them.
    pub fn draw(rng: &mut Rng) -> Self {
        Self::ALL[rng.index(Self::ALL.len())]
    }

    /// The coverage that this role must reach.
    pub fn met(self) -> Met {
        match self {
            Self::Silent => Met::Silent,
            Self::SelectiveProposer => Met::SelectiveProposer,
            Self::EquivocatingProposer => Met::EquivocatingProposer,
            Self::HiddenLock => Met::HiddenLock,
            Self::Amnesia => Met::Amnesia,
            Self::Withholder => Met::Withholder,
            Self::Flooder => Met::Flooder,
            Self::LateVoter => Met::LateVoter,
            Self::PastRoundDecider => Met::PastRoundDecider,
            Self::StaleResender => Met::StaleResender,
            Self::Mutator => Met::Mutator,
            Self::Echo => Met::Echo,
            Self::Turncoat => Met::Turncoat,
            Self::CostlyProposer => Met::CostlyProposer,
            Self::Twin => Met::Twin,
        }
    }
}
