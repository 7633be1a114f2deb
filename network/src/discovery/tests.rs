//! Whom discovery dials, and whom it leaves alone.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;

use libp2p::core::PeerRecord;

use super::*;
use crate::feelers::FEELERS;

const FEW: Connections = Connections { outbound: 0, connected: 1, room: 18 };
const ENOUGH: Connections = Connections { outbound: 8, connected: 8, room: 10 };

fn discovery(bootstrap: &[PeerId], now: Instant) -> Discovery {
    let config = NetworkConfig {
        bootstrap: bootstrap
            .iter()
            .map(|peer| format!("/ip4/9.9.9.9/tcp/1/p2p/{peer}").parse().unwrap())
            .collect(),
        ..NetworkConfig::of_chain("tc-test")
    };
    Discovery::new(&config, PeerId::random(), now)
}

/// Each in a netgroup of its own.
fn address(group: u16) -> Multiaddr {
    let [high, low] = group.to_be_bytes();
    format!("/ip4/{}.{low}.9.9/tcp/1", 20 + high).parse().unwrap()
}

fn learn(discovery: &mut Discovery, peer: PeerId, group: u16, now: Instant) {
    discovery.learn(peer, (1, Bytes::new()), vec![address(group)], now);
}

/// A peer that was connected at its address.
fn meet(discovery: &mut Discovery, peer: PeerId, group: u16, now: Instant) {
    learn(discovery, peer, group, now);
    discovery.prove(&peer, &address(group), true);
    discovery.met(&peer, now);
}

fn due(discovery: &mut Discovery, connections: Connections, now: Instant) -> Vec<PeerId> {
    let due = discovery.due(connections, HashMap::new(), |_| false, now);
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
    for group in (0..1_000).cycle().take(2 * CANDIDATES_MAX) {
        let stranger = PeerId::random();
        learn(&mut discovery, stranger, group, now);
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
    // Only on the same terms as strangers, and it gives way to those who were never tried.
    assert_eq!(discovery.candidates.keys().collect::<Vec<_>>(), [&lost]);
    assert!(due(&mut discovery, ENOUGH, now + PAUSE_MAX_TRIED * 2).is_empty());
    assert_eq!(due(&mut discovery, FEW, now + PAUSE_MAX_TRIED * 2), [lost]);
    for _ in 0..TRIED_ATTEMPTS {
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
    let alone = Connections { outbound: 0, connected: 0, room: 18 };
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
        for (peer, addresses) in discovery.due(FEW, HashMap::new(), |_| false, now) {
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
    let two = Connections { room: 2, ..FEW };
    assert_eq!(due(&mut discovery, two, now), [bootstrap, lost]);
    assert!(due(&mut discovery, Connections { room: 0, ..FEW }, now).is_empty());
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

#[test]
fn no_netgroup_has_more_than_its_share_in_an_hour_of_churn() {
    let mut now = Instant::now();
    let mut discovery = discovery(&[], now);
    let mut outbound = Vec::new();
    // Half of 10,000 peers are in one netgroup; a record comes every third of a second.
    for number in 0..10_800_u32 {
        now += Duration::from_millis(333);
        let group = if number.is_multiple_of(2) { 7 } else { u16::try_from(number % 600).unwrap() };
        learn(&mut discovery, PeerId::random(), group, now);
        for (peer, addresses) in discovery.due(FEW, HashMap::new(), |_| false, now) {
            outbound.push(addresses[0].clone());
            match number % 3 {
                0 => discovery.failed(&peer, now),
                _ => discovery.met(&peer, now),
            }
        }
    }
    let mut groups: HashMap<Prefix, usize> = HashMap::new();
    for candidate in discovery.candidates.values() {
        *groups.entry(candidate.group().unwrap()).or_default() += 1;
    }
    assert!(discovery.candidates.len() <= CANDIDATES_MAX && discovery.candidates.len() > 1_000);
    assert_eq!(groups.values().max(), Some(&GROUP_MAX));
    assert!(!outbound.is_empty());
}

#[test]
fn strangers_of_one_netgroup_get_two_outbound_places() {
    let now = Instant::now();
    let mut discovery = discovery(&[], now);
    for _ in 0..50 {
        learn(&mut discovery, PeerId::random(), 7, now);
    }
    learn(&mut discovery, PeerId::random(), 8, now);
    let group = |number| candidate::group([address(number)].iter()).unwrap();
    let dialled = discovery.due(FEW, HashMap::from([(group(7), 1)]), |_| false, now);
    let addresses: Vec<_> = dialled.iter().map(|(_, addresses)| addresses[0].clone()).collect();
    assert_eq!(addresses.len(), 2, "one place was taken: {addresses:?}");
    assert!(addresses.contains(&address(7)) && addresses.contains(&address(8)));
}

#[test]
fn what_was_saved_is_dialled_after_a_restart_anchors_first() {
    let now = Instant::now();
    let mut before = discovery(&[], now);
    let mut peers = Vec::new();
    for number in 0..20 {
        let keypair = crate::random_keypair();
        let signed = PeerRecord::new(&keypair, vec![address(number)]).unwrap();
        let record = Record::verify(signed.into_signed_envelope()).unwrap();
        let addresses = record.addresses.clone();
        before.learn(record.peer, (record.seq, record.bytes), addresses, now);
        if number < 3 {
            before.prove(&record.peer, &address(number), true);
            before.met(&record.peer, now);
        }
        peers.push(record.peer);
    }
    let saved = Saved::new(before.saved(&[peers[2]]), &[]);
    let saved = Saved::from_bytes(&saved.to_bytes()).unwrap();
    let mut after = discovery(&[], now);
    after.restore(&saved, now);
    assert_eq!(after.candidates.len(), 20);
    let anchors = after.candidates.iter().filter(|(_, candidate)| candidate.met);
    assert_eq!(anchors.map(|(peer, _)| *peer).collect::<Vec<_>>(), [peers[2]]);
    let dialled = due(&mut after, Connections { room: 3, ..FEW }, now);
    assert_eq!(dialled[0], peers[2], "the anchor");
    let rest: BTreeSet<&PeerId> = dialled[1..].iter().collect();
    assert_eq!(rest, BTreeSet::from([&peers[0], &peers[1]]), "those that were connected once");
    // A record that was changed in the file is not believed.
    let mut forged = saved;
    for peer in &mut forged.peers {
        // The signature stands at the end.
        let last = if peer.record.pop() == Some('0') { '1' } else { '0' };
        peer.record.push(last);
    }
    let mut after = discovery(&[], now);
    after.restore(&forged, now);
    assert!(after.candidates.is_empty());
}

#[test]
fn a_neighbour_that_announces_itself_is_dialled_and_one_outside_is_not() {
    let now = Instant::now();
    let mut local = discovery(&[], now);
    local.allow_private = true;
    let mut public = discovery(&[], now);
    let (neighbour, address) = (PeerId::random(), "/ip4/192.168.0.5/tcp/24000");
    for discovery in [&mut local, &mut public] {
        discovery.hear(neighbour, address.parse().unwrap(), now);
    }
    assert_eq!(due(&mut local, FEW, now), [neighbour]);
    assert!(due(&mut public, FEW, now).is_empty());
}

#[test]
fn the_book_says_what_is_known_of_each_peer() {
    let (start, [seed, friend, stranger]) = (Instant::now(), [0; 3].map(|_| PeerId::random()));
    let mut discovery = discovery(&[seed], start);
    meet(&mut discovery, friend, 1, start);
    learn(&mut discovery, stranger, 2, start);
    discovery.note_error(&seed, "nobody\u{7}listens there");
    discovery.failed(&seed, start);
    let now = start + Duration::from_secs(3);
    let book = |only, count| discovery.book(only, count, |peer| *peer == friend, &[friend], now);
    let whole = book(None, 10);
    let counts = BookCounts {
        tried: 1,
        new: 2,
        bootstrap: 1,
        netgroups: 3,
        largest: vec![
            ("20.1.0.0/16".to_owned(), 1),
            ("20.2.0.0/16".to_owned(), 1),
            ("9.9.0.0/16".to_owned(), 1),
        ],
    };
    assert_eq!(whole.counts, counts);
    let entry = |peer, group: &str, tried| BookEntry {
        peer,
        addresses: vec![(address(1), true)],
        netgroup: Some(group.to_owned()),
        tried,
        connected: false,
        bootstrap: false,
        anchor: false,
        failures: 0,
        last_error: None,
        seen: now - start,
        next_dial: Some(Duration::ZERO),
    };
    let seed_entry = BookEntry {
        addresses: vec![("/ip4/9.9.9.9/tcp/1".parse().unwrap(), true)],
        bootstrap: true,
        failures: 1,
        last_error: Some("nobody?listens there".to_owned()),
        ..entry(seed, "9.9.0.0/16", false)
    };
    let friend_entry = BookEntry {
        connected: true,
        anchor: true,
        seen: Duration::ZERO,
        next_dial: None,
        ..entry(friend, "20.1.0.0/16", true)
    };
    let stranger_entry =
        BookEntry { addresses: vec![(address(2), false)], ..entry(stranger, "20.2.0.0/16", false) };
    assert_eq!(whole.entries, [seed_entry, friend_entry.clone(), stranger_entry]);
    assert_eq!(book(None, 2).entries, whole.entries[..2]);
    assert_eq!(book(Some(friend), 9).entries, [friend_entry]);
    // Who was met is not blamed for an earlier failure.
    discovery.met(&seed, now);
    let book = discovery.book(Some(seed), 1, |_| false, &[], now);
    assert_eq!(book.entries[0].last_error, None);
}
