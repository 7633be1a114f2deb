//! Whom discovery dials, and whom it leaves alone.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::config::PeerLimits;

const FEW: Standing = Standing { outbound: 0, connected: 1, room: 18 };
const ENOUGH: Standing = Standing { outbound: 8, connected: 8, room: 10 };

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
        reserved: Vec::new(),
        limits: PeerLimits::default(),
    };
    Discovery::new(&config, PeerId::random(), now)
}

fn address(host: u8) -> Multiaddr {
    format!("/ip4/9.9.9.{host}/tcp/1").parse().unwrap()
}

fn learn(discovery: &mut Discovery, peer: PeerId, host: u8, now: Instant) {
    discovery.learn(peer, (1, Bytes::new()), vec![address(host)], now);
}

/// A peer that was connected at its address.
fn meet(discovery: &mut Discovery, peer: PeerId, host: u8, now: Instant) {
    learn(discovery, peer, host, now);
    discovery.prove(&peer, &address(host), true);
    discovery.met(&peer, now);
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
    meet(&mut discovery, peer, 8, start);
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
    for host in 0..20 {
        learn(&mut discovery, PeerId::random(), host, now);
    }
    assert_eq!(due(&mut discovery, FEW, now).len(), 8);
    let lost = PeerId::random();
    meet(&mut discovery, lost, 99, now);
    discovery.lost(&lost, now);
    assert!(due(&mut discovery, ENOUGH, now).is_empty());
    assert_eq!(due(&mut discovery, ENOUGH, now + Duration::from_secs(1)), [lost]);
}

#[test]
fn memory_is_bounded_and_strangers_go_first() {
    let now = Instant::now();
    let mut discovery = discovery(&[PeerId::random()], now);
    let known = PeerId::random();
    meet(&mut discovery, known, 8, now);
    for _ in 0..CANDIDATES_MAX {
        let stranger = PeerId::random();
        learn(&mut discovery, stranger, 9, now);
        discovery.failed(&stranger, now);
    }
    assert_eq!(discovery.candidates.len(), CANDIDATES_MAX + 1);
    assert!(discovery.candidates.contains_key(&known));
}

#[test]
fn a_stranger_that_never_answers_is_forgotten_and_a_lost_peer_later() {
    let now = Instant::now();
    let mut discovery = discovery(&[], now);
    let (stranger, lost) = (PeerId::random(), PeerId::random());
    learn(&mut discovery, stranger, 8, now);
    meet(&mut discovery, lost, 9, now);
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
    let alone = Standing { outbound: 0, connected: 0, room: 18 };
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

#[test]
fn a_host_that_many_records_name_is_tried_a_few_times_a_minute() {
    let start = Instant::now();
    let mut discovery = discovery(&[], start);
    let mut dials = Vec::new();
    for second in 0..600 {
        let now = start + Duration::from_secs(second);
        // A liar signs a record of a new key every second, each with many ports of one host.
        let ports = (1..=16).map(|port| format!("/ip4/8.8.8.8/tcp/{port}").parse().unwrap());
        discovery.learn(PeerId::random(), (1, Bytes::new()), ports.collect(), now);
        for (peer, addresses) in discovery.due(FEW, |_| false, now) {
            dials.extend(addresses.iter().map(|_| second));
            discovery.failed(&peer, now);
        }
    }
    for minute in 0..9 {
        let within = dials.iter().filter(|at| (minute * 60..minute * 60 + 60).contains(*at));
        assert!(within.count() <= FEELERS);
    }
    assert!(!dials.is_empty() && dials.len() <= 10 * FEELERS);
}

#[test]
fn room_goes_to_bootstrap_nodes_and_lost_peers_first() {
    let (now, bootstrap, lost) = (Instant::now(), PeerId::random(), PeerId::random());
    let mut discovery = discovery(&[bootstrap], now);
    for host in 0..20 {
        learn(&mut discovery, PeerId::random(), host, now);
    }
    meet(&mut discovery, lost, 99, now);
    let two = Standing { room: 2, ..FEW };
    assert_eq!(due(&mut discovery, two, now), [bootstrap, lost]);
    assert!(due(&mut discovery, Standing { room: 0, ..FEW }, now).is_empty());
}

#[test]
fn wishes_are_bounded_and_end_with_a_record() {
    let now = Instant::now();
    let mut discovery = discovery(&[], now);
    let named: Vec<PeerId> = (0..100).map(|_| PeerId::random()).collect();
    named.iter().for_each(|peer| discovery.wish(*peer));
    discovery.wish(named[99]);
    learn(&mut discovery, named[98], 8, now);
    let wishes = discovery.take_wishes();
    assert_eq!(wishes.len(), WANTED_MAX - 1);
    assert!(!wishes.contains(&named[98]) && wishes.contains(&named[99]));
    assert!(discovery.take_wishes().is_empty());
}

#[test]
fn only_peers_that_were_met_are_passed_on() {
    let now = Instant::now();
    let mut discovery = discovery(&[], now);
    let [met, stranger, asker] = [0; 3].map(|_| PeerId::random());
    learn(&mut discovery, stranger, 7, now);
    for peer in [met, asker] {
        discovery.learn(peer, (1, Bytes::from(peer.to_bytes())), vec![address(8)], now);
        discovery.met(&peer, now);
    }
    assert_eq!(discovery.records(&[stranger], &asker), [Bytes::from(met.to_bytes())]);
}

#[test]
fn a_peer_that_hangs_up_each_time_is_dialled_less_and_less_often() {
    let (mut now, peer) = (Instant::now(), PeerId::random());
    let mut discovery = discovery(&[], now);
    meet(&mut discovery, peer, 8, now);
    let mut pauses = Vec::new();
    for _ in 0..10 {
        discovery.lost(&peer, now);
        pauses.push(discovery.candidates[&peer].dial_at - now);
        now = discovery.candidates[&peer].dial_at;
        assert_eq!(due(&mut discovery, ENOUGH, now), [peer]);
        discovery.met(&peer, now);
    }
    assert!(pauses[0] < Duration::from_millis(350) && pauses[9] > Duration::from_secs(10));
    // One that stayed is dialled again at once.
    discovery.lost(&peer, now + STAY);
    assert!(discovery.candidates[&peer].dial_at - (now + STAY) < Duration::from_millis(350));
}
