//! Plans which peer to ask for which blocks to reach the proven tip. It sends nothing itself.
//!
//! There is no cursor and no mode: what is missing is computed from the decided height each time,
//! and only a verified commit certificate moves the target.
//!
//! A peer that fails or answers with nothing is not asked again at once: the pause doubles with each failure in a row,
//! and is remembered while the peer is disconnected. A peer that is busy is asked again soon, after peers that answer.
use crate::{
    limits::{SYNC_BLOCKS_MAX, SYNC_WINDOW},
    rules::CertifiedBlock,
    types::{BlocksRequest, Height, Millis},
};
use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

/// Maximum peers asked at the same time.
const IN_FLIGHT_MAX: usize = 4;
/// The pause after one failure.
const PAUSE: Millis = Millis(100);
/// How often the pause doubles at most: to 6.4 s.
const DOUBLINGS_MAX: u32 = 6;
/// The pause after a busy answer: a peer that limits its upload is asked soon after it may send again.
const BUSY_PAUSE: Millis = Millis(250);
/// Failures are forgotten so long after the pause that they caused.
const FORGIVEN_AFTER: Millis = Millis(60_000);
/// Peers whose failures are remembered, or that are busy.
const FAILING_MAX: usize = 256;

#[derive(Debug, Clone, Copy, Default)]
struct PeerState {
    tip: Height,
    asked: Option<BlocksRequest>,
}

/// Failures in a row; none if the peer is only busy.
#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    count: u32,
    /// The end of the pause.
    until: Millis,
}

/// Peers, the target, and the blocks received ahead of the tip.
#[derive(Debug)]
pub struct Planner<P> {
    peers: BTreeMap<P, PeerState>,
    /// Peers that failed or were busy since their last answer, connected or not.
    failing: BTreeMap<P, Failures>,
    target: Height,
    held: BTreeMap<Height, CertifiedBlock>,
}

impl<P: Copy + Ord> Default for Planner<P> {
    fn default() -> Self {
        Self {
            peers: BTreeMap::new(),
            failing: BTreeMap::new(),
            target: Height::GENESIS,
            held: BTreeMap::new(),
        }
    }
}

impl<P: Copy + Ord> Planner<P> {
    /// A peer connected.
    pub fn peer_up(&mut self, peer: P) {
        self.peers.entry(peer).or_default();
    }

    /// A peer disconnected; the blocks it was asked for can be asked of others. Its failures are remembered.
    pub fn peer_down(&mut self, peer: P) {
        self.peers.remove(&peer);
    }

    /// A verified certificate proves that a peer has this height.
    pub fn proven(&mut self, peer: P, height: Height) {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.tip = state.tip.max(height);
        }
        self.target = self.target.max(height);
    }

    /// Number of final blocks held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The highest height proven final.
    pub fn target(&self) -> Height {
        self.target
    }

    /// All peers, in order.
    pub fn peers(&self) -> impl Iterator<Item = P> + '_ {
        self.peers.keys().copied()
    }

    /// The peer after this one, in rotation.
    pub fn peer_after(&self, last: Option<P>) -> Option<P> {
        let after = last.and_then(|last| self.peers.range((Excluded(last), Unbounded)).next());
        after.or_else(|| self.peers.iter().next()).map(|(peer, _)| *peer)
    }

    /// A peer answered with final blocks: keeps the missing ones.
    pub fn answered(&mut self, now: Millis, peer: P, decided: Height, blocks: Vec<CertifiedBlock>) {
        if blocks.is_empty() {
            return self.failed(now, peer);
        }
        if let Some(state) = self.peers.get_mut(&peer) {
            state.asked = None;
        }
        self.failing.remove(&peer);
        for certified in blocks {
            let height = certified.height();
            self.proven(peer, height);
            if height > decided && height - decided <= SYNC_WINDOW {
                self.held.entry(height).or_insert(certified);
            }
        }
    }

    /// A peer did not answer, or with nothing.
    pub fn failed(&mut self, now: Millis, peer: P) {
        self.pause(now, peer, |failures| {
            let pause = Millis(PAUSE.0 << failures.count.min(DOUBLINGS_MAX));
            Failures { count: failures.count.saturating_add(1), until: now.plus(pause) }
        });
    }

    /// A peer answered that it is busy.
    pub fn busy(&mut self, now: Millis, peer: P) {
        self.pause(now, peer, |failures| Failures { until: now.plus(BUSY_PAUSE), ..failures });
    }

    fn pause(&mut self, now: Millis, peer: P, fail: impl FnOnce(Failures) -> Failures) {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.asked = None;
        }
        self.failing.retain(|_, failures| now < failures.until.plus(FORGIVEN_AFTER));
        if self.failing.len() == FAILING_MAX && !self.failing.contains_key(&peer) {
            let first = self.failing.iter().min_by_key(|(_, failures)| failures.until);
            let first = first.map(|(peer, _)| *peer).expect("as many as FAILING_MAX");
            self.failing.remove(&first);
        }
        let failures = self.failing.entry(peer).or_default();
        *failures = fail(*failures);
    }

    /// None if it answered the last time; none is fewer than zero.
    fn failures_of(&self, peer: &P) -> Option<u32> {
        self.failing.get(peer).map(|failures| failures.count)
    }

    fn paused_until(&self, peer: &P) -> Millis {
        self.failing.get(peer).map_or(Millis::default(), |failures| failures.until)
    }

    /// The block after the decided height, if held. Drops the blocks at or below it.
    pub fn take_next(&mut self, decided: Height) -> Option<CertifiedBlock> {
        self.held = self.held.split_off(&decided.next());
        self.held.remove(&decided.next())
    }

    /// Which peers to ask for which blocks now. `busy` is a height already being applied.
    pub fn plan(
        &mut self,
        now: Millis,
        decided: Height,
        busy: Option<Height>,
    ) -> Vec<(P, BlocksRequest)> {
        let mut plan = Vec::new();
        let mut free = IN_FLIGHT_MAX - self.in_flight().min(IN_FLIGHT_MAX);
        while free > 0 {
            let Some(from) = self.first_missing(decided, busy) else { break };
            let Some(peer) = self.best_idle_peer(now, from) else { break };
            let request = BlocksRequest { from, count: self.gap_from(from) };
            let state = self.peers.get_mut(&peer).expect("chosen among the peers");
            state.asked = Some(request);
            plan.push((peer, request));
            free -= 1;
        }
        plan
    }

    /// When the first peer that has a missing block may be asked again, if something is missing and one pauses.
    pub fn retry_at(&self, now: Millis, decided: Height, busy: Option<Height>) -> Option<Millis> {
        let from = self.first_missing(decided, busy)?;
        let idle = self.idle_peers(from).map(|peer| self.paused_until(&peer));
        idle.filter(|until| now < *until).min()
    }

    fn in_flight(&self) -> usize {
        self.peers.values().filter(|state| state.asked.is_some()).count()
    }

    fn is_asked(&self, height: Height) -> bool {
        self.peers.values().filter_map(|state| state.asked).any(|request| {
            height >= request.from && height - request.from < u64::from(request.count)
        })
    }

    fn is_missing(&self, height: Height) -> bool {
        !self.held.contains_key(&height) && !self.is_asked(height)
    }

    fn first_missing(&self, decided: Height, busy: Option<Height>) -> Option<Height> {
        let last = self.target.0.min(decided.0.saturating_add(SYNC_WINDOW));
        (decided.0 + 1..=last)
            .map(Height)
            .find(|&height| Some(height) != busy && self.is_missing(height))
    }

    fn gap_from(&self, from: Height) -> u32 {
        let last = self.target.0.min(from.0 + u64::from(SYNC_BLOCKS_MAX) - 1);
        let gap = (from.0..=last).take_while(|&height| self.is_missing(Height(height))).count();
        u32::try_from(gap).expect("at most SYNC_BLOCKS_MAX")
    }

    fn idle_peers(&self, height: Height) -> impl Iterator<Item = P> {
        let idle =
            self.peers.iter().filter(move |(_, peer)| peer.asked.is_none() && peer.tip >= height);
        idle.map(|(peer, _)| *peer)
    }

    /// The idle peer with the fewest failures that has this height and does not pause.
    fn best_idle_peer(&self, now: Millis, height: Height) -> Option<P> {
        let ready = self.idle_peers(height).filter(|peer| self.paused_until(peer) <= now);
        ready.min_by_key(|peer| self.failures_of(peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_000);

    fn request(from: u64, count: u32) -> BlocksRequest {
        BlocksRequest { from: Height(from), count }
    }

    #[test]
    fn a_gap_is_shared_among_the_peers_that_have_it() {
        let mut planner = Planner::default();
        for peer in 1..=3 {
            planner.peer_up(peer);
        }
        planner.proven(1, Height(100));
        planner.proven(2, Height(100));
        assert_eq!(planner.plan(NOW, Height(0), None), [(1, request(1, 32)), (2, request(33, 32))]);
        assert_eq!(planner.plan(NOW, Height(0), None), [], "peer 3 has proven nothing");
    }

    #[test]
    fn a_failed_range_goes_to_another_peer() {
        let mut planner = Planner::default();
        planner.peer_up(1);
        planner.peer_up(2);
        planner.proven(1, Height(10));
        assert_eq!(planner.plan(NOW, Height(0), None), [(1, request(1, 10))]);
        planner.proven(2, Height(10));
        planner.failed(NOW, 1);
        assert_eq!(planner.plan(NOW, Height(0), None), [(2, request(1, 10))]);
        planner.peer_down(2);
        assert_eq!(planner.plan(NOW, Height(4), None), [], "it pauses");
        assert_eq!(planner.plan(NOW.plus(PAUSE), Height(4), None), [(1, request(5, 6))]);
    }

    #[test]
    fn nothing_is_asked_at_the_tip_or_without_proof() {
        let mut planner = Planner::default();
        planner.peer_up(1);
        assert_eq!(planner.plan(NOW, Height(0), None), []);
        planner.proven(1, Height(10));
        assert_eq!(planner.plan(NOW, Height(10), None), []);
        assert_eq!(planner.plan(NOW, Height(9), Some(Height(10))), []);
    }

    #[test]
    fn the_window_bounds_what_is_asked() {
        let mut planner = Planner::default();
        for peer in 0..10 {
            planner.peer_up(peer);
            planner.proven(peer, Height(u64::MAX));
        }
        let plan = planner.plan(NOW, Height(0), None);
        assert_eq!(plan.len(), IN_FLIGHT_MAX);
        let last = plan.iter().map(|(_, r)| r.from.0 + u64::from(r.count) - 1).max();
        assert_eq!(last, Some(SYNC_WINDOW));
    }

    /// The moments at which a peer is asked that always answers with nothing.
    fn asked_at(planner: &mut Planner<u8>, until: u64) -> Vec<u64> {
        let mut asked = vec![];
        for now in 0..until {
            if !planner.plan(Millis(now), Height(0), None).is_empty() {
                asked.push(now);
                planner.answered(Millis(now), 1, Height(0), vec![]);
            }
        }
        asked
    }

    #[test]
    fn a_peer_that_answers_with_nothing_is_asked_less_and_less_often() {
        let mut planner = Planner::default();
        planner.peer_up(1);
        planner.proven(1, Height(10));
        let moments = [0, 100, 300, 700, 1_500, 3_100, 6_300, 12_700, 19_100];
        assert_eq!(asked_at(&mut planner, 20_000), moments);
        assert_eq!(planner.retry_at(Millis(20_000), Height(0), None), Some(Millis(25_500)));
        assert_eq!(planner.retry_at(Millis(20_000), Height(10), None), None, "nothing is missing");
        assert_eq!(planner.retry_at(Millis(25_500), Height(0), None), None, "it may be asked now");
    }

    #[test]
    fn a_busy_peer_is_asked_again_soon_but_after_one_that_answers() {
        let mut planner = Planner::default();
        for peer in [1, 2] {
            planner.peer_up(peer);
            planner.proven(peer, Height(40));
        }
        let asked = |planner: &mut Planner<u8>, now| -> Vec<u8> {
            planner.plan(now, Height(0), None).into_iter().map(|(peer, _)| peer).collect()
        };
        let mut now = NOW;
        assert_eq!(asked(&mut planner, now), [1, 2]);
        for _ in 0..20 {
            planner.busy(now, 1);
            assert_eq!(asked(&mut planner, now), []);
            assert_eq!(planner.retry_at(now, Height(0), None), Some(now.plus(BUSY_PAUSE)));
            now = now.plus(BUSY_PAUSE);
            assert_eq!(asked(&mut planner, now), [1], "the pause does not grow");
        }
        planner.busy(now, 1);
        planner.proven(2, Height(70));
        planner.peer_down(2);
        planner.peer_up(2);
        planner.proven(2, Height(70));
        now = now.plus(BUSY_PAUSE);
        assert_eq!(asked(&mut planner, now), [2, 1]);
        planner.failed(now, 2);
        planner.busy(now, 1);
        now = now.plus(BUSY_PAUSE);
        assert_eq!(asked(&mut planner, now), [1, 2], "busy is better than failed");
    }

    #[test]
    fn failures_survive_a_reconnect_for_a_while_and_are_bounded() {
        let mut planner = Planner::default();
        planner.peer_up(1);
        planner.proven(1, Height(10));
        planner.failed(NOW, 1);
        planner.failed(NOW, 1);
        planner.peer_down(1);
        planner.peer_up(1);
        planner.proven(1, Height(10));
        assert_eq!(planner.plan(Millis(1_199), Height(0), None), []);
        assert_eq!(planner.plan(Millis(1_200), Height(0), None), [(1, request(1, 10))]);
        planner.failed(NOW.plus(FORGIVEN_AFTER).plus(FORGIVEN_AFTER), 2);
        assert_eq!(planner.failures_of(&1), None, "forgiven");
        for peer in 0..1_000 {
            planner.failed(NOW, peer);
        }
        assert_eq!(planner.failing.len(), FAILING_MAX);
    }
}
