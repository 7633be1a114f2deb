//! The ledger: which coins exist, and how a block changes them.
//!
//! `execute` is the only function that applies a block: the proposer, the voter, replay, sync and
//! the tests all call it. It reads coins through a view and returns a delta; it never writes.
mod coins;
mod delta;
mod execute;
mod execution;
mod genesis;
mod overlay;
mod rewards;
mod state;
mod view;

pub use coins::{Coins, FoundCoins, look_up};
pub use delta::{BlockDelta, PositionedCoin, TransactionRecord};
pub use execute::{ExecuteError, execute, execute_certified};
pub use execution::{Executable, Execution};
pub use genesis::genesis_delta;
pub use overlay::{Layer, Overlay};
pub use state::LedgerState;
pub use view::{LedgerView, MemoryView, ViewError};
