//! Tests of the store through its public face, over real files and over a disk that fails.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod crash;
mod disk;
mod fixture;
mod ledger;
mod open;
mod safety;
