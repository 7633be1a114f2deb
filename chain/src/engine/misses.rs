//! What each peer may cost the disk with payments whose inputs are missing.
//!
//! A miss can be honest timing: nobody is blamed for one. Each peer has a share that fills up again with time, and
//! while it has used up its share its payments are ignored.
use crate::{types::Millis, wire::Peer};
use std::collections::BTreeMap;

/// In this time a peer may miss once more, in microseconds: 250 misses a second.
const MISS_US: u64 = 4_000;
/// A peer that has missed nothing for a while may miss a thousand inputs at once.
const SHARE_US: u64 = 1_000 * MISS_US;
/// What is in work when a share is used up is paid for later, up to this.
const DEBT_MAX_US: u64 = 10_000_000;
/// Peers that are remembered.
const PEERS_MAX: usize = 1_024;

/// When the share of each peer is full again, in microseconds; those whose share is full are not here.
#[derive(Debug, Default)]
pub(super) struct Misses(BTreeMap<Peer, u64>);

impl Misses {
    /// Whether a peer has used up its share.
    pub(super) fn used_up(&self, now: Millis, peer: Peer) -> bool {
        self.0.get(&peer).is_some_and(|full_at| *full_at > now.0 * 1_000 + SHARE_US)
    }

    /// A peer sent transactions with so many inputs of which some are missing.
    pub(super) fn charge(&mut self, now: Millis, peer: Peer, inputs: usize) {
        let now_us = now.0 * 1_000;
        let full_at = self.0.get(&peer).map_or(now_us, |full_at| now_us.max(*full_at));
        let price_us = MISS_US.saturating_mul(inputs as u64);
        let full_at = full_at.saturating_add(price_us).min(now_us + SHARE_US + DEBT_MAX_US);
        self.0.insert(peer, full_at);
        if self.0.len() > PEERS_MAX {
            self.0.retain(|_, full_at| *full_at > now_us);
        }
        if self.0.len() > PEERS_MAX {
            let least = self.0.iter().min_by_key(|(_, full_at)| **full_at).map(|(peer, _)| *peer);
            least.and_then(|peer| self.0.remove(&peer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_used_up_and_fills_again() {
        let mut misses = Misses::default();
        let (start, one, other) = (Millis(5_000), Peer(1), Peer(2));
        misses.charge(start, one, 1_000);
        assert!(!misses.used_up(start, one));
        misses.charge(start, one, 1);
        assert!(misses.used_up(start, one));
        assert!(!misses.used_up(start, other));
        assert!(!misses.used_up(start.plus(Millis(4)), one));
        misses.charge(start, one, usize::MAX);
        assert!(misses.used_up(start.plus(Millis(9_999)), one));
        assert!(!misses.used_up(start.plus(Millis(10_000)), one), "a debt is bounded");
    }

    #[test]
    fn strangers_do_not_wash_out_the_peer_that_missed_most() {
        let mut misses = Misses::default();
        misses.charge(Millis(0), Peer(0), 1_001);
        for stranger in 1..=2 * PEERS_MAX as u64 {
            misses.charge(Millis(0), Peer(stranger), 1);
        }
        assert_eq!(misses.0.len(), PEERS_MAX);
        assert!(misses.used_up(Millis(0), Peer(0)));
    }
}
