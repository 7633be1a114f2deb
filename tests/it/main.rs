//! Whole-node tests: real processes of the built program on loopback, driven by its own commands and RPC.
//!
//! | file | what it shows |
//! |---|---|
//! | `payment` | a payment is final everywhere; how soon the first block is |
//! | `halt` | with too few masternodes the chain halts, says so, and goes on by itself |
//! | `crash` | nothing final is lost however often all nodes are killed |
//! | `evidence` | a key in two places is found out and recorded |
//! | `second_host` | a key on two hosts, one of them without its safety record |
//! | `faults` | what killed proposers and a cut network cost |
//! | `late_joiner` | one address is enough to find, fetch and follow a chain |
//! | `refused` | transactions that RPC refuses, and that they leave nothing behind |
//! | `start_refused` | nodes that do not start or do not connect, and what they say |
//! | `hostile` | what a stranger in the network can send |
//! | `stopping` | signals and `testnet down` |
//! | `http` | the RPC server byte by byte |
//! | `net`, `process`, `ports`, `room` | networks of processes, and their end |
//! | `money`, `wait` | signed payments; waiting for what is to happen |
//!
//! Each network has its own directory and its own free ports, and at most two run at a time. Waits are for
//! events, with generous ends. Every process that a test started ends with it, also when it fails.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod crash;
mod evidence;
mod faults;
mod guard;
mod halt;
mod hostile;
mod http;
mod late_joiner;
mod money;
mod net;
mod payment;
mod ports;
mod process;
mod refused;
mod room;
mod second_host;
mod start_refused;
mod stopping;
mod wait;
