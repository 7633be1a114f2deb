//! Outputs read in advance, so that the rules that need them run without a disk.
//!
//! [`look_up`] reads them in bulk, off the loop. Later changes are not included.
use super::{LedgerView, MemoryView, ViewError};
use crate::types::{OutPoint, Output};
use std::collections::BTreeMap;

/// Unspent outputs. A query does no I/O and cannot fail.
pub trait Coins {
    /// The output, if it exists and is unspent.
    fn output(&self, outpoint: &OutPoint) -> Option<Output>;
}

impl Coins for MemoryView {
    fn output(&self, outpoint: &OutPoint) -> Option<Output> {
        self.coins.get(outpoint).map(|coin| coin.coin.output.clone())
    }
}

/// The outputs that a lookup found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundCoins(BTreeMap<OutPoint, Output>);

impl FoundCoins {
    /// Adds an output.
    pub fn insert(&mut self, outpoint: OutPoint, output: Output) {
        self.0.insert(outpoint, output);
    }

    /// Adds all outputs of another lookup.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

impl Coins for FoundCoins {
    fn output(&self, outpoint: &OutPoint) -> Option<Output> {
        self.0.get(outpoint).cloned()
    }
}

/// Reads the outputs that transactions spend, one list per transaction. The first missing output
/// ends its list: the transaction is rejected whatever the rest is.
///
/// # Errors
/// If the store fails.
pub fn look_up(
    view: &dyn LedgerView,
    inputs: impl IntoIterator<Item = Vec<OutPoint>>,
) -> Result<FoundCoins, ViewError> {
    let mut found = FoundCoins::default();
    for outpoints in inputs {
        for outpoint in outpoints {
            let Some(coin) = view.coin(&outpoint)? else { break };
            found.insert(outpoint, coin.coin.output);
        }
    }
    Ok(found)
}
