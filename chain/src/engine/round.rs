//! Rounds: what begins with one, and how long its steps may last.
use super::{Engine, Report, Timer, work::Work};
use crate::{
    consensus::{NilReason, RoundReason, Step},
    ledger::LedgerView,
    types::{ConsensusMessage, Height, Millis, Now, Round, VoteKind},
};

impl<V: LedgerView> Engine<V> {
    pub(super) fn on_round_started(&mut self, round: Round, reason: RoundReason) {
        let height = self.height();
        self.height.round_begins();
        self.watch.forget_old_rounds(height, round);
        self.forget_outside_window();
        let proposer = self.ctx.proposer(height, round);
        let why = self.height.round_why(&self.ctx.set, round, reason);
        self.out.report(Report::Round { height, round, why, proposer });
        self.work.push(Work::SeekPolka(None));
        if reason == RoundReason::NewHeight || self.ctx.me.is_none() {
            return;
        }
        if let Some(entry) = self.height.consensus.entry().cloned() {
            self.out.publish(ConsensusMessage::Round(entry));
        }
        if let Some(polka) = self.height.consensus.valid().cloned() {
            self.out.publish(ConsensusMessage::Certificate(polka));
        }
    }

    /// When the proposal of round 0 is due.
    pub(super) fn proposal_due(&self, now: Now) -> Millis {
        let has_transactions = !self.pool.mempool.is_empty();
        self.height.proposal_due(self.ctx.params(), has_transactions, now.mono)
    }

    /// Whether nothing is missing: the height's proposal is not due.
    pub(super) fn is_idle(&self, now: Now) -> bool {
        self.height.awaits_first_proposal() && now.mono < self.proposal_due(now)
    }

    pub(super) fn set_step_timer(&mut self, now: Now, round: Round, step: Step) {
        let is_first = round == Round(0);
        let due = if is_first { self.proposal_due(now) } else { now.mono };
        let params = self.ctx.params();
        let vote = |kind| self.timing.vote_timeout(params, kind, round);
        let (from, span) = match step {
            Step::Propose => (due, self.timing.propose_timeout(params, &self.ctx.set, round)),
            Step::Prevote => (now.mono, vote(VoteKind::Prevote)),
            Step::Precommit => (now.mono, vote(VoteKind::Precommit)),
        };
        if step == Step::Propose && self.height.patience == 0 {
            self.timing.round(due);
        }
        self.out.set_timer(Timer::Step(self.height(), round, step), from.plus(span));
    }

    pub(super) fn on_step_timer(&mut self, now: Now, height: Height, round: Round, step: Step) {
        if height != self.height() {
            return;
        }
        if step == Step::Propose && self.height.has_patience(round) {
            return self.set_step_timer(now, round, Step::Propose);
        }
        if step == Step::Propose && self.look_at_skewed_again(now) {
            return self.set_step_timer(now, round, Step::Propose);
        }
        self.work.tell(crate::consensus::Input::Timeout { round, step });
    }

    /// What a vote of the state machine says about how long the round took so far.
    pub(super) fn note_cast(
        &mut self,
        now: Now,
        kind: VoteKind,
        round: Round,
        nil: Option<NilReason>,
    ) {
        self.timing.cast(kind, now.mono);
        let proposer = self.ctx.proposer(self.height(), round);
        match (kind, nil) {
            (VoteKind::Prevote, Some(NilReason::NoProposal)) => {
                self.timing.missed(proposer, now.mono);
            }
            (VoteKind::Prevote, _) => self.timing.proposed(proposer, now.mono),
            (VoteKind::Precommit, None | Some(NilReason::NilPolka)) => {
                self.timing.quorum(VoteKind::Prevote, now.mono);
            }
            (VoteKind::Precommit, _) => {}
        }
    }

    pub(super) fn report_nil(&mut self, kind: VoteKind, round: Round, nil: Option<NilReason>) {
        if let (Some(reason), true) = (nil, self.ctx.me.is_some()) {
            let (height, why) = (self.height(), self.height.nil_why(&self.ctx.set, round, reason));
            self.out.report(Report::Nil { height, round, kind, why });
        }
    }
}
