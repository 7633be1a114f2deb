//! Coins after stacked blocks: decided and not yet durable.
//!
//! A layer holds the changes of one block over the view below it. Reads are correct whether or not
//! the view below already includes a layer's block, so a layer may be removed at any time after its
//! block becomes durable.
use super::{BlockDelta, LedgerView, PositionedCoin, ViewError};
use crate::types::{Certificate, Height, OutPoint, Output, TxId};
use std::{collections::BTreeMap, sync::Arc};

/// The changes of one decided block, by outpoint.
#[derive(Debug)]
pub struct Layer {
    delta: Arc<BlockDelta>,
    /// Index among the created coins; none if the block spends the coin.
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

    /// Number of coins it spends and creates.
    pub fn changes(&self) -> usize {
        self.changes.len()
    }

    /// The output after this block, if the block changes it: none if spent.
    pub fn output(&self, outpoint: &OutPoint) -> Option<Option<&Output>> {
        let change = self.changes.get(outpoint)?;
        Some(change.map(|index| &self.delta.created[index].coin.output))
    }

    /// The coin after this block, if the block changes it.
    fn coin(&self, outpoint: &OutPoint) -> Option<Option<PositionedCoin>> {
        let change = self.changes.get(outpoint)?;
        Some(change.map(|index| self.delta.created[index].clone()))
    }
}

/// A view with stacked blocks on top, oldest first.
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

    /// Adds the layer of a decided block.
    pub fn push(&mut self, layer: Arc<Layer>) {
        self.layers.push(layer);
    }

    /// Removes the oldest layer: the view below includes its block.
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

    /// From the durable blocks: a layer has no certificate.
    fn certificate(&self, height: Height) -> Result<Option<Certificate>, ViewError> {
        self.below.certificate(height)
    }
}
