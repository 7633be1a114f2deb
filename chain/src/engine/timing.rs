//! How long to wait in a round, learned from the rounds before.
//!
//! The wait for a proposal is twice what the proposers of more than two thirds of the weight needed, the
//! wait for votes twice what a quorum needed: a slow minority has no say in either. Both stay between
//! half and four times the chain's parameter, and on top of both comes the parameter's step for each
//! round, so that whatever was learned, some round is long enough.
//!
//! Never part of what is agreed on: each node waits as long as it sees fit.
use crate::{
    genesis::{Params, Timeout},
    types::{MasternodeSet, Millis, Round, VoteKind},
};
use std::collections::VecDeque;

/// Proposals remembered of each proposer; the slowest counts.
const PROPOSALS_KEPT: usize = 4;
/// Quorums remembered of each kind of vote.
const QUORUMS_KEPT: usize = 32;
/// Of these the slowest one in so many is left out: a minority of proposers cannot raise what is left by
/// being late on purpose.
const OUTLIERS: usize = 3;
/// Beside twice what was needed: what a loaded machine takes to wake up.
const MARGIN: Millis = Millis(20);

/// What was measured, and when the current round's waits began.
#[derive(Debug)]
pub(super) struct Timing {
    proposals: Vec<VecDeque<Millis>>,
    quorums: [VecDeque<Millis>; 2],
    proposal_due: Millis,
    cast: [Option<Millis>; 2],
}

impl Timing {
    pub(super) fn new(members: usize) -> Self {
        Self {
            proposals: vec![VecDeque::new(); members],
            quorums: [VecDeque::new(), VecDeque::new()],
            proposal_due: Millis::default(),
            cast: [None; 2],
        }
    }

    /// A round's proposal is due at this moment; no vote of the round is cast yet.
    pub(super) fn round(&mut self, due: Millis) {
        self.proposal_due = due;
        self.cast = [None; 2];
    }

    /// When the current round's proposal is due.
    pub(super) fn proposal_due(&self) -> Millis {
        self.proposal_due
    }

    /// The proposal of this masternode is here and checked.
    pub(super) fn proposed(&mut self, proposer: u16, now: Millis) {
        self.add_proposal(proposer, now.since(self.proposal_due));
    }

    /// It did not come in time. Had it been waited for, it would have taken longer than this.
    pub(super) fn missed(&mut self, proposer: u16, now: Millis) {
        self.add_proposal(
            proposer,
            now.since(self.proposal_due).plus(now.since(self.proposal_due)),
        );
    }

    fn add_proposal(&mut self, proposer: u16, took: Millis) {
        if let Some(kept) = self.proposals.get_mut(usize::from(proposer)) {
            push(kept, took, PROPOSALS_KEPT);
        }
    }

    /// The state machine cast this vote.
    pub(super) fn cast(&mut self, kind: VoteKind, now: Millis) {
        self.cast[place(kind)] = Some(now);
    }

    /// When the state machine cast this vote of the current round, of which no quorum is complete.
    pub(super) fn cast_at(&self, kind: VoteKind) -> Option<Millis> {
        self.cast[place(kind)]
    }

    /// A quorum of the current round is complete.
    pub(super) fn quorum(&mut self, kind: VoteKind, now: Millis) {
        if let Some(cast) = self.cast[place(kind)].take() {
            push(&mut self.quorums[place(kind)], now.since(cast), QUORUMS_KEPT);
        }
    }

    /// How long to wait for a round's proposal once it is due.
    pub(super) fn propose_timeout(
        &self,
        params: &Params,
        set: &MasternodeSet,
        round: Round,
    ) -> Millis {
        timeout(params, params.propose_timeout, self.proposal_needed(set), round)
    }

    /// How long to wait for more votes once two thirds have voted.
    pub(super) fn vote_timeout(&self, params: &Params, kind: VoteKind, round: Round) -> Millis {
        timeout(params, params.vote_timeout, self.quorum_needed(kind), round)
    }

    /// What the quickest proposers that make up a quorum needed; nothing while so many are not known.
    fn proposal_needed(&self, set: &MasternodeSet) -> Option<Millis> {
        let mut known: Vec<(Millis, u64)> = self
            .proposals
            .iter()
            .zip(set.members())
            .filter_map(|(kept, member)| Some((*kept.iter().max()?, member.weight)))
            .collect();
        known.sort_unstable();
        let mut weight = 0;
        let slowest = known.into_iter().find(|(_, each)| {
            weight += each;
            set.is_quorum(weight)
        });
        slowest.map(|(took, _)| took)
    }

    fn quorum_needed(&self, kind: VoteKind) -> Option<Millis> {
        let mut kept: Vec<Millis> = self.quorums[place(kind)].iter().copied().collect();
        kept.sort_unstable();
        let outliers = kept.len() / OUTLIERS;
        kept.into_iter().rev().nth(outliers)
    }
}

fn timeout(params: &Params, given: Timeout, needed: Option<Millis>, round: Round) -> Millis {
    let (least, most) = (given.base.0.div_ceil(2), given.base.0.saturating_mul(4));
    let base = match needed {
        None => given.base.0,
        Some(needed) => needed.plus(needed).plus(MARGIN).0.clamp(least, most),
    };
    let span = base.saturating_add(given.step.0.saturating_mul(round.0.into()));
    Millis(span.min(params.timeout_max.0))
}

fn push(kept: &mut VecDeque<Millis>, took: Millis, max: usize) {
    if kept.len() == max {
        kept.pop_front();
    }
    kept.push_back(took);
}

fn place(kind: VoteKind) -> usize {
    match kind {
        VoteKind::Prevote => 0,
        VoteKind::Precommit => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crypto::PublicKey,
        types::{Lock, Masternode},
    };

    const TIMEOUT: Timeout = Timeout { base: Millis(500), step: Millis(250) };

    fn params() -> Params {
        Params {
            block_interval: Millis(2_000),
            min_block_spacing: Millis(100),
            propose_timeout: TIMEOUT,
            vote_timeout: TIMEOUT,
            timeout_max: Millis(60_000),
            clock_drift_max: Millis(10_000),
            epoch_blocks: 10,
            evidence_age_blocks: 100,
            block_bytes_max: 4 * 1024 * 1024,
            min_relay_fee: 1,
            issuance_per_day: crate::types::Amount::ZERO,
            treasury: Lock::Key(PublicKey([1; 32])),
        }
    }

    fn set() -> MasternodeSet {
        let member = |byte: u8| {
            let key = PublicKey([byte; 32]);
            Masternode { key, weight: 1, payout: Lock::Key(key) }
        };
        MasternodeSet::new((0..4).map(member).collect()).expect("valid set")
    }

    /// The wait for a proposal in round 0 after each proposer took so long a few times.
    fn wait_after(took: [u64; 4]) -> Millis {
        let mut timing = Timing::new(4);
        for _ in 0..PROPOSALS_KEPT {
            for (proposer, took) in (0..).zip(took) {
                timing.round(Millis(1_000));
                timing.proposed(proposer, Millis(1_000 + took));
            }
        }
        timing.propose_timeout(&params(), &set(), Round(0))
    }

    #[test]
    fn before_anything_is_known_the_parameters_hold() {
        let timing = Timing::new(4);
        assert_eq!(timing.propose_timeout(&params(), &set(), Round(0)), Millis(500));
        assert_eq!(timing.vote_timeout(&params(), VoteKind::Prevote, Round(3)), Millis(1_250));
    }

    #[test]
    fn the_wait_follows_what_was_needed_between_floor_and_cap() {
        for (took, wait) in [(0, 250), (100, 250), (200, 420), (900, 1_820), (9_000, 2_000)] {
            assert_eq!(wait_after([took; 4]), Millis(wait), "{took} ms");
        }
    }

    #[test]
    fn a_slow_minority_does_not_slow_the_rest() {
        assert_eq!(wait_after([200, 200, 200, 30_000]), Millis(420));
        assert_eq!(wait_after([200, 200, 900, 900]), Millis(1_820), "without these is no quorum");
    }

    #[test]
    fn a_wait_that_was_too_short_doubles() {
        let mut timing = Timing::new(4);
        let mut wait = Millis(500);
        for expected in [2_000, 2_000] {
            for proposer in 0..4 {
                timing.round(Millis(0));
                timing.missed(proposer, wait);
            }
            wait = timing.propose_timeout(&params(), &set(), Round(0));
            assert_eq!(wait, Millis(expected));
        }
    }

    #[test]
    fn every_round_waits_longer_up_to_the_cap_whatever_was_learned() {
        let timing = Timing::new(4);
        let waits: Vec<u64> = [0, 1, 100, u32::MAX]
            .map(|round| timing.vote_timeout(&params(), VoteKind::Precommit, Round(round)).0)
            .to_vec();
        assert_eq!(waits, [500, 750, 25_500, 60_000]);
    }

    #[test]
    fn a_third_of_the_quorums_being_late_does_not_count() {
        let mut timing = Timing::new(4);
        let late = QUORUMS_KEPT / OUTLIERS;
        let took = std::iter::repeat_n(200, QUORUMS_KEPT - late);
        for took in took.chain(std::iter::repeat_n(50_000, late)) {
            timing.cast(VoteKind::Prevote, Millis(0));
            timing.quorum(VoteKind::Prevote, Millis(took));
        }
        assert_eq!(timing.vote_timeout(&params(), VoteKind::Prevote, Round(0)), Millis(420));
        timing.quorum(VoteKind::Prevote, Millis(9_000));
        assert_eq!(timing.quorums[0].len(), QUORUMS_KEPT, "nothing was cast: nothing is measured");
    }
}
