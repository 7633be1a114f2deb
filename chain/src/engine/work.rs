//! What is left to do about an input: one queue, drained by [`Engine::handle`](super::Engine::handle).
//!
//! Depth first: what a piece of work leads to is done before what was waiting. So the state machine
//! hears nothing new before everything it wants is carried out, and the record that is signed with is
//! the one of the moment at which the vote was wanted.
use super::safety::OwedVote;
use crate::{
    consensus::{self, Output},
    inbound::Action,
    types::{ConsensusMessage, Proposal, VoteKind},
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
