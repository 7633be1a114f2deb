//! The two gossipsub instances, and the application's view of a message.
//!
//! Messages are unsigned: the forwarding peer is known; the author, if any, is in the payload. A
//! message is forwarded only after the application accepts it.
//!
//! Invariants: every delivered message gets exactly one verdict, from its ticket or from the sweep;
//! the table of open tickets is bounded.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use libp2p::{
    PeerId,
    gossipsub::{
        self, ConfigBuilder, Message, MessageAcceptance, MessageAuthenticity, MessageId,
        PeerScoreParams, PeerScoreThresholds, TopicScoreParams, ValidationMode, Version,
        WhitelistSubscriptionFilter,
    },
};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::{
    envelope,
    error::NetworkError,
    meter::{Meter, Transform},
    stats::Stats,
    topic::{Lane, Names, Topic, Topics},
};

/// How long the application may take for a verdict. Gossipsub keeps a message without a verdict for
/// eight heartbeats of 700 ms.
const TICKET_LIFE: Duration = Duration::from_secs(4);
const HEARTBEAT: Duration = Duration::from_millis(700);
const HISTORY_HEARTBEATS: usize = 8;
const DUPLICATE_CACHE: Duration = Duration::from_secs(90);
/// Open tickets of one lane. Above this, messages are ignored as if the application were behind.
const TICKETS_MAX: usize = 8192;
/// Room for the protobuf and topic name around an envelope.
const FRAMING_BYTES: usize = 512;
/// Gossipsub 0.50 compares its whole read buffer with the limit and ends the stream above it. The buffer may hold the
/// largest message and the beginning of the next one, read this much at a time (asynchronous-codec 0.7).
const READ_AHEAD_BYTES: usize = 8 * 1024;
const MESSAGE_DOMAIN: &[u8] = b"timecoin/gossip/1";

/// A message from a peer, waiting for a verdict.
#[derive(Debug)]
pub struct Gossip {
    /// The peer that forwarded it, not necessarily its author.
    pub from: PeerId,
    /// Its topic.
    pub topic: Topic,
    /// The payload, at most [`Topic::bytes_max`] bytes.
    pub bytes: Bytes,
    /// Takes the verdict.
    pub ticket: Ticket,
}

/// The application's verdict on a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Valid: forward it.
    Accept,
    /// Not useful, but nobody's fault: old, unknown parent, not needed, no time. Not forwarded.
    Ignore,
    /// Provably invalid, which an honest node does not forward; counts against every peer that sent it.
    Reject(&'static str),
}

/// Gives the verdict on one message. Dropping it, or keeping it for 4 seconds, ignores the message.
#[derive(Debug)]
pub struct Ticket {
    id: Option<MessageId>,
    verdicts: mpsc::Sender<Judged>,
}

impl Ticket {
    /// The message is valid: forward it.
    pub fn accept(self) {
        self.judge(Verdict::Accept);
    }

    /// The message is not useful, and nobody is to blame.
    pub fn ignore(self) {
        self.judge(Verdict::Ignore);
    }

    /// The message is provably invalid; `reason` goes to the log.
    pub fn reject(self, reason: &'static str) {
        self.judge(Verdict::Reject(reason));
    }

    /// Gives any of the three verdicts.
    pub fn judge(mut self, verdict: Verdict) {
        self.send(verdict);
    }

    fn send(&mut self, verdict: Verdict) {
        if let Some(id) = self.id.take() {
            // The queue has room for a verdict on every open ticket; the sweep closes a ticket
            // whose verdict is lost.
            let _ = self.verdicts.try_send(Judged { id, verdict });
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.send(Verdict::Ignore);
    }
}

/// A verdict on its way back to the swarm.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) id: MessageId,
    pub(crate) verdict: Verdict,
}

/// The open tickets of one lane.
#[derive(Debug)]
pub(crate) struct Tickets {
    verdicts: mpsc::Sender<Judged>,
    open: HashMap<MessageId, Open>,
    by_age: VecDeque<(Instant, MessageId)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) from: PeerId,
    pub(crate) topic: Topic,
}

impl Tickets {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Judged>) {
        let (verdicts, judged) = mpsc::channel(TICKETS_MAX);
        let tickets = Tickets { verdicts, open: HashMap::new(), by_age: VecDeque::new() };
        (tickets, judged)
    }

    /// Opens a ticket; `None` when too many are open.
    pub(crate) fn open(&mut self, id: &MessageId, open: Open, now: Instant) -> Option<Ticket> {
        if self.open.len() >= TICKETS_MAX {
            return None;
        }
        if self.by_age.len() >= 2 * TICKETS_MAX {
            // A slow ticket at the front must not keep closed ones behind it in memory.
            self.by_age.retain(|(_, id)| self.open.contains_key(id));
        }
        self.open.insert(id.clone(), open);
        self.by_age.push_back((now + TICKET_LIFE, id.clone()));
        Some(Ticket { id: Some(id.clone()), verdicts: self.verdicts.clone() })
    }

    /// Closes a ticket; `None` if the sweep already closed it.
    pub(crate) fn close(&mut self, id: &MessageId) -> Option<Open> {
        let open = self.open.remove(id);
        self.forget_closed();
        open
    }

    /// Closes one expired ticket.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<(MessageId, Open)> {
        self.forget_closed();
        match self.by_age.front() {
            Some((deadline, _)) if *deadline <= now => {
                let (_, id) = self.by_age.pop_front()?;
                let open = self.open.remove(&id)?;
                Some((id, open))
            }
            _ => None,
        }
    }

    fn forget_closed(&mut self) {
        while let Some((_, id)) = self.by_age.front() {
            if self.open.contains_key(id) {
                break;
            }
            self.by_age.pop_front();
        }
    }
}

impl From<Verdict> for MessageAcceptance {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject(_) => MessageAcceptance::Reject,
        }
    }
}

/// Builds one instance, subscribed to its topics.
pub(crate) fn behaviour(
    names: &Names,
    topics: &Topics,
    lane: Lane,
    allow_private: bool,
    stats: &Stats,
) -> Result<Meter, NetworkError> {
    let build = |error: &dyn std::fmt::Display| NetworkError::Build(error.to_string());
    let allowed = lane.topics().map(|topic| topics.hash(topic)).collect();
    let transform = Transform::new(lane, topics.clone(), stats.clone());
    let mut behaviour = gossipsub::Behaviour::new_with_subscription_filter_and_transform(
        MessageAuthenticity::Anonymous,
        config(names, topics, lane).map_err(|error| build(&error))?,
        WhitelistSubscriptionFilter(allowed),
        transform.clone(),
    )
    .map_err(|error| build(&error))?;
    behaviour
        .with_peer_score(score(topics, lane, allow_private), thresholds())
        .map_err(|error| build(&error))?;
    for topic in lane.topics() {
        behaviour.subscribe(&topics.idents[topic.index()]).map_err(|error| build(&error))?;
    }
    Ok(Meter::new(behaviour, &transform))
}

fn config(
    names: &Names,
    topics: &Topics,
    lane: Lane,
) -> Result<gossipsub::Config, gossipsub::ConfigBuilderError> {
    let mut builder = ConfigBuilder::default();
    builder
        .protocol_id(names.lane(lane), Version::V1_1)
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(message_id)
        .duplicate_cache_time(DUPLICATE_CACHE)
        .heartbeat_interval(HEARTBEAT)
        .heartbeat_initial_delay(HEARTBEAT)
        .history_length(HISTORY_HEARTBEATS)
        .prune_backoff(Duration::from_secs(15));
    match lane {
        Lane::Fast => builder
            .connection_handler_queue_len(1024)
            .flood_publish(true)
            .mesh_n_low(5)
            .mesh_n(8)
            .mesh_n_high(12)
            .mesh_outbound_min(3),
        Lane::Bulk => builder
            .connection_handler_queue_len(256)
            .flood_publish(false)
            .mesh_n_low(4)
            .mesh_n(6)
            .mesh_n_high(12)
            .mesh_outbound_min(2),
    };
    let mut largest = 0;
    for topic in lane.topics() {
        let transmit = topic.bytes_max() + envelope::HEADER_BYTES + FRAMING_BYTES;
        largest = largest.max(transmit);
        builder.max_transmit_size_for_topic(transmit, topics.hash(topic));
    }
    builder.max_transmit_size(largest + READ_AHEAD_BYTES);
    builder.build()
}

/// The topic is in the id, so the same bytes may be published on two topics.
fn message_id(message: &Message) -> MessageId {
    let topic = message.topic.as_str().as_bytes();
    let mut hasher = Sha256::new();
    hasher.update(MESSAGE_DOMAIN);
    hasher.update(u64::try_from(topic.len()).unwrap_or(u64::MAX).to_le_bytes());
    hasher.update(topic);
    hasher.update(&message.data);
    MessageId::new(&hasher.finalize()[..20])
}

/// Only provable faults count: invalid messages (squared, gone after two minutes) and a flood of
/// broken promises. Conditions that honest peers meet are not penalised: a quiet topic, a slow
/// link, a late start.
fn score(topics: &Topics, lane: Lane, allow_private: bool) -> PeerScoreParams {
    let topic_score = TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.0,
        first_message_deliveries_weight: 0.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -10.0,
        invalid_message_deliveries_decay: gossipsub::score_parameter_decay(Duration::from_secs(
            120,
        )),
        ..TopicScoreParams::default()
    };
    PeerScoreParams {
        topics: lane.topics().map(|topic| (topics.hash(topic), topic_score.clone())).collect(),
        behaviour_penalty_threshold: 6.0,
        behaviour_penalty_decay: gossipsub::score_parameter_decay(Duration::from_secs(60)),
        slow_peer_weight: 0.0,
        ip_colocation_factor_weight: if allow_private { 0.0 } else { -5.0 },
        // Reconnecting must not reset a score, and a score must not outlive its reason.
        retain_score: Duration::from_secs(300),
        ..PeerScoreParams::default()
    }
}

/// After four invalid messages a peer no longer exchanges ids, after six it no longer receives our
/// messages, after ten its messages are ignored.
fn thresholds() -> PeerScoreThresholds {
    PeerScoreThresholds {
        gossip_threshold: -160.0,
        publish_threshold: -360.0,
        graylist_threshold: -1000.0,
        ..PeerScoreThresholds::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use libp2p::gossipsub::TopicHash;

    fn message(topic: &str, data: &[u8]) -> Message {
        Message {
            source: None,
            data: data.to_vec(),
            sequence_number: None,
            topic: TopicHash::from_raw(topic),
        }
    }

    fn open() -> Open {
        Open { from: PeerId::random(), topic: Topic::Votes }
    }

    #[test]
    fn the_id_covers_topic_and_bytes() {
        let ids = [("a", "bc"), ("ab", "c"), ("a", "bd")]
            .map(|(topic, data)| message_id(&message(topic, data.as_bytes())));
        assert_ne!(ids[0], ids[1]);
        assert_ne!(ids[0], ids[2]);
        assert_eq!(ids[0], message_id(&message("a", b"bc")));
        assert_eq!(ids[0].0.len(), 20);
    }

    #[test]
    fn both_instances_build_for_every_kind_of_network() {
        let names = Names::new("tc-1a2b3c4d");
        let topics = Topics::new(&names);
        for lane in [Lane::Fast, Lane::Bulk] {
            for allow_private in [false, true] {
                behaviour(&names, &topics, lane, allow_private, &Stats::default()).unwrap();
            }
        }
    }

    #[test]
    fn a_ticket_is_judged_once_and_a_dropped_one_ignored() {
        let (mut tickets, mut judged) = Tickets::new();
        let now = Instant::now();
        let cases: [(fn(Ticket), Verdict); 4] = [
            (Ticket::accept, Verdict::Accept),
            (Ticket::ignore, Verdict::Ignore),
            (|ticket| ticket.reject("bad"), Verdict::Reject("bad")),
            (drop, Verdict::Ignore),
        ];
        for (index, (judge, verdict)) in cases.into_iter().enumerate() {
            let id = MessageId::new(&[u8::try_from(index).unwrap()]);
            judge(tickets.open(&id, open(), now).unwrap());
            let sent = judged.try_recv().unwrap();
            assert_eq!((&sent.id, sent.verdict), (&id, verdict));
            assert!(judged.try_recv().is_err());
            assert!(tickets.close(&id).is_some());
            assert!(tickets.close(&id).is_none());
        }
        assert!(tickets.by_age.is_empty());
    }

    #[test]
    fn silence_expires_and_the_table_is_bounded() {
        let (mut tickets, _judged) = Tickets::new();
        let now = Instant::now();
        let held: Vec<Ticket> = (0..)
            .map_while(|index: u32| {
                tickets.open(&MessageId::new(&index.to_le_bytes()), open(), now)
            })
            .collect();
        assert_eq!(held.len(), TICKETS_MAX);
        assert!(tickets.expire(now).is_none());
        let later = now + TICKET_LIFE;
        assert_eq!(std::iter::from_fn(|| tickets.expire(later)).count(), TICKETS_MAX);
        assert!(tickets.open.is_empty() && tickets.by_age.is_empty());
    }
}
