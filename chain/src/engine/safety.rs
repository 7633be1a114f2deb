//! The safety record: what this node has signed and locked, durable before a signature leaves it.
//!
//! One record is enough because signing only ever moves forward: to a slot at or before the last one
//! it answers with the bytes stored there, or refuses. For the same reason a signature of this key for
//! a slot after the record's was not made with this record.
//!
//! Never signs without a record: a key begins with a blank one, and one whose record is lost has no
//! guard until `license.rs` says that it may have a new one.
//!
//! Invariant: no two different messages are ever signed for one (height, round, kind).
use super::shown::{Kind, Shown};
use crate::{
    codec::Canonical,
    consensus::{Resume, Step},
    crypto::{PublicKey, Signer},
    genesis::GenesisHash,
    limits::SAFETY_BYTES_MAX,
    types::{
        Block, BlockHash, Certificate, Height, Proposal, Round, RoundCertificate, Vote, VoteKind,
    },
};
use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

/// What must survive a crash, beside the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SafetyRecord {
    /// The key that signs. Another key's record says nothing about this one's signatures.
    pub key: PublicKey,
    /// The height signed for last; in a blank record, the first that may be signed for.
    pub height: Height,
    /// The round signed in last.
    pub round: Round,
    /// The step reached in it.
    pub step: Step,
    /// The lock at this height.
    pub locked: Option<(Round, BlockHash)>,
    /// The latest polka for a valid block at this height.
    pub valid: Option<Certificate>,
    /// What justified this round; none in round 0. Without it, nodes that come back in different
    /// rounds could not join each other.
    pub entry: Option<RoundCertificate>,
    /// What decided the height before, where that block was not durable when this was signed.
    pub parent: Option<Certificate>,
    /// The proposal signed in this round.
    pub proposal: Option<Proposal>,
    /// The prevote signed in this round.
    pub prevote: Option<Vote>,
    /// The precommit signed in this round.
    pub precommit: Option<Vote>,
    /// With it, nothing is signed any more.
    pub stopped: Option<Stop>,
}

/// Why a record signs nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stop {
    /// A signature of its key that was not made with it was seen, at this height and in this round.
    Foreign(Height, Round),
    /// It was exported: the key signs with the copy.
    Exported,
}

impl Canonical for SafetyRecord {
    const BYTES_MAX: usize = SAFETY_BYTES_MAX;
}

impl SafetyRecord {
    /// The record of a new key: nothing was signed.
    pub fn first(key: PublicKey) -> Self {
        Self::blank(key, Height::GENESIS.next(), Round(0))
    }

    /// The record of a key that signed nothing in this round or later.
    pub fn blank(key: PublicKey, height: Height, round: Round) -> Self {
        Self {
            key,
            height,
            round,
            step: Step::Propose,
            locked: None,
            valid: None,
            entry: None,
            parent: None,
            proposal: None,
            prevote: None,
            precommit: None,
            stopped: None,
        }
    }

    /// The blocks that a restarted node must have to go on from here: that of the valid polka, and the
    /// parent where it is not durable elsewhere.
    pub fn blocks(&self) -> BTreeSet<BlockHash> {
        [&self.valid, &self.parent].into_iter().flatten().filter_map(|named| named.block).collect()
    }

    /// Whether nothing was signed in its round.
    pub fn is_blank(&self) -> bool {
        self.proposal.is_none() && self.prevote.is_none() && self.precommit.is_none()
    }

    /// How far it is: of two records of one key, the one that is further knows what the other knows.
    pub fn place(&self) -> (Height, Round, bool, bool, bool) {
        let Self { proposal, prevote, precommit, .. } = self;
        let signed = (precommit.is_some(), prevote.is_some(), proposal.is_some());
        (self.height, self.round, signed.0, signed.1, signed.2)
    }

    /// Whether something that this key signed was not signed with this record. What is older than the
    /// record cannot be judged: it forgets.
    pub(super) fn is_foreign(&self, shown: &Shown) -> bool {
        match (shown.height, shown.round).cmp(&(self.height, self.round)) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => self.signed(shown.kind) != Some((shown.block, shown.valid_round)),
        }
    }

    /// What the message of a kind says that was signed in this round.
    fn signed(&self, kind: Kind) -> Option<(Option<BlockHash>, Option<Round>)> {
        let vote = match kind {
            Kind::Proposal => {
                let proposal = self.proposal.as_ref()?;
                return Some((Some(proposal.block_hash()), proposal.valid_round));
            }
            Kind::Vote(VoteKind::Prevote) => self.prevote.as_ref()?,
            Kind::Vote(VoteKind::Precommit) => self.precommit.as_ref()?,
        };
        Some((vote.block, vote.valid_round))
    }
}

/// What was found at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The record.
    pub record: SafetyRecord,
    /// The blocks that it names.
    pub blocks: Vec<Block>,
}

/// Why the guard did not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another message was signed for this slot.
    #[error("another message is already signed for this slot")]
    Conflict,
    /// Something later was signed already.
    #[error("a later height, round or step is already signed")]
    TooLate,
    /// The record is stopped.
    #[error("the key signed elsewhere: it signs nothing more here")]
    Stopped,
}

/// A vote that the state machine wants to cast in the current round.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwedVote {
    pub(super) kind: VoteKind,
    pub(super) round: Round,
    pub(super) block: Option<BlockHash>,
    pub(super) valid_round: Option<Round>,
}

/// The only place that signs consensus messages.
pub(super) struct Guard {
    signer: Arc<dyn Signer>,
    index: u16,
    genesis: GenesisHash,
    record: SafetyRecord,
}

/// A signed message, and whether it is new: a stored one is already durable.
#[derive(Debug)]
pub(super) struct Signed<T> {
    pub(super) message: T,
    pub(super) is_new: bool,
}

impl Guard {
    pub(super) fn new(
        signer: Arc<dyn Signer>,
        index: u16,
        genesis: GenesisHash,
        record: SafetyRecord,
    ) -> Self {
        Self { signer, index, genesis, record }
    }

    pub(super) fn record(&self) -> &SafetyRecord {
        &self.record
    }

    /// Notes what decided the parent, while that is not durable.
    pub(super) fn set_parent(&mut self, parent: Option<Arc<Certificate>>) {
        self.record.parent = parent.map(Arc::unwrap_or_clone);
    }

    /// Signs a vote, or returns the stored one when it says the same.
    pub(super) fn vote(
        &mut self,
        resume: &Resume,
        (kind, height, round): (VoteKind, Height, Round),
        block: Option<BlockHash>,
        valid_round: Option<Round>,
    ) -> Result<Signed<Vote>, Refusal> {
        if (height, round) == (self.record.height, self.record.round) {
            let stored = match kind {
                VoteKind::Prevote => &self.record.prevote,
                VoteKind::Precommit => &self.record.precommit,
            };
            match stored {
                Some(vote) if (vote.block, vote.valid_round) == (block, valid_round) => {
                    return Ok(Signed { message: vote.clone(), is_new: false });
                }
                Some(_) => return Err(Refusal::Conflict),
                None if kind == VoteKind::Prevote && self.record.precommit.is_some() => {
                    return Err(Refusal::TooLate);
                }
                None => {}
            }
        }
        self.move_to(height, round)?;
        let message = Vote::message(&self.genesis, kind, height, round, block, valid_round);
        let signature = self.signer.sign(&message);
        let vote = Vote { kind, height, round, block, valid_round, signer: self.index, signature };
        match kind {
            VoteKind::Prevote => self.record.prevote = Some(vote.clone()),
            VoteKind::Precommit => self.record.precommit = Some(vote.clone()),
        }
        self.record.step = match kind {
            VoteKind::Prevote => Step::Prevote,
            VoteKind::Precommit => Step::Precommit,
        };
        self.note(resume);
        Ok(Signed { message: vote, is_new: true })
    }

    /// The proposal already signed for this round.
    pub(super) fn stored_proposal(&self, height: Height, round: Round) -> Option<&Proposal> {
        let here = (self.record.height, self.record.round) == (height, round);
        self.record.proposal.as_ref().filter(|_| here)
    }

    /// Signs a proposal for a round in which nothing was signed yet. `unsigned` has any signature.
    pub(super) fn proposal(
        &mut self,
        resume: &Resume,
        unsigned: Proposal,
    ) -> Result<Signed<Proposal>, Refusal> {
        let (height, round) = (unsigned.height(), unsigned.round);
        if let Some(stored) = self.stored_proposal(height, round) {
            let same = (stored.block_hash(), stored.valid_round)
                == (unsigned.block_hash(), unsigned.valid_round);
            return match same {
                true => Ok(Signed { message: stored.clone(), is_new: false }),
                false => Err(Refusal::Conflict),
            };
        }
        let here = (self.record.height, self.record.round) == (height, round);
        if here && (self.record.prevote.is_some() || self.record.precommit.is_some()) {
            return Err(Refusal::TooLate);
        }
        self.move_to(height, round)?;
        let message = Proposal::message(
            &self.genesis,
            height,
            round,
            unsigned.valid_round,
            unsigned.block_hash(),
        );
        let proposal = Proposal { signature: self.signer.sign(&message), ..unsigned };
        self.record.proposal = Some(proposal.clone());
        self.note(resume);
        Ok(Signed { message: proposal, is_new: true })
    }

    /// Never signs again, with this record.
    pub(super) fn stop(&mut self, height: Height, round: Round) {
        self.record.stopped = Some(Stop::Foreign(height, round));
    }

    fn note(&mut self, resume: &Resume) {
        self.record.locked = resume.locked;
        self.record.valid.clone_from(&resume.valid);
        self.record.entry.clone_from(&resume.entry);
    }

    fn move_to(&mut self, height: Height, round: Round) -> Result<(), Refusal> {
        if self.record.stopped.is_some() {
            return Err(Refusal::Stopped);
        }
        let (to, at) = ((height, round), (self.record.height, self.record.round));
        if to < at {
            return Err(Refusal::TooLate);
        }
        if to > at {
            self.record = SafetyRecord::blank(self.record.key, height, round);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
