//! Counters of the network: operators graph them, tests assert them.
//!
//! Counters only grow; the names of gauges end in `_gauge`. Reading never blocks the swarm.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use crate::{
    ration::Ration,
    topic::{Protocol, Topic},
    why::Why,
};

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $name:ident = $metric:literal,)*) => {
        /// Counters without a label.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: Counter,)* }

        /// The counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct NetworkStats {
            /// Per topic, in the order of [`Topic::ALL`].
            pub topics: [TopicStats; Topic::ALL.len()],
            /// Per protocol, in the order of [`Protocol::ALL`].
            pub protocols: [ProtocolStats; Protocol::ALL.len()],
            /// Connections and peers turned away by each reason, in the order of [`Why::ALL`].
            pub refused: [u64; Why::ALL.len()],
            $($(#[doc = $help])+ pub $name: u64,)*
        }

        impl Stats {
            pub(crate) fn snapshot(&self) -> NetworkStats {
                NetworkStats {
                    topics: std::array::from_fn(|index| self.topics[index].snapshot()),
                    protocols: std::array::from_fn(|index| self.protocols[index].snapshot()),
                    refused: std::array::from_fn(|index| self.refused[index].get()),
                    $($name: self.counters.$name.get(),)*
                }
            }
        }

        impl NetworkStats {
            fn unlabelled(&self) -> Vec<Sample> {
                vec![$(Sample {
                    name: $metric,
                    help: help(concat!($($help,)+)),
                    label: None,
                    value: self.$name,
                },)*]
            }
        }
    };
}

macro_rules! labelled {
    ($(#[$outer:meta])* $cells:ident => $plain:ident by $key:literal {
        $($(#[doc = $help:literal])+ $name:ident = $metric:literal,)*
    }) => {
        #[derive(Debug, Default)]
        pub(crate) struct $cells { $(pub(crate) $name: Counter,)* }

        $(#[$outer])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $plain { $($(#[doc = $help])+ pub $name: u64,)* }

        impl $cells {
            fn snapshot(&self) -> $plain {
                $plain { $($name: self.$name.get(),)* }
            }
        }

        impl $plain {
            fn samples(&self, label: &'static str) -> Vec<Sample> {
                vec![$(Sample {
                    name: $metric,
                    help: help(concat!($($help,)+)),
                    label: Some(($key, label)),
                    value: self.$name,
                },)*]
            }
        }
    };
}

counters! {
    /// Messages dropped because every peer's queue was full.
    all_queues_full = "all_queues_full",
    /// How often a peer was too slow to take its messages.
    slow_peer = "slow_peer",
    /// Messages published while no peer was subscribed.
    no_peers_subscribed = "no_peers_subscribed",
    /// Messages published twice within the life of the duplicate cache; the repeat was not sent.
    publish_duplicate = "publish_duplicate",
    /// Messages refused by gossipsub for other reasons.
    publish_failed = "publish_failed",
    /// Messages refused because the queue to the swarm was full.
    publish_queue_full = "publish_queue_full",
    /// Peers and hosts that were banned.
    banned = "banned",
    /// Inbound connections turned away by a limit.
    inbound_denied = "inbound_denied",
    /// Inbound peers that left for another one.
    evicted = "evicted",
    /// Dials started by discovery.
    dials = "dials",
    /// Dials that failed.
    dials_failed = "dials_failed",
    /// Peers connected now.
    peers_gauge = "peers_gauge",
    /// Bans in force.
    bans_gauge = "bans_gauge",
    /// Peers in the address book that were never connected.
    book_new_gauge = "book_new_gauge",
    /// Peers in the address book that were connected once.
    book_tried_gauge = "book_tried_gauge",
    /// Bytes of exchanges of peer records received, as on the stream.
    records_bytes_in = "records_received_bytes",
    /// Bytes of exchanges of peer records sent, as on the stream.
    records_bytes_out = "records_sent_bytes",
    /// Resident memory above which strangers are not admitted; 0 is no limit.
    memory_limit_bytes_gauge = "memory_limit_bytes_gauge",
    /// How late the last tick of the swarm loop came, in milliseconds.
    loop_lag_ms_gauge = "loop_lag_ms_gauge",
    /// The greatest delay of a tick since the start, in milliseconds.
    loop_lag_ms_max_gauge = "loop_lag_max_ms_gauge",
    /// Iterations of the swarm loop.
    loop_turns = "loop_turns",
    /// Bytes read from peers, without encryption and framing.
    bytes_read = "received_bytes",
    /// Bytes written to peers, without encryption and framing.
    bytes_written = "sent_bytes",
    /// How often a stream was not read for a moment because its peer sent more than it may.
    read_pauses = "read_pauses",
}

labelled! {
    /// Counters of one topic.
    TopicCells => TopicStats by "topic" {
        /// Messages published here.
        published = "gossip_published",
        /// Well-formed messages handed to the application.
        received = "gossip_received",
        /// Messages the application accepted, which were forwarded.
        accepted = "gossip_accepted",
        /// Messages ignored: by verdict, by dropping the ticket or by silence.
        ignored = "gossip_ignored",
        /// Messages the application rejected.
        rejected = "gossip_rejected",
        /// Messages rejected here because their envelope was malformed.
        malformed = "gossip_malformed",
        /// Messages dropped because the application was behind.
        dropped = "gossip_dropped",
        /// Messages dropped because their sender exceeded its rate.
        over_quota = "gossip_over_quota",
        /// Messages whose verdict came too late or never.
        unanswered = "gossip_unanswered",
        /// Messages that had come before, most of them from another peer.
        duplicates = "gossip_duplicates",
        /// Bytes of messages received, as they came, refused ones and duplicates included.
        bytes_in = "gossip_received_bytes",
        /// Peers with which messages of the topic are exchanged directly.
        mesh = "gossip_mesh_peers_gauge",
    }
}

labelled! {
    /// Counters of one request protocol.
    ProtocolCells => ProtocolStats by "protocol" {
        /// Requests received and handed to the application.
        received = "requests_received",
        /// Requests sent.
        sent = "requests_sent",
        /// Our requests that failed, other than by a busy answer.
        failed = "requests_failed",
        /// Busy answers given because the peer exceeded its rate.
        over_quota = "requests_over_quota",
        /// Busy answers given because the application was behind.
        busy = "requests_busy",
        /// Busy answers received.
        refused = "requests_refused",
        /// Answers that exceeded their limit and were replaced by a busy answer: a bug of this node.
        answer_too_large = "answers_too_large",
        /// Bytes of requests and answers received, as on the stream.
        bytes_in = "requests_received_bytes",
        /// Bytes of requests and answers sent, as on the stream.
        bytes_out = "requests_sent_bytes",
    }
}

/// One value with its name, for an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The metric's name without prefix.
    pub name: &'static str,
    /// What it counts, in a sentence without its full stop.
    pub help: &'static str,
    /// The kind and the name of what it is counted by: a topic, a protocol or a reason.
    pub label: Option<(&'static str, &'static str)>,
    /// The value.
    pub value: u64,
}

impl NetworkStats {
    /// The counters of one topic.
    pub fn topic(&self, topic: Topic) -> TopicStats {
        self.topics[topic.index()]
    }

    /// The counters of one protocol.
    pub fn protocol(&self, protocol: Protocol) -> ProtocolStats {
        self.protocols[protocol.index()]
    }

    /// Connections and peers turned away for one reason.
    pub fn refused(&self, why: Why) -> u64 {
        self.refused[why.index()]
    }

    /// Every number with its name, in a fixed order. Names ending in `_gauge` may fall.
    pub fn samples(&self) -> Vec<Sample> {
        let topics =
            Topic::ALL.into_iter().flat_map(|topic| self.topic(topic).samples(topic.name()));
        let protocols = Protocol::ALL
            .into_iter()
            .flat_map(|protocol| self.protocol(protocol).samples(protocol.name()));
        let refused = Why::ALL.into_iter().map(|why| Sample {
            name: "refused",
            help: "Connections and peers turned away",
            label: Some(("reason", why.name())),
            value: self.refused(why),
        });
        topics.chain(protocols).chain(refused).chain(self.unlabelled()).collect()
    }
}

/// The documentation of a counter as one sentence without its full stop.
fn help(documentation: &'static str) -> &'static str {
    documentation.trim().trim_end_matches('.')
}

/// A counter that any thread may increment.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add_one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn add_size(&self, size: usize) {
        self.add(u64::try_from(size).unwrap_or(u64::MAX));
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }

    pub(crate) fn set_size(&self, size: usize) {
        self.set(u64::try_from(size).unwrap_or(u64::MAX));
    }

    pub(crate) fn raise_to(&self, value: u64) {
        self.0.fetch_max(value, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The live counters, shared by the swarm and every handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stats {
    inner: Arc<Cells>,
}

#[derive(Debug, Default)]
pub(crate) struct Cells {
    pub(crate) counters: Counters,
    pub(crate) topics: [TopicCells; Topic::ALL.len()],
    pub(crate) protocols: [ProtocolCells; Protocol::ALL.len()],
    pub(crate) refused: [Counter; Why::ALL.len()],
    /// Locked for a moment when an answer is too large, which is a bug of this node.
    answers_ration: Mutex<Ration>,
}

impl std::ops::Deref for Stats {
    type Target = Cells;

    fn deref(&self) -> &Cells {
        &self.inner
    }
}

impl Stats {
    /// Whether an answer that is too large may be logged now: the number of those before.
    pub(crate) fn may_warn_of_answers(&self, now: Instant) -> Option<u64> {
        self.answers_ration.lock().unwrap_or_else(PoisonError::into_inner).take(now)
    }

    pub(crate) fn topic(&self, topic: Topic) -> &TopicCells {
        &self.topics[topic.index()]
    }

    pub(crate) fn protocol(&self, protocol: Protocol) -> &ProtocolCells {
        &self.protocols[protocol.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_has_its_own_name() {
        let stats = Stats::default();
        stats.counters.slow_peer.add_one();
        stats.topic(Topic::Evidence).rejected.add_one();
        let snapshot = stats.snapshot();
        assert_eq!(snapshot.slow_peer, 1);
        assert_eq!(snapshot.topic(Topic::Evidence).rejected, 1);
        let samples = snapshot.samples();
        assert_eq!(samples.iter().map(|sample| sample.value).sum::<u64>(), 2);
        let mut names: Vec<_> = samples.iter().map(|s| (s.name, s.label)).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_sample_says_what_it_counts_and_all_of_one_name_say_the_same() {
        let samples = Stats::default().snapshot().samples();
        for sample in &samples {
            assert!(sample.help.len() > 10 && !sample.help.ends_with('.'), "{sample:?}");
            let same = samples.iter().filter(|other| other.name == sample.name);
            assert!(same.into_iter().all(|other| other.help == sample.help), "{sample:?}");
        }
    }
}
