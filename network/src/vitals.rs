//! What the swarm tells operators: answers to their questions, gauges, lag and memory.
//!
//! Invariant: a WARN that a stranger can cause comes at most once a minute.

use std::time::{Duration, Instant};

use libp2p::{PeerId, gossipsub::TopicHash, swarm::DialError};

use crate::{
    journal,
    meter::Meter,
    reach::Reachability,
    report::{Mesh, Question},
    swarm::{ANCHORS, Node},
    topic::{Lane, Topic},
};

/// Peers notice a tick this late.
const LAG_WARNING: Duration = Duration::from_millis(500);

impl Node {
    /// Answers an operator, who may have stopped waiting.
    pub(crate) fn on_question(&mut self, question: Question, now: Instant) {
        match question {
            Question::Book { only, count, answer } => {
                let anchors = self.peers.oldest_outbound(ANCHORS);
                let is_connected = |peer: &PeerId| self.peers.has_connection(peer);
                let _ = answer.send(self.discovery.book(only, count, is_connected, &anchors, now));
            }
            Question::Mesh { answer } => drop(answer.send(self.mesh(now))),
        }
    }

    fn mesh(&mut self, now: Instant) -> Mesh {
        let upload_is_spent = self.answers.upload_is_spent(now);
        let behaviour = self.swarm.behaviour();
        let instance = |lane| match lane {
            Lane::Fast => &behaviour.fast,
            Lane::Bulk => &behaviour.bulk,
        };
        let degree =
            |topic: Topic| (topic, degree(instance(topic.lane()), &self.topics.hash(topic)));
        let lane = |lane: Lane| (lane.name(), instance(lane).all_peers().count());
        Mesh {
            occupancy: behaviour.gate.occupancy(),
            external: self.swarm.external_addresses().cloned().collect(),
            outbound_netgroups: self.peers.outbound_groups().len(),
            degrees: Topic::ALL.map(degree).to_vec(),
            lanes: [Lane::Fast, Lane::Bulk].map(lane).to_vec(),
            book: self.discovery.counts(),
            bans: behaviour.gate.standings.bans_count(now),
            refusals: self.journal.refusals(&self.stats, now),
            slow: self.journal.last_slow(now),
            departures: self.journal.departures(),
            upload_bytes: self.answers.upload_bytes(),
            upload_is_spent,
            memory_bytes: self.memory.resident,
            memory_bytes_max: self.memory.limit,
        }
    }

    pub(crate) fn measure_lag(&mut self, due: Instant, now: Instant) {
        let lag = now.saturating_duration_since(due);
        let millis = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        self.stats.counters.loop_lag_ms_gauge.set(millis);
        self.stats.counters.loop_lag_ms_max_gauge.raise_to(millis);
        if lag > LAG_WARNING
            && let Some(others) = self.rations.lag.take(now)
        {
            tracing::warn!(
                lag_ms = millis,
                others,
                "the network loop is late; this machine is overloaded"
            );
        }
    }

    /// Updates the gauges of what operators watch.
    pub(crate) fn refresh_gauges(&self, now: Instant) {
        let behaviour = self.swarm.behaviour();
        for topic in Topic::ALL {
            let instance = match topic.lane() {
                Lane::Fast => &behaviour.fast,
                Lane::Bulk => &behaviour.bulk,
            };
            self.stats.topic(topic).mesh.set_size(degree(instance, &self.topics.hash(topic)));
        }
        let (tried, new) = self.discovery.sizes();
        let counters = &self.stats.counters;
        counters.book_tried_gauge.set_size(tried);
        counters.book_new_gauge.set_size(new);
        counters.bans_gauge.set_size(behaviour.gate.standings.bans_count(now));
        counters.memory_limit_bytes_gauge.set(self.memory.limit);
    }

    /// Says whether others can reach this node, when that changes.
    pub(crate) fn tell_reach(&self, now: Instant) {
        let verdict = self.evidence.verdict(now);
        let is_new = self.outlets.reach.send_if_modified(|last| {
            let is_new = *last != verdict;
            last.clone_from(&verdict);
            is_new
        });
        match verdict {
            Reachability::Reachable { at } if is_new => {
                tracing::info!(?at, "others can reach this node");
            }
            Reachability::OutboundOnly { tested } if is_new => {
                tracing::warn!(
                    ?tested,
                    "behind NAT or a firewall: this node has outbound connections only; forward these ports to it, or ignore this"
                );
            }
            _ => {}
        }
    }

    /// Compares the memory of this process with its limit. Above it strangers are not admitted.
    pub(crate) fn watch_memory(&mut self, now: Instant) {
        self.memory.sample(now);
        let is_over = self.memory.is_over();
        self.swarm.behaviour_mut().gate.is_out_of_memory = is_over;
        if is_over && self.rations.memory.take(now).is_some() {
            let (resident, limit) = (self.memory.resident, self.memory.limit);
            tracing::warn!(
                resident,
                limit,
                "this process uses more memory than limits.memory_mib allows; strangers are turned away until it uses less"
            );
        }
    }

    /// A dial failed. Counts the reason if this node's own rules did not allow it.
    pub(crate) fn note_denied(&mut self, error: &DialError, now: Instant) {
        if let DialError::Denied { cause } = error {
            self.journal.refused(journal::why(cause), &self.stats, now);
        }
    }

    /// This node is about to end the connections of a peer.
    pub(crate) fn note_departure(&mut self, peer: PeerId, reason: &str) {
        if self.peers.has_connection(&peer) {
            self.journal.leaves(peer, reason);
        }
    }
}

/// The peers with which messages of a topic are exchanged directly.
fn degree(instance: &Meter, topic: &TopicHash) -> usize {
    instance.mesh_peers(topic).count()
}
