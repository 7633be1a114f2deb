//! Counts messages for each node by kind, and how long blocks take.
//!
//! Counts the bytes of the node's own codec when a message is sent to a reachable peer. Excludes
//! what libp2p adds (framing, encryption, gossipsub control messages).
use crate::obstacles::Kind;
use std::collections::BTreeMap;
use timecoin_chain::{
    engine::Report,
    types::{BlockHash, Height},
};

/// A number of messages and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Messages.
    pub messages: u64,
    /// Their encoded bytes.
    pub bytes: u64,
}

impl Count {
    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}

/// One node's counts, by kind in the order of [`Kind::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NodeTraffic {
    /// What it sent.
    pub sent: [Count; Kind::ALL.len()],
    /// What was sent to it.
    pub received: [Count; Kind::ALL.len()],
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// By node.
    pub nodes: Vec<NodeTraffic>,
    /// Microseconds from a block's first proposal to its decision, for each node that decided it.
    pub commit_times: Vec<u64>,
    /// Blocks that came to a node by sync.
    pub synced: u64,
    /// How often nodes went offline.
    pub crashes: u64,
    /// The round in which each height was decided.
    pub rounds: BTreeMap<Height, u32>,
    proposed: BTreeMap<BlockHash, u64>,
}

impl Traffic {
    /// Nothing was sent yet.
    pub fn new(nodes: usize) -> Self {
        Self { nodes: vec![NodeTraffic::default(); nodes], ..Self::default() }
    }

    /// A message goes from one to another.
    pub fn sent(&mut self, (from, to): (usize, usize), kind: Kind, bytes: usize) {
        self.nodes[from].sent[kind as usize].add(bytes);
        self.nodes[to].received[kind as usize].add(bytes);
    }

    /// A node reports.
    pub fn reported(&mut self, now: u64, report: &Report) {
        match report {
            Report::Proposed { block, .. } => {
                self.proposed.entry(*block).or_insert(now);
            }
            Report::Final { synced: true, .. } => self.synced += 1,
            Report::Final { height, round, block, .. } => {
                self.rounds.insert(*height, round.0);
                if let Some(proposed) = self.proposed.get(block) {
                    self.commit_times.push(now - proposed);
                }
            }
            _ => {}
        }
    }
}
