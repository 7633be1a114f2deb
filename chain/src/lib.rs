//! The protocol of TimeCoin: types, rules, ledger, mempool, consensus, sync, and the engine that
//! connects them. A pure function of its inputs.
//!
//! Never uses a clock, a socket, a disk, a thread, a random source or a log, and never iterates
//! over an unordered map; `scripts/check` verifies this.
pub mod address;
pub mod codec;
pub mod consensus;
pub mod crypto;
pub mod engine;
pub mod genesis;
pub mod inbound;
pub mod ledger;
pub mod limits;
pub mod mempool;
pub mod rules;
pub mod sync;
pub mod types;
pub mod wire;
