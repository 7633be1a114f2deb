//! Token buckets: limit the request and send rates of each peer.
//!
//! Time is an argument. Invariant: tables have entries for connected peers only.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use libp2p::PeerId;

use crate::topic::{Lane, Protocol};

/// A bucket's refill rate and capacity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    pub(crate) per_second: u64,
    pub(crate) burst: u64,
}

/// Requests of one peer on one protocol. An honest peer that syncs stays far below this.
pub(crate) const REQUESTS: Quota = Quota { per_second: 50, burst: 200 };

/// Bytes of bulk gossip forwarded by one peer; one peer may forward all traffic of the network.
pub(crate) const BULK_BYTES: Quota =
    Quota { per_second: 16 * 1024 * 1024, burst: 64 * 1024 * 1024 };

/// Bytes of fast gossip forwarded by one peer, unpacked. Replayed messages share a queue with other
/// peers' votes, so no peer may fill it.
pub(crate) const FAST_BYTES: Quota =
    Quota { per_second: 16 * 1024 * 1024, burst: 32 * 1024 * 1024 };

/// The minimum cost of a message: a small one costs more work than its bytes suggest.
const MESSAGE_BYTES_MIN: usize = 512;

/// A token bucket in thousandths of a token, so that slow refills do not round to nothing.
#[derive(Debug)]
pub(crate) struct Bucket {
    quota: Quota,
    milli_tokens: u64,
    filled_at: Instant,
}

impl Bucket {
    pub(crate) fn full(quota: Quota, now: Instant) -> Self {
        Bucket { quota, milli_tokens: quota.burst.saturating_mul(1000), filled_at: now }
    }

    /// Takes `cost` tokens; returns false and takes none if there are too few.
    pub(crate) fn take(&mut self, cost: u64, now: Instant) -> bool {
        self.refill(now);
        match self.milli_tokens.checked_sub(cost.saturating_mul(1000)) {
            Some(rest) => {
                self.milli_tokens = rest;
                true
            }
            None => false,
        }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at);
        let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        self.filled_at += Duration::from_millis(millis);
        self.milli_tokens = self
            .milli_tokens
            .saturating_add(millis.saturating_mul(self.quota.per_second))
            .min(self.quota.burst.saturating_mul(1000));
    }
}

/// The buckets of all connected peers.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    peers: HashMap<PeerId, PeerRates>,
}

#[derive(Debug)]
struct PeerRates {
    requests: [Bucket; Protocol::ALL.len()],
    fast_bytes: Bucket,
    bulk_bytes: Bucket,
}

impl Rates {
    /// Adds buckets for a peer; a second connection of the same peer changes nothing.
    pub(crate) fn add(&mut self, peer: PeerId, now: Instant) {
        self.peers.entry(peer).or_insert_with(|| PeerRates {
            requests: std::array::from_fn(|_| Bucket::full(REQUESTS, now)),
            fast_bytes: Bucket::full(FAST_BYTES, now),
            bulk_bytes: Bucket::full(BULK_BYTES, now),
        });
    }

    pub(crate) fn remove(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// Whether the peer may make one more request; false for a disconnected peer.
    pub(crate) fn request(&mut self, peer: &PeerId, protocol: Protocol, now: Instant) -> bool {
        self.peers.get_mut(peer).is_some_and(|rates| rates.requests[protocol.index()].take(1, now))
    }

    /// Whether the peer may send another gossip message of `bytes` bytes.
    pub(crate) fn gossip(&mut self, peer: &PeerId, lane: Lane, bytes: usize, now: Instant) -> bool {
        let bytes = u64::try_from(bytes.max(MESSAGE_BYTES_MIN)).unwrap_or(u64::MAX);
        self.peers.get_mut(peer).is_some_and(|rates| match lane {
            Lane::Fast => rates.fast_bytes.take(bytes, now),
            Lane::Bulk => rates.bulk_bytes.take(bytes, now),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { per_second: 10, burst: 20 };

    #[test]
    fn a_burst_then_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::full(QUOTA, start);
        assert_eq!((0..100).filter(|_| bucket.take(1, start)).count(), 20);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| bucket.take(1, later)).count(), 10);
        let much_later = start + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| bucket.take(1, much_later)).count(), 20);
    }

    #[test]
    fn frequent_refills_lose_nothing() {
        let start = Instant::now();
        let mut bucket = Bucket::full(QUOTA, start);
        assert!(bucket.take(20, start));
        let taken = (1..=10_000)
            .filter(|step| bucket.take(1, start + Duration::from_micros(step * 100)))
            .count();
        assert_eq!(taken, 10);
    }

    #[test]
    fn a_cost_beyond_the_burst_is_never_allowed_and_costs_nothing() {
        let start = Instant::now();
        let mut bucket = Bucket::full(QUOTA, start);
        assert!(!bucket.take(21, start));
        assert!(!bucket.take(u64::MAX, start));
        assert!(bucket.take(20, start));
    }

    #[test]
    fn lanes_do_not_share_and_small_messages_have_a_price() {
        let now = Instant::now();
        let peer = PeerId::random();
        let mut rates = Rates::default();
        rates.add(peer, now);
        let votes = (0..).take_while(|_| rates.gossip(&peer, Lane::Fast, 1, now)).count();
        assert_eq!(votes as u64, FAST_BYTES.burst / MESSAGE_BYTES_MIN as u64);
        assert!(rates.gossip(&peer, Lane::Bulk, 1, now));
    }

    #[test]
    fn protocols_and_peers_do_not_share_and_leave_no_trace() {
        let now = Instant::now();
        let (one, two) = (PeerId::random(), PeerId::random());
        let mut rates = Rates::default();
        rates.add(one, now);
        rates.add(two, now);
        while rates.request(&one, Protocol::Blocks, now) {}
        assert!(rates.request(&one, Protocol::Votes, now));
        assert!(rates.request(&two, Protocol::Blocks, now));
        rates.add(one, now);
        assert!(!rates.request(&one, Protocol::Blocks, now));
        rates.remove(&one);
        rates.remove(&two);
        assert!(rates.peers.is_empty());
        assert!(!rates.request(&one, Protocol::Votes, now));
    }
}
