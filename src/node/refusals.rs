//! Logs refused peers: the first at once, then at most one line a minute, with the number of the
//! others. A stranger decides how many there are.
use std::time::Instant;
use timecoin_network::{PeerId, Ration};

/// The refusals since the last line.
#[derive(Debug, Default)]
pub(super) struct Refusals(Ration);

impl Refusals {
    /// A peer was refused.
    pub(super) fn note(&mut self, peer: &PeerId, reason: &str) {
        match self.0.take(Instant::now()) {
            None => tracing::debug!(%peer, "peer refused: {reason}"),
            Some(0) => tracing::warn!(%peer, "peer refused: {reason}"),
            Some(others) => {
                tracing::warn!(%peer, others, "peer refused: {reason}; {others} others since the last line");
            }
        }
    }
}
