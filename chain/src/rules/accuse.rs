//! Who can be accused of what, from everything that was said at one height.
//!
//! # A fork names more than a third
//! Let two blocks have commit certificates at one height, `v1` in round `r1` and `v2` in `r2 >= r1`, and
//! let the weight that breaks the rules be no quorum, so that an honest masternode is in every
//! certificate.
//! - `r2 == r1`: whoever is in both certificates precommitted twice in one slot. Two quorums share
//!   more than a third.
//! - `r2 > r1`: an honest masternode precommitted `v2`, so it saw a polka for it. Let `r` be the first
//!   round after `r1` in which an honest one saw a polka for a block `v' != v1`, and `vr` the valid round
//!   that all its prevotes name. More than a third of the weight is in this polka and in the commit of
//!   `v1`.
//!   - `vr` is none or before `r1`: all of them are guilty of amnesia.
//!   - `vr` is between `r1` and `r`: an honest prevoter saw a polka for `v'` there, but `r` is the first.
//!   - `vr == r1`: an honest prevoter saw a polka for `v'` in `r1`, and an honest precommitter of `v1` saw
//!     one for `v1` there. Whoever is in both, more than a third, prevoted twice in one slot.
//!
//! So the votes of honest nodes together hold the proof. If those who break the rules are a quorum by
//! themselves, they can precommit what never had a polka, and only the first case is left.
//!
//! # The innocent are safe
//! An honest masternode signs one message for each slot, and after a precommit in round `r1` its lock
//! is at `r1` or later: the strict lock rule lets it prevote a block only on a polka of a round no
//! earlier. The paper's other way, to prevote the locked block on any proposal, is not taken, and so the
//! rule can be read off two votes.
use crate::types::{Certificate, Evidence, ProposalStatement, Round, Vote, VoteKind};
use std::collections::BTreeMap;

/// Evidence against everybody whom these votes of one height prove guilty: one piece for each, by
/// ascending index. What certificates hold counts as [`Certificate::votes`]. Signatures were checked.
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
/// Signatures were checked. Bounded by who decides which rounds are heard, and by
/// [`Testimony::forget_before`].
#[derive(Debug, Clone, Default)]
pub struct Testimony {
    votes: BTreeMap<u16, BTreeMap<(Round, VoteKind), Vote>>,
    proposals: BTreeMap<Round, ProposalStatement>,
}

impl Testimony {
    /// Keeps a vote, unless another of its slot is here. Returns the evidence that it makes with what
    /// was said before.
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

    /// Keeps what a certificate holds.
    pub fn hear_certificate(&mut self, certificate: &Certificate) -> Vec<Evidence> {
        certificate.votes().filter_map(|vote| self.hear(vote)).collect()
    }

    /// Keeps a proposal, unless another of its round is here.
    pub fn hear_proposal(&mut self, statement: ProposalStatement) -> Option<Evidence> {
        match self.proposals.get(&statement.round) {
            Some(earlier) => Evidence::of_proposals(earlier, &statement),
            None => {
                self.proposals.insert(statement.round, statement);
                None
            }
        }
    }

    /// All votes that were kept.
    pub fn votes(&self) -> impl Iterator<Item = &Vote> {
        self.votes.values().flat_map(BTreeMap::values)
    }

    /// The votes of a masternode that were kept: its last lock first, then from the latest round on.
    pub fn votes_of(&self, signer: u16) -> impl Iterator<Item = &Vote> {
        let said = self.votes.get(&signer).into_iter().flat_map(|said| said.values().rev());
        let lock = said.clone().find(|vote| is_lock(vote));
        let slot = lock.map(|vote| (vote.round, vote.kind));
        lock.into_iter().chain(said.filter(move |vote| Some((vote.round, vote.kind)) != slot))
    }

    /// How many votes and proposals are kept.
    pub fn len(&self) -> usize {
        self.votes().count() + self.proposals.len()
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops what was said before a round, but for everybody's last precommit for a block: the lock
    /// that a later prevote may break.
    pub fn forget_before(&mut self, round: Round) {
        self.proposals = self.proposals.split_off(&round);
        for said in self.votes.values_mut() {
            let kept = said.split_off(&(round, VoteKind::Prevote));
            let dropped = std::mem::replace(said, kept);
            said.extend(dropped.into_iter().rev().find(|(_, vote)| is_lock(vote)));
        }
    }
}

/// Whether a vote locks who signed it.
fn is_lock(vote: &Vote) -> bool {
    vote.kind == VoteKind::Precommit && vote.block.is_some()
}
