//! A local network of nodes for development, and the benchmark that measures it.
//!
//! The node does not depend on this: `scripts/gates` refuses the name outside this folder and the command line.
//!
//! | folder | what it does |
//! |---|---|
//! | `network` | a network's directory, state file and processes |
//! | `bench` | sends payments to nodes and reports throughput, latency and cost |
//! | `cli` | the commands `timecoin testnet` and `timecoin bench` |
pub mod bench;
pub(crate) mod cli;
pub(crate) mod network;
