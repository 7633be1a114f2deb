//! How the ledger is read. The store implements it over redb; `MemoryView` is a map.
use super::{BlockDelta, PositionedCoin};
use crate::types::{Certificate, Height, OutPoint};
use std::collections::BTreeMap;

/// The store failed: our fault, never a peer's. The node stops.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("reading the ledger failed: {reason}")]
pub struct ViewError {
    /// What the store reported.
    pub reason: String,
}

/// The ledger after a block: its unspent coins, and the proofs that led to it.
pub trait LedgerView {
    /// The coin of an output, with its position, if it exists and is unspent.
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<PositionedCoin>, ViewError>;

    /// The certificate that made a height final; none at genesis and above the last durable block.
    fn certificate(&self, height: Height) -> Result<Option<Certificate>, ViewError>;
}

/// A view in memory, for tests and the simulator.
#[derive(Debug, Clone, Default)]
pub struct MemoryView {
    pub(super) coins: BTreeMap<OutPoint, PositionedCoin>,
    certificates: BTreeMap<Height, Certificate>,
}

impl MemoryView {
    /// Stores the certificate that made a block final.
    pub fn keep(&mut self, certificate: Certificate) {
        self.certificates.insert(certificate.height, certificate);
    }

    /// Applies a block.
    pub fn apply(&mut self, delta: &BlockDelta) {
        for spent in &delta.spent {
            self.coins.remove(&spent.coin.outpoint);
        }
        for created in &delta.created {
            self.coins.insert(created.coin.outpoint, created.clone());
        }
    }

    /// All coins, ordered by outpoint.
    pub fn coins(&self) -> impl Iterator<Item = &PositionedCoin> {
        self.coins.values()
    }
}

impl LedgerView for MemoryView {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<PositionedCoin>, ViewError> {
        Ok(self.coins.get(outpoint).cloned())
    }

    fn certificate(&self, height: Height) -> Result<Option<Certificate>, ViewError> {
        Ok(self.certificates.get(&height).cloned())
    }
}

impl<V: LedgerView + ?Sized> LedgerView for std::sync::Arc<V> {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<PositionedCoin>, ViewError> {
        (**self).coin(outpoint)
    }

    fn certificate(&self, height: Height) -> Result<Option<Certificate>, ViewError> {
        (**self).certificate(height)
    }
}
