//! Every table of both database files and the shape of its rows.
//!
//! Values of the chain are stored in their canonical bytes (`timecoin_chain::codec`). Numbers are
//! redb's fixed-width integers. A change of any shape here raises [`SCHEMA`].
use redb::TableDefinition;

/// The shape of the tables that this program reads and writes.
pub(crate) const SCHEMA: u32 = 2;

/// In both files: the identity and state of the file. Its keys are the four below.
pub(crate) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// In [`META`]: [`SCHEMA`], 4 bytes little-endian.
pub(crate) const META_SCHEMA: &str = "schema";
/// In [`META`]: the hash of the genesis, 32 bytes.
pub(crate) const META_GENESIS: &str = "genesis";
/// In [`META`] of the ledger: the canonical `LedgerState` after the last durable block.
pub(crate) const META_STATE: &str = "state";
/// In [`META`] of the ledger: present and empty if [`LOCKS`] covers every coin.
pub(crate) const META_ADDRESS_INDEX: &str = "address-index";

/// Unspent coins: position -> canonical `Coin`. New positions are always at the end.
pub(crate) const COINS: TableDefinition<u64, &[u8]> = TableDefinition::new("coins");

/// Where a transaction is: txid -> (position of its first output, height, index in the block).
///
/// The index is [`NO_INDEX`] for rewards and genesis outputs, which are in no block body.
pub(crate) const TRANSACTIONS: TableDefinition<&[u8; 32], (u64, u64, u32)> =
    TableDefinition::new("transactions");
/// The index in [`TRANSACTIONS`] of a transaction that is in no block body.
pub(crate) const NO_INDEX: u32 = u32::MAX;

/// Final blocks: height -> canonical `Block`. Genesis has none.
pub(crate) const BLOCKS: TableDefinition<u64, &[u8]> = TableDefinition::new("blocks");

/// Certificates that made them final: height -> canonical `Certificate`.
pub(crate) const CERTIFICATES: TableDefinition<u64, &[u8]> = TableDefinition::new("certificates");

/// Block hash -> height. The genesis hash maps to height 0.
pub(crate) const HEIGHTS: TableDefinition<&[u8; 32], u64> = TableDefinition::new("heights");

/// The address index: tagged hash of the lock (32 bytes), then the coin's position (8 bytes
/// big-endian, so that positions ascend).
pub(crate) const LOCKS: TableDefinition<&[u8; LOCK_KEY], ()> = TableDefinition::new("locks");
/// Bytes of a key of [`LOCKS`].
pub(crate) const LOCK_KEY: usize = 40;

/// The safety file: what this node signed. Its key is the one below.
pub(crate) const SAFETY: TableDefinition<&str, &[u8]> = TableDefinition::new("safety");
/// In [`SAFETY`]: 32 bytes of tagged hash over the rest, then the canonical `SafetyRecord`.
pub(crate) const SAFETY_RECORD: &str = "record";

/// The safety file: hash -> canonical `Block`, for each block that the record names.
pub(crate) const SAFETY_BLOCKS: TableDefinition<&[u8; 32], &[u8]> =
    TableDefinition::new("safety-blocks");
