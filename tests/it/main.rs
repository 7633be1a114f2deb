//! Whole-node tests: real processes of the built program on loopback, driven by its own commands and RPC.
//!
//! | file | what it shows |
//! |---|---|
//! | `payment` | a payment is final everywhere; how soon the first block is |
//! | `halt` | with too few masternodes the chain halts, says so, and resumes by itself |
//! | `crash` | nothing final is lost when all nodes are killed repeatedly |
//! | `evidence` | a key on two hosts is detected and recorded |
//! | `second_host` | a key on two hosts, one of them without its safety record |
//! | `faults` | what killed proposers and a cut network cost |
//! | `late_joiner` | one address is enough to find, fetch and follow a chain |
//! | `refused` | transactions that RPC refuses, which leave no trace |
//! | `start_refused` | nodes that do not start or do not connect, and their errors |
//! | `hostile` | what a hostile peer can send |
//! | `stopping` | signals and `testnet down` |
//! | `upgrade` | nodes of two releases in one network |
//! | `http` | the RPC server byte by byte |
//! | `commands` | what commands say when something is wrong around them |
//! | `log` | a log that cannot be written stops no node; SIGHUP |
//! | `resend` | payments whose node dies are told, sent again, and never paid twice |
//! | `monitoring` | the files for Prometheus and Grafana fit the program |
//! | `net`, `process`, `ports`, `room` | networks of processes, and their cleanup |
//! | `money`, `wait` | signed payments; waiting with time limits |
//!
//! Each network has its own directory and its own free ports, and at most two run at a time. Tests
//! wait for events, with generous time limits. Every process that a test starts ends with the test,
//! even if it fails.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod commands;
mod crash;
mod evidence;
mod faults;
mod guard;
mod halt;
mod hostile;
mod http;
mod late_joiner;
mod log;
mod money;
mod monitoring;
mod net;
mod payment;
mod ports;
mod process;
mod refused;
mod resend;
mod room;
mod second_host;
mod standing;
mod start_refused;
mod stopping;
mod upgrade;
mod wait;
