//! Byzantine masternodes: each runs an unmodified engine on a disk of its own, and an actor stands
//! between what that engine wants to send and the wire.
//!
//! An actor signs with its own key only. Together the actors of a seed have less than a third of the
//! weight, so everything that is asked of honest nodes must hold with them there, before and after
//! everything heals. Whatever an actor sends passes the codec and the checks of the real code, and
//! what fails these reaches nobody, as in the node.
mod amnesia;
mod echo;
mod equivocate;
mod flood;
pub mod fork;
mod hide_lock;
mod late;
mod mutate;
mod past_round;
mod perform;
mod selective;
mod silent;
mod stage;
mod stale;
pub mod twins;
mod withhold;

use crate::{coverage::Met, rng::Rng};
use clap::ValueEnum;
pub use stage::{Parcel, Stage};
use timecoin_chain::types::ConsensusMessage;

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
    /// Prevotes when the timeout is all but over, precommits seconds later.
    Withholder,
    /// Sends many votes and proposals, far ahead and contradicting each other, at a bounded rate.
    Flooder,
    /// Votes when the height is over.
    LateVoter,
    /// Keeps its precommits, and commits that need them, until a later round.
    PastRoundDecider,
    /// Sends old messages again and again, its own and others'.
    StaleResender,
    /// Changes any field of what it sends and passes on, and signs again what is its own.
    Mutator,
    /// Sends every vote back to its voter as its own.
    Echo,
    /// The same, but says one thing in one slot.
    Turncoat,
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
    /// All of them.
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

    /// What is met when one of these does what it is there for.
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
            Self::Twin => Met::Twin,
        }
    }

    /// The actor; a twin needs none.
    pub fn actor(self, rng: &mut Rng) -> Option<Box<dyn Actor>> {
        Some(match self {
            Self::Silent => Box::new(silent::Silent::draw(rng)),
            Self::SelectiveProposer => Box::new(selective::SelectiveProposer),
            Self::EquivocatingProposer => Box::new(equivocate::EquivocatingProposer::default()),
            Self::HiddenLock => Box::new(hide_lock::HiddenLock::default()),
            Self::Amnesia => Box::new(amnesia::Amnesia::default()),
            Self::Withholder => Box::new(withhold::Withholder),
            Self::Flooder => Box::new(flood::Flooder::default()),
            Self::LateVoter => Box::new(late::LateVoter),
            Self::PastRoundDecider => Box::new(past_round::PastRoundDecider::default()),
            Self::StaleResender => Box::new(stale::StaleResender::default()),
            Self::Mutator => Box::new(mutate::Mutator),
            Self::Echo => Box::new(echo::Echo::shameless()),
            Self::Turncoat => Box::new(echo::Echo::turncoat()),
            Self::Twin => return None,
        })
    }
}

/// Stands between an engine and the wire. What is not put on the stage is not sent.
pub trait Actor {
    /// The engine underneath wants to send this to all.
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8);

    /// A message came; the engine underneath gets it too.
    fn hear(&mut self, _stage: &mut Stage, _message: &ConsensusMessage) {}

    /// A quarter of a second has passed.
    fn tick(&mut self, _stage: &mut Stage) {}

    /// Whether it answers questions about blocks and bodies. None answers those about votes: what
    /// it hides would come out.
    fn answers(&self) -> bool {
        true
    }
}
