//! Proposing: when a block is due, what goes in, and how it is sent.
use super::{Engine, Report, Timer, candidates::Whose, evidence::Scene};
use crate::{
    codec,
    consensus::{self, Step},
    crypto::Signature,
    ledger::LedgerView,
    limits::{
        BLOCK_TRANSACTIONS_MAX, CERTIFICATE_BYTES_MAX, EVIDENCE_BYTES_MAX, EVIDENCE_PER_BLOCK_MAX,
    },
    types::{
        Block, Certificate, ConsensusMessage, Header, Now, Proposal, Round, Transaction, VoteKind,
        WTxId,
    },
};
use std::sync::Arc;

impl<V: LedgerView> Engine<V> {
    pub(super) fn on_propose(&mut self, now: Now, round: Round) {
        if !self.may_sign() {
            return;
        }
        let height = self.height();
        if let Some(stored) = self.own.stored_proposal(height, round).cloned().map(Box::new) {
            self.out.publish(ConsensusMessage::Proposal(stored.clone()));
            return self.hear_proposal(None, stored);
        }
        self.height.owes_proposal = Some(round);
        self.try_propose(now);
    }

    /// Makes the proposal that is owed, if it is due and the blocks below it are durable enough;
    /// otherwise comes back when it is.
    pub(super) fn try_propose(&mut self, now: Now) {
        let Some(round) = self.height.owes_proposal else { return };
        if !self.may_sign() || !self.own.is_clear_for(VoteKind::Prevote, &self.tip.stack) {
            return;
        }
        let valid = self.height.consensus.valid();
        if let Some(polka) = valid.filter(|polka| polka.round < round).cloned() {
            return self.propose_again(now, round, polka);
        }
        let due = if round == Round(0) { self.proposal_due(now) } else { now.mono };
        if due > now.mono {
            self.out.set_timer(Timer::Due(self.height()), due);
            return;
        }
        self.height.owes_proposal = None;
        let (block, ids) = self.build(now, round);
        self.propose(now, round, Arc::new(block), ids, None);
    }

    /// The mempool has something: the proposal is due earlier than the interval.
    pub(super) fn bring_proposal_forward(&mut self, now: Now) {
        if !self.height.awaits_first_proposal() {
            return;
        }
        if self.height.owes_proposal.is_some() {
            self.try_propose(now);
        }
        // Once a height: a stream of transactions must not push the timeout away for ever.
        if !std::mem::replace(&mut self.height.shortened, true) {
            self.set_step_timer(now, Round(0), Step::Propose);
        }
    }

    fn propose_again(&mut self, now: Now, round: Round, polka: Certificate) {
        let Some(block) = polka.block.and_then(|block| self.height.candidates.block(&block)) else {
            return; // Its body is on its way; the round may time out, the next proposer has it.
        };
        self.height.owes_proposal = None;
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
        let (height, resume) = (self.height(), self.height.consensus.resume());
        let signed = match self.own.sign_proposal(&resume, unsigned) {
            None => return,
            Some(Ok(signed)) => signed,
            Some(Err(refusal)) => {
                return self.out.report(Report::Refused { height, round, refusal });
            }
        };
        self.persist_if(signed.is_new);
        let proposal = signed.message;
        let message = ConsensusMessage::Proposal(Box::new(proposal.clone()));
        self.watch_message(&message);
        self.out.publish(message);
        let transactions = block.transactions.len();
        let hash = proposal.block_hash();
        self.out.report(Report::Proposed { height, round, block: hash, transactions });
        self.height.make_room(hash, Whose::Needed, &mut self.out);
        self.height.candidates.note_proposal(now.mono, None, &proposal);
        self.execute(block);
        let valid_round = proposal.valid_round;
        self.work.tell(consensus::Input::Proposal { round, block: hash, valid_round });
    }

    /// A new block on the committed tip.
    fn build(&self, now: Now, round: Round) -> (Block, Vec<WTxId>) {
        let height = self.height();
        let budget = usize::try_from(self.ctx.params().block_bytes_max).unwrap_or(usize::MAX);
        // Header, certificate, evidence and lengths are small beside the caps of the two.
        let reserve = CERTIFICATE_BYTES_MAX + EVIDENCE_PER_BLOCK_MAX * EVIDENCE_BYTES_MAX + 1_024;
        let budget = budget.saturating_sub(reserve);
        let entries = self.pool.mempool.select(height, budget, BLOCK_TRANSACTIONS_MAX);
        let ids: Vec<WTxId> = entries.iter().map(|entry| entry.wtxid()).collect();
        let transactions: Vec<Transaction> =
            entries.iter().map(|entry| entry.transaction().clone()).collect();
        let last_commit = self.tip.certificate.as_deref().cloned();
        let scene = Scene::new(&self.ctx, &self.tip, &self.height);
        let evidence = self.watch.evidence_for_block(&scene);
        let header = Header {
            version: Header::VERSION,
            chain: self.ctx.chain.id(),
            height,
            parent: self.tip.block(),
            timestamp: now.wall.max(self.tip.least_timestamp()),
            proposer: self.ctx.proposer(height, round),
            state_root: self.tip.state.root(),
            masternodes: self.ctx.set.hash(),
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
