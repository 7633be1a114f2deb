//! Peers that keep no rule, written on libp2p itself: what tests attack a node with.
//!
//! | file | what it does |
//! |---|---|
//! | `plan` | the language of attacks: who attacks whom, from where, how |
//! | `peer` | a swarm that identifies itself like a node, and does one thing more |
//! | `from` | TCP whose dials leave from a given address |
//! | `trick` | what it does on streams of its own |
//! | `wire` | gossipsub messages as bytes |
//! | `run` | carries a plan out with many identities and tells what happened, as JSON lines |
//!
//! Never part of a node: only tests depend on it. It knows no block; messages of a chain come in as bytes.

mod from;
mod peer;
mod plan;
mod run;
mod trick;
mod wire;

pub use crate::{
    peer::{Hostile, hostile},
    plan::{Act, Event, Flood, Lies, Payload, Plan, Told},
    run::run,
    trick::{Trick, Trickster},
    wire::noise,
};
