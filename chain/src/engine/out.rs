//! The effects of the input being handled, in order.
//!
//! Invariant: nothing follows a stop. What a room wants after it is dropped.
use super::{Effect, Peer, Report, Request, StopKind, Timer};
use crate::types::{ConsensusMessage, Millis};
use std::fmt::Display;

/// Effects, and the reason of a stop.
#[derive(Debug, Default)]
pub(super) struct Out {
    effects: Vec<Effect>,
    stopped: Option<String>,
}

impl Out {
    pub(super) fn push(&mut self, effect: Effect) {
        if self.stopped.is_none() {
            self.effects.push(effect);
        }
    }

    /// Gossips a message for the first time.
    pub(super) fn publish(&mut self, message: ConsensusMessage) {
        self.repeat(message, 0);
    }

    /// Gossips a message again.
    pub(super) fn repeat(&mut self, message: ConsensusMessage, attempt: u8) {
        self.push(Effect::Publish { message, attempt });
    }

    pub(super) fn request(&mut self, to: Peer, request: Request) {
        self.push(Effect::Request { to, request });
    }

    pub(super) fn report(&mut self, report: Report) {
        self.push(Effect::Report(report));
    }

    pub(super) fn set_timer(&mut self, timer: Timer, at: Millis) {
        self.push(Effect::SetTimer { timer, at });
    }

    /// Stops the node for good: something contradicts itself.
    pub(super) fn stop_on_contradiction(&mut self, reason: String) {
        self.stop(StopKind::Contradiction, reason);
    }

    /// Stops the node for good.
    pub(super) fn stop(&mut self, kind: StopKind, reason: String) {
        self.push(Effect::Stop { kind, reason: reason.clone() });
        self.stopped.get_or_insert(reason);
    }

    /// The value; an error of the node's own data stops it.
    pub(super) fn or_stop<T, E: Display>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.stop_on_contradiction(error.to_string())).ok()
    }

    /// Why the node stopped, if it did.
    pub(super) fn stopped(&self) -> Option<&String> {
        self.stopped.as_ref()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// What was reported during this input.
    pub(super) fn reports(&self) -> impl Iterator<Item = &Report> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Report(report) => Some(report),
            _ => None,
        })
    }

    /// The effects of this input.
    pub(super) fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}
