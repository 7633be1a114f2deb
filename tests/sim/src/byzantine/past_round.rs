//! Keeps its precommits to itself until the round is over, then lets one node decide in the past:
//! by the missing precommit, or by the whole certificate.
use super::{Actor, Stage};
use std::collections::BTreeMap;
use timecoin_chain::types::{
    BlockHash, Certificate, ConsensusMessage, Height, Round, Vote, VoteKind,
};

type Place = (Height, Round, BlockHash);

/// Rounds kept at the most.
const PLACES_MAX: usize = 8;

/// A masternode that makes others decide late.
#[derive(Default)]
pub(super) struct PastRoundDecider {
    precommits: BTreeMap<Place, BTreeMap<u16, Vote>>,
}

impl Actor for PastRoundDecider {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        match message {
            ConsensusMessage::Vote(vote) if is_for_block(&vote) => self.collect(&vote),
            ConsensusMessage::Certificate(certificate) if certificate.is_commit() => {
                certificate.votes().for_each(|vote| self.collect(&vote));
            }
            message => stage.say(message, attempt),
        }
    }

    fn hear(&mut self, _stage: &mut Stage, message: &ConsensusMessage) {
        if let ConsensusMessage::Vote(vote) = message {
            self.collect(vote);
        }
    }

    fn tick(&mut self, stage: &mut Stage) {
        let here = (stage.height, stage.round);
        let over: Vec<Place> =
            self.precommits.keys().filter(|place| (place.0, place.1) < here).copied().collect();
        for place in over {
            let votes = self.precommits.remove(&place).unwrap_or_default();
            self.release(stage, &votes);
        }
    }
}

impl PastRoundDecider {
    fn collect(&mut self, vote: &Vote) {
        let (Some(block), true) = (vote.block, is_for_block(vote)) else { return };
        let place = (vote.height, vote.round, block);
        self.precommits.entry(place).or_default().insert(vote.signer, vote.clone());
        if self.precommits.len() > PLACES_MAX {
            self.precommits.pop_first();
        }
    }

    fn release(&self, stage: &mut Stage, votes: &BTreeMap<u16, Vote>) {
        let one = stage.some_masternodes(1);
        let certificate = match stage.is_quorum(votes.keys().copied()) {
            true => Certificate::collect(stage.members(), votes.values()),
            false => None,
        };
        let own = votes.get(&stage.me).cloned().map(ConsensusMessage::Vote);
        if let Some(message) = certificate.map(ConsensusMessage::Certificate).or(own) {
            stage.works();
            stage.tell(&one, message, 0);
        }
    }
}

fn is_for_block(vote: &Vote) -> bool {
    vote.kind == VoteKind::Precommit && vote.block.is_some()
}
