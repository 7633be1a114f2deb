//! Tells every masternode that it is right: sends its votes back to it as its own. A turncoat does the
//! same and signs one thing in one slot only, what came first; in the next round it agrees with
//! somebody else.
//!
//! Below a third of the weight they make rounds look better than they are. Above, every honest
//! masternode that is cut off from the others is a quorum together with them, and the chain forks:
//! by echoes within a round, by turncoats in a later one.
use super::{Actor, Stage};
use std::collections::BTreeMap;
use timecoin_chain::types::{ConsensusMessage, Height, Round, Vote, VoteKind};

/// Heights that are remembered.
const HEIGHTS_KEPT: u64 = 8;

type Slot = (Height, Round, VoteKind);

/// A masternode that agrees with everybody.
pub(super) struct Echo {
    /// What it said in a slot, where it says one thing only.
    once: Option<BTreeMap<Slot, Vote>>,
}

impl Echo {
    /// One that says anything to anybody.
    pub(super) fn shameless() -> Self {
        Self { once: None }
    }

    /// One that says one thing in one slot.
    pub(super) fn turncoat() -> Self {
        Self { once: Some(BTreeMap::new()) }
    }

    /// What it says instead of this vote.
    fn word(&mut self, vote: Vote) -> Vote {
        let Some(said) = &mut self.once else { return vote };
        let oldest = Height(vote.height.0.saturating_sub(2 * HEIGHTS_KEPT));
        *said = said.split_off(&(oldest, Round(0), VoteKind::Prevote));
        said.entry((vote.height, vote.round, vote.kind)).or_insert(vote).clone()
    }
}

impl Actor for Echo {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        match message {
            ConsensusMessage::Vote(vote) => {
                let vote = self.word(vote);
                stage.say(ConsensusMessage::Vote(vote), attempt);
            }
            // These hold what its engine signed, and it may have said something else.
            ConsensusMessage::Certificate(_) | ConsensusMessage::Round(_)
                if self.once.is_some() => {}
            ConsensusMessage::Proposal(proposal)
                if self.once.is_some() && proposal.polka.is_some() => {}
            message => stage.say(message, attempt),
        }
    }

    fn hear(&mut self, stage: &mut Stage, message: &ConsensusMessage) {
        let ConsensusMessage::Vote(theirs) = message else { return };
        let voter = usize::from(theirs.signer);
        let is_forgotten = theirs.height.0 + HEIGHTS_KEPT <= stage.height.0;
        if theirs.signer == stage.me || theirs.height > stage.height || is_forgotten {
            return;
        }
        let ConsensusMessage::Vote(mine) = stage.sign_vote(theirs) else { return };
        let mine = self.word(mine);
        stage.works();
        stage.tell(&[voter], ConsensusMessage::Vote(mine), 0);
    }
}
