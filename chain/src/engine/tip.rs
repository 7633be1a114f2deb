//! The end of the decided chain: the ledger after the last decided block, and the decided blocks that
//! are not durable yet.
//!
//! Never decides anything: `commit.rs` stacks a block when its height is decided.
//!
//! Invariant: the view and the state are those after the top of the stack, or after the last durable
//! block where nothing is stacked.
use super::{candidates::Bodies, recent::Recent};
use crate::{
    ledger::{BlockDelta, Layer, LedgerState, LedgerView, Overlay},
    limits::UNDURABLE_MAX,
    mempool::Entry,
    types::{Block, BlockHash, Certificate, Height, Millis, Timestamp, TxId, Vote, VoteKind},
};
use std::{collections::VecDeque, sync::Arc};

/// The last decided block and what follows from it.
pub(super) struct Tip<V> {
    /// The coins after it.
    pub(super) view: Overlay<V>,
    /// The state after it.
    pub(super) state: Arc<LedgerState>,
    /// What decided it; none at genesis.
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) stack: Stack,
    /// What the last decided blocks changed.
    pub(super) recent: Recent,
    /// The moment from which the minimum block spacing to the next block counts.
    pub(super) spacing_from: Millis,
}

impl<V: LedgerView> Tip<V> {
    pub(super) fn new(view: V, state: LedgerState, certificate: Option<Certificate>) -> Self {
        let state = Arc::new(state);
        Self {
            view: Overlay::new(view, Vec::new()),
            stack: Stack::new(state.clone()),
            recent: Recent::new(state.height),
            state,
            certificate: certificate.map(Arc::new),
            spacing_from: Millis::default(),
        }
    }

    /// Stacks a decided block: the next height stands on it.
    pub(super) fn push(&mut self, stacked: Stacked) {
        self.state = Arc::new(stacked.delta.state.clone());
        let layer = Arc::new(Layer::new(stacked.delta.clone()));
        self.recent.push(layer.clone());
        self.view.push(layer);
        self.certificate = Some(stacked.certificate.clone());
        self.stack.blocks.push_back(stacked);
    }

    /// The oldest stacked block is durable.
    pub(super) fn pop_durable(&mut self) -> Option<Stacked> {
        let stacked = self.stack.blocks.pop_front()?;
        self.stack.durable = Arc::new(stacked.delta.state.clone());
        self.view.settle();
        Some(stacked)
    }
}

impl<V> Tip<V> {
    /// The height after the last decided one.
    pub(super) fn next_height(&self) -> Height {
        self.state.height.next()
    }

    /// The hash of the last decided block.
    pub(super) fn block(&self) -> BlockHash {
        self.state.block
    }

    /// The earliest timestamp of the next block.
    pub(super) fn least_timestamp(&self) -> Timestamp {
        Timestamp(self.state.timestamp.0 + 1)
    }

    /// What decided one of the last heights.
    pub(super) fn decision(&self, height: Height) -> Option<&Arc<Certificate>> {
        let last = self.certificate.as_ref().filter(|last| last.height == height);
        last.or_else(|| self.stack.certificate(height))
    }

    /// A precommit for the last block that came after its quorum: the next block pays its signer too.
    pub(super) fn collect_late_precommit(&mut self, vote: &Vote) {
        if let Some(certificate) = self.certificate.as_mut()
            && certificate.lacks(vote)
        {
            Arc::make_mut(certificate).add(vote);
        }
    }
}

/// A decided block on its way to the store.
#[derive(Debug)]
pub(super) struct Stacked {
    pub(super) block: Arc<Block>,
    pub(super) certificate: Arc<Certificate>,
    pub(super) delta: Arc<BlockDelta>,
    /// For those who are still gathering them.
    pub(super) bodies: Bodies,
    /// What it took out of the mempool.
    pub(super) confirmed: Vec<Entry>,
    /// When the proposal was first seen.
    pub(super) seen: Millis,
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
    fn new(durable: Arc<LedgerState>) -> Self {
        Self { blocks: VecDeque::new(), durable }
    }

    /// How many blocks are stacked.
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether another block may be stacked.
    pub(super) fn has_room(&self) -> bool {
        self.blocks.len() < UNDURABLE_MAX
    }

    /// Whether a vote of this kind, or with a prevote a proposal, may be signed for the height on top.
    pub(super) fn allows(&self, kind: VoteKind) -> bool {
        match kind {
            VoteKind::Prevote => self.blocks.len() < UNDURABLE_MAX,
            VoteKind::Precommit => self.blocks.is_empty(),
        }
    }

    /// The block that the store writes next.
    pub(super) fn oldest(&self) -> Option<&Stacked> {
        self.blocks.front()
    }

    /// The block on top, if any: a record that is signed now must be able to restore it.
    pub(super) fn top(&self) -> Option<&Stacked> {
        self.blocks.back()
    }

    /// A transaction of this node's mempool that is decided and not durable.
    pub(super) fn entry(&self, txid: &TxId) -> Option<&Entry> {
        let entries = self.blocks.iter().flat_map(|stacked| &stacked.confirmed);
        entries.into_iter().find(|entry| entry.txid() == *txid)
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
