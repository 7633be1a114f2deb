//! This node's key: the guard that signs with it, its license, and what a restart finds of it.
//!
//! Never publishes: what is signed here leaves after [`OwnKey::persist`] has put its record into the
//! effects.
//!
//! Invariant: whatever a record names is persisted with it or was before.
use super::{
    Effect, Recovered, Refusal, SafetyRecord, Signing, Stop,
    candidates::Candidates,
    context::Context,
    license::License,
    out::Out,
    safety::{Guard, OwedVote, Signed},
    shown::Shown,
    tip::Stack,
};
use crate::{
    consensus::Resume,
    crypto::Signer,
    types::{
        Attestation, Block, BlockHash, Certificate, ConsensusMessage, Height, Inquiry, Now,
        Proposal, Round, Vote, VoteKind,
    },
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

    /// Whether the key signs, for the operator.
    pub(super) fn signing(&self, ctx: &Context, is_stopped: bool, decided: Height) -> Signing {
        match ctx.me {
            None => Signing::NotMasternode,
            Some(_) if is_stopped => Signing::Stopped,
            Some(_) => match (self.license.signing(decided), self.begins()) {
                // The record may be a height ahead of the chain: its block is being decided.
                (Signing::Yes, Some(height)) if height > decided.next().next() => {
                    Signing::From(height)
                }
                (signing, _) => signing,
            },
        }
    }

    /// The height of the record, if nothing was signed there.
    fn begins(&self) -> Option<Height> {
        let record = self.guard.as_ref().map(Guard::record)?;
        record.is_blank().then_some(record.height)
    }

    /// Whether a vote of this kind, or with a prevote a proposal, may be signed now.
    pub(super) fn is_clear_for(&self, kind: VoteKind, stack: &Stack) -> bool {
        self.license.is_granted() && stack.allows(kind)
    }

    /// The node starts. Alone, nobody else could know more than its record.
    pub(super) fn starts(&mut self, ctx: &Context, now: Now) {
        self.license.starts(ctx, now, self.doubts_record && ctx.set.len() > 1);
    }

    /// This node's attestation of the votes that it holds of a key, if it is a masternode.
    pub(super) fn attest(
        &self,
        ctx: &Context,
        inquiry: Inquiry,
        height: Height,
        votes: &[Vote],
    ) -> Option<Attestation> {
        let (by, signer) = ctx.me.zip(self.license.signer())?;
        let message = Attestation::message(&ctx.chain.hash, inquiry, height, votes);
        let signature = signer.sign(&message);
        Some(Attestation { inquiry, height, votes: votes.to_vec(), by, signature })
    }

    /// The first signature of this node's key in a verified message that was not made here, if any.
    pub(super) fn foreign_in(
        &mut self,
        ctx: &Context,
        message: &ConsensusMessage,
    ) -> Option<Shown> {
        let me = ctx.me?;
        match message {
            ConsensusMessage::Vote(vote) => self.foreign_in_votes(ctx, [vote]),
            ConsensusMessage::Proposal(proposal) => {
                let is_own = ctx.proposer(proposal.height(), proposal.round) == me;
                let signed = is_own.then(|| self.doubt(Shown::proposal(proposal))).flatten();
                signed.or_else(|| self.foreign_in_certificate(ctx, proposal.polka.as_ref()?))
            }
            ConsensusMessage::Certificate(certificate) => {
                self.foreign_in_certificate(ctx, certificate)
            }
            ConsensusMessage::Round(certificate) => self.foreign_in_votes(ctx, &certificate.votes),
            ConsensusMessage::Evidence(evidence) if evidence.offender() == me => {
                Shown::evidence(evidence).into_iter().find_map(|shown| self.doubt(shown))
            }
            ConsensusMessage::Evidence(_) => None,
        }
    }

    /// The same for verified votes.
    pub(super) fn foreign_in_votes<'a>(
        &mut self,
        ctx: &Context,
        votes: impl IntoIterator<Item = &'a Vote>,
    ) -> Option<Shown> {
        let mut own = votes.into_iter().filter(|vote| ctx.me == Some(vote.signer));
        own.find_map(|vote| self.doubt(Shown::vote(vote)))
    }

    /// The same for a verified certificate.
    pub(super) fn foreign_in_certificate(
        &mut self,
        ctx: &Context,
        certificate: &Certificate,
    ) -> Option<Shown> {
        let has_signed = ctx.me.is_some_and(|me| certificate.signers.contains(me));
        has_signed.then(|| self.doubt(Shown::certificate(certificate))).flatten()
    }

    /// Returns what was certainly not signed with this record.
    fn doubt(&mut self, shown: Shown) -> Option<Shown> {
        if !self.doubts_record {
            return None;
        }
        let is_foreign = match (self.license.observes(&shown), &self.guard) {
            (Some(is_foreign), _) => is_foreign,
            (None, guard) => guard.as_ref().is_some_and(|guard| guard.record().is_foreign(&shown)),
        };
        is_foreign.then_some(shown)
    }

    /// Signs nothing any more. Returns where the record ends.
    pub(super) fn stop(&mut self, shown: &Shown) -> Option<(Height, Round)> {
        let guard = self.guard.as_mut()?;
        let last = (guard.record().height, guard.record().round);
        guard.stop(shown.height, shown.round);
        Some(last)
    }
}
