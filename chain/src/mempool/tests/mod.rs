#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod admission;
mod blocks;
mod eviction;
mod fixture;
mod model;
mod replacement;
mod selection;
