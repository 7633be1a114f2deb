//! Drains the queue of work: which handler does each piece.
//!
//! Handlers push work and return; none of them drains the queue.
use super::{Engine, safety::OwedVote, work::Work};
use crate::{
    consensus::Output,
    ledger::LedgerView,
    types::{Now, Round},
};

impl<V: LedgerView> Engine<V> {
    /// Does everything that is left to do about an input, has the blocks executed that are worth it, then
    /// begins the next height if this one is decided.
    pub(super) fn drain(&mut self, now: Now) {
        while !self.out.is_stopped() {
            match self.work.take_next() {
                Some((work, rest)) => {
                    self.carry_out(now, work);
                    self.work.put_back(rest);
                }
                None => {
                    self.height.execute_backed(&self.tip, &self.pool, &mut self.out);
                    if !self.advance(now) {
                        return;
                    }
                }
            }
        }
    }

    fn carry_out(&mut self, now: Now, work: Work) {
        match work {
            Work::Tell(input) => {
                let outputs = self.height.consensus.handle(input);
                self.work.extend(outputs.into_iter().map(Work::Want));
            }
            Work::Want(output) => self.want(now, output),
            Work::Passed(action) => self.on_passed(now, action),
            Work::Message(from, message) => self.apply_message(from, message),
            Work::Proposal(from, proposal) => self.on_proposal(now, from, *proposal),
            Work::Propose => self.try_propose(now),
            Work::Cast(vote) => self.cast(vote),
            Work::Recount(kind) => self.recount_own_vote(kind),
            Work::RecoverDecision => self.recover_decision(),
            Work::ScheduleRepeat => self.schedule_repeat(now),
            Work::Proof => self.apply_proof(),
            Work::AdvanceSync => self.advance_sync(now),
            Work::SeekPolka(from) => self.seek_polka(from),
        }
    }

    /// Carries out what the state machine wants.
    fn want(&mut self, now: Now, output: Output) {
        match output {
            Output::RoundStarted { round, reason } => self.on_round_started(round, reason),
            Output::Propose { round, .. } => self.on_propose(now, round),
            Output::Cast { kind, round, block, valid_round, nil } => {
                self.report_nil(kind, round, nil);
                self.note_cast(now, kind, round, nil);
                self.cast(OwedVote { kind, round, block, valid_round });
            }
            Output::SetTimer { round, step } => self.set_step_timer(now, round, step),
            // In round 0 everyone has the votes; later, somebody may have missed them.
            Output::Locked(polka) if polka.round > Round(0) => self.publish_certificate(polka),
            Output::Locked(_) => {}
            Output::Decide(certificate) => self.on_decided(now, certificate),
        }
    }
}
