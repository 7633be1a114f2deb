//! The running node: the shell around the engine.
//!
//! | file | what it does |
//! |---|---|
//! | `build` | opens the store, starts the swarm, and builds the loop |
//! | `run_loop` | the one loop: an input at a time into the engine |
//! | `effects` | carries out the engine's effects, in order |
//! | `requests` | requests to peers, and peers' requests that the store answers |
//! | `workers` | the engine's jobs, execution and writing, off the async threads |
//! | `outbox` | own transactions, gossiped in batches |
//! | `clock` | the two clocks, and the timers |
//! | `log` | logs the engine's reports |
//! | `handle` | the interface for RPC |
//!
//! Never decides anything about the chain, and knows neither RPC nor metrics: they read the handle and
//! receive the reports. Invariants: effects are carried out in order; a record is on
//! disk before the message it holds is handed to the network; every queue is bounded.
mod build;
mod clock;
mod effects;
mod handle;
mod log;
mod memory;
mod outbox;
mod peers;
mod refusals;
mod requests;
mod run_loop;
mod workers;

pub use build::{Node, NodeRunError, Opened, open};
pub use handle::{Command, FinalBlock, NodeError, NodeHandle, OnReport, PooledTransaction};
