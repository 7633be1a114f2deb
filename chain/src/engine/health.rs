//! What the operator is shown of the others: when each masternode was last heard, and what went wrong
//! lately. Decides nothing.
use super::{Report, context::Context};
use crate::types::{ConsensusMessage, Millis, Now, Timestamp};
use std::{collections::VecDeque, sync::Arc};

/// Troubles kept.
const TROUBLES_MAX: usize = 32;
/// A clock that is ahead is reported once in this time.
const CLOCK_PERIOD: Millis = Millis(60_000);

/// Something that delayed a recent block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// When, by this node's clock.
    pub at: Timestamp,
    /// What.
    pub report: Arc<Report>,
}

/// What was heard and what went wrong.
pub(super) struct Health {
    last_heard: Vec<Option<Millis>>,
    /// How far this clock was ahead of the last proposal of each masternode when it came.
    ahead_of: Vec<Millis>,
    clock_reported: Option<Millis>,
    troubles: VecDeque<Trouble>,
}

impl Health {
    pub(super) fn new(members: usize) -> Self {
        Self {
            last_heard: vec![None; members],
            ahead_of: vec![Millis::default(); members],
            clock_reported: None,
            troubles: VecDeque::new(),
        }
    }

    /// A verified message shows that its signer is there.
    pub(super) fn heard(&mut self, ctx: &Context, now: Millis, message: &ConsensusMessage) {
        let signer = match message {
            ConsensusMessage::Vote(vote) => vote.signer,
            ConsensusMessage::Proposal(proposal) => ctx.proposer(proposal.height(), proposal.round),
            ConsensusMessage::Certificate(_)
            | ConsensusMessage::Round(_)
            | ConsensusMessage::Evidence(_) => return,
        };
        if let Some(slot) = self.last_heard.get_mut(usize::from(signer)) {
            *slot = Some(now);
        }
    }

    /// A new proposal came. Returns a report where this clock is ahead of those of more than a third of the weight by more
    /// than is allowed: they refuse what this node proposes, and it cannot see that.
    pub(super) fn clock_compared(
        &mut self,
        ctx: &Context,
        now: Now,
        proposer: u16,
        timestamp: Timestamp,
    ) -> Option<Report> {
        let allowed = ctx.params().clock_drift_max;
        *self.ahead_of.get_mut(usize::from(proposer))? =
            Millis(now.wall.0.saturating_sub(timestamp.0));
        let apart = (0..).zip(&self.ahead_of).filter(|(_, by)| **by > allowed);
        let masternodes: Vec<u16> = apart.clone().map(|(index, _)| index).collect();
        let by = *apart.map(|(_, by)| by).min()?;
        let is_due = self.clock_reported.is_none_or(|last| now.mono.since(last) >= CLOCK_PERIOD);
        if !is_due || !ctx.set.is_honest_part(ctx.set.weight_of(masternodes.iter().copied())) {
            return None;
        }
        self.clock_reported = Some(now.mono);
        Some(Report::ClockAhead { by, masternodes })
    }

    /// Since a masternode was heard; none where it never was.
    pub(super) fn silent_for(&self, index: u16, now: Millis) -> Option<Millis> {
        let heard = self.last_heard.get(usize::from(index)).copied().flatten();
        heard.map(|heard| now.since(heard))
    }

    /// Keeps what went wrong: the status says why blocks are late.
    pub(super) fn note_troubles<'a>(
        &mut self,
        now: Now,
        reports: impl Iterator<Item = &'a Report>,
    ) {
        let troubles = reports.filter(|report| report.is_trouble());
        let at = now.wall;
        self.troubles
            .extend(troubles.map(|report| Trouble { at, report: Arc::new(report.clone()) }));
        let surplus = self.troubles.len().saturating_sub(TROUBLES_MAX);
        self.troubles.drain(..surplus);
    }

    /// The last ones, in order.
    pub(super) fn troubles(&self) -> impl Iterator<Item = &Trouble> {
        self.troubles.iter()
    }
}
