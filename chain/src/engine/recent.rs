//! What the last decided blocks changed, durable or not.
//!
//! Coins of payments are read off the loop. What was decided meanwhile is here, so the loop never reads a coin from the
//! disk: a coin that was looked up is as it was found, unless a recent block says otherwise.
//!
//! Invariant: the blocks that are not durable are among them, so what none of them changed is on the disk.
use crate::{
    ledger::{Coins, FoundCoins, Layer},
    limits::{RECENT_BLOCKS_MAX, RECENT_CHANGES_MAX, UNDURABLE_MAX},
    types::{Height, OutPoint, Output, TxId},
};
use std::{collections::VecDeque, sync::Arc};

/// The last decided blocks, oldest first and without gaps.
#[derive(Debug)]
pub(super) struct Recent {
    layers: VecDeque<Arc<Layer>>,
    /// Coins that they change.
    changes: usize,
    /// The height of the last one, or of the block that this node started with.
    height: Height,
}

impl Recent {
    pub(super) fn new(height: Height) -> Self {
        Self { layers: VecDeque::new(), changes: 0, height }
    }

    /// A block is decided.
    pub(super) fn push(&mut self, layer: Arc<Layer>) {
        self.height = layer.height();
        self.changes += layer.changes();
        self.layers.push_back(layer);
        while self.has_too_much() {
            let oldest = self.layers.pop_front();
            self.changes -= oldest.map_or(0, |layer| layer.changes());
        }
    }

    fn has_too_much(&self) -> bool {
        let blocks = self.layers.len();
        blocks > RECENT_BLOCKS_MAX || (blocks > UNDURABLE_MAX && self.changes > RECENT_CHANGES_MAX)
    }

    /// The height of the last decided block.
    pub(super) fn height(&self) -> Height {
        self.height
    }

    /// Whether every block after this height is still here.
    pub(super) fn reaches(&self, height: Height) -> bool {
        self.height - height <= self.layers.len() as u64
    }

    /// Whether one of the blocks holds this transaction.
    pub(super) fn holds(&self, txid: &TxId) -> bool {
        self.layers.iter().any(|layer| layer.holds(txid))
    }

    /// What an output has become, if one of the blocks changes it: none where it is spent.
    pub(super) fn output(&self, outpoint: &OutPoint) -> Option<Option<&Output>> {
        self.output_after(Height::GENESIS, outpoint)
    }

    /// The same, if one of the blocks after this height changes it.
    fn output_after(&self, height: Height, outpoint: &OutPoint) -> Option<Option<&Output>> {
        let mut later = self.layers.iter().rev().take_while(|layer| layer.height() > height);
        later.find_map(|layer| layer.output(outpoint))
    }
}

/// Coins that were looked up, and what has become of them.
pub(super) struct Current<'a> {
    pub(super) recent: &'a Recent,
    pub(super) found: &'a FoundCoins,
    /// What the blocks up to this height change is in `found`.
    pub(super) found_at: Height,
}

impl Coins for Current<'_> {
    fn output(&self, outpoint: &OutPoint) -> Option<Output> {
        match self.recent.output_after(self.found_at, outpoint) {
            Some(changed) => changed.cloned(),
            None => self.found.output(outpoint),
        }
    }
}
