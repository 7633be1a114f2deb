//! Messages of the next height, kept until it begins.
//!
//! Bounded: one slot for each (masternode, round, kind) up to a few rounds, one proposal a round, and
//! a few certificates. What does not fit is dropped; its sender repeats it.
use crate::{
    crypto::Verified,
    limits::ROUNDS_AHEAD_MAX,
    types::{ConsensusMessage, Height, Round, VoteKind},
};
use std::collections::BTreeMap;

type Checked = Verified<ConsensusMessage>;

const CERTIFICATES_MAX: usize = 8;

/// What is kept of one height.
#[derive(Debug, Default)]
pub(super) struct LaterMessages {
    height: Height,
    votes: BTreeMap<(Round, VoteKind, u16), Checked>,
    proposals: BTreeMap<Round, Checked>,
    certificates: Vec<Checked>,
}

impl LaterMessages {
    /// Keeps a message if it is of the next height.
    pub(super) fn add(&mut self, next: Height, message: Checked) {
        if message.height() != next {
            return;
        }
        if self.height != next {
            *self = Self { height: next, ..Self::default() };
        }
        match &*message {
            ConsensusMessage::Vote(vote) if vote.round.0 <= ROUNDS_AHEAD_MAX => {
                let slot = (vote.round, vote.kind, vote.signer);
                self.votes.entry(slot).or_insert(message);
            }
            ConsensusMessage::Proposal(proposal) if proposal.round.0 <= ROUNDS_AHEAD_MAX => {
                self.proposals.entry(proposal.round).or_insert(message);
            }
            ConsensusMessage::Certificate(_) | ConsensusMessage::Round(_)
                if self.certificates.len() < CERTIFICATES_MAX =>
            {
                self.certificates.push(message);
            }
            _ => {}
        }
    }

    /// The most that is kept for a set of so many masternodes.
    pub(super) fn most(members: usize) -> usize {
        let rounds = usize::try_from(ROUNDS_AHEAD_MAX + 1).unwrap_or(usize::MAX);
        rounds * (2 * members + 1) + CERTIFICATES_MAX
    }

    /// How many are kept.
    pub(super) fn len(&self) -> usize {
        self.votes.len() + self.proposals.len() + self.certificates.len()
    }

    /// Everything kept for this height: proposals first, so that votes find their block.
    pub(super) fn take(&mut self, height: Height) -> Vec<Checked> {
        if self.height != height {
            return Vec::new();
        }
        let Self { votes, proposals, certificates, .. } = std::mem::take(self);
        proposals.into_values().chain(certificates).chain(votes.into_values()).collect()
    }
}
