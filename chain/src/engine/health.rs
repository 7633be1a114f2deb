//! What the operator is shown of the others: when each masternode was last heard, and what went wrong
//! lately. Decides nothing.
use super::{Report, context::Context, status::Trouble};
use crate::types::{ConsensusMessage, Millis, Now};
use std::{collections::VecDeque, sync::Arc};

/// Troubles kept.
const TROUBLES_MAX: usize = 32;

/// What was heard and what went wrong.
pub(super) struct Health {
    last_heard: Vec<Option<Millis>>,
    troubles: VecDeque<Trouble>,
}

impl Health {
    pub(super) fn new(members: usize) -> Self {
        Self { last_heard: vec![None; members], troubles: VecDeque::new() }
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

    /// Since a masternode was heard; none where it never was.
    pub(super) fn silent_for(&self, index: u16, now: Millis) -> Option<Millis> {
        let heard = self.last_heard.get(usize::from(index)).copied().flatten();
        heard.map(|heard| now.since(heard))
    }

    /// Keeps what went wrong, for whoever asks why blocks are late.
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
