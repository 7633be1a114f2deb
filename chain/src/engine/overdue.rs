//! Whether votes or blocks are overdue, and which masternodes are missing then. Shown to operators; decides
//! nothing.
use super::Engine;
use crate::{
    consensus::Step,
    ledger::LedgerView,
    types::{Millis, SignerSet, VoteKind},
};

/// How long a masternode may be silent once something is overdue.
const SILENCE: Millis = Millis(5_000);
/// Votes are overdue this long after the time that a quorum needed of late.
const MARGIN: Millis = Millis(500);

/// What is expected of each masternode at one moment.
pub(super) struct Overdue {
    /// How long votes of the current step have been missing, and whose are here; none while they are
    /// not overdue.
    votes: Option<(Millis, SignerSet)>,
    /// Whether the height as a whole is overdue.
    height: bool,
    /// How long a masternode may be silent.
    silence_max: Millis,
}

impl Overdue {
    /// Whether something is overdue.
    pub(super) fn is_any(&self) -> bool {
        self.height || self.votes.is_some()
    }

    /// Whether a masternode that was last heard so long ago counts as online. Where votes are overdue,
    /// it has voted in this step or was heard since they are missing.
    pub(super) fn is_online(&self, index: u16, silent_for: Millis) -> bool {
        let is_here = |(missing, voters): &(Millis, SignerSet)| {
            voters.contains(index) || silent_for <= *missing
        };
        silent_for <= self.silence_max && self.votes.as_ref().is_none_or(is_here)
    }
}

impl<V: LedgerView> Engine<V> {
    /// What is overdue now. Nothing is while this node syncs.
    pub(super) fn overdue(&self, now: Millis) -> Overdue {
        let params = self.ctx.params();
        let span = params.block_interval.plus(params.propose_timeout.base).plus(SILENCE);
        let is_deciding = self.peers.target() < self.height() && self.height.decided.is_none();
        let height = is_deciding && now.since(self.height.started) > span;
        let votes = self.votes_overdue(now).filter(|_| is_deciding);
        let silence_max = if height || votes.is_some() { SILENCE } else { span };
        Overdue { votes, height, silence_max }
    }

    fn votes_overdue(&self, now: Millis) -> Option<(Millis, SignerSet)> {
        let kind = match self.height.consensus.step() {
            Step::Propose => return None,
            Step::Prevote => VoteKind::Prevote,
            Step::Precommit => VoteKind::Precommit,
        };
        let round = self.height.consensus.round();
        // A vote from before a restart has no time of its own.
        let cast = self.timing.cast_at(kind).unwrap_or(self.height.started);
        let missing = now.since(cast);
        let patience = self.timing.vote_timeout(self.ctx.params(), kind, round).plus(MARGIN);
        (missing > patience).then(|| (missing, self.height.consensus.voters(round, kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_votes_are_overdue_one_who_has_not_voted_must_have_been_heard_since() {
        let mut voters = SignerSet::empty(4);
        voters.insert(1);
        let overdue =
            Overdue { votes: Some((Millis(800), voters)), height: false, silence_max: SILENCE };
        assert!(overdue.is_any());
        for (index, silent_for, is_online) in
            [(0, 799, true), (0, 801, false), (1, 801, true), (1, 5_000, true), (1, 5_001, false)]
        {
            assert_eq!(overdue.is_online(index, Millis(silent_for)), is_online, "{silent_for} ms");
        }
        let nothing = Overdue { votes: None, height: false, silence_max: Millis(9_000) };
        assert!(!nothing.is_any() && nothing.is_online(0, Millis(9_000)));
    }
}
