//! What waits while a node handles nothing.
use crate::schedule::Event;
use std::collections::VecDeque;
use timecoin_chain::engine::Effect;

/// Why a node handles nothing, and what waits.
#[derive(Default)]
pub struct Stall {
    /// The effects after a record that is not durable yet.
    pub(crate) persisting: Option<VecDeque<Effect>>,
    /// Whether that record became durable while the node was paused.
    pub(crate) is_durable: bool,
    /// Since when it is paused, and whether its monotonic clock stands still.
    pub(crate) paused: Option<(u64, bool)>,
    /// Events that came meanwhile, in order.
    pub(crate) waiting: VecDeque<Event>,
}

impl Stall {
    /// Whether a record is being written.
    pub fn is_persisting(&self) -> bool {
        self.persisting.is_some() && !self.is_durable
    }

    /// Whether the node is suspended.
    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Whether anything keeps the node from handling events.
    pub fn is_on(&self) -> bool {
        self.persisting.is_some() || self.paused.is_some()
    }
}
