//! Forgets what it is locked on: where its engine prevotes nil, it prevotes the block of the round.
//! One prevote a slot, so that only its precommit of an earlier round gives it away.
//!
//! Its proposals reach 2f others, and its prevotes for them nobody: it alone has the polka and locks.
use super::{Actor, Stage};
use timecoin_chain::types::{BlockHash, ConsensusMessage, Height, Round, Vote, VoteKind};

type Heard = ((Height, Round), BlockHash, Option<Round>);

/// A masternode without a memory.
#[derive(Default)]
pub(super) struct Amnesia {
    proposed: Option<Heard>,
    /// What it made of the last nil prevote.
    said: Option<Vote>,
}

impl Actor for Amnesia {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        match message {
            ConsensusMessage::Vote(vote)
                if vote.kind == VoteKind::Prevote && vote.block.is_none() =>
            {
                let vote = self.remembers_nothing(stage, vote);
                stage.say(ConsensusMessage::Vote(vote), attempt);
            }
            ConsensusMessage::Proposal(_) => {
                let few = stage.some_masternodes(2 * stage.faulty_max());
                stage.tell(&few, message, attempt);
            }
            ConsensusMessage::Vote(vote)
                if vote.kind == VoteKind::Prevote && stage.proposes(vote.height, vote.round) => {}
            // These hold what its engine signed.
            ConsensusMessage::Certificate(held) if held.is_polka() => {}
            ConsensusMessage::Round(_) => {}
            message => stage.say(message, attempt),
        }
    }

    fn hear(&mut self, _stage: &mut Stage, message: &ConsensusMessage) {
        if let ConsensusMessage::Proposal(proposal) = message {
            let place = (proposal.height(), proposal.round);
            self.proposed = Some((place, proposal.block_hash(), proposal.valid_round));
        }
    }
}

impl Amnesia {
    /// The same at every repetition.
    fn remembers_nothing(&mut self, stage: &mut Stage, nil: Vote) -> Vote {
        let place = (nil.height, nil.round);
        if let Some(said) = &self.said
            && (said.height, said.round) == place
        {
            return said.clone();
        }
        let vote = match self.proposed.filter(|(proposed, ..)| *proposed == place) {
            Some((_, block, valid)) => {
                stage.works();
                match stage.vote(VoteKind::Prevote, place, Some(block), valid) {
                    ConsensusMessage::Vote(vote) => vote,
                    _ => nil,
                }
            }
            None => nil,
        };
        self.said = Some(vote.clone());
        vote
    }
}
