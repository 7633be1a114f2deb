//! Votes: casting our own through the guard, and counting those of others.
use super::{Effect, Engine, NilWhy, Peer, Recovered, Report, RoundWhy, safety::Signed};
use crate::{
    consensus::{self, NilReason, Resume, RoundReason},
    crypto::Verified,
    ledger::LedgerView,
    types::{BlockHash, Certificate, ConsensusMessage, Height, Now, Round, Vote, VoteKind},
};
use std::{collections::BTreeSet, sync::Arc};

/// A vote that the state machine wants to cast in the current round.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwedVote {
    pub(super) kind: VoteKind,
    pub(super) round: Round,
    pub(super) block: Option<BlockHash>,
    pub(super) valid_round: Option<Round>,
}

impl<V: LedgerView> Engine<V> {
    /// Whether this node may sign at its height: it is a masternode, and the height is not known to
    /// be decided already.
    pub(super) fn may_sign(&self) -> bool {
        let is_open = self.decided.is_none() && self.sync.target() < self.height();
        self.guard.is_some() && is_open
    }

    /// Signs, persists and publishes a vote, now or when the blocks below it are durable and the key is
    /// licensed.
    pub(super) fn cast(&mut self, vote: OwedVote) -> Option<Vote> {
        if !self.may_sign() {
            return None;
        }
        let OwedVote { kind, round, block, valid_round } = vote;
        if !self.is_clear_for(kind) {
            self.owed_votes.push(vote);
            return None;
        }
        let (height, resume) = (self.height(), self.consensus.resume());
        let signed = self.guard.as_mut()?.vote(&resume, (kind, height, round), block, valid_round);
        let signed = match signed {
            Ok(signed) => signed,
            Err(refusal) => {
                self.effects.push(Effect::Report(Report::Refused { height, round, refusal }));
                return None;
            }
        };
        let vote = self.persisted(signed);
        self.watch_vote(&vote);
        self.publish(ConsensusMessage::Vote(vote.clone()));
        Some(vote)
    }

    /// A block became durable, or the key licensed: votes that waited for it are cast, unless their
    /// round is over.
    pub(super) fn pay_owed_votes(&mut self, now: Now) {
        let owed = std::mem::take(&mut self.owed_votes);
        for vote in owed {
            if let Some(vote) = self.cast(vote) {
                self.drive(now, consensus::Input::Vote(vote));
            }
        }
    }

    /// The message, with the record that holds it made durable first.
    pub(super) fn persisted<T>(&mut self, signed: Signed<T>) -> T {
        if signed.is_new {
            self.persist();
        }
        signed.message
    }

    pub(super) fn persist(&mut self) {
        let Some(guard) = &mut self.guard else { return };
        // Until the parent is durable in the ledger, this record is what brings it back.
        guard.set_parent(self.stack.top().map(|parent| parent.certificate.clone()));
        let record = Arc::new(guard.record().clone());
        let named = record.blocks();
        let parent = self.stack.top().map(|parent| &parent.block);
        let blocks = named
            .difference(&self.persisted_blocks)
            .filter_map(|hash| {
                let parent = parent.filter(|parent| parent.hash() == *hash);
                parent.cloned().or_else(|| self.candidates.block(hash))
            })
            .collect();
        self.persisted_blocks = named;
        self.effects.push(Effect::Persist { record, blocks });
    }

    pub(super) fn publish(&mut self, message: ConsensusMessage) {
        self.effects.push(Effect::Publish { message, attempt: 0 });
    }

    pub(super) fn publish_certificate(&mut self, certificate: Certificate) {
        if self.me.is_some() {
            self.publish(ConsensusMessage::Certificate(certificate));
        }
    }

    /// What the record holds of this height, for the state machine to continue from.
    pub(super) fn take_recovered(&mut self, height: Height) -> Option<Resume> {
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
        if let Some(block) = blocks.into_iter().find(|block| Some(block.hash()) == valid) {
            self.execute_candidate(Arc::new(block));
        }
        Some(Resume {
            round: record.round,
            step: record.step,
            locked: record.locked,
            valid: record.valid,
            entry: record.entry,
        })
    }

    /// The record is of the next height, and its parent was decided but not durable when this node
    /// stopped: it is decided again. Others may have stopped in the same moment.
    pub(super) fn recover_decision(&mut self, now: Now, height: Height) {
        let Some(Recovered { record, blocks }) = self.recovered.as_ref() else { return };
        let Some(parent) = record.parent.clone().filter(|parent| parent.height == height) else {
            return;
        };
        let block = blocks.iter().find(|block| Some(block.hash()) == parent.block);
        if let Some(block) = block.cloned() {
            self.execute_candidate(Arc::new(block));
            self.drive(now, consensus::Input::Certificate(parent));
        }
    }

    /// Own messages of this height that were signed before a restart count and are sent again.
    pub(super) fn recount_own_messages(&mut self, now: Now) {
        let height = self.height();
        let Some(guard) = &self.guard else { return };
        let record = guard.record().clone();
        if record.height != height {
            return;
        }
        for vote in [record.prevote, record.precommit].into_iter().flatten() {
            self.publish(ConsensusMessage::Vote(vote.clone()));
            self.watch_vote(&vote);
            self.drive(now, consensus::Input::Vote(vote));
        }
    }

    /// A checked message from a peer.
    pub(super) fn on_message(&mut self, now: Now, from: Peer, message: Verified<ConsensusMessage>) {
        self.check_own_key(&message);
        let (height, here) = (message.height(), self.height());
        self.note_heard(now, &message);
        self.watch(&message);
        if let ConsensusMessage::Evidence(evidence) = &*message {
            self.add_evidence(evidence);
            return;
        }
        if let ConsensusMessage::Vote(vote) = &*message {
            self.collect_late_precommit(vote);
        }
        if height < here {
            if let ConsensusMessage::Certificate(certificate) = &*message
                && certificate.is_commit()
                && !self.agrees(certificate)
            {
                return;
            }
            self.help_laggard(now, &message);
        } else if height == here {
            self.apply_message(now, Some(from), message);
        } else {
            self.on_later_message(from, message);
        }
    }

    /// A message of the height being decided.
    pub(super) fn apply_message(
        &mut self,
        now: Now,
        from: Option<Peer>,
        message: Verified<ConsensusMessage>,
    ) {
        if message.height() != self.height() {
            return;
        }
        match message.into_inner() {
            ConsensusMessage::Vote(vote) => {
                self.drive(now, consensus::Input::Vote(vote));
            }
            ConsensusMessage::Certificate(certificate) => {
                if certificate.is_commit() {
                    self.prove(from, &certificate);
                }
                self.drive(now, consensus::Input::Certificate(certificate));
                self.advance_sync();
            }
            ConsensusMessage::Round(certificate) => {
                self.drive(now, consensus::Input::Round(certificate));
            }
            ConsensusMessage::Proposal(proposal) => self.on_proposal(now, from, *proposal),
            ConsensusMessage::Evidence(_) => {}
        }
    }

    fn on_later_message(&mut self, from: Peer, message: Verified<ConsensusMessage>) {
        if let ConsensusMessage::Certificate(certificate) = &*message
            && certificate.is_commit()
        {
            self.prove(Some(from), certificate);
            self.advance_sync();
        } else {
            self.hint(from);
        }
        self.later.add(self.height().next(), message);
    }

    fn note_heard(&mut self, now: Now, message: &ConsensusMessage) {
        let mut heard = |signer: u16| {
            if let Some(slot) = self.last_heard.get_mut(usize::from(signer)) {
                *slot = Some(now.mono);
            }
        };
        match message {
            ConsensusMessage::Vote(vote) => heard(vote.signer),
            ConsensusMessage::Proposal(proposal) => {
                heard(self.set.proposer(proposal.height(), proposal.round));
            }
            ConsensusMessage::Certificate(_)
            | ConsensusMessage::Round(_)
            | ConsensusMessage::Evidence(_) => {}
        }
    }

    pub(super) fn on_round_started(&mut self, round: Round, reason: RoundReason) {
        let height = self.height();
        self.owes_proposal = None;
        self.owed_votes.clear();
        self.patience = 0;
        self.skewed = None;
        self.forget_old_rounds(round);
        let proposer = self.set.proposer(height, round);
        let why = self.round_why(round, reason);
        self.effects.push(Effect::Report(Report::Round { height, round, why, proposer }));
        if reason == RoundReason::NewHeight || self.me.is_none() {
            return;
        }
        if let Some(entry) = self.consensus.entry().cloned() {
            self.publish(ConsensusMessage::Round(entry));
        }
        if let Some(polka) = self.consensus.valid().cloned() {
            self.publish(ConsensusMessage::Certificate(polka));
        }
    }

    fn round_why(&self, round: Round, reason: RoundReason) -> RoundWhy {
        match reason {
            RoundReason::NewHeight => RoundWhy::NewHeight,
            RoundReason::Resumed => RoundWhy::Resumed,
            RoundReason::Skip => {
                let votes = self.consensus.entry().into_iter().flat_map(|entry| &entry.votes);
                RoundWhy::OthersAhead { there: votes.map(|vote| vote.signer).collect() }
            }
            RoundReason::NoDecision => {
                let before = Round(round.0.saturating_sub(1));
                let (nil, silent) = self.nil_and_silent(before, VoteKind::Precommit);
                RoundWhy::Undecided { nil, silent }
            }
        }
    }

    /// Who voted nil in a round, and who did not vote.
    fn nil_and_silent(&self, round: Round, kind: VoteKind) -> (Vec<u16>, Vec<u16>) {
        let votes = self.consensus.votes(round, kind).filter(|vote| vote.block.is_none());
        let voters = self.consensus.voters(round, kind);
        let members = (0..).zip(self.set.members()).map(|(index, _)| index);
        (
            votes.map(|vote| vote.signer).collect(),
            members.filter(|index| !voters.contains(*index)).collect(),
        )
    }

    pub(super) fn report_nil(&mut self, kind: VoteKind, round: Round, nil: Option<NilReason>) {
        if let (Some(reason), true) = (nil, self.me.is_some()) {
            let (height, why) = (self.height(), self.nil_why(round, reason));
            self.effects.push(Effect::Report(Report::Nil { height, round, kind, why }));
        }
    }

    fn nil_why(&self, round: Round, reason: NilReason) -> NilWhy {
        let proposer = self.set.proposer(self.height(), round);
        match reason {
            NilReason::NoProposal => self.proposal_why(round, proposer),
            NilReason::InvalidBlock => {
                let invalid = self.consensus.blocks_in(round).find_map(|block| {
                    Some((block, self.candidates.broken_rule(&block)?.to_owned()))
                });
                match invalid {
                    Some((block, rule)) => NilWhy::InvalidBlock { block, rule },
                    None => NilWhy::NotChecked { proposer },
                }
            }
            NilReason::Locked => match self.consensus.resume().locked {
                Some((round, block)) => NilWhy::Locked { round, block },
                None => NilWhy::NotChecked { proposer },
            },
            NilReason::NilPolka => {
                NilWhy::NilPolka { nil: self.nil_and_silent(round, VoteKind::Prevote).0 }
            }
            NilReason::NoPolka => {
                let (nil, silent) = self.nil_and_silent(round, VoteKind::Prevote);
                NilWhy::NoPolka { nil, silent }
            }
        }
    }

    /// Why no proposal could be voted on in time.
    fn proposal_why(&self, round: Round, proposer: u16) -> NilWhy {
        if let Some(by) = self.skewed.filter(|(at, _)| *at == round).map(|(_, by)| by) {
            return NilWhy::Ahead { proposer, by };
        }
        let missing = |block| self.candidates.missing(&block).map(BTreeSet::len);
        match self.consensus.blocks_in(round).find_map(missing) {
            None => NilWhy::ProposerSilent { proposer },
            Some(0) => NilWhy::NotChecked { proposer },
            Some(missing) => NilWhy::BodiesMissing { proposer, missing },
        }
    }
}
