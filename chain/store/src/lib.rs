//! What TimeCoin remembers: the chain and its coins in `ledger.redb`, and what this node signed in
//! `safety.redb`.
//!
//! The only crate that names redb. It decides nothing: what a block changes comes as a delta from
//! `timecoin_chain::ledger::execute`, and what may be signed is decided by the engine's guard. The
//! two files are apart so that a signature never waits for a block.
//!
//! Invariants:
//! - [`Store::commit`] and [`Store::persist_safety`] return only when what they wrote is durable. One
//!   that failed because of the disk is found after reopening as a whole or not at all; the node
//!   must stop, because until then nobody knows which.
//! - After a crash at any moment the ledger is the state after some block at or above the last
//!   commit that returned, and the safety record is the last one that returned or a later one.
//! - The coins in the file are exactly those whose hash is in the stored `LedgerState`.
//! - A file of another genesis or of a later schema is refused and not changed.
//! - Nothing decoded is kept in memory: the file is the only owner of the state.
mod address_index;
mod check;
mod commit;
mod counters;
mod error;
mod file;
mod open;
mod read;
mod safety;
mod safety_file;
mod stats;
mod tables;

pub use check::Checked;
pub use error::StoreError;
pub use read::Place;
pub use safety_file::SafetyFile;
pub use stats::StoreStats;

use file::DatabaseFile;
use std::fs::File;
use timecoin_chain::genesis::GenesisHash;

/// The file of the chain, in the data directory.
pub const LEDGER_FILE: &str = "ledger.redb";
/// The file of what was signed, in the data directory.
pub const SAFETY_FILE: &str = "safety.redb";
/// Locked by the node that has the directory open, and holds its process id.
pub const PID_FILE: &str = "node.pid";

/// How to open a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// Whether coins can be found by lock. Switching it on builds the index when the store is
    /// opened, switching it off drops it.
    pub address_index: bool,
    /// Memory for pages of the ledger.
    pub cache_bytes: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { address_index: true, cache_bytes: 64 * 1024 * 1024 }
    }
}

/// The open databases of one node. Reads run beside each other and beside one write.
pub struct Store {
    ledger: DatabaseFile,
    safety: DatabaseFile,
    genesis: GenesisHash,
    address_index: bool,
    /// Released last. None over backends that are no files.
    _lock: Option<File>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("ledger", &self.ledger.path()).finish_non_exhaustive()
    }
}
