//! From a decision to the next height and to the disk.
//!
//! A decided block that keeps the rules is stacked: the next height begins on its delta at once, and the
//! store writes the stacked blocks in order, one at a time.
//!
//! Invariants: at most [`UNDURABLE_MAX`](crate::limits::UNDURABLE_MAX) blocks are stacked; nothing is
//! reported or served as final before it is durable; with one block stacked nothing stronger than a
//! prevote is signed, with two nothing at all.
use super::{
    Effect, Engine, Report, Request, SYNC_PERIOD, Timer, evidence::Scene, height::HeightState,
    tip::Stacked, work::Work,
};
use crate::{
    consensus::{self, Resume},
    ledger::{BlockDelta, LedgerView},
    types::{Block, BlockHash, Certificate, Height, Now, VoteKind},
};
use std::sync::Arc;

impl<V: LedgerView> Engine<V> {
    /// Begins the height after the decided one.
    pub(super) fn start_height(&mut self, now: Now) {
        let height = self.tip.next_height();
        let has_transactions = !self.pool.mempool.is_empty();
        self.height.cancel_executions(&mut self.out);
        self.height =
            HeightState::new(&self.ctx, height, now.mono, self.tip.spacing_from, has_transactions);
        self.watch.forget_old_evidence(&Scene::new(&self.ctx, &self.tip, &self.height));
        self.own.license.height_begins(height, self.peers.target() < height);
        let resume = self.resume();
        let outputs = self.height.consensus.start(resume);
        self.work.extend(outputs.into_iter().map(Work::Want));
        self.work.extend([
            Work::Recount(VoteKind::Prevote),
            Work::Recount(VoteKind::Precommit),
            Work::RecoverDecision,
            Work::ScheduleRepeat,
        ]);
        let later = self.later.take(height).into_iter();
        self.work.extend(later.map(|message| Work::Message(None, message.into_inner())));
        self.work.extend([Work::Proof, Work::AdvanceSync]);
        self.listen_at_height();
    }

    /// What the record holds of this height. The block of its valid polka is executed again.
    fn resume(&mut self) -> Option<Resume> {
        let (resume, block) = self.own.take_recovered(self.height())?;
        if let Some(block) = block {
            self.execute(block);
        }
        Some(resume)
    }

    /// The record is of the next height, and its parent was decided but not durable when this node
    /// stopped: it is decided again. Others may have stopped in the same moment.
    pub(super) fn recover_decision(&mut self) {
        if let Some((parent, block)) = self.own.recovered_parent(self.height()) {
            self.execute(block);
            self.work.tell(consensus::Input::Certificate(parent));
        }
    }

    /// What proved this height before it began decides it.
    pub(super) fn apply_proof(&mut self) {
        if let Some(proof) = self.peers.take_proof(self.height()) {
            self.work.tell(consensus::Input::Certificate(proof));
        }
    }

    pub(super) fn on_decided(&mut self, now: Now, certificate: Certificate) {
        if certificate.round == self.height.consensus.round() {
            self.timing.quorum(VoteKind::Precommit, now.mono);
        }
        if !self.agrees(&certificate) {
            return;
        }
        let height = certificate.height;
        if !self.height.is_decided_by(certificate) {
            self.fetch_decided(height);
        }
    }

    /// Stacks the decided block and begins the next height, if the block keeps the rules here and there
    /// is room for it. False where not. Called when no work is left.
    pub(super) fn advance(&mut self, now: Now) -> bool {
        if !self.tip.stack.has_room() {
            return false;
        }
        let Some(certificate) = self.height.decided.clone() else { return false };
        let Some(hash) = certificate.block else { return false };
        if self.height.candidates.is_invalid(&hash) {
            self.stop_on_invalid(&certificate, hash);
            return false;
        }
        let candidates = &self.height.candidates;
        let (Some(block), Some(delta)) = (candidates.block(&hash), candidates.delta(&hash)) else {
            return false;
        };
        self.stack_block(now, block, delta, certificate);
        self.start_height(now);
        true
    }

    fn stack_block(
        &mut self,
        now: Now,
        block: Arc<Block>,
        delta: Arc<BlockDelta>,
        certificate: Arc<Certificate>,
    ) {
        let (hash, height) = (delta.block, certificate.height);
        let synced = self.height.candidates.is_synced(&hash);
        let seen = self.height.candidates.seen(&hash).unwrap_or(now.mono);
        let bodies = self.height.candidates.take_bodies(&hash);
        let parent_time = self.tip.state.timestamp;
        let confirmed = self.pool.mempool.on_block(&block, height.next(), now.mono).confirmed;
        // Blocks went on while this node caught up: a peer that speaks of a later height is asked again.
        self.peers.forget_hint(synced);
        // Spacing counts from one proposal to the next, so that the cadence does not drift.
        self.tip.spacing_from = if synced { now.mono } else { seen };
        self.tip.push(Stacked { block, certificate, delta, bodies, confirmed, seen, synced });
        self.license_at_decision(parent_time);
        if self.tip.stack.len() == 1 {
            self.write_next();
        }
    }

    /// A final block breaks a rule here.
    fn stop_on_invalid(&mut self, certificate: &Certificate, hash: BlockHash) {
        let (height, own) = (self.tip.state.height, self.tip.block());
        self.out.stop_on_contradiction(match self.height.candidates.other_parent(&hash, own) {
            Some(parent) => format!(
                "two blocks are final at height {height}: {own} here, and {parent}, on which block {hash} \
                 with a commit certificate stands. More than a third of the masternodes' weight \
                 broke the rules; the operators must decide which block stands"
            ),
            None => format!(
                "block {hash} at height {} has a commit certificate and breaks a rule here: this \
                 program or its data differs from the network's. Compare versions, then sync again \
                 from an empty data directory",
                certificate.height
            ),
        });
    }

    /// Hands the oldest stacked block to the store.
    fn write_next(&mut self) {
        let Some(stacked) = self.tip.stack.oldest() else { return };
        self.out.push(Effect::Commit {
            block: stacked.block.clone(),
            certificate: stacked.certificate.clone(),
            delta: stacked.delta.clone(),
        });
    }

    /// A block is decided and its body is not here: a peer that has it can prove the height.
    fn fetch_decided(&mut self, height: Height) {
        if self.peers.target() >= height {
            self.work.push(Work::AdvanceSync);
        } else {
            self.peers.ask_next_status(&mut self.out);
        }
    }

    pub(super) fn on_durable(&mut self, now: Now, height: Height) {
        let Some(oldest) = self.tip.stack.oldest() else { return };
        if oldest.delta.height != height {
            let expected = oldest.delta.height;
            return self.out.stop_on_contradiction(format!(
                "the store committed height {height} while {expected} was being committed"
            ));
        }
        let Some(stacked) = self.tip.pop_durable() else { return };
        // Reported before the next one is written: the shell keeps only one block for the report.
        self.report_committed(now, &stacked);
        self.write_next();
        self.work.push(Work::Propose);
        self.pay_owed_votes();
    }

    fn report_committed(&mut self, now: Now, stacked: &Stacked) {
        let set = &self.ctx.set;
        let certificate = &stacked.certificate;
        let parent = stacked.block.last_commit.as_ref();
        let voted = |index: u16| parent.is_none_or(|commit| commit.signers.contains(index));
        let members = u16::try_from(set.len()).expect("at most MASTERNODES_MAX members");
        self.out.report(Report::Final {
            height: certificate.height,
            round: certificate.round,
            block: stacked.delta.block,
            proposer: stacked.block.header.proposer,
            transactions: stacked.block.transactions.len(),
            weight: certificate.weight(set),
            total: set.total_weight(),
            took: now.mono.since(stacked.seen),
            missed: (0..members).filter(|index| !voted(*index)).collect(),
            synced: stacked.synced,
        });
    }

    /// Applies the next synced block, and asks for what is missing.
    pub(super) fn advance_sync(&mut self, now: Now) {
        self.apply_synced();
        let (tip, busy) = (self.tip.state.height, self.height.busy());
        for (peer, request) in self.peers.planner.plan(now.mono, tip, busy) {
            self.out.request(peer, Request::Blocks(request));
        }
        if let Some(at) = self.peers.planner.retry_at(now.mono, tip, busy) {
            self.out.set_timer(Timer::Blocks, at);
        }
    }

    fn apply_synced(&mut self) {
        let committed = self.tip.state.height;
        let Some(certified) = self.peers.planner.take_next(committed) else { return };
        if !self.agrees(certified.certificate()) {
            return;
        }
        self.height.decided.get_or_insert_with(|| certified.certificate().clone());
        self.execute(certified);
    }

    pub(super) fn on_sync_timer(&mut self, now: Now) {
        self.out.set_timer(Timer::Sync, now.mono.plus(SYNC_PERIOD));
        self.peers.ask_next_status(&mut self.out);
        self.advance_sync(now);
    }
}
