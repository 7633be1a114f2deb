//! Durable storage of TimeCoin: the chain and its coins in `ledger.redb`, and what this node signed
//! in `safety.redb`.
//!
//! The only crate that names redb. It makes no decisions: the changes of a block arrive as a delta
//! from `timecoin_chain::ledger::execute`, and the engine's guard decides what may be signed. The
//! two files are separate so that a signature never waits for a block.
//!
//! Invariants:
//! - [`Store::commit`] and [`Store::persist_safety`] return only when their write is durable. After
//!   a disk error the write is either complete or absent when the file is opened again. Until then
//!   it is unknown which, so the node must stop.
//! - After a crash at any time the ledger is the state after some block at or above the last
//!   commit that returned, and the safety record is the last one that returned or a later one.
//! - The coins in the file are exactly those whose hash is in the stored `LedgerState`.
//! - A file of another genesis or of a later schema is refused and not changed.
//! - No decoded value is kept in memory: the file is the only owner of the state.
mod address_index;
mod buckets;
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

pub use buckets::Buckets;
pub use check::Checked;
pub use error::StoreError;
pub use read::TxPlace;
pub use safety_file::SafetyFile;
pub use stats::StoreStats;

use file::DatabaseFile;
use std::fs::File;
use timecoin_chain::genesis::GenesisHash;

/// The file of the chain, in the data directory.
pub const LEDGER_FILE: &str = "ledger.redb";
/// The file of the safety record, in the data directory.
pub const SAFETY_FILE: &str = "safety.redb";
/// Locked by the node that has the directory open; holds its process id.
pub const PID_FILE: &str = "node.pid";

/// How to open a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// Whether coins can be found by lock. Enabling it builds the index when the store is opened,
    /// disabling it drops the index.
    pub address_index: bool,
    /// Memory for the page cache of the ledger.
    pub cache_bytes: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { address_index: true, cache_bytes: 64 * 1024 * 1024 }
    }
}

/// The open databases of one node. Reads run concurrently with each other and with one write.
pub struct Store {
    ledger: DatabaseFile,
    safety: DatabaseFile,
    genesis: GenesisHash,
    address_index: bool,
    /// Released last. None for backends that are not files.
    _lock: Option<File>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("ledger", &self.ledger.path()).finish_non_exhaustive()
    }
}
