//! Messages of earlier heights, sent again by somebody who kept them.
use crate::{
    rng::Rng,
    wire::{Gossip, Payload},
};
use std::rc::Rc;
use timecoin_chain::types::Height;

/// How many are kept.
const KEPT_MAX: usize = 256;
/// One in this many messages is kept, so that the kept ones reach back many heights.
const KEPT_OF: u64 = 5;

/// What somebody kept.
#[derive(Debug, Default)]
pub struct Past {
    seen: u64,
    kept: Vec<(Height, Rc<Gossip>)>,
}

impl Past {
    /// A message is gossiped.
    pub fn see(&mut self, gossip: &Rc<Gossip>) {
        let Payload::Consensus(message) = &gossip.payload else { return };
        self.seen += 1;
        if !self.seen.is_multiple_of(KEPT_OF) {
            return;
        }
        let entry = (message.height(), gossip.clone());
        let place = usize::try_from(self.seen / KEPT_OF).unwrap_or(0) % KEPT_MAX;
        match self.kept.get_mut(place) {
            Some(kept) => *kept = entry,
            None => self.kept.push(entry),
        }
    }

    /// Any message of a height before this one.
    pub fn draw(&self, rng: &mut Rng, before: Height) -> Option<Rc<Gossip>> {
        let (height, gossip) = self.kept.get(rng.index(self.kept.len().max(1)))?;
        (*height < before).then(|| gossip.clone())
    }
}
