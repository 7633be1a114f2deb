//! The deterministic simulator: the node's own engine under virtual time and seeded faults.
//!
//! | file | what it is |
//! |---|---|
//! | `options`, `schedule` | what to run; what can happen, in one heap of events |
//! | `world` | one seed from beginning to end: its state |
//! | `events`, `work` | what an event, or work that is done, does to a node |
//! | `effects`, `judged` | what a node's effects, and its verdicts, do to the world |
//! | `sending` | what becomes of a message on its way |
//! | `stall`, `waiting` | what waits while a record is written or a machine is suspended |
//! | `storm` | crashes, restarts, partitions |
//! | `obstacles`, `obstruct`, `past` | clogs, filters, messages of earlier heights |
//! | `clock` | what a node's clocks show |
//! | `instances` | the running numbers of single faults |
//! | `role`, `byzantine` | what masternodes do that break the rules |
//! | `perform`, `fork`, `masks` | how they connect to the world |
//! | `faults` | which faults a seed has, and how hard |
//! | `setup`, `scheme` | the chain, its keys and how they sign |
//! | `node`, `disk`, `net`, `wire` | one shell, its disk, which messages arrive, messages as bytes |
//! | `payments` | what users do |
//! | `oracle`, `fold` | what must hold (votes, locks, final blocks); an independent ledger |
//! | `hosts` | a second host with a key that is in use |
//! | `duties`, `known`, `broken` | a node's duties; invalid blocks that no node may accept |
//! | `strangers`, `answers`, `siege` | peers without a key, what they send and answer, and how they come and go |
//! | `verdicts` | the doors' verdicts: how long votes wait, what is forwarded |
//! | `cores` | the cost of work on a node's processor |
//! | `flood` | a masternode that sends without pause |
//! | `cadence` | how regular empty blocks are |
//! | `heal` | how soon blocks come again after a long partition |
//! | `restart` | how soon masternodes sign after a crash, and the effect of an old backup |
//! | `shells` | honest masternodes without faults, for those four |
//! | `coverage`, `trace` | what was met, what happened |
//! | `batch` | many seeds |
//! | `scale`, `mesh`, `traffic` | networks of many nodes, and what they cost |
//! | `shrink` | shrinks a failing seed |
//! | `exhaust` | every state of the consensus core, for four masternodes and a few rounds |
//!
//! Invariant: a seed and its options decide everything. Nothing here reads a clock, the environment or
//! another source of chance, and nothing iterates over an unordered map; only `batch` uses threads,
//! one seed on one thread.
mod answers;
pub mod batch;
mod broken;
pub mod byzantine;
#[cfg(test)]
mod cadence;
pub mod clock;
pub mod cores;
pub mod coverage;
pub mod disk;
mod duties;
mod effects;
mod events;
pub mod exhaust;
pub mod faults;
pub mod flood;
pub mod fold;
mod fork;
#[cfg(test)]
mod heal;
mod hosts;
pub mod instances;
mod judged;
pub mod known;
mod masks;
pub mod mesh;
pub mod net;
pub mod node;
pub mod obstacles;
mod obstruct;
pub mod offence;
pub mod options;
pub mod oracle;
pub mod past;
pub mod payments;
mod perform;
#[cfg(test)]
mod restart;
pub mod rng;
pub mod role;
pub mod scale;
mod schedule;
pub mod scheme;
mod sending;
pub mod setup;
mod shells;
pub mod shrink;
mod siege;
mod stall;
mod storm;
mod strangers;
pub mod trace;
pub mod traffic;
mod verdicts;
pub mod waiting;
pub mod wire;
mod work;
pub mod world;
