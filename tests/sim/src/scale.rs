//! Networks of many nodes: their links, and the cost for each node.
//!
//! The nodes, their faults and the oracle are those of every other seed. Gossip passes from
//! neighbour to neighbour: a node forwards a message on first sight and drops copies before the
//! engine.
use crate::{
    coverage::Met,
    faults::{Faults, Rhythm},
    world::{Options, Outcome, SECOND},
};

/// A large network.
#[derive(Debug, Clone)]
pub struct Scale {
    /// Masternodes. Their weights are 1, 10 and 100 in turn.
    pub masternodes: u8,
    /// Nodes that do not vote.
    pub observers: usize,
    /// The minimum number of heights.
    pub heights: u64,
    /// Connections of a node on average.
    pub degree: usize,
    /// Mean one-way delay of a link in microseconds.
    pub delay: u64,
    /// Whether nodes leave and come back: each once in 100 seconds, for 5.
    pub churn: bool,
    /// Whether the network is partitioned for about 4 of every 9 seconds.
    pub partition: bool,
}

impl Scale {
    /// What to run.
    pub fn options(&self) -> Options {
        let nodes = u64::from(self.masternodes) + self.observers as u64;
        let rhythm = |every, lasts| Some(Rhythm { every, lasts });
        Options {
            masternodes: self.masternodes,
            heights: self.heights,
            degree: Some(self.degree),
            counts_traffic: true,
            faults: Some(Faults {
                delay: self.delay,
                reorder: true,
                forward: true,
                skewed_weights: true,
                observers: self.observers,
                payment: Some(SECOND / 2),
                crash: if self.churn { rhythm(100 * SECOND / nodes, 5 * SECOND) } else { None },
                partition: if self.partition { rhythm(5 * SECOND, 4 * SECOND) } else { None },
                partition_breaks: true,
                ..Faults::none()
            }),
            ..Options::default()
        }
    }

    /// Requested faults that never happened: such a run proves nothing about them.
    pub fn never_happened(&self, outcome: &Outcome) -> Vec<&'static str> {
        let crashes = outcome.traffic.as_ref().map_or(0, |traffic| traffic.crashes);
        let healed = outcome.coverage.count(Met::PartitionHealed);
        let asked = [
            (self.churn && crashes == 0, "churn was asked for, but no node crashed"),
            (self.partition && healed == 0, "partitions were asked for, but none came and healed"),
        ];
        asked.into_iter().filter(|(is_missing, _)| *is_missing).map(|(_, what)| what).collect()
    }
}
