//! The effects of the input being handled, in order.
//!
//! Invariant: nothing follows a stop. What a room wants after it is dropped.
use super::{Effect, HaltKind, Peer, Report, Request, Timer};
use crate::types::{ConsensusMessage, Millis};
use std::fmt::Display;

/// Effects, and the reason of a stop.
#[derive(Debug, Default)]
pub(super) struct Out {
    effects: Vec<Effect>,
    halted: Option<String>,
}

impl Out {
    pub(super) fn push(&mut self, effect: Effect) {
        if self.halted.is_none() {
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
    pub(super) fn halt(&mut self, reason: String) {
        self.stop(HaltKind::Contradiction, reason);
    }

    /// Stops the node for good.
    pub(super) fn stop(&mut self, kind: HaltKind, reason: String) {
        self.push(Effect::Halt { kind, reason: reason.clone() });
        self.halted.get_or_insert(reason);
    }

    /// The value; an error of the node's own data stops it.
    pub(super) fn or_halt<T, E: Display>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.halt(error.to_string())).ok()
    }

    /// Why the node stopped, if it did.
    pub(super) fn halted(&self) -> Option<&String> {
        self.halted.as_ref()
    }

    pub(super) fn is_halted(&self) -> bool {
        self.halted.is_some()
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
