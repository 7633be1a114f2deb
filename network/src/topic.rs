//! The six gossip topics and the four request protocols, with their byte limits.
//!
//! This file defines all sizes; every buffer of the crate is bounded by a value from here. It does
//! not define what the bytes mean.

use std::{collections::HashMap, time::Duration};

use libp2p::gossipsub::{IdentTopic, TopicHash};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A gossip topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Consensus votes. Fast instance, never compressed.
    Votes,
    /// Block proposals. Fast instance.
    Proposals,
    /// Round, polka and commit certificates. Fast instance.
    Certificates,
    /// Proofs of double signing. Fast instance.
    Evidence,
    /// Batches of transactions. Bulk instance.
    Transactions,
    /// Which nodes the masternodes are, signed by them. Bulk instance.
    Presences,
}

/// One of the two gossipsub instances. On a shared instance a vote would wait behind all bulk
/// traffic; its own instance has its own queue and stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    Fast,
    Bulk,
}

impl Topic {
    /// All topics, in the order of [`Topic::index`].
    pub const ALL: [Topic; 6] = [
        Topic::Votes,
        Topic::Proposals,
        Topic::Certificates,
        Topic::Evidence,
        Topic::Transactions,
        Topic::Presences,
    ];

    /// The maximum bytes of a message, before compression and without the envelope.
    pub const fn bytes_max(self) -> usize {
        match self {
            Topic::Votes => 4 * KIB,
            Topic::Proposals => MIB,
            Topic::Certificates | Topic::Evidence => 64 * KIB,
            Topic::Transactions => 128 * KIB,
            Topic::Presences => 512,
        }
    }

    /// The name in topic strings, counters and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Topic::Votes => "votes",
            Topic::Proposals => "proposals",
            Topic::Certificates => "certificates",
            Topic::Evidence => "evidence",
            Topic::Transactions => "transactions",
            Topic::Presences => "presences",
        }
    }

    /// The position in [`Topic::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether the topic travels on the fast instance.
    pub const fn is_fast(self) -> bool {
        matches!(self.lane(), Lane::Fast)
    }

    pub(crate) const fn lane(self) -> Lane {
        match self {
            Topic::Votes | Topic::Proposals | Topic::Certificates | Topic::Evidence => Lane::Fast,
            Topic::Transactions | Topic::Presences => Lane::Bulk,
        }
    }

    /// Votes are small, random and urgent: compressing them costs time and saves nothing.
    pub(crate) const fn compressible(self) -> bool {
        !matches!(self, Topic::Votes)
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Lane {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Lane::Fast => "fast",
            Lane::Bulk => "bulk",
        }
    }

    pub(crate) fn topics(self) -> impl Iterator<Item = Topic> {
        Topic::ALL.into_iter().filter(move |topic| topic.lane() == self)
    }
}

/// A request-response protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Height, head and role of a peer.
    Status,
    /// Ranges of blocks.
    Blocks,
    /// Transactions by id.
    Transactions,
    /// Votes that the asker lacks.
    Votes,
}

impl Protocol {
    /// All protocols, in the order of [`Protocol::index`].
    pub const ALL: [Protocol; 4] =
        [Protocol::Status, Protocol::Blocks, Protocol::Transactions, Protocol::Votes];

    /// How long an exchange may take, from the request to the last byte of the answer.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// The maximum bytes of a request, before compression.
    pub const fn request_bytes_max(self) -> usize {
        match self {
            Protocol::Status | Protocol::Blocks => KIB,
            Protocol::Transactions => 32 * KIB,
            Protocol::Votes => 8 * KIB,
        }
    }

    /// The maximum bytes of an answer, before compression.
    pub const fn response_bytes_max(self) -> usize {
        match self {
            Protocol::Status => 64 * KIB,
            // The largest block and its certificate. Twice as much would cost twice the memory for slow readers.
            Protocol::Blocks => 4 * MIB + 512 * KIB,
            // The transactions of a full block and their framing.
            Protocol::Transactions => 4 * MIB + 256 * KIB,
            // A proposal, and the votes and certificates of its round.
            Protocol::Votes => MIB + 256 * KIB,
        }
    }

    /// The name in protocol strings, counters and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Status => "status",
            Protocol::Blocks => "blocks",
            Protocol::Transactions => "transactions",
            Protocol::Votes => "votes",
        }
    }

    /// The position in [`Protocol::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    pub(crate) const fn compressible(self) -> bool {
        !matches!(self, Protocol::Votes)
    }

    /// The newest version of its messages; see `version.rs`.
    pub(crate) const fn version(self) -> u32 {
        match self {
            Protocol::Status => 2,
            Protocol::Blocks | Protocol::Transactions | Protocol::Votes => 1,
        }
    }

    /// Exchanges in flight on one connection, both directions together; more fail. Block requests
    /// are made one at a time; other answers are smaller, or several are requested at once.
    pub(crate) const fn streams_max(self) -> usize {
        match self {
            Protocol::Blocks => 4,
            Protocol::Status | Protocol::Transactions | Protocol::Votes => 16,
        }
    }
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The names that carry the chain's tag. A node of another chain fails to negotiate before any of
/// our bytes are parsed.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    tag: String,
}

impl Names {
    pub(crate) fn new(tag: &str) -> Self {
        Names { tag: tag.to_owned() }
    }

    /// The protocol name that identify announces and compares.
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    pub(crate) fn topic(&self, topic: Topic) -> String {
        format!("/timecoin/{}/gossip/{}/1", self.tag, topic.name())
    }

    pub(crate) fn lane(&self, lane: Lane) -> String {
        format!("/timecoin/{}/{}/1", self.tag, lane.name())
    }

    pub(crate) fn kademlia(&self) -> String {
        format!("/timecoin/{}/kad/1", self.tag)
    }

    pub(crate) fn records(&self) -> String {
        format!("/timecoin/{}/records/1", self.tag)
    }

    pub(crate) fn exchange(&self, protocol: Protocol, version: u32) -> String {
        format!("{}{version}", self.exchange_prefix(protocol))
    }

    pub(crate) fn exchange_prefix(&self, protocol: Protocol) -> String {
        format!("/timecoin/{}/{}/", self.tag, protocol.name())
    }
}

/// Maps the hash in a message to its topic.
#[derive(Clone, Debug)]
pub(crate) struct Topics {
    pub(crate) idents: [IdentTopic; Topic::ALL.len()],
    by_hash: HashMap<TopicHash, Topic>,
}

impl Topics {
    pub(crate) fn new(names: &Names) -> Self {
        let idents = Topic::ALL.map(|topic| IdentTopic::new(names.topic(topic)));
        let by_hash =
            Topic::ALL.into_iter().map(|topic| (idents[topic.index()].hash(), topic)).collect();
        Topics { idents, by_hash }
    }

    pub(crate) fn hash(&self, topic: Topic) -> TopicHash {
        self.idents[topic.index()].hash()
    }

    pub(crate) fn of(&self, hash: &TopicHash) -> Option<Topic> {
        self.by_hash.get(hash).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_match_the_tables() {
        for (index, topic) in Topic::ALL.into_iter().enumerate() {
            assert_eq!(topic.index(), index);
        }
        for (index, protocol) in Protocol::ALL.into_iter().enumerate() {
            assert_eq!(protocol.index(), index);
        }
    }

    #[test]
    fn every_name_carries_the_tag_and_is_unique() {
        let names = Names::new("tc-1a2b3c4d");
        let mut all: Vec<String> = Topic::ALL.map(|topic| names.topic(topic)).to_vec();
        all.extend(Protocol::ALL.map(|protocol| names.exchange(protocol, 1)));
        all.extend([
            names.lane(Lane::Fast),
            names.lane(Lane::Bulk),
            names.kademlia(),
            names.records(),
        ]);
        assert!(all.iter().all(|name| name.contains("/tc-1a2b3c4d/")));
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
