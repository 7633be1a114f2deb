//! Who can be accused of what, given everything said at one height.
//!
//! # A fork names more than a third
//! Let two blocks have commit certificates at one height, `v1` in round `r1` and `v2` in
//! `r2 >= r1`. Assume that the weight that breaks the rules is no quorum, so that every certificate
//! has an honest signer.
//! - `r2 == r1`: every signer of both certificates precommitted twice in one slot. Two quorums
//!   share more than a third.
//! - `r2 > r1`: an honest masternode precommitted `v2`, so it saw a polka for it. Let `r` be the
//!   first round after `r1` in which an honest one saw a polka for a block `v' != v1`, and `vr` the
//!   valid round that all prevotes of this polka name. More than a third of the weight is in both
//!   this polka and the commit of `v1`.
//!   - `vr` is none or before `r1`: all of them are guilty of amnesia.
//!   - `vr` is between `r1` and `r`: an honest prevoter saw a polka for `v'` there, which contradicts
//!     the choice of `r` as the first such round.
//!   - `vr == r1`: an honest prevoter saw a polka for `v'` in `r1`, and an honest precommitter of
//!     `v1` saw one for `v1` there. The signers of both, more than a third, prevoted twice in one
//!     slot.
//!
//! So the votes of honest nodes together hold the proof. If the rule breakers are a quorum by
//! themselves, they can precommit a block that never had a polka, and only the first case remains.
//!
//! # The innocent are safe
//! An honest masternode signs one message for each slot, and after a precommit in round `r1` its
//! lock is at `r1` or later: the strict lock rule lets it prevote a block only on a polka of a
//! round no earlier. The paper's alternative, to prevote the locked block on any proposal, is not
//! implemented, so two votes suffice to show a violation.
use crate::types::{Certificate, Evidence, ProposalStatement, Round, Vote, VoteKind};
use std::collections::BTreeMap;

/// Evidence against every masternode that these votes of one height prove guilty: one piece for
/// each, by ascending index. Certificates contribute their [`Certificate::votes`]. Signatures are
/// verified.
pub fn accuse(votes: impl IntoIterator<Item = Vote>) -> Vec<Evidence> {
    let mut testimony = Testimony::default();
    let mut accused = BTreeMap::new();
    for evidence in votes.into_iter().filter_map(|vote| testimony.hear(vote)) {
        accused.entry(evidence.offender()).or_insert(evidence);
    }
    accused.into_values().collect()
}

/// What was said at one height: one vote for each slot, one proposal for each round.
///
/// Signatures are verified. Bounded by the rounds that the caller lets in, and by
/// [`Testimony::forget_before`].
#[derive(Debug, Clone, Default)]
pub struct Testimony {
    votes: BTreeMap<u16, BTreeMap<(Round, VoteKind), Vote>>,
    proposals: BTreeMap<Round, ProposalStatement>,
}

impl Testimony {
    /// Keeps a vote unless its slot is taken. Returns the evidence that it makes with earlier
    /// statements.
    pub fn hear(&mut self, vote: Vote) -> Option<Evidence> {
        let said = self.votes.entry(vote.signer).or_default();
        let slot = (vote.round, vote.kind);
        if let Some(earlier) = said.get(&slot) {
            return Evidence::of_votes(earlier, &vote);
        }
        let evidence = match (vote.kind, vote.block) {
            (_, None) => None,
            (VoteKind::Precommit, _) => {
                let later = said.range((vote.round, VoteKind::Precommit)..);
                later.map(|(_, other)| other).find_map(|other| Evidence::of_votes(&vote, other))
            }
            (VoteKind::Prevote, _) => {
                let earlier = said.range(..(vote.round, VoteKind::Prevote)).rev();
                earlier.map(|(_, other)| other).find_map(|other| Evidence::of_votes(other, &vote))
            }
        };
        said.insert(slot, vote);
        evidence
    }

    /// Keeps the votes of a certificate.
    pub fn hear_certificate(&mut self, certificate: &Certificate) -> Vec<Evidence> {
        certificate.votes().filter_map(|vote| self.hear(vote)).collect()
    }

    /// Keeps a proposal unless another one of its round is kept.
    pub fn hear_proposal(&mut self, statement: ProposalStatement) -> Option<Evidence> {
        match self.proposals.get(&statement.round) {
            Some(earlier) => Evidence::of_proposals(earlier, &statement),
            None => {
                self.proposals.insert(statement.round, statement);
                None
            }
        }
    }

    /// All kept votes.
    pub fn votes(&self) -> impl Iterator<Item = &Vote> {
        self.votes.values().flat_map(BTreeMap::values)
    }

    /// The kept votes of a masternode: its last lock first, then by descending round.
    pub fn votes_of(&self, signer: u16) -> impl Iterator<Item = &Vote> {
        let said = self.votes.get(&signer).into_iter().flat_map(|said| said.values().rev());
        let lock = said.clone().find(|vote| is_lock(vote));
        let slot = lock.map(|vote| (vote.round, vote.kind));
        lock.into_iter().chain(said.filter(move |vote| Some((vote.round, vote.kind)) != slot))
    }

    /// Number of kept votes and proposals.
    pub fn len(&self) -> usize {
        self.votes().count() + self.proposals.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops statements before a round, except each masternode's last precommit for a block: the
    /// lock that a later prevote may break.
    pub fn forget_before(&mut self, round: Round) {
        self.proposals = self.proposals.split_off(&round);
        for said in self.votes.values_mut() {
            let kept = said.split_off(&(round, VoteKind::Prevote));
            let dropped = std::mem::replace(said, kept);
            said.extend(dropped.into_iter().rev().find(|(_, vote)| is_lock(vote)));
        }
    }
}

/// Whether a vote locks its signer.
fn is_lock(vote: &Vote) -> bool {
    vote.kind == VoteKind::Precommit && vote.block.is_some()
}
