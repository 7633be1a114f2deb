//! Tracks connected peers and reports changes to the application.
//!
//! A peer counts as connected from the moment identify shows that it serves our chain until its
//! last connection closes; a second connection changes nothing. Invariants: per peer, `Connected`
//! and `Disconnected` alternate and none is lost; the queue of unreported events is bounded because
//! an unreported pair cancels out.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use dashmap::DashMap;
use libp2p::{Multiaddr, PeerId, core::ConnectedPoint, swarm::ConnectionId};
use tokio::sync::mpsc;

use crate::{
    candidate,
    gate::Gate,
    origin::Prefix,
    standing::Party,
    topic::Topic,
    traffic::{Flow, Traffic},
    version::Features,
};

/// A peer has this long to identify itself.
const IDENTIFY_WITHIN: Duration = Duration::from_secs(10);
/// Unreported refusals; the oldest is dropped first, but the counters include it.
const REFUSALS_MAX: usize = 64;
/// Peers that left and whose address is remembered.
const LEFT_MAX: usize = 1_024;

/// A change in who is connected. Messages from a peer may arrive shortly before its `Connected`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// A peer of our chain is connected.
    Connected {
        /// Who.
        peer: PeerId,
        /// The address that was dialled, or that it connected from.
        address: Multiaddr,
        /// Whether it dialled us.
        inbound: bool,
    },
    /// A peer disconnected.
    Disconnected {
        /// Who.
        peer: PeerId,
        /// Why, for a log.
        reason: String,
    },
    /// A peer was turned away before it counted as connected.
    Refused {
        /// Who.
        peer: PeerId,
        /// Why, for a log and an operator.
        reason: String,
    },
}

/// What is known about a connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Who.
    pub peer: PeerId,
    /// The address that was dialled, or that it connected from.
    pub address: Multiaddr,
    /// Whether it dialled us.
    pub inbound: bool,
    /// When it connected.
    pub connected_since: SystemTime,
    /// The last round trip; `None` until the first ping.
    pub rtt: Option<Duration>,
    /// The software it claims to run: printable ASCII, at most 64 characters.
    pub agent: String,
    /// The chain it serves.
    pub protocol_version: String,
    /// The newest protocol version that both speak.
    pub version: u32,
    /// What it offers; known after its first `status` of version 2.
    pub features: Option<Features>,
    /// Addresses it can be dialled at, filtered.
    pub listen: Vec<Multiaddr>,
    /// Topics on which messages are exchanged directly with it.
    pub mesh: Vec<Topic>,
    /// Whether a place is kept for it: a masternode's node, or a reserved one.
    pub has_place: bool,
    /// Its standing, from -100 to 100: negative for broken rules, positive for messages that were accepted.
    pub score: i32,
    /// Bytes read from it since it connected, without encryption and framing.
    pub bytes_in: u64,
    /// Bytes written to it since it connected, without encryption and framing.
    pub bytes_out: u64,
}

/// The state that handles read. Only the swarm writes; a shard's lock is held for one copy, never
/// across an await.
pub(crate) type Snapshot = Arc<DashMap<PeerId, PeerInfo>>;

/// Every peer with at least one connection.
#[derive(Debug)]
pub(crate) struct Peers {
    connections: HashMap<PeerId, Vec<Connection>>,
    snapshot: Snapshot,
    outbox: Outbox,
    traffic: Traffic,
    /// Where peers came from that left, the last ones: what they sent may still be judged.
    left: VecDeque<(PeerId, Multiaddr)>,
}

#[derive(Debug)]
struct Connection {
    id: ConnectionId,
    address: Multiaddr,
    inbound: bool,
    since: Instant,
    flow: Arc<Flow>,
}

/// What a peer said about itself, sanitised.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) agent: String,
    pub(crate) protocol_version: String,
    pub(crate) version: u32,
    pub(crate) listen: Vec<Multiaddr>,
}

/// The effect of closing a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The peer has another connection.
    StillConnected,
    /// The last connection of a peer that counted as connected.
    Gone,
    /// The last connection of a peer that never identified itself.
    NeverKnown,
}

impl Peers {
    pub(crate) fn new(events: mpsc::Sender<PeerEvent>, traffic: Traffic) -> Self {
        Peers {
            connections: HashMap::new(),
            snapshot: Snapshot::default(),
            outbox: Outbox::new(events),
            traffic,
            left: VecDeque::new(),
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Arc::clone(&self.snapshot)
    }

    pub(crate) fn opened(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
        is_dial_back: bool,
        now: Instant,
    ) {
        self.connections.entry(peer).or_default().push(Connection {
            id,
            address: endpoint.get_remote_address().clone(),
            inbound: endpoint.is_listener() || is_dial_back,
            since: now,
            flow: self.traffic.flow(peer),
        });
    }

    pub(crate) fn closed(&mut self, peer: &PeerId, id: ConnectionId, reason: String) -> Closed {
        if let Some(connections) = self.connections.get_mut(peer) {
            if let [last] = connections.as_slice() {
                self.left.push_back((*peer, last.address.clone()));
                if self.left.len() > LEFT_MAX {
                    self.left.pop_front();
                }
            }
            connections.retain(|connection| connection.id != id);
            if let Some(left) = connections.first() {
                if let Some(mut info) = self.snapshot.get_mut(peer) {
                    info.address = left.address.clone();
                    info.inbound = left.inbound;
                }
                return Closed::StillConnected;
            }
        }
        self.connections.remove(peer);
        if self.snapshot.remove(peer).is_none() {
            return Closed::NeverKnown;
        }
        self.outbox.disconnected(*peer, reason);
        Closed::Gone
    }

    /// Records the peer's identity; true if it counts as connected from now on.
    pub(crate) fn identified(&mut self, peer: PeerId, identity: Identity) -> bool {
        if let Some(mut info) = self.snapshot.get_mut(&peer) {
            info.agent = identity.agent;
            info.listen = identity.listen;
            return false;
        }
        let Some(connection) = self.connections.get(&peer).and_then(|all| all.first()) else {
            return false;
        };
        let info = PeerInfo {
            peer,
            address: connection.address.clone(),
            inbound: connection.inbound,
            connected_since: SystemTime::now(),
            rtt: None,
            agent: identity.agent,
            protocol_version: identity.protocol_version,
            version: identity.version,
            features: None,
            listen: identity.listen,
            mesh: Vec::new(),
            has_place: false,
            score: 0,
            bytes_in: 0,
            bytes_out: 0,
        };
        self.outbox.push(PeerEvent::Connected {
            peer,
            address: info.address.clone(),
            inbound: info.inbound,
        });
        self.snapshot.insert(peer, info);
        true
    }

    pub(crate) fn refused(&mut self, peer: PeerId, reason: String) {
        self.outbox.refused(peer, reason);
    }

    pub(crate) fn rtt(&self, peer: &PeerId, rtt: Duration) {
        if let Some(mut info) = self.snapshot.get_mut(peer) {
            info.rtt = Some(rtt);
        }
    }

    /// The peer is asked for an answer of at most this many bytes.
    pub(crate) fn expect(&self, peer: &PeerId, bytes: usize) {
        if let Some(connection) = self.connections.get(peer).and_then(|all| all.first()) {
            connection.flow.expect(bytes);
        }
    }

    /// The peer has said what it offers.
    pub(crate) fn offers(&self, peer: &PeerId, features: Features) {
        if let Some(mut info) = self.snapshot.get_mut(peer) {
            info.features = Some(features);
        }
    }

    /// Renews what changes all the time: mesh, score, place and bytes.
    pub(crate) fn refresh(
        &self,
        mut mesh_of: impl FnMut(&PeerId) -> Vec<Topic>,
        gate: &Gate,
        now: Instant,
    ) {
        for mut info in self.snapshot.iter_mut() {
            let peer = *info.key();
            info.mesh = mesh_of(&peer);
            #[expect(clippy::cast_possible_truncation, reason = "a score is between -100 and 100")]
            let score = gate.standings.score(Party::Peer(peer), now).round() as i32;
            info.score = score;
            info.has_place = gate.has_place(&peer);
            if let Some(connection) = self.connections.get(&peer).and_then(|all| all.first()) {
                (info.bytes_in, info.bytes_out) = connection.flow.bytes();
            }
        }
    }

    /// The outbound connections of each netgroup.
    pub(crate) fn outbound_groups(&self) -> HashMap<Prefix, usize> {
        let mut groups = HashMap::new();
        for connection in self.connections.values().flatten().filter(|c| !c.inbound) {
            if let Some(group) = candidate::group(std::iter::once(&connection.address)) {
                *groups.entry(group).or_default() += 1;
            }
        }
        groups
    }

    /// The outbound peers that are connected longest.
    pub(crate) fn oldest_outbound(&self, count: usize) -> Vec<PeerId> {
        let since = |connections: &Vec<Connection>| {
            connections.iter().filter(|connection| !connection.inbound).map(|c| c.since).min()
        };
        let outbound = self.connections.iter().filter_map(|(peer, all)| Some((since(all)?, *peer)));
        let mut outbound: Vec<(Instant, PeerId)> =
            outbound.filter(|(_, peer)| self.snapshot.contains_key(peer)).collect();
        outbound.sort();
        outbound.into_iter().take(count).map(|(_, peer)| peer).collect()
    }

    /// The remote address of a connection of the peer, and whether this node dialled it.
    pub(crate) fn via(&self, peer: &PeerId) -> Option<(&Multiaddr, bool)> {
        let connection = self.connections.get(peer)?.first()?;
        Some((&connection.address, !connection.inbound))
    }

    /// The same, or where the peer was connected from until it left recently.
    pub(crate) fn last_via(&self, peer: &PeerId) -> Option<&Multiaddr> {
        let left = || self.left.iter().rev().find(|(left, _)| left == peer);
        self.via(peer).map(|(via, _)| via).or_else(|| left().map(|(_, via)| via))
    }

    /// Whether the peer has a connection, identified or not.
    pub(crate) fn has_connection(&self, peer: &PeerId) -> bool {
        self.connections.contains_key(peer)
    }

    /// The peers that count as connected.
    pub(crate) fn known(&self) -> impl Iterator<Item = PeerId> {
        self.snapshot.iter().map(|entry| *entry.key())
    }

    pub(crate) fn known_count(&self) -> usize {
        self.snapshot.len()
    }

    /// Peers that we dialled.
    pub(crate) fn outbound_count(&self) -> usize {
        self.connections
            .values()
            .filter(|connections| connections.iter().any(|connection| !connection.inbound))
            .count()
    }

    /// Peers that did not identify themselves in time.
    pub(crate) fn silent(&self, now: Instant) -> Vec<PeerId> {
        let overdue = |connection: &Connection| {
            now.saturating_duration_since(connection.since) >= IDENTIFY_WITHIN
        };
        self.connections
            .iter()
            .filter(|(peer, all)| !self.snapshot.contains_key(peer) && all.iter().all(overdue))
            .map(|(peer, _)| *peer)
            .collect()
    }

    /// Hands events to the application until its queue is full.
    pub(crate) fn tell(&mut self) {
        self.outbox.flush();
    }
}

/// Events waiting for the application.
#[derive(Debug)]
struct Outbox {
    events: mpsc::Sender<PeerEvent>,
    waiting: VecDeque<PeerEvent>,
}

impl Outbox {
    fn new(events: mpsc::Sender<PeerEvent>) -> Self {
        Outbox { events, waiting: VecDeque::new() }
    }

    fn push(&mut self, event: PeerEvent) {
        self.waiting.push_back(event);
        self.flush();
    }

    /// An unreported `Connected` and this `Disconnected` cancel out.
    fn disconnected(&mut self, peer: PeerId, reason: String) {
        let untold = self.waiting.iter().rposition(
            |event| matches!(event, PeerEvent::Connected { peer: other, .. } if *other == peer),
        );
        match untold {
            Some(position) => {
                self.waiting.remove(position);
            }
            None => self.push(PeerEvent::Disconnected { peer, reason }),
        }
    }

    fn refused(&mut self, peer: PeerId, reason: String) {
        let is_refusal = |event: &PeerEvent| matches!(event, PeerEvent::Refused { .. });
        if self.waiting.iter().filter(|event| is_refusal(event)).count() >= REFUSALS_MAX
            && let Some(oldest) = self.waiting.iter().position(is_refusal)
        {
            self.waiting.remove(oldest);
        }
        self.push(PeerEvent::Refused { peer, reason });
    }

    fn flush(&mut self) {
        while let Some(event) = self.waiting.pop_front() {
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    return;
                }
                // The application dropped the queue.
                Err(mpsc::error::TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
    }
}

/// Makes a peer's text safe to log: printable ASCII, at most 64 characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(64).map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn identity() -> Identity {
        Identity {
            agent: "test/1".to_owned(),
            protocol_version: "tc-test".to_owned(),
            version: 1,
            listen: Vec::new(),
        }
    }

    fn dialled(port: u16) -> ConnectedPoint {
        ConnectedPoint::Dialer {
            address: format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap(),
            role_override: libp2p::core::Endpoint::Dialer,
            port_use: libp2p::core::transport::PortUse::New,
        }
    }

    fn connect(peers: &mut Peers, peer: PeerId, id: usize) -> ConnectionId {
        let id = ConnectionId::new_unchecked(id);
        peers.opened(peer, id, &dialled(1), false, Instant::now());
        id
    }

    #[test]
    fn two_connections_are_one_peer() {
        let (sender, mut events) = mpsc::channel(8);
        let mut peers = Peers::new(sender, Traffic::default());
        let peer = PeerId::random();
        let first = connect(&mut peers, peer, 1);
        assert!(peers.identified(peer, identity()));
        let second = connect(&mut peers, peer, 2);
        assert!(!peers.identified(peer, identity()));
        assert_eq!(peers.closed(&peer, first, String::new()), Closed::StillConnected);
        assert_eq!(peers.closed(&peer, second, "gone".to_owned()), Closed::Gone);
        assert!(matches!(events.try_recv(), Ok(PeerEvent::Connected { .. })));
        assert_eq!(
            events.try_recv(),
            Ok(PeerEvent::Disconnected { peer, reason: "gone".to_owned() })
        );
        assert!(events.try_recv().is_err());
        assert!(peers.snapshot.is_empty() && peers.connections.is_empty());
    }

    #[test]
    fn events_wait_for_a_slow_reader_and_untold_pairs_cancel() {
        let (sender, mut events) = mpsc::channel(1);
        let mut peers = Peers::new(sender, Traffic::default());
        let (told, untold) = (PeerId::random(), PeerId::random());
        let connection = connect(&mut peers, told, 1);
        peers.identified(told, identity());
        for id in 2..1000 {
            let id = connect(&mut peers, untold, id);
            peers.identified(untold, identity());
            assert_eq!(peers.closed(&untold, id, String::new()), Closed::Gone);
        }
        peers.closed(&told, connection, "bye".to_owned());
        assert_eq!(peers.outbox.waiting.len(), 1);
        assert!(matches!(events.try_recv(), Ok(PeerEvent::Connected { peer, .. }) if peer == told));
        peers.tell();
        assert!(
            matches!(events.try_recv(), Ok(PeerEvent::Disconnected { peer, .. }) if peer == told)
        );
    }

    #[test]
    fn who_stays_silent_is_found() {
        let (sender, _events) = mpsc::channel(1);
        let mut peers = Peers::new(sender, Traffic::default());
        let (silent, known) = (PeerId::random(), PeerId::random());
        connect(&mut peers, silent, 1);
        connect(&mut peers, known, 2);
        peers.identified(known, identity());
        assert!(peers.silent(Instant::now()).is_empty());
        assert_eq!(peers.silent(Instant::now() + IDENTIFY_WITHIN), vec![silent]);
    }

    #[test]
    fn a_peers_words_are_made_safe() {
        assert_eq!(printable("time\u{1b}[31mcoin\n"), "time?[31mcoin?");
        assert_eq!(printable(&"x".repeat(1000)).len(), 64);
    }
}
