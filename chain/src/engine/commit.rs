//! From a decision to the next height and to the disk.
//!
//! A decided block that keeps the rules is stacked: the next height begins on its delta at once, and the
//! store writes the stacked blocks in order, one at a time.
//!
//! Invariants: at most [`UNDURABLE_MAX`] blocks are stacked; nothing is reported or served as final
//! before it is durable; with one block stacked nothing stronger than a prevote is signed, with two
//! nothing at all.
use super::{Effect, Engine, Report, Request, Timer, candidate::Bodies};
use crate::{
    ledger::{BlockDelta, LedgerState, LedgerView},
    limits::UNDURABLE_MAX,
    mempool::Entry,
    types::{Block, Certificate, Height, Millis, Now, TxId, Vote, VoteKind},
};
use std::{collections::VecDeque, sync::Arc};

/// A decided block on its way to the store.
#[derive(Debug)]
pub(super) struct Stacked {
    pub(super) block: Arc<Block>,
    pub(super) certificate: Arc<Certificate>,
    delta: Arc<BlockDelta>,
    /// For those who are still gathering them.
    bodies: Bodies,
    /// What it took out of the mempool.
    confirmed: Vec<Entry>,
    /// When the proposal was first seen.
    seen: Millis,
    pub(super) synced: bool,
}

/// Decided blocks that are not durable yet, oldest first.
#[derive(Debug)]
pub(super) struct Stack {
    blocks: VecDeque<Stacked>,
    /// The state after the last durable block.
    pub(super) durable: Arc<LedgerState>,
}

impl Stack {
    pub(super) fn new(durable: Arc<LedgerState>) -> Self {
        Self { blocks: VecDeque::new(), durable }
    }

    /// How many blocks are stacked.
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether a vote of this kind, or a proposal, may be signed for the height on top.
    pub(super) fn allows(&self, kind: VoteKind) -> bool {
        match kind {
            VoteKind::Prevote => self.blocks.len() < UNDURABLE_MAX,
            VoteKind::Precommit => self.blocks.is_empty(),
        }
    }

    /// The block on top, should there be one: a record that is signed now must be able to restore it.
    pub(super) fn top(&self) -> Option<&Stacked> {
        self.blocks.back()
    }

    /// A transaction of this node's mempool that is decided and not durable.
    pub(super) fn entry(&self, txid: &TxId) -> Option<&Entry> {
        let entries = self.blocks.iter().flat_map(|stacked| &stacked.confirmed);
        entries.into_iter().find(|entry| entry.txid() == *txid)
    }

    /// Whether a stacked block holds this transaction.
    pub(super) fn holds(&self, txid: &TxId) -> bool {
        let records = self.blocks.iter().flat_map(|stacked| &stacked.delta.transactions);
        records.into_iter().any(|record| record.txid == *txid)
    }

    /// What decided a stacked block.
    pub(super) fn certificate(&self, height: Height) -> Option<&Arc<Certificate>> {
        let mut certificates = self.blocks.iter().map(|stacked| &stacked.certificate);
        certificates.find(|certificate| certificate.height == height)
    }

    /// The bodies of the stacked blocks.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &Bodies> {
        self.blocks.iter().map(|stacked| &stacked.bodies)
    }
}

impl<V: LedgerView> Engine<V> {
    pub(super) fn on_decided(&mut self, certificate: Certificate) {
        if !self.agrees(&certificate) {
            return;
        }
        let height = certificate.height;
        let decided = self.decided.get_or_insert_with(|| Arc::new(certificate));
        let is_known = decided.block.is_some_and(|block| self.candidates.is_known(&block));
        if !is_known {
            self.fetch_decided(height);
        }
    }

    /// Begins the next height if this one's block is decided, keeps the rules here and there is room
    /// for it. False where not. Called when an input is done with, never within.
    pub(super) fn advance(&mut self, now: Now) -> bool {
        if self.stack.blocks.len() >= UNDURABLE_MAX || self.halted.is_some() {
            return false;
        }
        let Some(certificate) = self.decided.clone() else { return false };
        let Some(hash) = certificate.block else { return false };
        if self.candidates.is_invalid(&hash) {
            if let Some(parent) = self.candidates.other_parent(&hash, self.state.block) {
                self.halt(format!(
                    "two blocks are final at height {}: {} here, and {parent}, on which block {hash} \
                     with a commit certificate stands. More than a third of the masternodes' weight \
                     broke the rules; the operators must decide which block stands",
                    self.state.height, self.state.block
                ));
                return false;
            }
            self.halt(format!(
                "block {hash} at height {} has a commit certificate and breaks a rule here: this \
                 program or its data differs from the network's. Compare versions, then sync again \
                 from an empty data directory",
                certificate.height
            ));
            return false;
        }
        let (Some(block), Some(delta)) =
            (self.candidates.block(&hash), self.candidates.delta(&hash))
        else {
            return false;
        };
        let synced = self.candidates.is_synced(&hash);
        let seen = self.candidates.seen(&hash).unwrap_or(now.mono);
        let bodies = self.candidates.take_bodies(&hash);
        let parent_time = self.state.timestamp;
        let removed = self.mempool.on_block(&block, certificate.height.next(), now.mono);
        self.state = Arc::new(delta.state.clone());
        self.view.push(delta.clone());
        self.tip = Some(certificate.clone());
        // Blocks went on while this node caught up: whoever speaks of a later height is asked again.
        self.hinted &= !synced;
        // Spacing counts from one proposal to the next, so that the cadence does not drift.
        self.spacing_from = if synced { now.mono } else { seen };
        let confirmed = removed.confirmed;
        let stacked = Stacked { block, certificate, delta, bodies, confirmed, seen, synced };
        self.stack.blocks.push_back(stacked);
        self.license_at_decision(parent_time);
        if self.stack.blocks.len() == 1 {
            self.write_next();
        }
        self.start_height(now);
        true
    }

    /// Hands the oldest stacked block to the store.
    fn write_next(&mut self) {
        let Some(stacked) = self.stack.blocks.front() else { return };
        self.effects.push(Effect::Commit {
            block: stacked.block.clone(),
            certificate: stacked.certificate.clone(),
            delta: stacked.delta.clone(),
        });
    }

    /// A block is decided and its body is not here: whoever has it can prove the height.
    fn fetch_decided(&mut self, height: Height) {
        if self.sync.target() >= height {
            self.advance_sync();
        } else {
            self.ask_next_status();
        }
    }

    pub(super) fn on_committed(&mut self, now: Now, height: Height) {
        let Some(stacked) = self.stack.blocks.pop_front() else { return };
        if stacked.delta.height != height {
            return self.halt(format!(
                "the store committed height {height} while {} was being committed",
                stacked.delta.height
            ));
        }
        self.stack.durable = Arc::new(stacked.delta.state.clone());
        self.view.settle();
        // Told before the next one is written: whoever carries this out has one block at hand.
        self.report_committed(now, &stacked);
        self.write_next();
        self.try_propose(now);
        self.pay_owed_votes(now);
    }

    /// A precommit for the last block that came after its quorum: the next block pays its signer too.
    pub(super) fn collect_late_precommit(&mut self, vote: &Vote) {
        if let Some(certificate) = self.tip.as_mut()
            && certificate.lacks(vote)
        {
            Arc::make_mut(certificate).add(vote);
        }
    }

    fn report_committed(&mut self, now: Now, stacked: &Stacked) {
        let certificate = &stacked.certificate;
        let parent = stacked.block.last_commit.as_ref();
        let voted = |index: u16| parent.is_none_or(|commit| commit.signers.contains(index));
        let members = u16::try_from(self.set.len()).expect("at most MASTERNODES_MAX members");
        self.effects.push(Effect::Report(Report::Committed {
            height: certificate.height,
            round: certificate.round,
            block: stacked.delta.block,
            proposer: stacked.block.header.proposer,
            transactions: stacked.block.transactions.len(),
            weight: certificate.weight(&self.set),
            total: self.set.total_weight(),
            took: now.mono.since(stacked.seen),
            missed: (0..members).filter(|index| !voted(*index)).collect(),
            synced: stacked.synced,
        }));
    }

    /// Applies the next synced block, and asks for what is missing.
    pub(super) fn advance_sync(&mut self) {
        self.apply_synced();
        let busy = self.busy_height();
        for (peer, request) in self.sync.plan(self.state.height, busy) {
            let request = Request::Blocks(request);
            self.effects.push(Effect::Request { to: peer, request });
        }
    }

    fn apply_synced(&mut self) {
        let Some((block, certificate)) = self.sync.take_next(self.state.height) else { return };
        if certificate.block != Some(block.hash()) {
            return;
        }
        if !self.agrees(&certificate) {
            return;
        }
        self.decided.get_or_insert(certificate);
        self.execute_candidate(block);
    }

    /// The height, where its block is here already and only waits to be stacked.
    fn busy_height(&self) -> Option<Height> {
        let block = self.decided.as_ref()?.block?;
        self.candidates.is_known(&block).then(|| self.height())
    }

    pub(super) fn on_sync_timer(&mut self, now: Now) {
        self.set_timer(Timer::Sync, now.mono.plus(super::SYNC_PERIOD));
        self.ask_next_status();
        self.advance_sync();
    }
}
