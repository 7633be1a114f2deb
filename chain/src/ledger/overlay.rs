//! Coins as they are after blocks that are decided and not yet durable.
//!
//! A layer stands for one block over the view below it. Reading is right whether or not the view below
//! holds a layer's block already, so that a layer may be taken away any time after its block is durable.
use super::{BlockDelta, LedgerView, PositionedCoin, ViewError};
use crate::types::{Certificate, Height, OutPoint, Output, TxId};
use std::{collections::BTreeMap, sync::Arc};

/// What one decided block changes, by outpoint.
#[derive(Debug)]
pub struct Layer {
    delta: Arc<BlockDelta>,
    /// Index among the created coins; none for a coin that the block spends.
    changes: BTreeMap<OutPoint, Option<usize>>,
    /// The ids of its transactions, sorted.
    txids: Vec<TxId>,
}

impl Layer {
    /// The layer of a block.
    pub fn new(delta: Arc<BlockDelta>) -> Self {
        let created = delta.created.iter().enumerate();
        let created = created.map(|(index, coin)| (coin.coin.outpoint, Some(index)));
        let spent = delta.spent.iter().map(|coin| (coin.coin.outpoint, None));
        let changes = spent.chain(created).collect();
        let mut txids: Vec<TxId> = delta.transactions.iter().map(|record| record.txid).collect();
        txids.sort_unstable();
        Self { delta, changes, txids }
    }

    /// The height of the block.
    pub fn height(&self) -> Height {
        self.delta.height
    }

    /// Whether the block holds this transaction.
    pub fn holds(&self, txid: &TxId) -> bool {
        self.txids.binary_search(txid).is_ok()
    }

    /// How many coins it spends and creates.
    pub fn changes(&self) -> usize {
        self.changes.len()
    }

    /// What an output has become, if this block changes it: none where it is spent.
    pub fn output(&self, outpoint: &OutPoint) -> Option<Option<&Output>> {
        let change = self.changes.get(outpoint)?;
        Some(change.map(|index| &self.delta.created[index].coin.output))
    }

    /// What the coin has become, if this block changes it.
    fn coin(&self, outpoint: &OutPoint) -> Option<Option<PositionedCoin>> {
        let change = self.changes.get(outpoint)?;
        Some(change.map(|index| self.delta.created[index].clone()))
    }
}

/// A view with decided blocks on top, oldest first.
#[derive(Debug, Clone)]
pub struct Overlay<V> {
    below: V,
    layers: Vec<Arc<Layer>>,
}

impl<V> Overlay<V> {
    /// A view with these layers on top, oldest first.
    pub fn new(below: V, layers: Vec<Arc<Layer>>) -> Self {
        Self { below, layers }
    }

    /// The layers, oldest first.
    pub fn layers(&self) -> &[Arc<Layer>] {
        &self.layers
    }

    /// A block is decided.
    pub fn push(&mut self, layer: Arc<Layer>) {
        self.layers.push(layer);
    }

    /// The oldest of the blocks is in the view below.
    pub fn settle(&mut self) {
        if !self.layers.is_empty() {
            self.layers.remove(0);
        }
    }
}

impl<V: LedgerView> LedgerView for Overlay<V> {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<PositionedCoin>, ViewError> {
        match self.layers.iter().rev().find_map(|layer| layer.coin(outpoint)) {
            Some(changed) => Ok(changed),
            None => self.below.coin(outpoint),
        }
    }

    /// Of the durable blocks: a layer knows what its block changes, not what made it final.
    fn certificate(&self, height: Height) -> Result<Option<Certificate>, ViewError> {
        self.below.certificate(height)
    }
}
