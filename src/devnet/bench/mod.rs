//! Measures a local network under load: how many payments become final, how soon, and at what cost.
//!
//! | file | what it does |
//! |---|---|
//! | `plan` | what is measured, and on which nodes |
//! | `payments` | signs payments before the clock starts |
//! | `ceiling` | the upper limit that signatures set on this machine |
//! | `pace` | when a payment is due |
//! | `send` | the open loop (a rate) and the closed loop (the maximum) |
//! | `follow` | reads the events of one node |
//! | `track` | which payment was sent when, and which node reported it final |
//! | `usage` | processor time, memory and disk writes of processes |
//! | `percentile` | order statistics |
//! | `faults` | how long nodes go without a block while others are killed or cut off |
//! | `run` | warm-up, window, stragglers |
//! | `measure`, `report`, `text` | the figures, as JSON and as a table |
//!
//! Invariant: the load generator shares the machine with the nodes, so it does as much work as
//! possible before the clock starts. It never starts or stops a node: the command line does.
mod ceiling;
mod error;
mod faults;
mod follow;
mod measure;
mod pace;
mod payments;
mod percentile;
mod plan;
mod report;
mod run;
mod send;
mod text;
mod track;
mod usage;

pub use ceiling::Ceiling;
pub use error::BenchError;
pub use faults::{Feed, Seen, Spread, Wait, Watch};
pub use payments::Payments;
pub use plan::{Load, Node, Plan};
pub use report::Report;
pub use run::run;
