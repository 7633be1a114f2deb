//! Two blocks for one round, each to one half, and votes for both.
use super::{Actor, Stage};
use timecoin_chain::types::{
    BlockHash, ConsensusMessage, Header, Height, Proposal, Round, Timestamp, VoteKind,
};

struct Double {
    place: (Height, Round),
    proposals: [Proposal; 2],
    halves: [Vec<usize>; 2],
}

/// A proposer that says two things.
#[derive(Default)]
pub(super) struct EquivocatingProposer {
    double: Option<Double>,
}

impl Actor for EquivocatingProposer {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        match message {
            ConsensusMessage::Proposal(proposal) => self.propose(stage, *proposal, attempt),
            ConsensusMessage::Vote(vote) => {
                let place = (vote.height, vote.round);
                match self.double.as_ref().filter(|double| double.place == place) {
                    Some(double) => double.vote(stage, vote.kind, attempt),
                    None => stage.say(ConsensusMessage::Vote(vote), attempt),
                }
            }
            message => stage.say(message, attempt),
        }
    }
}

impl EquivocatingProposer {
    fn propose(&mut self, stage: &mut Stage, proposal: Proposal, attempt: u8) {
        let place = (proposal.height(), proposal.round);
        if self.double.as_ref().is_none_or(|double| double.place != place) {
            let timestamp = Timestamp(proposal.header.timestamp.0 + 1);
            let header = Header { timestamp, ..proposal.header.clone() };
            let other = stage.fresh_proposal(&proposal, proposal.round, header);
            let halves: [Vec<usize>; 2] = stage.halves().into();
            self.double = Some(Double { place, proposals: [proposal, other], halves });
            stage.works();
        }
        let Some(double) = &self.double else { return };
        for (half, proposal) in double.halves.iter().zip(&double.proposals) {
            stage.tell(half, ConsensusMessage::Proposal(Box::new(proposal.clone())), attempt);
        }
        double.vote(stage, VoteKind::Prevote, attempt);
    }
}

impl Double {
    fn vote(&self, stage: &mut Stage, kind: VoteKind, attempt: u8) {
        for (half, proposal) in self.halves.iter().zip(&self.proposals) {
            let block: Option<BlockHash> = Some(proposal.block_hash());
            let valid = proposal.valid_round.filter(|_| kind == VoteKind::Prevote);
            let vote = stage.vote(kind, self.place, block, valid);
            stage.tell(half, vote, attempt);
        }
    }
}
