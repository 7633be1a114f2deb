//! Votes when it is all but too late: some count its prevote in time and some do not. Its precommits
//! go to one node after seconds and to the others later.
use super::{Actor, Stage};
use crate::clock::SECOND;
use timecoin_chain::types::{ConsensusMessage, VoteKind};

/// A masternode that holds votes back.
pub(super) struct Withholder;

impl Actor for Withholder {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        let ConsensusMessage::Vote(vote) = message else { return stage.say(message, attempt) };
        if attempt > 0 {
            return;
        }
        stage.works();
        let edge = stage.vote_timeout(vote.round) - stage.rng.below(SECOND / 10);
        match vote.kind {
            VoteKind::Prevote => {
                stage.later(edge, stage.others.clone(), ConsensusMessage::Vote(vote), attempt);
            }
            VoteKind::Precommit => {
                let one = stage.some_masternodes(1);
                let message = ConsensusMessage::Vote(vote);
                stage.later(edge + 2 * SECOND, one, message.clone(), attempt);
                stage.later(edge + 5 * SECOND, stage.others.clone(), message, attempt);
            }
        }
    }
}
