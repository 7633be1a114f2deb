//! The mempool through its public functions, rule by rule and against a model.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod admission;
mod blocks;
mod eviction;
mod fixture;
mod model;
mod replacement;
mod selection;
