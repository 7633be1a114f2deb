//! Proposes to 2f others: with its own vote one less than a quorum in the worst case, so that some
//! must fetch what they were not sent.
use super::{Actor, Stage};
use timecoin_chain::types::ConsensusMessage;

/// A proposer that leaves some out.
pub(super) struct SelectiveProposer;

impl Actor for SelectiveProposer {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        match message {
            // Others at each repetition: those who get it late are as much of a trouble.
            ConsensusMessage::Proposal(_) => {
                let few = stage.some_masternodes(2 * stage.faulty_max());
                stage.tell(&few, message, attempt);
                stage.works();
            }
            message => stage.say(message, attempt),
        }
    }
}
