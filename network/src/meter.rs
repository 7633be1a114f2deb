//! Meters each peer's gossip before gossipsub keeps any of it.
//!
//! Gossipsub puts every message into its duplicate cache, its message cache and its delivery records
//! before the application sees it. It asks the data transform first, though, and that is where the
//! meter sits: messages of unknown topics and bad envelopes are refused there. A message over the
//! quota becomes the empty message, which is a duplicate from the second one on, so that it costs
//! nothing and counts against nobody's score: an honest peer may be far behind.
//!
//! Invariants: nothing of a peer over its quota enters a cache; the table has an entry for each
//! connected peer and at most [`GONE_MAX`] others, whose quotas a reconnect does not refill.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    gossipsub::{self, DataTransform, Message, RawMessage, TopicHash, WhitelistSubscriptionFilter},
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm,
    },
};

use crate::{
    envelope,
    rate::{Bucket, Quota},
    standing::Offence,
    stats::Stats,
    topic::{Lane, Topic, Topics},
};

/// Peers that left and whose quotas are kept.
const GONE_MAX: usize = 1_024;
/// The minimum cost of a message: a small one costs more work than its bytes suggest.
const MESSAGE_BYTES_MIN: usize = 512;
/// A peer with so many more refused messages than it may send is disconnected.
const REFUSED: Quota = Quota::per_second(500, 4_000);

/// Offences that were not read yet; the rest is forgotten.
const OFFENCES_MAX: usize = 4_096;

/// Bytes of gossip forwarded by one peer, unpacked; one peer may forward all traffic of the network.
const fn bytes_quota(lane: Lane) -> Quota {
    const MIB: u64 = 1024 * 1024;
    match lane {
        Lane::Fast => Quota::per_second(16 * MIB, 32 * MIB),
        Lane::Bulk => Quota::per_second(16 * MIB, 64 * MIB),
    }
}

/// Messages forwarded by one peer: well above what a hundred masternodes at full speed send.
const fn messages_quota(topic: Topic) -> Quota {
    match topic {
        Topic::Votes => Quota::per_second(4_000, 8_000),
        Topic::Certificates => Quota::per_second(1_000, 2_000),
        Topic::Transactions => Quota::per_second(2_000, 4_000),
        Topic::Proposals | Topic::Evidence | Topic::Presences => Quota::per_second(200, 400),
    }
}

/// One gossipsub instance behind its meter.
pub(crate) struct Meter {
    inner: Inner,
    shared: Arc<Mutex<State>>,
}

type Inner = gossipsub::Behaviour<Transform, WhitelistSubscriptionFilter>;

/// What gossipsub asks about each message.
#[derive(Clone)]
pub(crate) struct Transform(Arc<Mutex<State>>);

struct State {
    lane: Lane,
    topics: Topics,
    stats: Stats,
    /// Whose messages are being handled now.
    from: Option<PeerId>,
    peers: HashMap<PeerId, Quotas>,
    /// Peers without a connection, oldest first.
    gone: VecDeque<PeerId>,
    offences: Vec<(PeerId, Offence)>,
    /// Messages that gossipsub was given and has not delivered yet. What is left when it has nothing
    /// more to deliver had come before.
    undelivered: [usize; Topic::ALL.len()],
}

struct Quotas {
    connections: usize,
    bytes: Bucket,
    messages: [Bucket; Topic::ALL.len()],
    refused: Bucket,
    is_reported: bool,
}

/// What becomes of a message.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Whole,
    Emptied,
    Refused,
}

impl Transform {
    pub(crate) fn new(lane: Lane, topics: Topics, stats: Stats) -> Self {
        Transform(Arc::new(Mutex::new(State {
            lane,
            topics,
            stats,
            from: None,
            peers: HashMap::new(),
            gone: VecDeque::new(),
            offences: Vec::new(),
            undelivered: [0; Topic::ALL.len()],
        })))
    }
}

impl Meter {
    pub(crate) fn new(inner: Inner, transform: &Transform) -> Self {
        Meter { inner, shared: Arc::clone(&transform.0) }
    }

    /// The peers to disconnect, since the last call.
    pub(crate) fn take_offences(&mut self) -> Vec<(PeerId, Offence)> {
        std::mem::take(&mut lock(&self.shared).offences)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Only the swarm's task locks it, so it is poisoned only while the node ends.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Quotas {
    fn new(lane: Lane, now: Instant) -> Self {
        Quotas {
            connections: 0,
            bytes: Bucket::full(bytes_quota(lane), now),
            messages: Topic::ALL.map(|topic| Bucket::full(messages_quota(topic), now)),
            refused: Bucket::full(REFUSED, now),
            is_reported: false,
        }
    }
}

impl State {
    /// Judges a message of the current peer.
    fn enter(&mut self, topic: &TopicHash, wire: &[u8], now: Instant) -> Entry {
        let Some(from) = self.from else { return Entry::Refused };
        let Some(topic) = self.topics.of(topic).filter(|topic| topic.lane() == self.lane) else {
            self.report(from, Offence::UnknownTopic);
            return Entry::Refused;
        };
        let lane = self.lane;
        self.stats.topic(topic).bytes_in.add_size(wire.len());
        let quotas = self.peers.entry(from).or_insert_with(|| Quotas::new(lane, now));
        // The declared length: unpacking costs that much, and messages over the quota are not
        // unpacked.
        let bytes = envelope::unpacked_bytes(wire).min(topic.bytes_max()).max(wire.len());
        let cost = u64::try_from(bytes.max(MESSAGE_BYTES_MIN)).unwrap_or(u64::MAX);
        let fits = quotas.messages[topic.index()].take(1, now) && quotas.bytes.take(cost, now);
        if !fits {
            self.stats.topic(topic).over_quota.add_one();
            if !quotas.refused.take(1, now) {
                self.report(from, Offence::Overuse);
            }
            return Entry::Emptied;
        }
        match envelope::check_header(wire, topic.bytes_max()) {
            Ok(()) => {
                self.undelivered[topic.index()] += 1;
                Entry::Whole
            }
            Err(error) => {
                self.stats.topic(topic).malformed.add_one();
                tracing::debug!(%topic, peer = %from, %error, "refused an envelope");
                self.report(from, Offence::Malformed);
                Entry::Refused
            }
        }
    }

    /// Unknown topics and overuse once for each connection: the peer is disconnected for them.
    fn report(&mut self, peer: PeerId, offence: Offence) {
        let (lane, now) = (self.lane, Instant::now());
        let quotas = self.peers.entry(peer).or_insert_with(|| Quotas::new(lane, now));
        let is_new = offence == Offence::Malformed || !quotas.is_reported;
        quotas.is_reported |= offence != Offence::Malformed;
        if is_new && self.offences.len() < OFFENCES_MAX {
            self.offences.push((peer, offence));
        }
    }

    /// Gossipsub delivers a message. An empty one was over the quota and does not count.
    fn delivers(&mut self, message: &Message) {
        let topic = self.topics.of(&message.topic).filter(|_| !message.data.is_empty());
        if let Some(topic) = topic {
            let undelivered = &mut self.undelivered[topic.index()];
            *undelivered = undelivered.saturating_sub(1);
        }
    }

    /// Gossipsub has nothing more to deliver.
    fn count_duplicates(&mut self) {
        for (topic, undelivered) in Topic::ALL.into_iter().zip(&mut self.undelivered) {
            self.stats.topic(topic).duplicates.add_size(std::mem::take(undelivered));
        }
    }

    fn connected(&mut self, peer: PeerId, now: Instant) {
        let lane = self.lane;
        let quotas = self.peers.entry(peer).or_insert_with(|| Quotas::new(lane, now));
        quotas.connections += 1;
        quotas.is_reported = false;
        self.gone.retain(|gone| *gone != peer);
    }

    fn disconnected(&mut self, peer: PeerId) {
        let Some(quotas) = self.peers.get_mut(&peer) else { return };
        quotas.connections = quotas.connections.saturating_sub(1);
        if quotas.connections > 0 {
            return;
        }
        self.gone.push_back(peer);
        while self.gone.len() > GONE_MAX {
            let oldest = self.gone.pop_front();
            oldest.map(|peer| self.peers.remove(&peer));
        }
    }
}

impl DataTransform for Transform {
    fn inbound_transform(&self, raw: RawMessage) -> Result<Message, io::Error> {
        let entry = lock(&self.0).enter(&raw.topic, &raw.data, Instant::now());
        let data = match entry {
            Entry::Whole => raw.data,
            Entry::Emptied => Vec::new(),
            Entry::Refused => return Err(io::ErrorKind::InvalidData.into()),
        };
        let (source, sequence_number, topic) = (raw.source, raw.sequence_number, raw.topic);
        Ok(Message { source, data, sequence_number, topic })
    }

    fn outbound_transform(&self, _topic: &TopicHash, data: Vec<u8>) -> Result<Vec<u8>, io::Error> {
        Ok(data)
    }
}

impl std::ops::Deref for Meter {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl std::ops::DerefMut for Meter {
    fn deref_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

impl NetworkBehaviour for Meter {
    type ConnectionHandler = <Inner as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = gossipsub::Event;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.inner.handle_pending_inbound_connection(connection, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner.handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.inner.handle_established_outbound_connection(connection, peer, address, role, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            FromSwarm::ConnectionEstablished(established) => {
                lock(&self.shared).connected(established.peer_id, Instant::now());
            }
            FromSwarm::ConnectionClosed(closed) => lock(&self.shared).disconnected(closed.peer_id),
            _ => {}
        }
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        lock(&self.shared).from = Some(peer);
        self.inner.on_connection_handler_event(peer, connection, event);
        lock(&self.shared).from = None;
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        let polled = self.inner.poll(context);
        match &polled {
            Poll::Ready(ToSwarm::GenerateEvent(gossipsub::Event::Message { message, .. })) => {
                lock(&self.shared).delivers(message);
            }
            Poll::Pending => lock(&self.shared).count_duplicates(),
            Poll::Ready(_) => {}
        }
        polled
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::time::Duration;

    use super::*;
    use crate::topic::Names;

    fn state(peer: PeerId, now: Instant) -> (State, Topics) {
        let topics = Topics::new(&Names::new("tc-test"));
        let transform = Transform::new(Lane::Fast, topics.clone(), Stats::default());
        let mut state = Arc::into_inner(transform.0).unwrap().into_inner().unwrap();
        state.connected(peer, now);
        state.from = Some(peer);
        (state, topics)
    }

    #[test]
    fn unknown_topics_and_topics_of_the_other_instance_are_an_offence() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let (mut state, topics) = state(peer, now);
        let wire = envelope::encode(&[1; 100], 0, false);
        assert_eq!(state.enter(&topics.hash(Topic::Votes), &wire, now), Entry::Whole);
        for topic in [TopicHash::from_raw("noise"), topics.hash(Topic::Transactions)] {
            assert_eq!(state.enter(&topic, &wire, now), Entry::Refused);
        }
        assert_eq!(state.offences, [(peer, Offence::UnknownTopic)]);
    }

    #[test]
    fn a_flood_is_emptied_then_ends_the_connection_and_a_reconnect_changes_nothing() {
        let (start, peer) = (Instant::now(), PeerId::random());
        let (mut state, topics) = state(peer, start);
        let (votes, wire) = (topics.hash(Topic::Votes), envelope::encode(&[1; 8], 0, false));
        let mut whole = 0;
        // 20,000 a second for three seconds.
        for message in 0..60_000_u64 {
            let now = start + Duration::from_micros(message * 50);
            whole += usize::from(state.enter(&votes, &wire, now) == Entry::Whole);
        }
        assert!(whole <= 8_000 + 3 * 4_000, "{whole}");
        assert_eq!(state.offences, [(peer, Offence::Overuse)]);
        state.disconnected(peer);
        let later = start + Duration::from_secs(3);
        state.connected(peer, later);
        let mut whole_of = |peer| {
            state.from = Some(peer);
            (0..100).filter(|_| state.enter(&votes, &wire, later) == Entry::Whole).count()
        };
        assert!(whole_of(peer) < 10);
        // What another peer sends is not affected.
        assert_eq!(whole_of(PeerId::random()), 100);
    }

    #[test]
    fn what_gossipsub_does_not_deliver_had_come_before() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let (mut state, topics) = state(peer, now);
        let hash = topics.hash(Topic::Votes);
        let wire = envelope::encode(&[1; 8], 0, false);
        for _ in 0..3 {
            assert_eq!(state.enter(&hash, &wire, now), Entry::Whole);
        }
        let mut message =
            Message { source: None, data: wire.clone(), sequence_number: None, topic: hash };
        state.delivers(&message);
        message.data.clear();
        state.delivers(&message);
        state.count_duplicates();
        state.count_duplicates();
        let votes = state.stats.snapshot().topic(Topic::Votes);
        assert_eq!(votes.duplicates, 2);
        assert_eq!(votes.bytes_in, 3 * u64::try_from(wire.len()).unwrap());
    }

    #[test]
    fn a_hundred_masternodes_at_full_speed_stay_below_the_quota() {
        let (start, peer) = (Instant::now(), PeerId::random());
        let (mut state, topics) = state(peer, start);
        let wire = envelope::encode(&[1; 200], 0, false);
        for block in 0..100_u64 {
            let now = start + Duration::from_millis(block * 100);
            for _ in 0..200 {
                assert_eq!(state.enter(&topics.hash(Topic::Votes), &wire, now), Entry::Whole);
            }
            let proposal = envelope::encode(&vec![7; 640 * 1024], 0, false);
            assert_eq!(state.enter(&topics.hash(Topic::Proposals), &proposal, now), Entry::Whole);
        }
        assert!(state.offences.is_empty());
    }

    #[test]
    fn the_table_is_bounded_and_bad_headers_are_refused() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let (mut state, topics) = state(peer, now);
        let mut wire = envelope::encode(&[1; 100], 0, false);
        wire[0] = 9;
        assert_eq!(state.enter(&topics.hash(Topic::Votes), &wire, now), Entry::Refused);
        assert_eq!(state.offences, [(peer, Offence::Malformed)]);
        for _ in 0..3 * GONE_MAX {
            let stranger = PeerId::random();
            state.connected(stranger, now);
            state.disconnected(stranger);
        }
        assert_eq!((state.peers.len(), state.gone.len()), (GONE_MAX + 1, GONE_MAX));
    }
}
