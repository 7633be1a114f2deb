//! Which inbound peer leaves when a full node is asked to take another one.
//!
//! As in Bitcoin Core (`SelectNodeToEvict`): peers are protected for what an attacker cannot have
//! cheaply and all at once, and of the rest the youngest of the largest netgroup leaves. An
//! attacker with many addresses thus evicts himself.
//!
//! Pure: the same peers and key give the same answer.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, Instant},
};

use crate::origin::Prefix;

/// What counts for or against a peer. Peers that may never be evicted are not among them.
#[derive(Clone, Debug)]
pub(crate) struct Inbound<Id> {
    pub(crate) id: Id,
    /// None for private addresses, which are of one group.
    pub(crate) group: Option<Prefix>,
    pub(crate) since: Instant,
    /// The least round trip seen.
    pub(crate) rtt: Option<Duration>,
    /// When it was last the first to bring a message that was accepted.
    pub(crate) useful_at: Option<Instant>,
}

/// The peer that leaves, if any does.
pub(crate) fn choose<Id: Copy>(mut peers: Vec<Inbound<Id>>, key: u64) -> Option<Id> {
    let all = peers.len();
    // An attacker does not know which netgroups the key favours.
    protect(&mut peers, all / 8, |peer| Some(keyed(key, peer.group)));
    protect(&mut peers, all / 8, |peer| peer.rtt);
    protect(&mut peers, all / 4, |peer| peer.useful_at.map(Reverse));
    let rest = peers.len();
    protect(&mut peers, rest / 2, |peer| Some(peer.since));
    let mut sizes: BTreeMap<Option<Prefix>, usize> = BTreeMap::new();
    for peer in &peers {
        *sizes.entry(peer.group).or_default() += 1;
    }
    // Of two groups of the same size, the one with the youngest peer.
    let worst = peers.iter().max_by_key(|peer| (sizes[&peer.group], peer.since));
    worst.map(|peer| peer.id)
}

/// Takes the `count` peers with the least rank out; those without a rank are not protected.
fn protect<Id, Rank: Ord>(
    peers: &mut Vec<Inbound<Id>>,
    count: usize,
    rank: impl Fn(&Inbound<Id>) -> Option<Rank>,
) {
    peers.sort_by_cached_key(|peer| match rank(peer) {
        Some(rank) => (0, Some(rank)),
        None => (1, None),
    });
    let ranked = peers.iter().filter(|peer| rank(peer).is_some()).count();
    peers.drain(..count.min(ranked));
}

fn keyed(key: u64, group: Option<Prefix>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, group).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::origin::Origin;

    fn group(number: u32) -> Option<Prefix> {
        let ip = Ipv4Addr::from_bits(number << 16 | 1);
        Some(Origin::of(IpAddr::V4(ip)).group)
    }

    fn at(start: Instant, second: u64) -> Instant {
        start + Duration::from_secs(second)
    }

    fn idle(id: u32, group: Option<Prefix>, since: Instant) -> Inbound<u32> {
        Inbound { id, group, since, rtt: None, useful_at: None }
    }

    #[test]
    fn the_youngest_of_the_largest_group_leaves() {
        let start = Instant::now();
        let mut peers: Vec<_> = (0..10).map(|n| idle(n, group(n), at(start, 0))).collect();
        peers.extend((10..20).map(|n| idle(n, group(99), at(start, u64::from(n)))));
        for key in 0..100 {
            let evicted = choose(peers.clone(), key).unwrap();
            assert!(evicted >= 10, "{evicted}");
        }
        assert_eq!(choose(Vec::<Inbound<u32>>::new(), 1), None);
        assert_eq!(choose(vec![idle(1, None, start)], 1), Some(1));
    }

    /// A small random sequence, so that each seed is another network.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % bound
        }
    }

    #[test]
    fn sybils_evict_each_other_and_never_a_useful_peer() {
        for seed in 0..1_000 {
            let (start, mut random) = (Instant::now(), Random(seed));
            // Eight honest peers that bring messages, and a node filled up by sybils of few groups,
            // all of them older and nearer.
            let mut peers: Vec<_> = (0..8)
                .map(|n| Inbound {
                    rtt: Some(Duration::from_millis(20 + random.below(200))),
                    useful_at: Some(at(start, 10_000 + random.below(60))),
                    ..idle(n, group(1_000 + n), at(start, 5_000 + random.below(1_000)))
                })
                .collect();
            peers.extend((8..32).map(|n| Inbound {
                rtt: Some(Duration::from_millis(random.below(20))),
                ..idle(n, group(u32::try_from(random.below(6)).unwrap()), at(start, 0))
            }));
            // Sixty more come one after the other.
            for id in 100..160 {
                let evicted = choose(peers.clone(), seed).unwrap();
                assert!(evicted >= 8, "seed {seed}: evicted the honest peer {evicted}");
                peers.retain(|peer| peer.id != evicted);
                peers.push(idle(
                    id,
                    group(u32::try_from(random.below(30)).unwrap()),
                    at(start, 9_000),
                ));
            }
        }
    }
}
