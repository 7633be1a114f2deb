//! The TimeCoin node: command line, configuration, keys, RPC, and the async shell around the engine.
//!
//! Dependencies point down only: this crate uses `timecoin-network`, `timecoin-chain` and
//! `timecoin-store`, which do not know it.
pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod devnet;
mod durable;
pub mod exit;
pub mod genesis_file;
pub mod keys;
pub mod logging;
pub mod metrics;
pub mod node;
pub mod rpc;
pub mod rpc_client;
pub mod terminal;
pub mod wallet;
