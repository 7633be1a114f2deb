//! Who is admitted, who is not, and who leaves.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

struct Door {
    gate: Gate,
    next: usize,
    now: Instant,
}

impl Door {
    fn new(limits: PeerLimits, reserved: &[PeerId]) -> Self {
        let reserved = reserved.to_vec();
        let config = NetworkConfig { reserved, limits, ..NetworkConfig::of_chain("tc-test") };
        Door { gate: Gate::new(&config), next: 0, now: Instant::now() }
    }

    fn id(&mut self) -> ConnectionId {
        self.next += 1;
        ConnectionId::new_unchecked(self.next)
    }

    /// A handshake, and then a connection.
    fn enter(&mut self, ip: &str, peer: PeerId) -> Result<ConnectionId, Refusal> {
        let (id, remote) = (self.id(), format!("/ip4/{ip}/tcp/5").parse().unwrap());
        self.gate.begin(id, &remote, self.now)?;
        match self.gate.admit(id, peer, &remote, self.now) {
            Ok(()) => Ok(id),
            Err(refusal) => {
                self.gate.ended(id);
                Err(refusal)
            }
        }
    }

    /// What is being closed is closed.
    fn close(&mut self) -> Vec<PeerId> {
        let closing: Vec<_> = self.gate.closing.drain(..).collect();
        closing.iter().for_each(|(_, id)| self.gate.ended(*id));
        closing.into_iter().map(|(peer, _)| peer).collect()
    }
}

#[test]
fn above_the_memory_limit_only_reserved_peers_come_in() {
    let reserved = PeerId::random();
    let mut door = Door::new(PeerLimits::of(1_000), &[reserved]);
    door.gate.is_out_of_memory = true;
    assert_eq!(door.enter("9.9.9.9", PeerId::random()), Err(Refusal::Memory));
    door.enter("9.9.9.8", reserved).unwrap();
    let occupancy = door.gate.occupancy();
    assert_eq!((occupancy.inbound, occupancy.outbound, occupancy.pending), (1, 0, 0));
    assert_eq!((occupancy.reserved, occupancy.limits), (vec![reserved], PeerLimits::of(1_000)));
    door.gate.is_out_of_memory = false;
    door.enter("9.9.9.9", PeerId::random()).unwrap();
}

#[test]
fn a_host_and_its_netgroups_have_their_shares_and_get_them_back() {
    let mut door = Door::new(PeerLimits::of(1_000), &[]);
    let peer = PeerId::random;
    let first = door.enter("9.9.9.9", peer()).unwrap();
    for _ in 0..2 {
        door.enter("9.9.9.9", peer()).unwrap();
    }
    assert!(matches!(door.enter("9.9.9.9", peer()), Err(Refusal::Share(_))));
    door.gate.ended(first);
    let again = door.enter("9.9.9.9", peer()).unwrap();
    // 200 identities of one /16 with as many addresses.
    let near =
        (0..200).filter(|n| door.enter(&format!("9.9.{}.{}", n / 20, n % 20), peer()).is_ok());
    assert_eq!(near.count(), 12 - 3);
    door.enter("9.8.9.9", peer()).unwrap();
    assert_eq!(door.gate.shares.values().max(), Some(&12));
    door.gate.ended(again);
    let open: Vec<_> = door.gate.connections.keys().copied().collect();
    open.iter().for_each(|id| door.gate.ended(*id));
    assert!(door.gate.shares.is_empty() && door.gate.merits.is_empty());
}

#[test]
fn handshakes_of_one_host_are_metered_and_the_table_is_bounded() {
    let mut door = Door::new(PeerLimits::of(50), &[]);
    let mut begun = 0;
    for _ in 0..100 {
        let id = door.id();
        let remote = "/ip4/9.9.9.9/tcp/5".parse().unwrap();
        begun += usize::from(door.gate.begin(id, &remote, door.now).is_ok());
        door.gate.ended(id);
    }
    assert_eq!(begun, 16);
    door.now += Duration::from_secs(2);
    door.enter("9.9.9.9", PeerId::random()).unwrap();
    for n in 0..3 * u32::try_from(BUCKETS_MAX).unwrap() {
        let id = door.id();
        let ip = std::net::Ipv4Addr::from_bits(0x0900_0000 + n * 300);
        let _ = door.gate.begin(id, &format!("/ip4/{ip}/tcp/5").parse().unwrap(), door.now);
        door.gate.ended(id);
    }
    assert!(door.gate.buckets.len() <= BUCKETS_MAX);
}

#[test]
fn sixty_sybils_keep_neither_a_reserved_peer_nor_a_newcomer_out() {
    let reserved = PeerId::random();
    let mut door = Door::new(PeerLimits::of(50), &[reserved]);
    for n in 0..60 {
        let _ = door.enter(&format!("9.9.{}.{}", n % 30, n), PeerId::random());
        let _ = door.enter(&format!("{}.9.9.{}", 10 + n % 30, n), PeerId::random());
        door.now += Duration::from_secs(1);
        door.close();
    }
    assert_eq!(door.gate.count(|c| c.is_inbound), 32, "the node is full");
    let newcomer = PeerId::random();
    door.enter("200.1.1.1", newcomer).unwrap();
    door.enter("201.1.1.1", reserved).unwrap();
    let evicted = door.close();
    assert_eq!(evicted.len(), 2);
    assert!(!evicted.contains(&reserved));
    assert_eq!(door.gate.count(|c| c.is_inbound), 32);
}

#[test]
fn a_reserved_peer_finds_a_place_in_the_smallest_node() {
    let [reserved, other] = [0; 2].map(|_| PeerId::random());
    let limits = PeerLimits { inbound_max: 1, ..PeerLimits::of(2) };
    let mut door = Door::new(limits, &[reserved]);
    door.enter("9.9.9.9", other).unwrap();
    door.enter("8.8.8.8", reserved).unwrap();
    assert_eq!(door.close(), [other]);
    assert_eq!(door.enter("7.7.7.7", PeerId::random()), Err(Refusal::Full));
}

#[test]
fn only_permitted_dials_leave_and_all_of_them_count() {
    let mut door = Door::new(PeerLimits::of(3), &[]);
    let peer = PeerId::random();
    let id = door.id();
    assert_eq!(door.gate.dial(id, Some(peer), &[], door.now), Err(Refusal::Unwanted));
    assert!(matches!(door.gate.events.pop_front(), Some(Event::Wish(wished)) if wished == peer));
    let room = door.gate.outbound_room();
    for _ in 0..room {
        let id = door.id();
        door.gate.permit(id);
        door.gate.dial(id, Some(PeerId::random()), &[], door.now).unwrap();
    }
    let id = door.id();
    door.gate.permit(id);
    assert_eq!(door.gate.dial(id, Some(peer), &[], door.now), Err(Refusal::Full));
    assert_eq!(room, 2);
}

#[test]
fn a_private_network_admits_and_dials_nobody_else() {
    let [friend, stranger] = [0; 2].map(|_| PeerId::random());
    let mut door = Door::new(PeerLimits::of(50), &[]);
    door.gate.only.insert(friend);
    assert_eq!(door.enter("9.9.9.9", stranger).unwrap_err(), Refusal::Unlisted);
    door.enter("9.9.9.9", friend).unwrap();
    for (peer, outcome) in [(stranger, Err(Refusal::Unlisted)), (friend, Ok(()))] {
        let id = door.id();
        door.gate.permit(id);
        assert_eq!(door.gate.dial(id, Some(peer), &[], door.now), outcome);
    }
}

#[test]
fn the_banned_are_refused_from_all_their_hosts_and_a_banned_host_with_all_its_peers() {
    let [liar, other] = [0; 2].map(|_| PeerId::random());
    let reserved = PeerId::random();
    let mut door = Door::new(PeerLimits::of(50), &[reserved]);
    let via: Multiaddr = "/ip4/9.9.9.9/tcp/5".parse().unwrap();
    for _ in 0..5 {
        door.gate.blame(liar, Some(&via), Offence::Invalid, door.now);
        let sentence = door.gate.blame(reserved, Some(&via), Offence::Invalid, door.now);
        assert_eq!(sentence, Sentence::Nothing, "the operator vouches for it");
    }
    assert_eq!(door.enter("8.8.8.8", liar).unwrap_err(), Refusal::Banned);
    assert_eq!(door.enter("9.9.9.9", other).unwrap_err(), Refusal::Banned);
    door.enter("8.8.8.8", other).unwrap();
    // Others are behind the same private address, which has no share.
    let exempt = PeerLimits { private_is_exempt: true, ..PeerLimits::of(50) };
    let mut door = Door::new(exempt, &[]);
    let via: Multiaddr = "/ip4/10.0.0.7/tcp/5".parse().unwrap();
    for _ in 0..5 {
        door.gate.blame(liar, Some(&via), Offence::Invalid, door.now);
    }
    door.enter("10.0.0.7", other).unwrap();
    assert_eq!(door.enter("10.0.0.7", liar).unwrap_err(), Refusal::Banned);
}

#[test]
fn a_forged_sender_of_udp_takes_nobodys_share() {
    let mut door = Door::new(PeerLimits::of(50), &[]);
    let quic = "/ip4/9.9.9.9/udp/5/quic-v1".parse().unwrap();
    let ids: Vec<_> = (0..1_000).map(|_| door.id()).collect();
    let begin = |id: &ConnectionId| door.gate.begin(*id, &quic, door.now).is_ok();
    let begun: Vec<_> = ids.into_iter().filter(begin).collect();
    assert_eq!(begun.len(), 64, "handshakes of QUIC have their own bound");
    for _ in 0..3 {
        door.enter("9.9.9.9", PeerId::random()).unwrap();
    }
    // A handshake that ends proves the sender, which then counts.
    let admitted = door.gate.admit(begun[0], PeerId::random(), &quic, door.now);
    assert!(matches!(admitted, Err(Refusal::Share(_))), "{admitted:?}");
    begun.iter().for_each(|id| door.gate.ended(*id));
    assert_eq!(door.gate.shares.values().max(), Some(&3));
}

#[test]
fn a_peer_is_dialled_back_at_its_own_host_only_and_seldom() {
    let mut door = Door::new(PeerLimits::of(50), &[]);
    let peer = PeerId::random();
    door.enter("9.9.9.9", peer).unwrap();
    let mut dial = |peer, address: &str| {
        let id = door.id();
        let outcome = door.gate.dial(id, peer, &[address.parse().unwrap()], door.now);
        door.gate.ended(id);
        outcome
    };
    let (here, elsewhere) = ("/ip4/9.9.9.9/tcp/24000", "/ip4/8.8.8.8/tcp/24000");
    assert_eq!(dial(Some(peer), elsewhere), Err(Refusal::Unwanted));
    assert_eq!(dial(Some(PeerId::random()), here), Err(Refusal::Unwanted));
    assert_eq!(dial(None, here), Err(Refusal::Unwanted));
    let dialled = (0..100).filter(|_| dial(Some(peer), here).is_ok()).count();
    assert_eq!(dialled, 3, "16 handshakes, one of them its own, and four for each");
}

#[test]
fn a_masternode_comes_into_a_full_node_and_stays_however_many_come_after_it() {
    let mut door = Door::new(PeerLimits::of(25), &[]);
    for net in 0..16 {
        door.enter(&format!("9.{net}.9.9"), PeerId::random()).unwrap();
    }
    let (masternode, retired) = (PeerId::random(), PeerId::random());
    door.gate.keep_places(&[masternode, retired]);
    door.enter("8.8.8.8", masternode).unwrap();
    assert!(!door.close().contains(&masternode));
    door.gate.keep_places(&[masternode]);
    let mut evicted = Vec::new();
    for net in 0..200 {
        door.now += Duration::from_secs(1);
        // Some find every remaining peer protected.
        let _ = door.enter(&format!("7.{net}.9.9"), PeerId::random());
        evicted.extend(door.close());
    }
    assert!(!evicted.is_empty() && !evicted.contains(&masternode));
    assert!(!door.gate.has_place(&retired));
}

#[test]
fn a_dial_back_takes_no_place_and_is_closed_soon() {
    let mut door = Door::new(PeerLimits::of(50), &[]);
    let here = "/ip4/9.9.9.9/tcp/24000".parse().unwrap();
    let room = door.gate.outbound_room();
    let mut reached = Vec::new();
    for host in 0..10 {
        let (peer, ip) = (PeerId::random(), format!("9.{host}.9.9"));
        door.enter(&ip, peer).unwrap();
        let (id, address) = (door.id(), format!("/ip4/{ip}/tcp/24000").parse().unwrap());
        if door.gate.dial(id, Some(peer), &[address], door.now).is_ok() {
            door.gate.reached(id, peer, door.now).unwrap();
            reached.push((id, peer));
        }
    }
    assert_eq!((reached.len(), door.gate.outbound_room()), (DIAL_BACKS_MAX, room));
    assert!(reached.iter().all(|(id, _)| door.gate.was_dial_back(id)));
    door.gate.close_dial_backs(door.now);
    assert!(door.close().is_empty(), "there is time for the answer");
    door.now += DIAL_BACK_LASTS;
    door.gate.close_dial_backs(door.now);
    assert_eq!(door.close().len(), DIAL_BACKS_MAX);
    let stranger = PeerId::random();
    let id = door.id();
    assert_eq!(door.gate.dial(id, Some(stranger), &[here], door.now), Err(Refusal::Unwanted));
    assert!(door.gate.events.is_empty(), "an address is no wish");
}
