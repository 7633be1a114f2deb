//! Token buckets: limit the request and send rates of each peer.
//!
//! Time is an argument. Invariant: tables have entries for connected peers only.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use libp2p::PeerId;

use crate::topic::Protocol;

/// A bucket's refill rate and capacity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    /// Tokens that come in `period`.
    pub(crate) tokens: u64,
    pub(crate) period: Duration,
    pub(crate) burst: u64,
}

impl Quota {
    pub(crate) const fn per_second(tokens: u64, burst: u64) -> Self {
        Quota { tokens, period: Duration::from_secs(1), burst }
    }

    pub(crate) const fn per_minute(tokens: u64, burst: u64) -> Self {
        Quota { tokens, period: Duration::from_secs(60), burst }
    }
}

/// Requests of one peer on one protocol. An honest peer that syncs stays far below this.
pub(crate) const REQUESTS: Quota = Quota::per_second(50, 200);

/// Requests for peer records of one peer.
pub(crate) const RECORDS: Quota = Quota::per_minute(6, 6);

/// A token bucket in thousandths of a token, so that slow refills do not round to nothing.
#[derive(Debug)]
pub(crate) struct Bucket {
    quota: Quota,
    milli_tokens: u64,
    /// Tokens that were spent before they came.
    debt: u64,
    filled_at: Instant,
}

impl Bucket {
    pub(crate) fn full(quota: Quota, now: Instant) -> Self {
        Bucket { quota, milli_tokens: quota.burst.saturating_mul(1000), debt: 0, filled_at: now }
    }

    pub(crate) fn quota(&self) -> Quota {
        self.quota
    }

    /// Whether there are so many tokens.
    pub(crate) fn has(&mut self, cost: u64, now: Instant) -> bool {
        self.refill(now);
        self.milli_tokens >= cost.saturating_mul(1000)
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

    /// Takes tokens that may not be there yet: they are paid off as they come.
    pub(crate) fn spend(&mut self, cost: u64) {
        let cost = cost.saturating_mul(1000);
        self.debt = self.debt.saturating_add(cost.saturating_sub(self.milli_tokens));
        self.milli_tokens = self.milli_tokens.saturating_sub(cost);
    }

    /// Adds tokens, up to as many again as fit: they pay the debt first.
    pub(crate) fn give(&mut self, tokens: u64) {
        let gained = tokens.saturating_mul(1000);
        let paid = gained.min(self.debt);
        self.debt -= paid;
        let most = self.quota.burst.saturating_mul(2000);
        self.milli_tokens = self.milli_tokens.saturating_add(gained - paid).min(most);
    }

    /// Whether there is no token, or a debt.
    pub(crate) fn is_empty(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.milli_tokens == 0
    }

    /// Whether nothing was taken for a while: such a bucket may be forgotten.
    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.milli_tokens >= self.quota.burst.saturating_mul(1000)
    }

    fn refill(&mut self, now: Instant) {
        let period = u64::try_from(self.quota.period.as_millis()).unwrap_or(u64::MAX);
        let milli_tokens = self.quota.tokens.saturating_mul(1000);
        let passed = now.saturating_duration_since(self.filled_at);
        let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let gained = passed.saturating_mul(milli_tokens) / period;
        // Time that was too short for a thousandth of a token still counts later.
        let used = gained.saturating_mul(period) / milli_tokens;
        self.filled_at += Duration::from_millis(used);
        let paid = gained.min(self.debt);
        self.debt -= paid;
        // What was given may be above the capacity: time adds nothing then, and takes nothing.
        let full = self.quota.burst.saturating_mul(1000).max(self.milli_tokens);
        self.milli_tokens = self.milli_tokens.saturating_add(gained - paid).min(full);
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
    records: Bucket,
}

impl Rates {
    /// Adds buckets for a peer; a second connection of the same peer changes nothing.
    pub(crate) fn add(&mut self, peer: PeerId, now: Instant) {
        self.peers.entry(peer).or_insert_with(|| PeerRates {
            requests: std::array::from_fn(|_| Bucket::full(REQUESTS, now)),
            records: Bucket::full(RECORDS, now),
        });
    }

    pub(crate) fn remove(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// Whether the peer may make one more request; false for a disconnected peer.
    pub(crate) fn request(&mut self, peer: &PeerId, protocol: Protocol, now: Instant) -> bool {
        self.peers.get_mut(peer).is_some_and(|rates| rates.requests[protocol.index()].take(1, now))
    }

    /// Whether the peer may ask for peer records once more.
    pub(crate) fn records(&mut self, peer: &PeerId, now: Instant) -> bool {
        self.peers.get_mut(peer).is_some_and(|rates| rates.records.take(1, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota::per_second(10, 20);

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
