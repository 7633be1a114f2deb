//! The running node: the shell around the engine.
//!
//! | file | what it does |
//! |---|---|
//! | `build` | opens the store, starts the swarm, and puts the loop together |
//! | `run_loop` | the one loop: an input at a time into the engine |
//! | `effects` | carries out what the engine wants, in order |
//! | `inbound` | bytes from peers into checked inputs |
//! | `requests` | questions to peers, and the answers to theirs |
//! | `workers` | signatures, execution and writing, off the async threads |
//! | `outbox` | own transactions, gossiped in batches |
//! | `clock` | the two clocks, and the timers |
//! | `log` | what happened, in words |
//! | `handle` | how RPC talks to it |
//!
//! Never decides anything about the chain, and knows neither RPC nor metrics: they read the handle and
//! receive the reports. Invariants: effects are carried out in order; a record is on
//! disk before the message it holds is handed to the network; every queue is bounded.
mod build;
mod clock;
mod effects;
mod handle;
mod inbound;
mod log;
mod outbox;
mod peers;
mod recent;
mod requests;
mod run_loop;
mod workers;

pub(crate) use build::exit_code_of;
pub use build::{Node, NodeRunError, Opened, open};
pub use handle::{
    Acceptable, Command, FinalBlock, NodeError, NodeHandle, OnReport, PooledTransaction,
};
