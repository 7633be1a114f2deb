//! Real swarms on loopback with ports chosen by the system. Waits are for events, with generous ends.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed unwrap or a panic is a failed test"
)]

mod exchange;
mod gossip;
mod hostile;
mod load;
mod operators;
mod peers;
mod reach;
mod support;
mod versions;
