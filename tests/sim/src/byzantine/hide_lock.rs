//! The hidden lock: a proposal that reaches 2f others, a polka made of their prevotes and its own, and
//! one of them that is shown it. That one locks what nobody else knows to be lockable.
use super::{Actor, Stage};
use std::collections::BTreeMap;
use timecoin_chain::types::{
    BlockHash, Certificate, ConsensusMessage, Height, Round, Vote, VoteKind,
};

/// A masternode that hides polkas.
#[derive(Default)]
pub(super) struct HiddenLock {
    place: (Height, Round),
    /// Who was sent the proposal.
    sent_to: Vec<usize>,
    prevotes: BTreeMap<u16, Vote>,
    is_shown: bool,
}

impl Actor for HiddenLock {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        match message {
            ConsensusMessage::Proposal(proposal) => {
                self.begin(stage, (proposal.height(), proposal.round));
                let few = self.sent_to.clone();
                stage.tell(&few, ConsensusMessage::Proposal(proposal), attempt);
            }
            // Its votes and certificates are for the one that is shown the polka.
            ConsensusMessage::Vote(vote) if vote.block.is_some() => self.collect(stage, &vote),
            ConsensusMessage::Certificate(_) => {}
            message => stage.say(message, attempt),
        }
    }

    fn hear(&mut self, stage: &mut Stage, message: &ConsensusMessage) {
        if let ConsensusMessage::Vote(vote) = message {
            self.collect(stage, vote);
        }
    }
}

impl HiddenLock {
    fn begin(&mut self, stage: &mut Stage, place: (Height, Round)) {
        if self.place != place {
            let sent_to = stage.some_masternodes(2 * stage.faulty_max());
            *self = Self { place, sent_to, ..Self::default() };
        }
    }

    fn collect(&mut self, stage: &mut Stage, vote: &Vote) {
        let place = (vote.height, vote.round);
        let (VoteKind::Prevote, Some(block)) = (vote.kind, vote.block) else { return };
        if place < self.place || vote.height != stage.height {
            return;
        }
        self.begin(stage, place);
        self.prevotes.insert(vote.signer, vote.clone());
        self.show(stage, block, vote.valid_round);
    }

    fn show(&mut self, stage: &mut Stage, block: BlockHash, valid: Option<Round>) {
        let own = stage.vote(VoteKind::Prevote, self.place, Some(block), valid);
        if let ConsensusMessage::Vote(own) = own {
            self.prevotes.insert(stage.me, own);
        }
        let value = (Some(block), valid);
        let votes: Vec<&Vote> =
            self.prevotes.values().filter(|vote| (vote.block, vote.valid_round) == value).collect();
        if self.is_shown || !stage.is_quorum(votes.iter().map(|vote| vote.signer)) {
            return;
        }
        let Some(polka) = Certificate::collect(stage.members(), votes) else { return };
        let Some(&one) = self.sent_to.first() else { return };
        self.is_shown = true;
        stage.tell(&[one], ConsensusMessage::Certificate(polka), 0);
        stage.works();
    }
}
