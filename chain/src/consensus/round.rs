//! Everything received for one round. Bounded: two proposals, two votes per masternode, four
//! certificates.
use super::{Step, tally::Tally};
use crate::{
    limits::PROPOSALS_PER_ROUND_MAX,
    types::{BlockHash, Certificate, MasternodeSet, Round, Vote, VoteKind},
};
use std::collections::BTreeSet;

/// Certificates kept per round. Two conflicting ones already need Byzantine masternodes with more
/// than a third of the weight.
pub(super) const CERTIFICATES_MAX: usize = 4;

/// What a proposal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProposalFact {
    pub(super) block: BlockHash,
    pub(super) valid_round: Option<Round>,
}

#[derive(Debug, Clone)]
pub(super) struct RoundBook {
    proposals: Vec<ProposalFact>,
    prevotes: Tally,
    precommits: Tally,
    certificates: Vec<Certificate>,
    timers: BTreeSet<Step>,
}

impl RoundBook {
    pub(super) fn new(members: usize) -> Self {
        Self {
            proposals: Vec::new(),
            prevotes: Tally::new(members),
            precommits: Tally::new(members),
            certificates: Vec::new(),
            timers: BTreeSet::new(),
        }
    }

    /// Number of votes.
    pub(super) fn votes(&self) -> usize {
        self.prevotes.votes().count() + self.precommits.votes().count()
    }

    /// Number of certificates.
    pub(super) fn certificates(&self) -> usize {
        self.certificates.len()
    }

    pub(super) fn proposals(&self) -> &[ProposalFact] {
        &self.proposals
    }

    /// Whether a proposal is among the first distinct ones.
    pub(super) fn admits(&self, proposal: ProposalFact) -> bool {
        self.proposals.contains(&proposal) || self.proposals.len() < PROPOSALS_PER_ROUND_MAX
    }

    pub(super) fn add_proposal(&mut self, proposal: ProposalFact) {
        if self.admits(proposal) && !self.proposals.contains(&proposal) {
            self.proposals.push(proposal);
        }
    }

    pub(super) fn tally(&self, kind: VoteKind) -> &Tally {
        match kind {
            VoteKind::Prevote => &self.prevotes,
            VoteKind::Precommit => &self.precommits,
        }
    }

    pub(super) fn tally_mut(&mut self, kind: VoteKind) -> &mut Tally {
        match kind {
            VoteKind::Prevote => &mut self.prevotes,
            VoteKind::Precommit => &mut self.precommits,
        }
    }

    pub(super) fn add_certificate(&mut self, certificate: Certificate) {
        let value = |c: &Certificate| (c.kind, c.block, c.valid_round);
        let is_new = self.certificates.iter().all(|known| value(known) != value(&certificate));
        if is_new && self.certificates.len() < CERTIFICATES_MAX {
            self.certificates.push(certificate);
        }
    }

    /// A certificate of this kind, received as such or collected from votes.
    pub(super) fn certificate(&self, set: &MasternodeSet, kind: VoteKind) -> Option<Certificate> {
        let received = self.certificates.iter().find(|certificate| certificate.kind == kind);
        received.cloned().or_else(|| self.tally(kind).certificate(set))
    }

    /// The signers of all votes in this round, without repetition.
    pub(super) fn voters(&self) -> BTreeSet<u16> {
        self.one_vote_each().iter().map(|vote| vote.signer).collect()
    }

    /// One vote of each signer, by signer: its precommit if there is one.
    pub(super) fn one_vote_each(&self) -> Vec<Vote> {
        let mut votes: Vec<Vote> =
            self.precommits.votes().chain(self.prevotes.votes()).cloned().collect();
        votes.sort_by_key(|vote| vote.signer);
        votes.dedup_by_key(|vote| vote.signer);
        votes
    }

    /// Marks the timer of a step as started; false if it already was.
    pub(super) fn start_timer(&mut self, step: Step) -> bool {
        self.timers.insert(step)
    }
}
