//! Admits connections: how many there may be, from where, and who leaves when there is no room.
//!
//! It is asked before any other behaviour. Counts cover both directions and begin with the first
//! byte of a handshake. A full node evicts an unprotected inbound peer to admit a new one
//! (`eviction.rs`); reserved peers and masternodes are always admitted and never evicted. Only dials
//! that this node decided on leave: what another behaviour wants to dial is a wish ([`Event`]), but for a peer that
//! asks to be dialled back at its own host.
//!
//! Invariants: every count is that of the open connections and handshakes, and no table holds more
//! than these need; the table of buckets has at most [`BUCKETS_MAX`] entries.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
        THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
    },
};

use crate::{
    address,
    config::{NetworkConfig, PeerLimits},
    eviction::{self, Inbound},
    origin::{Origin, Prefix},
    rate::{Bucket, Quota},
    standing::{Offence, Party, Sentence, Standings},
};

/// Handshakes that one host may begin.
const HANDSHAKES: Quota = Quota::per_second(1, 16);
/// Handshakes that a dial back counts for.
const DIAL_BACK_COST: u64 = 4;
/// Dials back at the same time.
const DIAL_BACKS_MAX: usize = 4;
/// A dial back that is open for so long is closed: its answer takes one round trip.
const DIAL_BACK_LASTS: Duration = Duration::from_secs(5);
/// Dials back that are remembered, so that their failure counts against nobody.
const DIAL_BACKS_KEPT: usize = 64;
/// Hosts whose handshakes are counted; further ones share a bucket.
const BUCKETS_MAX: usize = 4_096;
/// Wishes that were not read yet; the rest is forgotten.
const WISHES_MAX: usize = 64;

/// Why a connection was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0} has its share of connections already")]
    Share(Prefix),
    #[error("{0} begins too many handshakes")]
    Rate(Prefix),
    #[error("too many handshakes are in progress")]
    Pending,
    #[error("all places are taken")]
    Full,
    #[error("this process uses more memory than its limit")]
    Memory,
    #[error("the peer has enough connections")]
    Twice,
    #[error("the peer or its host is banned")]
    Banned,
    #[error("the peer is not on the list of this private network")]
    Unlisted,
    #[error("this node did not decide on the dial")]
    Unwanted,
}

/// What the gate noticed.
#[derive(Debug)]
pub(crate) enum Event {
    /// Another behaviour would like to be connected to this peer.
    Wish(PeerId),
    /// A peer leaves for another one.
    Evicted(PeerId),
}

#[derive(Debug)]
struct Connection {
    /// None while the handshake goes on.
    peer: Option<PeerId>,
    is_inbound: bool,
    is_quic: bool,
    /// Where an inbound connection comes from.
    from: Option<IpAddr>,
    /// None for addresses to which no share applies, and during a handshake of QUIC.
    origin: Option<Origin>,
    since: Instant,
    /// It is being closed for another and counts no longer.
    leaves: bool,
    /// A peer asked to be dialled back (AutoNAT). It takes no place and is closed soon.
    is_dial_back: bool,
}

impl Connection {
    fn new(is_inbound: bool, now: Instant) -> Self {
        Connection {
            peer: None,
            is_inbound,
            is_quic: false,
            from: None,
            origin: None,
            since: now,
            leaves: false,
            is_dial_back: false,
        }
    }
}

/// What counts for a connected peer.
#[derive(Debug, Default)]
struct Merits {
    rtt: Option<Duration>,
    useful_at: Option<Instant>,
}

pub(crate) struct Gate {
    limits: PeerLimits,
    connections: HashMap<ConnectionId, Connection>,
    /// Inbound connections and handshakes of each prefix.
    shares: HashMap<Prefix, u32>,
    merits: HashMap<PeerId, Merits>,
    reserved: HashSet<PeerId>,
    /// Peers for which the application keeps places: masternodes.
    kept: HashSet<PeerId>,
    /// If it is not empty, nobody else is admitted.
    only: HashSet<PeerId>,
    buckets: HashMap<Prefix, Bucket>,
    other_hosts: Bucket,
    permitted: HashSet<ConnectionId>,
    /// The last dials back, the oldest first.
    dial_backs: VecDeque<ConnectionId>,
    pub(crate) standings: Standings,
    /// Only reserved peers come in then.
    pub(crate) is_out_of_memory: bool,
    closing: VecDeque<(PeerId, ConnectionId)>,
    events: VecDeque<Event>,
    key: u64,
}

impl Gate {
    pub(crate) fn new(config: &NetworkConfig) -> Self {
        let (now, mut standings) = (Instant::now(), Standings::default());
        config.saved.bans().for_each(|ban| standings.restore(ban, now));
        Gate {
            limits: config.limits,
            connections: HashMap::new(),
            shares: HashMap::new(),
            merits: HashMap::new(),
            reserved: config.reserved.iter().chain(&config.private).copied().collect(),
            kept: HashSet::new(),
            only: config.only.iter().copied().collect(),
            buckets: HashMap::new(),
            other_hosts: Bucket::full(HANDSHAKES, now),
            permitted: HashSet::new(),
            dial_backs: VecDeque::new(),
            standings,
            is_out_of_memory: false,
            closing: VecDeque::new(),
            events: VecDeque::new(),
            key: RandomState::new().hash_one(()),
        }
    }

    /// The next dial with this id was decided by this node.
    pub(crate) fn permit(&mut self, dial: ConnectionId) {
        self.permitted.insert(dial);
    }

    /// Replaces the peers for which places are kept.
    pub(crate) fn keep_places(&mut self, peers: &[PeerId]) {
        self.kept = peers.iter().copied().collect();
    }

    /// Whether the peer is admitted to a full node and never evicted.
    pub(crate) fn has_place(&self, peer: &PeerId) -> bool {
        self.reserved.contains(peer) || self.kept.contains(peer)
    }

    pub(crate) fn measured(&mut self, peer: &PeerId, rtt: Duration) {
        if let Some(merits) = self.merits.get_mut(peer) {
            merits.rtt = Some(merits.rtt.map_or(rtt, |least| least.min(rtt)));
        }
    }

    /// The peer was the first to bring something that was accepted.
    pub(crate) fn was_useful(&mut self, peer: &PeerId, now: Instant) {
        if let Some(merits) = self.merits.get_mut(peer) {
            merits.useful_at = Some(now);
            self.standings.praise(*peer, now);
        }
    }

    /// The peer broke a rule. A reserved peer is never banned, and private hosts without a share are
    /// not blamed: others are behind the same address.
    pub(crate) fn blame(
        &mut self,
        peer: PeerId,
        via: Option<&Multiaddr>,
        offence: Offence,
        now: Instant,
    ) -> Sentence {
        let host = via.filter(|via| self.origin(via).is_some()).and_then(address::ip);
        let sentence = match self.reserved.contains(&peer) {
            true => Sentence::Nothing,
            false => self.standings.blame(peer, host, offence, now),
        };
        // These never end while the connection lasts.
        let ends = matches!(offence, Offence::UnknownTopic | Offence::Overuse);
        sentence.max(if ends { Sentence::Disconnect } else { Sentence::Nothing })
    }

    fn check_ban(&self, party: &Party, now: Instant) -> Result<(), Refusal> {
        let is_banned = self.standings.banned(party, now).is_some();
        if is_banned { Err(Refusal::Banned) } else { Ok(()) }
    }

    /// Whether this peer may be connected at all.
    fn check_peer(&self, peer: &PeerId, now: Instant) -> Result<(), Refusal> {
        let is_listed = self.only.is_empty() || self.only.contains(peer);
        if is_listed { self.check_ban(&Party::Peer(*peer), now) } else { Err(Refusal::Unlisted) }
    }

    /// Places for outbound connections that are neither used nor being dialled.
    pub(crate) fn outbound_room(&self) -> usize {
        let outbound = self.count(|connection| !connection.is_inbound && !connection.is_dial_back);
        size(self.limits.outbound_max).saturating_sub(outbound)
    }

    fn count(&self, counts: impl Fn(&Connection) -> bool) -> usize {
        self.connections.values().filter(|c| !c.leaves && counts(c)).count()
    }

    /// The prefixes that a remote address counts for.
    fn origin(&self, remote: &Multiaddr) -> Option<Origin> {
        let ip = address::ip(remote)?;
        let is_exempt = self.limits.private_is_exempt && !address::is_global(ip);
        (!is_exempt).then(|| Origin::of(ip))
    }

    /// An inbound handshake begins. The sender of a UDP packet may be forged, so the host of a QUIC
    /// connection counts when the handshake has ended.
    fn begin(&mut self, id: ConnectionId, remote: &Multiaddr, now: Instant) -> Result<(), Refusal> {
        let is_quic = address::is_quic(remote);
        let pending = |c: &Connection| c.is_inbound && c.peer.is_none() && c.is_quic == is_quic;
        if self.count(pending) >= size(self.limits.pending_max) {
            return Err(Refusal::Pending);
        }
        let origin = match is_quic {
            // Looked at, not taken: a forged sender cannot use up what belongs to another.
            true => self.check_host(remote, now).map(|()| None)?,
            false => self.enter(remote, now)?,
        };
        let from = address::ip(remote);
        let connection = Connection { from, origin, is_quic, ..Connection::new(true, now) };
        self.connections.insert(id, connection);
        Ok(())
    }

    /// A connection from this address counts for its host, if there is room.
    fn enter(&mut self, remote: &Multiaddr, now: Instant) -> Result<Option<Origin>, Refusal> {
        self.check_host(remote, now)?;
        let origin = self.origin(remote);
        if let Some(origin) = origin {
            self.bucket(origin.host, now).take(1, now);
        }
        for prefix in origin.into_iter().flat_map(Origin::prefixes) {
            *self.shares.entry(prefix).or_default() += 1;
        }
        Ok(origin)
    }

    /// Whether this address may begin a handshake now.
    fn check_host(&mut self, remote: &Multiaddr, now: Instant) -> Result<(), Refusal> {
        if let Some(ip) = address::ip(remote) {
            self.check_ban(&Party::host(ip), now)?;
        }
        let Some(origin) = self.origin(remote) else { return Ok(()) };
        let limits = &self.limits;
        let limits = [limits.per_ip_max, limits.per_near_max, limits.per_group_max];
        for (prefix, limit) in origin.prefixes().into_iter().zip(limits) {
            if self.shares.get(&prefix).is_some_and(|count| *count >= limit) {
                return Err(Refusal::Share(prefix));
            }
        }
        match self.bucket(origin.host, now).has(1, now) {
            true => Ok(()),
            false => Err(Refusal::Rate(origin.host)),
        }
    }

    fn bucket(&mut self, host: Prefix, now: Instant) -> &mut Bucket {
        if self.buckets.len() >= BUCKETS_MAX && !self.buckets.contains_key(&host) {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            if self.buckets.len() >= BUCKETS_MAX {
                return &mut self.other_hosts;
            }
        }
        self.buckets.entry(host).or_insert_with(|| Bucket::full(HANDSHAKES, now))
    }

    /// An inbound handshake ended: the peer is known.
    fn admit(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        now: Instant,
    ) -> Result<(), Refusal> {
        if address::is_quic(remote) {
            let origin = self.enter(remote, now)?;
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.origin = origin;
            }
        }
        self.check_peer(&peer, now)?;
        self.check_twice(&peer)?;
        self.check_memory(&peer)?;
        let inbound = self.count(|connection| connection.is_inbound && connection.peer.is_some());
        let all = self.count(|connection| connection.peer.is_some() && !connection.is_dial_back);
        let is_full =
            inbound >= size(self.limits.inbound_max) || all >= size(self.limits.peers_max);
        if is_full && !self.evict_for(&peer) {
            return Err(Refusal::Full);
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.peer = Some(peer);
            connection.since = now;
        }
        self.merits.entry(peer).or_default();
        Ok(())
    }

    fn check_twice(&self, peer: &PeerId) -> Result<(), Refusal> {
        let already = self.count(|connection| connection.peer.as_ref() == Some(peer));
        match already < size(self.limits.per_peer_max) {
            true => Ok(()),
            false => Err(Refusal::Twice),
        }
    }

    /// Makes room for a newcomer; false if no peer may be evicted.
    fn evict_for(&mut self, newcomer: &PeerId) -> bool {
        let candidates: Vec<Inbound<ConnectionId>> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.is_inbound && !connection.leaves)
            .filter_map(|(id, connection)| {
                let peer = connection.peer.filter(|peer| !self.has_place(peer))?;
                let merits = self.merits.get(&peer);
                Some(Inbound {
                    id: *id,
                    group: connection.origin.map(|origin| origin.group),
                    since: connection.since,
                    rtt: merits.and_then(|merits| merits.rtt),
                    useful_at: merits.and_then(|merits| merits.useful_at),
                })
            })
            .collect();
        let youngest = candidates.iter().max_by_key(|peer| peer.since).map(|peer| peer.id);
        let chosen = eviction::choose(candidates, self.key);
        // A peer with a place is admitted even if every other peer is protected.
        let forced = youngest.filter(|_| self.has_place(newcomer));
        let Some(id) = chosen.or(forced) else { return false };
        let Some(connection) = self.connections.get_mut(&id) else { return false };
        connection.leaves = true;
        if let Some(peer) = connection.peer {
            self.closing.push_back((peer, id));
            self.note(Event::Evicted(peer));
        }
        true
    }

    /// A dial begins.
    fn dial(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        now: Instant,
    ) -> Result<(), Refusal> {
        let is_permitted = self.permitted.remove(&id);
        if !is_permitted && self.may_dial_back(peer, addresses, now) {
            return self.dial_back(id, now);
        }
        if !is_permitted {
            // Kademlia names peers and no addresses.
            if let Some(peer) = peer.filter(|_| addresses.is_empty()) {
                self.note(Event::Wish(peer));
            }
            return Err(Refusal::Unwanted);
        }
        if let Some(peer) = peer {
            self.check_peer(&peer, now)?;
        }
        let has_place = peer.is_some_and(|peer| self.has_place(&peer));
        if self.outbound_room() == 0 && !has_place {
            return Err(Refusal::Full);
        }
        self.connections.insert(id, Connection::new(false, now));
        Ok(())
    }

    /// A dial back begins.
    fn dial_back(&mut self, id: ConnectionId, now: Instant) -> Result<(), Refusal> {
        let connection = Connection { is_dial_back: true, ..Connection::new(false, now) };
        self.connections.insert(id, connection);
        if self.dial_backs.len() == DIAL_BACKS_KEPT {
            self.dial_backs.pop_front();
        }
        self.dial_backs.push_back(id);
        Ok(())
    }

    /// Whether a recent dial was a dial back.
    pub(crate) fn was_dial_back(&self, id: &ConnectionId) -> bool {
        self.dial_backs.contains(id)
    }

    /// Closes dial backs that have had time for their answer.
    pub(crate) fn close_dial_backs(&mut self, now: Instant) {
        for (id, connection) in &mut self.connections {
            let is_over = now.saturating_duration_since(connection.since) >= DIAL_BACK_LASTS;
            if let Some(peer) = connection.peer.filter(|_| connection.is_dial_back && is_over) {
                connection.leaves = true;
                self.closing.push_back((peer, *id));
            }
        }
    }

    /// Whether a peer asked to be dialled back (AutoNAT): only at the host that it is connected from, and
    /// each dial costs that host as much as some handshakes.
    fn may_dial_back(
        &mut self,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        now: Instant,
    ) -> bool {
        let open = self.connections.values().filter(|c| c.is_dial_back).count();
        let [address] = addresses else { return false };
        if open >= DIAL_BACKS_MAX {
            return false;
        }
        let from = address::ip(address).filter(|_| peer.is_some());
        let is_host = |c: &&Connection| c.is_inbound && c.peer == peer && c.from == from;
        let Some(ip) = self.connections.values().find(is_host).and_then(|c| c.from) else {
            return false;
        };
        self.bucket(Origin::of(ip).host, now).take(DIAL_BACK_COST, now)
    }

    /// A dial succeeded.
    fn reached(&mut self, id: ConnectionId, peer: PeerId, now: Instant) -> Result<(), Refusal> {
        self.check_twice(&peer)?;
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.peer = Some(peer);
            connection.since = now;
        }
        self.merits.entry(peer).or_default();
        Ok(())
    }

    /// A handshake failed, or a connection closed.
    fn ended(&mut self, id: ConnectionId) {
        self.permitted.remove(&id);
        let Some(connection) = self.connections.remove(&id) else { return };
        if connection.is_inbound {
            for prefix in connection.origin.into_iter().flat_map(Origin::prefixes) {
                if let Some(count) = self.shares.get_mut(&prefix) {
                    *count -= 1;
                    if *count == 0 {
                        self.shares.remove(&prefix);
                    }
                }
            }
        }
        if let Some(peer) = connection.peer
            && !self.connections.values().any(|other| other.peer == Some(peer))
        {
            self.merits.remove(&peer);
        }
    }

    fn note(&mut self, event: Event) {
        if self.events.len() < WISHES_MAX {
            self.events.push_back(event);
        }
    }
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Event;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.begin(connection, remote, Instant::now()).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(connection, peer, remote, Instant::now()).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        _role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.dial(connection, peer, addresses, Instant::now()).map_err(ConnectionDenied::new)?;
        Ok(Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _address: &Multiaddr,
        _role: Endpoint,
        _port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.reached(connection, peer, Instant::now()).map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(closed) => self.ended(closed.connection_id),
            FromSwarm::ListenFailure(failure) => self.ended(failure.connection_id),
            FromSwarm::DialFailure(failure) => self.ended(failure.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _peer: PeerId,
        _connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(
        &mut self,
        _context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some((peer_id, id)) = self.closing.pop_front() {
            let connection = CloseConnection::One(id);
            return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection });
        }
        match self.events.pop_front() {
            Some(event) => Poll::Ready(ToSwarm::GenerateEvent(event)),
            None => Poll::Pending,
        }
    }
}

mod occupancy;
pub use occupancy::Occupancy;
#[cfg(test)]
mod tests;
