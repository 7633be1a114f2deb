//! Votes seconds after everybody else, mostly on heights that are over.
use super::{Actor, Stage};
use crate::clock::SECOND;
use timecoin_chain::types::ConsensusMessage;

/// A masternode that is always late.
pub(super) struct LateVoter;

impl Actor for LateVoter {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        if let ConsensusMessage::Proposal(_) = message {
            return stage.say(message, attempt);
        }
        stage.works();
        let after = stage.rng.exponential(3 * SECOND);
        let everybody = stage.others.clone();
        stage.later(after, everybody, message, attempt);
    }
}
