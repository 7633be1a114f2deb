//! Says nothing where something is owed.
use super::{Actor, Stage};
use crate::rng::Rng;
use timecoin_chain::types::ConsensusMessage;

/// A silent masternode.
pub(super) struct Silent {
    votes: bool,
}

impl Silent {
    /// One that never proposes, and in half of the cases does nothing else either.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        Self { votes: rng.chance(500) }
    }
}

impl Actor for Silent {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        match message {
            ConsensusMessage::Proposal(_) => stage.works(),
            message if self.votes => stage.say(message, attempt),
            _ => {}
        }
    }

    fn answers(&self) -> bool {
        self.votes
    }
}
