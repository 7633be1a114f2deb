//! What is left to do about an input: one queue, drained by [`Engine::handle`].
//!
//! Depth first: what a piece of work leads to is done before what was waiting. So the state machine
//! hears nothing new before everything it wants is carried out, and the record that is signed with is
//! the one of the moment at which the vote was wanted.
//!
//! Handlers push work and return; none of them drains the queue.
use super::{Engine, voting::OwedVote};
use crate::{
    consensus::{self, Output},
    inbound::Action,
    ledger::LedgerView,
    types::{ConsensusMessage, Now, Proposal, Round, VoteKind},
    wire::Peer,
};
use std::collections::VecDeque;

/// One piece of work.
#[derive(Debug)]
pub(super) enum Work {
    /// The state machine hears something.
    Tell(consensus::Input),
    /// The state machine wants something.
    Want(Output),
    /// Something came through the door.
    Passed(Action),
    /// A verified message of the height being decided.
    Message(Option<Peer>, ConsensusMessage),
    /// A proposal, after the state machine has heard its polka.
    Proposal(Option<Peer>, Box<Proposal>),
    /// The owed proposal is made if it is due.
    Propose,
    /// A vote that waited is cast.
    Cast(OwedVote),
    /// The vote of this kind in the record counts again after a restart.
    Recount(VoteKind),
    /// A parent that was decided but not durable before a restart is decided again.
    RecoverDecision,
    /// The first repetition of own messages is scheduled.
    ScheduleRepeat,
    /// A certificate that proved this height before it began.
    Proof,
    /// Blocks proven final are applied, missing ones asked for.
    AdvanceSync,
    /// The block of a past polka is asked for if it is not here: of this peer, which showed the polka, if any.
    SeekPolka(Option<Peer>),
}

/// Work, in order.
#[derive(Debug, Default)]
pub(super) struct Queue(VecDeque<Work>);

impl Queue {
    pub(super) fn push(&mut self, work: Work) {
        self.0.push_back(work);
    }

    /// The state machine hears this next.
    pub(super) fn tell(&mut self, input: consensus::Input) {
        self.push(Work::Tell(input));
    }

    pub(super) fn extend(&mut self, work: impl IntoIterator<Item = Work>) {
        self.0.extend(work);
    }

    /// The next piece of work, and the rest: see [`Queue::put_back`].
    pub(super) fn take_next(&mut self) -> Option<(Work, Self)> {
        let mut rest = std::mem::take(self);
        let next = rest.0.pop_front()?;
        Some((next, rest))
    }

    /// The rest waits behind what was pushed since [`Queue::take_next`].
    pub(super) fn put_back(&mut self, mut rest: Self) {
        match self.0.is_empty() {
            true => *self = rest,
            false => self.0.append(&mut rest.0),
        }
    }
}

impl<V: LedgerView> Engine<V> {
    /// Does everything that is left to do about an input, has the blocks executed that are worth it, then
    /// begins the next height if this one is decided.
    pub(super) fn drain(&mut self, now: Now) {
        while !self.out.is_halted() {
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
