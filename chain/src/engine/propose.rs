//! Proposing: when a block is due, what goes in, and how it is sent.
use super::{Effect, Engine, Report, Timer, candidate::Whose};
use crate::{
    codec,
    consensus::{self, Step},
    crypto::Signature,
    ledger::LedgerView,
    limits::{
        BLOCK_TRANSACTIONS_MAX, CERTIFICATE_BYTES_MAX, EVIDENCE_BYTES_MAX, EVIDENCE_PER_BLOCK_MAX,
    },
    types::{
        Block, Certificate, ConsensusMessage, Header, Millis, Now, Proposal, Round, Timestamp,
        Transaction, VoteKind, WTxId,
    },
};
use std::sync::Arc;

impl<V: LedgerView> Engine<V> {
    pub(super) fn on_propose(&mut self, now: Now, round: Round) {
        if !self.may_sign() {
            return;
        }
        let height = self.height();
        let stored = self.guard.as_ref().and_then(|guard| guard.stored_proposal(height, round));
        if let Some(stored) = stored.cloned() {
            self.publish(ConsensusMessage::Proposal(Box::new(stored.clone())));
            return self.on_proposal(now, None, stored);
        }
        self.owes_proposal = Some(round);
        self.try_propose(now);
    }

    /// When the proposal of round 0 is due: as soon as the spacing allows when there is something to
    /// put in, otherwise at the end of the interval.
    pub(super) fn proposal_due(&self, now: Now) -> Millis {
        let params = self.chain.params();
        let wait = match self.mempool.is_empty() {
            true => params.block_interval,
            false => params.min_block_spacing,
        };
        self.spacing_from.plus(wait).max(now.mono)
    }

    /// Makes the proposal that is owed, should it be due and the blocks below it durable enough;
    /// otherwise comes back when it is.
    pub(super) fn try_propose(&mut self, now: Now) {
        let Some(round) = self.owes_proposal else { return };
        if !self.may_sign() || !self.is_clear_for(VoteKind::Prevote) {
            return;
        }
        if let Some(polka) = self.consensus.valid().filter(|polka| polka.round < round).cloned() {
            return self.propose_again(now, round, polka);
        }
        let due = if round == Round(0) { self.proposal_due(now) } else { now.mono };
        if due > now.mono {
            self.set_timer(Timer::Due(self.height()), due);
            return;
        }
        self.owes_proposal = None;
        let (block, ids) = self.build(now, round);
        self.propose(now, round, Arc::new(block), ids, None);
    }

    /// The mempool has something: the proposal is due earlier than the interval.
    pub(super) fn hurry(&mut self, now: Now) {
        let waits = self.consensus.round() == Round(0) && self.consensus.step() == Step::Propose;
        if !waits {
            return;
        }
        if self.owes_proposal.is_some() {
            self.try_propose(now);
        }
        // Once a height: a stream of transactions must not push the timeout away for ever.
        if !std::mem::replace(&mut self.hurried, true) {
            self.set_step_timer(now, Round(0), Step::Propose);
        }
    }

    fn propose_again(&mut self, now: Now, round: Round, polka: Certificate) {
        let Some(block) = polka.block.and_then(|block| self.candidates.block(&block)) else {
            return; // Its body is on its way; the round may time out, the next proposer has it.
        };
        self.owes_proposal = None;
        let ids = block.transactions.iter().map(Transaction::wtxid).collect();
        self.propose(now, round, block, ids, Some(polka));
    }

    fn propose(
        &mut self,
        now: Now,
        round: Round,
        block: Arc<Block>,
        ids: Vec<WTxId>,
        polka: Option<Certificate>,
    ) {
        let unsigned =
            Proposal::of_block(&block, ids, round, polka, Signature::from_bytes(&[0; 64]));
        let (height, resume) = (self.height(), self.consensus.resume());
        let Some(guard) = self.guard.as_mut() else { return };
        let signed = match guard.proposal(&resume, unsigned) {
            Ok(signed) => signed,
            Err(refusal) => {
                self.effects.push(Effect::Report(Report::Refused { height, round, refusal }));
                return;
            }
        };
        let proposal = self.persisted(signed);
        self.watch_proposal(&proposal);
        self.publish(ConsensusMessage::Proposal(Box::new(proposal.clone())));
        let transactions = block.transactions.len();
        let hash = proposal.block_hash();
        self.effects.push(Effect::Report(Report::Proposed {
            height,
            round,
            block: hash,
            transactions,
        }));
        self.make_room(hash, Whose::Ours);
        self.candidates.note_proposal(now.mono, None, &proposal);
        self.execute_candidate(block);
        let valid_round = proposal.valid_round;
        self.drive(now, consensus::Input::Proposal { round, block: hash, valid_round });
    }

    /// A new block on the committed tip.
    fn build(&self, now: Now, round: Round) -> (Block, Vec<WTxId>) {
        let height = self.height();
        let budget = usize::try_from(self.chain.params().block_bytes_max).unwrap_or(usize::MAX);
        // Header, certificate, evidence and lengths are small beside the caps of the two.
        let reserve = CERTIFICATE_BYTES_MAX + EVIDENCE_PER_BLOCK_MAX * EVIDENCE_BYTES_MAX + 1_024;
        let budget = budget.saturating_sub(reserve);
        let entries = self.mempool.select(height, budget, BLOCK_TRANSACTIONS_MAX);
        let ids: Vec<WTxId> = entries.iter().map(|entry| entry.wtxid()).collect();
        let transactions: Vec<Transaction> =
            entries.iter().map(|entry| (**entry.transaction()).clone()).collect();
        let last_commit = self.tip.as_deref().cloned();
        let evidence = self.evidence_for_block();
        let header = Header {
            version: Header::VERSION,
            chain: self.chain.id(),
            height,
            parent: self.state.block,
            timestamp: now.wall.max(Timestamp(self.state.timestamp.0 + 1)),
            proposer: self.set.proposer(height, round),
            state_root: self.state.root(),
            masternodes: self.set.hash(),
            transactions_root: Block::transactions_root(&transactions),
            witnesses_root: Block::witnesses_root(&ids),
            last_commit: Block::last_commit_hash(last_commit.as_ref()),
            evidence: Block::evidence_hash(&evidence),
        };
        let block = Block { header, transactions, last_commit, evidence };
        debug_assert!(codec::encode(&block).len() <= budget + reserve);
        (block, ids)
    }
}
