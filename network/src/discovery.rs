//! Decides whom to dial and when: bootstrap nodes until they are connected, lost peers for a while,
//! strangers while there are too few outbound peers.
//!
//! The swarm dials. Time is an argument. Invariants: at most [`CANDIDATES_MAX`] peers besides the
//! bootstrap nodes and [`ADDRESSES_MAX`] addresses each; each failure doubles the delay before the
//! next attempt.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use libp2p::{Multiaddr, PeerId};

use crate::{address, config::NetworkConfig};

/// Addresses kept for one peer.
pub(crate) const ADDRESSES_MAX: usize = 16;
const CANDIDATES_MAX: usize = 256;
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// Lost peers are redialled often: after a partition no block is decided before they reconnect, and
/// frequent dials do no harm in a local network.
const PAUSE_MAX_LOST: Duration = Duration::from_millis(1500);
/// After this many failed dials, which takes minutes, a lost peer counts as a stranger again.
const LOST_ATTEMPTS: u32 = 200;
/// After this many failed dials a stranger is forgotten.
const STRANGER_ATTEMPTS: u32 = 8;
const LOOKUP_FIRST: Duration = Duration::from_millis(250);
const LOOKUP_MIN: Duration = Duration::from_secs(1);
const LOOKUP_MAX: Duration = Duration::from_secs(60);

/// A peer that may be dialled.
#[derive(Debug)]
struct Candidate {
    addresses: Vec<Multiaddr>,
    bootstrap: bool,
    /// Was connected as a peer of our chain.
    met: bool,
    failures: u32,
    dial_at: Instant,
    /// Other events do not shorten this: the peer was refused, or the application disconnected it.
    not_before: Instant,
}

/// The swarm's current connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Peers that we dialled and are connected to.
    pub(crate) outbound: usize,
    /// All connected peers.
    pub(crate) connected: usize,
}

#[derive(Debug)]
pub(crate) struct Discovery {
    local: PeerId,
    allow_private: bool,
    outbound_target: usize,
    peers_max: usize,
    candidates: HashMap<PeerId, Candidate>,
    lookup_at: Instant,
    lookup_pause: Duration,
}

impl Discovery {
    pub(crate) fn new(config: &NetworkConfig, local: PeerId, now: Instant) -> Self {
        let mut candidates: HashMap<PeerId, Candidate> = HashMap::new();
        for (peer, address) in config.bootstrap_peers().filter(|(peer, _)| *peer != local) {
            candidates
                .entry(peer)
                .or_insert_with(|| Candidate {
                    addresses: Vec::new(),
                    bootstrap: true,
                    met: false,
                    failures: 0,
                    dial_at: now,
                    not_before: now,
                })
                .addresses
                .push(address::without_peer(&address));
        }
        Discovery {
            local,
            allow_private: config.allow_private,
            outbound_target: usize::try_from(config.limits.outbound_target).unwrap_or(usize::MAX),
            peers_max: usize::try_from(config.limits.peers_max).unwrap_or(usize::MAX),
            candidates,
            lookup_at: now,
            lookup_pause: LOOKUP_MIN,
        }
    }

    /// Remembers filtered addresses of a peer. The configured addresses of a bootstrap node stay in front.
    pub(crate) fn learn(
        &mut self,
        peer: PeerId,
        addresses: impl IntoIterator<Item = Multiaddr>,
        now: Instant,
    ) {
        let fresh: Vec<Multiaddr> = addresses.into_iter().take(ADDRESSES_MAX).collect();
        if peer == self.local || fresh.is_empty() {
            return;
        }
        if !self.candidates.contains_key(&peer) && !self.make_room() {
            return;
        }
        let candidate = self.candidates.entry(peer).or_insert_with(|| Candidate {
            addresses: Vec::new(),
            bootstrap: false,
            met: false,
            failures: 0,
            dial_at: now,
            not_before: now,
        });
        if !candidate.bootstrap {
            candidate.addresses = fresh;
            return;
        }
        for address in fresh {
            let room = candidate.addresses.len() < ADDRESSES_MAX;
            if room && !candidate.addresses.contains(&address) {
                candidate.addresses.push(address);
            }
        }
    }

    /// The peer identified itself as a peer of our chain.
    pub(crate) fn met(&mut self, peer: &PeerId, now: Instant) {
        if let Some(candidate) = self.candidates.get_mut(peer) {
            candidate.met = true;
            candidate.failures = 0;
        }
        // A new peer knows others.
        self.lookup_pause = LOOKUP_MIN;
        self.lookup_at = self.lookup_at.min(now + LOOKUP_FIRST);
    }

    /// A known peer disconnected.
    pub(crate) fn lost(&mut self, peer: &PeerId, now: Instant) {
        if let Some(candidate) = self.candidates.get_mut(peer) {
            candidate.dial_at = now + jittered(PAUSE_MIN);
        }
    }

    /// Dialling failed, or the connection ended before the peer identified itself.
    pub(crate) fn failed(&mut self, peer: &PeerId, now: Instant) {
        let Some(candidate) = self.candidates.get_mut(peer) else {
            return;
        };
        let is_lost = candidate.met || self.allow_private;
        let pause_max = if is_lost { PAUSE_MAX_LOST } else { PAUSE_MAX };
        let pause = PAUSE_MIN.saturating_mul(1 << candidate.failures.min(16)).min(pause_max);
        candidate.dial_at = now + jittered(pause);
        candidate.failures = candidate.failures.saturating_add(1);
        if candidate.failures >= LOST_ATTEMPTS {
            candidate.met = false;
        }
        if !candidate.bootstrap && !candidate.met && candidate.failures >= STRANGER_ATTEMPTS {
            self.candidates.remove(peer);
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

    /// Whom to dial now: bootstrap nodes and lost peers always, strangers up to the target.
    pub(crate) fn due(
        &mut self,
        standing: Standing,
        is_connected: impl Fn(&PeerId) -> bool,
        now: Instant,
    ) -> Vec<(PeerId, Vec<Multiaddr>)> {
        if standing.connected >= self.peers_max {
            return Vec::new();
        }
        let mut strangers_wanted = self.outbound_target.saturating_sub(standing.outbound);
        let mut due = Vec::new();
        for (peer, candidate) in &mut self.candidates {
            let dial_at = candidate.dial_at.max(candidate.not_before);
            if dial_at > now || is_connected(peer) {
                continue;
            }
            if !candidate.bootstrap && !candidate.met {
                if strangers_wanted == 0 {
                    continue;
                }
                strangers_wanted -= 1;
            }
            // Provisional: the outcome of the dial sets the real time.
            candidate.dial_at = now + PAUSE_MAX;
            due.push((*peer, candidate.addresses.clone()));
        }
        due
    }

    /// Whether to ask the connected peers for other peers now: often at first and after each new
    /// peer, then once a minute.
    pub(crate) fn lookup_due(&mut self, standing: Standing, now: Instant) -> bool {
        if standing.connected == 0 || now < self.lookup_at {
            return false;
        }
        self.lookup_at = now + jittered(self.lookup_pause);
        self.lookup_pause = self.lookup_pause.saturating_mul(2).min(LOOKUP_MAX);
        true
    }

    /// Makes room for one more: evicts the stranger with the most failures, or a known peer if
    /// there is no stranger.
    fn make_room(&mut self) -> bool {
        let others = self.candidates.iter().filter(|(_, c)| !c.bootstrap);
        if others.clone().count() < CANDIDATES_MAX {
            return true;
        }
        let worst = others
            .max_by_key(|(_, c)| (!c.met, c.failures))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::config::PeerLimits;

    const FEW: Standing = Standing { outbound: 0, connected: 1 };
    const ENOUGH: Standing = Standing { outbound: 8, connected: 8 };

    fn discovery(bootstrap: &[PeerId], now: Instant) -> Discovery {
        let config = NetworkConfig {
            chain_tag: "tc-test".to_owned(),
            agent: String::new(),
            listen: Vec::new(),
            external: Vec::new(),
            bootstrap: bootstrap
                .iter()
                .map(|peer| format!("/ip4/9.9.9.9/tcp/1/p2p/{peer}").parse().unwrap())
                .collect(),
            allow_private: false,
            limits: PeerLimits::default(),
        };
        Discovery::new(&config, PeerId::random(), now)
    }

    fn address() -> Multiaddr {
        "/ip4/9.9.9.8/tcp/1".parse().unwrap()
    }

    fn due(discovery: &mut Discovery, standing: Standing, now: Instant) -> Vec<PeerId> {
        let due = discovery.due(standing, |_| false, now);
        due.into_iter().map(|(peer, _)| peer).collect()
    }

    #[test]
    fn a_bootstrap_node_is_dialled_for_ever_with_growing_pauses() {
        let (start, peer) = (Instant::now(), PeerId::random());
        let mut discovery = discovery(&[peer], start);
        let mut now = start;
        let mut pauses = Vec::new();
        for _ in 0..100 {
            assert_eq!(due(&mut discovery, ENOUGH, now), [peer]);
            assert!(due(&mut discovery, ENOUGH, now).is_empty());
            discovery.failed(&peer, now);
            let next = discovery.candidates[&peer].dial_at;
            pauses.push(next - now);
            now = next;
        }
        assert!(pauses[0] < Duration::from_millis(350), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(20)));
        assert!(pauses[99] > Duration::from_secs(10));
    }

    #[test]
    fn a_peer_that_was_here_is_dialled_often_for_minutes() {
        let (start, peer) = (Instant::now(), PeerId::random());
        let mut discovery = discovery(&[], start);
        discovery.learn(peer, [address()], start);
        discovery.met(&peer, start);
        discovery.lost(&peer, start);
        let mut now = start + Duration::from_secs(1);
        while now < start + Duration::from_secs(180) {
            assert_eq!(due(&mut discovery, ENOUGH, now), [peer]);
            discovery.failed(&peer, now);
            let next = discovery.candidates[&peer].dial_at;
            assert!(next <= now + Duration::from_secs(2), "{:?}", next - now);
            now = next;
        }
    }

    #[test]
    fn strangers_fill_the_target_and_lost_peers_come_on_top() {
        let now = Instant::now();
        let mut discovery = discovery(&[], now);
        for _ in 0..20 {
            discovery.learn(PeerId::random(), [address()], now);
        }
        assert_eq!(due(&mut discovery, FEW, now).len(), 8);
        let lost = PeerId::random();
        discovery.learn(lost, [address()], now);
        discovery.met(&lost, now);
        discovery.lost(&lost, now);
        assert!(due(&mut discovery, ENOUGH, now).is_empty());
        assert_eq!(due(&mut discovery, ENOUGH, now + Duration::from_secs(1)), [lost]);
    }

    #[test]
    fn memory_is_bounded_and_strangers_go_first() {
        let now = Instant::now();
        let mut discovery = discovery(&[PeerId::random()], now);
        let known = PeerId::random();
        discovery.learn(known, [address()], now);
        discovery.met(&known, now);
        for _ in 0..CANDIDATES_MAX {
            let stranger = PeerId::random();
            discovery.learn(stranger, vec![address(); 100], now);
            discovery.failed(&stranger, now);
        }
        assert_eq!(discovery.candidates.len(), CANDIDATES_MAX + 1);
        assert!(discovery.candidates.contains_key(&known));
        assert!(discovery.candidates.values().all(|c| c.addresses.len() <= ADDRESSES_MAX));
    }

    #[test]
    fn a_stranger_that_never_answers_is_forgotten_and_a_lost_peer_later() {
        let now = Instant::now();
        let mut discovery = discovery(&[], now);
        let (stranger, lost) = (PeerId::random(), PeerId::random());
        discovery.learn(stranger, [address()], now);
        discovery.learn(lost, [address()], now);
        discovery.met(&lost, now);
        for _ in 0..STRANGER_ATTEMPTS {
            discovery.failed(&stranger, now);
            discovery.failed(&lost, now);
        }
        assert!(!discovery.candidates.contains_key(&stranger));
        assert!(discovery.candidates.contains_key(&lost));
        for _ in 0..LOST_ATTEMPTS {
            discovery.failed(&lost, now);
        }
        assert!(discovery.candidates.is_empty());
    }

    #[test]
    fn who_was_refused_or_hung_up_on_is_left_alone_for_a_while() {
        let (now, peer) = (Instant::now(), PeerId::random());
        let (soon, later) = (now + Duration::from_secs(5), now + Duration::from_secs(20));
        let leave: [fn(&mut Discovery, &PeerId, Instant); 2] =
            [Discovery::refused, Discovery::postpone];
        for leave in leave {
            let mut discovery = discovery(&[peer], now);
            assert_eq!(due(&mut discovery, FEW, now), [peer]);
            leave(&mut discovery, &peer, now);
            discovery.failed(&peer, now);
            discovery.lost(&peer, now);
            assert!(due(&mut discovery, FEW, soon).is_empty());
            assert_eq!(due(&mut discovery, FEW, later), [peer]);
        }
    }

    #[test]
    fn lookups_slow_down_and_a_new_peer_speeds_them_up() {
        let mut now = Instant::now();
        let mut discovery = discovery(&[], now);
        let alone = Standing { outbound: 0, connected: 0 };
        assert!(!discovery.lookup_due(alone, now));
        assert!(discovery.lookup_due(FEW, now));
        for _ in 0..20 {
            now = discovery.lookup_at;
            assert!(discovery.lookup_due(FEW, now));
        }
        assert!(discovery.lookup_at - now > Duration::from_secs(40));
        discovery.met(&PeerId::random(), now);
        assert!(discovery.lookup_at - now <= LOOKUP_FIRST);
    }
}
