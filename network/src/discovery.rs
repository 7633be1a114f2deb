//! Decides whom to dial and when: bootstrap nodes until they are connected, lost peers for a while,
//! strangers while there are too few outbound peers.
//!
//! Addresses come from signed records only. Kademlia and peers name other peers, whose records are
//! then requested (`records.rs`). All records together cause at most four dials a minute to
//! the unproven addresses of one host. The swarm dials. Time is an argument. Invariants: at most [`CANDIDATES_MAX`] peers
//! besides the bootstrap nodes; each failure doubles the delay before the next attempt.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use bytes::Bytes;
use libp2p::{Multiaddr, PeerId};

use crate::{
    address,
    candidate::{self, Candidate},
    config::NetworkConfig,
    feelers::Feelers,
    journal::short,
    origin::Prefix,
    records::{RECORDS_MAX, Record, WANTED_MAX},
    saved::{Saved, SavedPeer},
};

const CANDIDATES_MAX: usize = 4_096;
/// Candidates of one netgroup: more addresses there change nothing.
const GROUP_MAX: usize = CANDIDATES_MAX / 32;
/// Outbound connections to one netgroup that strangers may have.
const OUTBOUND_GROUP_MAX: usize = 2;
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// Lost peers are redialled often: after a partition no block is decided before they reconnect, and
/// frequent dials do no harm in a local network.
const PAUSE_MAX_LOST: Duration = Duration::from_millis(1500);
/// Peers that were connected once, perhaps before a restart.
const PAUSE_MAX_TRIED: Duration = Duration::from_secs(120);
/// A connection that lasts so long was a success.
const STAY: Duration = Duration::from_secs(60);
/// Failures that short connections count for at most: a peer that answers is not forgotten.
const STAY_FAILURES: u32 = 7;
/// After this many failed dials, which takes minutes, a lost peer counts as a stranger again.
const LOST_ATTEMPTS: u32 = 200;
/// After this many failed dials a stranger is forgotten.
const STRANGER_ATTEMPTS: u32 = 8;
/// The same for one that was connected once: days.
const TRIED_ATTEMPTS: u32 = 2_000;
const LOOKUP_FIRST: Duration = Duration::from_millis(250);
const LOOKUP_MIN: Duration = Duration::from_secs(1);
const LOOKUP_MAX: Duration = Duration::from_secs(60);

/// The swarm's current connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connections {
    /// Peers that we dialled and are connected to.
    pub(crate) outbound: usize,
    /// All connected peers.
    pub(crate) connected: usize,
    /// Outbound connections that the gate would still admit.
    pub(crate) room: usize,
}

#[derive(Debug)]
pub(crate) struct Discovery {
    local: PeerId,
    allow_private: bool,
    outbound_target: usize,
    candidates: HashMap<PeerId, Candidate>,
    /// Peers that somebody named and whose record is not here.
    wishes: VecDeque<PeerId>,
    /// Peers that nobody is told about.
    private: HashSet<PeerId>,
    feelers: Feelers,
    lookup_at: Instant,
    lookup_pause: Duration,
}

impl Discovery {
    pub(crate) fn new(config: &NetworkConfig, local: PeerId, now: Instant) -> Self {
        let mut candidates: HashMap<PeerId, Candidate> = HashMap::new();
        for (peer, address) in config.bootstrap_peers().filter(|(peer, _)| *peer != local) {
            let candidate = candidates.entry(peer).or_insert_with(|| Candidate::new(true, now));
            candidate.configure(address::without_peer(&address));
        }
        let mut discovery = Discovery {
            local,
            allow_private: config.allow_private,
            outbound_target: usize::try_from(config.limits.outbound_target).unwrap_or(usize::MAX),
            candidates,
            wishes: VecDeque::new(),
            private: config.private.iter().copied().collect(),
            feelers: Feelers::new(config.allow_private && config.limits.private_is_exempt),
            lookup_at: now,
            lookup_pause: LOOKUP_MIN,
        };
        discovery.restore(&config.saved, now);
        discovery
    }

    /// Remembers a verified record with its filtered addresses. True if the peer is new.
    pub(crate) fn learn(
        &mut self,
        peer: PeerId,
        record: (u64, Bytes),
        addresses: Vec<Multiaddr>,
        now: Instant,
    ) -> bool {
        self.wishes.retain(|wish| *wish != peer);
        if peer == self.local || addresses.is_empty() {
            return false;
        }
        let is_new = !self.candidates.contains_key(&peer);
        if is_new && !(self.has_share(&addresses) && self.make_room()) {
            return false;
        }
        let candidate = self.candidates.entry(peer).or_insert_with(|| Candidate::new(false, now));
        candidate.renew(record, addresses);
        is_new
    }

    /// A peer of the local network is at this address, unsigned: it is dialled once and proves itself.
    pub(crate) fn hear(&mut self, peer: PeerId, address: Multiaddr, now: Instant) {
        let is_useful = address::is_useful(&address, &address, self.allow_private);
        let is_new = !self.candidates.contains_key(&peer);
        if peer != self.local && is_useful && (!is_new || self.make_room()) {
            let new = || Candidate::new(false, now);
            self.candidates.entry(peer).or_insert_with(new).hear(address);
        }
    }

    /// The peer was reached at this address, or it connected from this address's host.
    pub(crate) fn prove(&mut self, peer: &PeerId, via: &Multiaddr, is_dialled: bool) {
        if let Some(candidate) = self.candidates.get_mut(peer) {
            candidate.prove(via, is_dialled);
        }
    }

    /// Somebody named a peer without a proof of where it is.
    pub(crate) fn wish(&mut self, peer: PeerId) {
        let is_new = !self.candidates.contains_key(&peer) && !self.wishes.contains(&peer);
        if is_new && peer != self.local {
            if self.wishes.len() == WANTED_MAX {
                self.wishes.pop_front();
            }
            self.wishes.push_back(peer);
        }
    }

    /// The peers whose records are asked for next.
    pub(crate) fn take_wishes(&mut self) -> Vec<PeerId> {
        self.wishes.drain(..).collect()
    }

    /// The records to answer with: of these peers, and of others that were met.
    pub(crate) fn records(&self, wanted: &[PeerId], asker: &PeerId) -> Vec<Bytes> {
        let open = self.candidates.iter().filter(|(peer, _)| self.is_told(peer));
        let named = open.clone().filter(|(peer, _)| wanted.contains(peer));
        let others = open.filter(|(peer, _)| *peer != asker && !wanted.contains(peer));
        let records = named.chain(others).filter_map(|(_, candidate)| candidate.record());
        records.take(RECORDS_MAX).collect()
    }

    /// Whether others may be told about this peer.
    pub(crate) fn is_told(&self, peer: &PeerId) -> bool {
        !self.private.contains(peer)
    }

    /// The peer identified itself as a peer of our chain.
    pub(crate) fn met(&mut self, peer: &PeerId, now: Instant) {
        if let Some(candidate) = self.candidates.get_mut(peer) {
            (candidate.met, candidate.tried) = (true, true);
            (candidate.met_at, candidate.last_error) = (now, None);
            candidate.dials_failed = 0;
        }
        // A new peer knows others.
        self.lookup_pause = LOOKUP_MIN;
        self.lookup_at = self.lookup_at.min(now + LOOKUP_FIRST);
    }

    /// A known peer disconnected. One that soon does so each time has no room for this node: it is
    /// dialled less and less often.
    pub(crate) fn lost(&mut self, peer: &PeerId, now: Instant) {
        let Some(candidate) = self.candidates.get_mut(peer) else { return };
        if now.saturating_duration_since(candidate.met_at) >= STAY {
            candidate.failures = 0;
        }
        candidate.met_at = now;
        let pause = PAUSE_MIN.saturating_mul(1 << candidate.failures.min(16)).min(PAUSE_MAX);
        candidate.dial_at = now + jittered(pause);
        candidate.failures = candidate.failures.saturating_add(1).min(STAY_FAILURES);
    }

    /// Dialling failed, or the connection ended before the peer identified itself.
    pub(crate) fn failed(&mut self, peer: &PeerId, now: Instant) {
        let Some(candidate) = self.candidates.get_mut(peer) else {
            return;
        };
        let is_lost = candidate.met || self.allow_private;
        let pause_max = match candidate.tried {
            _ if is_lost => PAUSE_MAX_LOST,
            true => PAUSE_MAX_TRIED,
            false => PAUSE_MAX,
        };
        let pause = PAUSE_MIN.saturating_mul(1 << candidate.failures.min(16)).min(pause_max);
        candidate.dial_at = now + jittered(pause);
        candidate.failures = candidate.failures.saturating_add(1);
        candidate.dials_failed = candidate.dials_failed.saturating_add(1);
        if candidate.failures >= LOST_ATTEMPTS {
            candidate.met = false;
        }
        let attempts = if candidate.tried { TRIED_ATTEMPTS } else { STRANGER_ATTEMPTS };
        let is_hopeless = !candidate.met && candidate.failures >= attempts;
        if !candidate.bootstrap && (is_hopeless || candidate.is_exhausted()) {
            self.candidates.remove(peer);
        }
    }

    /// Why the last dial failed, for operators.
    pub(crate) fn note_error(&mut self, peer: &PeerId, error: &str) {
        if let Some(candidate) = self.candidates.get_mut(peer) {
            candidate.last_error = Some(short(error));
        }
    }

    /// The peer serves another chain. A bootstrap node is retried rarely: it may be replaced.
    pub(crate) fn refused(&mut self, peer: &PeerId, now: Instant) {
        if !self.forget(peer)
            && let Some(candidate) = self.candidates.get_mut(peer)
        {
            candidate.not_before = now + jittered(PAUSE_MAX);
        }
    }

    /// Forgets a peer that is no bootstrap node; false when it is one.
    pub(crate) fn forget(&mut self, peer: &PeerId) -> bool {
        match self.candidates.get(peer) {
            Some(candidate) if candidate.bootstrap => false,
            _ => {
                self.candidates.remove(peer);
                true
            }
        }
    }

    /// Keeps a peer from being dialled for a while, after the application disconnected it.
    pub(crate) fn postpone(&mut self, peer: &PeerId, now: Instant) {
        if let Some(candidate) = self.candidates.get_mut(peer) {
            candidate.not_before = now + PAUSE_MAX;
            candidate.met = false;
        }
    }

    /// Whom to dial now: bootstrap nodes and lost peers while there is room, strangers up to the
    /// target and of different netgroups. `groups` counts the outbound connections of each.
    pub(crate) fn due(
        &mut self,
        connections: Connections,
        mut groups: HashMap<Prefix, usize>,
        is_connected: impl Fn(&PeerId) -> bool,
        now: Instant,
    ) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let mut room = connections.room;
        let mut strangers_wanted = self.outbound_target.saturating_sub(connections.outbound);
        let mut due = Vec::new();
        let mut ready: Vec<(&PeerId, &mut Candidate)> = self
            .candidates
            .iter_mut()
            .filter(|(peer, c)| c.dial_at.max(c.not_before) <= now && !is_connected(peer))
            .collect();
        ready.sort_by_cached_key(|(_, candidate)| {
            (
                !candidate.bootstrap,
                !candidate.met,
                !candidate.tried,
                RandomState::new().hash_one(()),
            )
        });
        for (peer, candidate) in ready {
            let is_stranger = !candidate.bootstrap && !candidate.met;
            if room == 0 || is_stranger && strangers_wanted == 0 {
                break;
            }
            let group = candidate.group().filter(|_| is_stranger);
            let in_group = group.and_then(|group| groups.get(&group)).copied().unwrap_or(0);
            if in_group >= OUTBOUND_GROUP_MAX {
                continue;
            }
            let feelers = &mut self.feelers;
            let addresses = candidate.take_addresses(|address| feelers.take(address, now));
            // Provisional: the outcome of the dial sets the real time.
            candidate.dial_at = now + PAUSE_MAX;
            if addresses.is_empty() {
                continue;
            }
            if let Some(group) = group {
                *groups.entry(group).or_default() += 1;
            }
            room -= 1;
            strangers_wanted -= usize::from(is_stranger);
            due.push((*peer, addresses));
        }
        due
    }

    /// Whether to ask the connected peers for other peers now: often at first and after each new
    /// peer, then once a minute.
    pub(crate) fn lookup_due(&mut self, connections: Connections, now: Instant) -> bool {
        if connections.connected == 0 || now < self.lookup_at {
            return false;
        }
        self.lookup_at = now + jittered(self.lookup_pause);
        self.lookup_pause = self.lookup_pause.saturating_mul(2).min(LOOKUP_MAX);
        true
    }

    /// Whether the netgroup of these addresses has room for one more candidate.
    fn has_share(&self, addresses: &[Multiaddr]) -> bool {
        let Some(group) = candidate::group(addresses.iter()) else { return true };
        let of_group = |candidate: &&Candidate| candidate.group() == Some(group);
        self.candidates.values().filter(of_group).count() < GROUP_MAX
    }

    /// Takes over the peers of an earlier start.
    fn restore(&mut self, saved: &Saved, now: Instant) {
        for peer in &saved.peers {
            let Some(record) = Record::decode(&peer.record) else { continue };
            let addresses = address::dialable(&record.addresses, self.allow_private);
            let id = record.peer;
            self.learn(id, (record.seq, record.bytes), addresses, now);
            if let Some(candidate) = self.candidates.get_mut(&id) {
                candidate.restore(peer);
            }
        }
    }

    /// The peers for the next start.
    pub(crate) fn saved(&self, anchors: &[PeerId]) -> Vec<SavedPeer> {
        let all = self.candidates.iter();
        all.filter_map(|(peer, candidate)| candidate.saved(*peer, anchors.contains(peer))).collect()
    }

    /// Makes room for one more: evicts the stranger with the most failures, or a known peer if
    /// there is no stranger.
    fn make_room(&mut self) -> bool {
        let others = self.candidates.iter().filter(|(_, c)| !c.bootstrap);
        if others.clone().count() < CANDIDATES_MAX {
            return true;
        }
        let worst = others
            .max_by_key(|(_, c)| (!c.met, !c.tried, c.failures))
            .filter(|(_, c)| c.failures > 0)
            .map(|(peer, _)| *peer);
        worst.is_some_and(|peer| self.candidates.remove(&peer).is_some())
    }
}

/// The delay with a jitter of a quarter, so that nodes that lost each other do not dial in step.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 512;
    let permille = 750 + u32::try_from(random).unwrap_or(0);
    pause.saturating_mul(permille) / 1000
}

mod book;
pub use book::{Book, BookCounts, BookEntry};
#[cfg(test)]
mod tests;
