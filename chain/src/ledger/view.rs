//! How the ledger reads coins. The store implements it over redb; `MemoryView` is a map.
use super::{BlockDelta, PositionedCoin};
use crate::types::OutPoint;
use std::collections::BTreeMap;

/// The store could not answer: our fault, never a peer's. The node stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reading the ledger failed: {reason}")]
pub struct ViewError {
    /// What the store said.
    pub reason: String,
}

/// The unspent coins after a block.
pub trait LedgerView {
    /// The coin of an output, with its position, unless it is spent or never was.
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<PositionedCoin>, ViewError>;
}

/// A view in memory, for tests and the simulator.
#[derive(Debug, Clone, Default)]
pub struct MemoryView(BTreeMap<OutPoint, PositionedCoin>);

impl MemoryView {
    /// Applies a committed block.
    pub fn apply(&mut self, delta: &BlockDelta) {
        for spent in &delta.spent {
            self.0.remove(&spent.coin.outpoint);
        }
        for created in &delta.created {
            self.0.insert(created.coin.outpoint, created.clone());
        }
    }

    /// All coins in the order of their outpoints.
    pub fn coins(&self) -> impl Iterator<Item = &PositionedCoin> {
        self.0.values()
    }
}

impl LedgerView for MemoryView {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<PositionedCoin>, ViewError> {
        Ok(self.0.get(outpoint).cloned())
    }
}

impl<V: LedgerView + ?Sized> LedgerView for std::sync::Arc<V> {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<PositionedCoin>, ViewError> {
        (**self).coin(outpoint)
    }
}
