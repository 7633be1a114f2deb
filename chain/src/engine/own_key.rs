//! This node's key: the guard that signs with it, its license, and what a restart finds of it.
//!
//! Never publishes: what is signed here leaves after [`OwnKey::persist`] has put its record into the
//! effects.
//!
//! Invariant: whatever a record names is persisted with it or was before.
use super::{
    Effect, Recovered, Refusal, SafetyRecord, Stop,
    candidates::Candidates,
    context::Context,
    license::License,
    out::Out,
    safety::{Guard, Signed},
    tip::Stack,
    voting::OwedVote,
};
use crate::{
    consensus::Resume,
    crypto::Signer,
    types::{Block, BlockHash, Certificate, Height, Proposal, Round, Vote, VoteKind},
};
use std::{collections::BTreeSet, sync::Arc};

/// The key and what it may sign.
pub(super) struct OwnKey {
    /// None where there is no key, or no record yet.
    pub(super) guard: Option<Guard>,
    pub(super) license: License,
    pub(super) doubts_record: bool,
    /// What the store held, until its height begins.
    recovered: Option<Recovered>,
    /// The blocks that were made durable with the last record.
    persisted_blocks: BTreeSet<BlockHash>,
}

impl OwnKey {
    pub(super) fn new(
        ctx: &Context,
        signer: Option<Arc<dyn Signer>>,
        recovered: Option<Recovered>,
        doubts_record: bool,
    ) -> Self {
        let record = recovered.as_ref().map(|recovered| recovered.record.clone());
        let (license, guard) = match signer.zip(ctx.me) {
            Some((signer, me)) => License::at_start(signer, me, ctx.chain.hash, record),
            None => (License::keyless(), None),
        };
        Self { guard, license, doubts_record, recovered, persisted_blocks: BTreeSet::new() }
    }

    pub(super) fn has_guard(&self) -> bool {
        self.guard.is_some()
    }

    /// The record of this height, if something was signed for it.
    pub(super) fn record_of(&self, height: Height) -> Option<&SafetyRecord> {
        let record = self.guard.as_ref().map(Guard::record);
        record.filter(|record| record.height == height)
    }

    /// The vote of this kind that was signed last at this height.
    pub(super) fn recorded_vote(&self, height: Height, kind: VoteKind) -> Option<&Vote> {
        let record = self.record_of(height)?;
        match kind {
            VoteKind::Prevote => record.prevote.as_ref(),
            VoteKind::Precommit => record.precommit.as_ref(),
        }
    }

    /// Why the record signs nothing more, if it is stopped.
    pub(super) fn stopped(&self) -> Option<Stop> {
        self.guard.as_ref().and_then(|guard| guard.record().stopped)
    }

    /// The proposal already signed for this round.
    pub(super) fn stored_proposal(&self, height: Height, round: Round) -> Option<&Proposal> {
        self.guard.as_ref().and_then(|guard| guard.stored_proposal(height, round))
    }

    /// Signs a vote through the guard, if there is one.
    pub(super) fn sign_vote(
        &mut self,
        resume: &Resume,
        height: Height,
        vote: OwedVote,
    ) -> Option<Result<Signed<Vote>, Refusal>> {
        let OwedVote { kind, round, block, valid_round } = vote;
        Some(self.guard.as_mut()?.vote(resume, (kind, height, round), block, valid_round))
    }

    /// Signs a proposal through the guard, if there is one.
    pub(super) fn sign_proposal(
        &mut self,
        resume: &Resume,
        unsigned: Proposal,
    ) -> Option<Result<Signed<Proposal>, Refusal>> {
        Some(self.guard.as_mut()?.proposal(resume, unsigned))
    }

    /// Makes the record durable, with the blocks it names that were not before.
    pub(super) fn persist(&mut self, stack: &Stack, candidates: &Candidates, out: &mut Out) {
        let Some(guard) = &mut self.guard else { return };
        // Until the parent is durable in the ledger, this record is what brings it back.
        guard.set_parent(stack.top().map(|parent| parent.certificate.clone()));
        let record = Arc::new(guard.record().clone());
        let named = record.blocks();
        let parent = stack.top().map(|parent| &parent.block);
        let blocks = named
            .difference(&self.persisted_blocks)
            .filter_map(|hash| {
                let parent = parent.filter(|parent| parent.hash() == *hash);
                parent.cloned().or_else(|| candidates.block(hash))
            })
            .collect();
        self.persisted_blocks = named;
        out.push(Effect::Persist { record, blocks });
    }

    /// What the record holds of this height, for the state machine to continue from, and the block of
    /// its valid polka.
    pub(super) fn take_recovered(
        &mut self,
        height: Height,
    ) -> Option<(Resume, Option<Arc<Block>>)> {
        let recovered = self.recovered.as_ref()?;
        if recovered.record.height > height {
            return None; // Kept: nothing is signed below it, and its own height is still to come.
        }
        let Recovered { record, blocks } = self.recovered.take()?;
        let is_fresh = record.is_blank() && record.round == Round(0);
        if record.height < height || is_fresh || self.guard.is_none() {
            return None;
        }
        self.persisted_blocks = record.blocks();
        let valid = record.valid.as_ref().and_then(|polka| polka.block);
        let block = blocks.into_iter().find(|block| Some(block.hash()) == valid);
        let resume = Resume {
            round: record.round,
            step: record.step,
            locked: record.locked,
            valid: record.valid,
            entry: record.entry,
        };
        Some((resume, block.map(Arc::new)))
    }

    /// The parent of the record's height, where that is the height after this one: it was decided here
    /// but not durable when this node stopped.
    pub(super) fn recovered_parent(&self, height: Height) -> Option<(Certificate, Arc<Block>)> {
        let Recovered { record, blocks } = self.recovered.as_ref()?;
        let parent = record.parent.clone().filter(|parent| parent.height == height)?;
        let block = blocks.iter().find(|block| Some(block.hash()) == parent.block)?;
        Some((parent, Arc::new(block.clone())))
    }
}
