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
    /// How far this clock was ahead of the last proposal of each masternode when it came, in
    /// milliseconds; below zero it was behind.
    ahead_of: Vec<Option<i64>>,
    clock_reported: Option<Millis>,
    troubles: VecDeque<Trouble>,
}

impl Health {
    pub(super) fn new(members: usize) -> Self {
        Self {
            last_heard: vec![None; members],
            ahead_of: vec![None; members],
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
        *self.ahead_of.get_mut(usize::from(proposer))? = ahead(now.wall, timestamp);
        let by = self.ahead_of.iter().map(|ahead| u64::try_from((*ahead)?).ok().map(Millis));
        let apart =
            (0..).zip(by).filter_map(|(index, by)| Some((index, by.filter(|by| *by > allowed)?)));
        let (masternodes, by): (Vec<u16>, Vec<Millis>) = apart.unzip();
        let by = by.into_iter().min()?;
        let is_due = self.clock_reported.is_none_or(|last| now.mono.since(last) >= CLOCK_PERIOD);
        if !is_due || !ctx.set.is_honest_part(ctx.set.weight_of(masternodes.iter().copied())) {
            return None;
        }
        self.clock_reported = Some(now.mono);
        Some(Report::ClockAhead { by, masternodes })
    }

    /// How far this clock is ahead of the others' in milliseconds, the median by weight; below zero it is
    /// behind. None until a proposal of another came.
    pub(super) fn clock_ahead_ms(&self, ctx: &Context) -> Option<i64> {
        let others = (0..).zip(&self.ahead_of).filter(|(index, _)| Some(*index) != ctx.me);
        let mut known: Vec<(i64, u64)> = others
            .filter_map(|(index, ahead)| Some(((*ahead)?, ctx.set.get(index)?.weight)))
            .collect();
        known.sort_unstable();
        let half = known.iter().map(|(_, weight)| weight).sum::<u64>().div_ceil(2);
        let mut weight = 0;
        let median = known.into_iter().find(|(_, each)| {
            weight += each;
            weight >= half
        });
        median.map(|(ahead, _)| ahead)
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

/// How far a clock is ahead of a timestamp, in milliseconds.
fn ahead(clock: Timestamp, timestamp: Timestamp) -> Option<i64> {
    i64::try_from(i128::from(clock.0) - i128::from(timestamp.0)).ok()
}
