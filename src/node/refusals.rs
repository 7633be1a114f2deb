//! Logs refused peers: the first at once, then one line a minute at most, with the number of the
//! others. A stranger decides how many there are.
use std::time::{Duration, Instant};
use timecoin_network::PeerId;

const PERIOD: Duration = Duration::from_secs(60);

/// The refusals since the last line.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    told_at: Option<Instant>,
    untold: u64,
}

impl Refusals {
    /// A peer was refused.
    pub(super) fn note(&mut self, peer: &PeerId, reason: &str) {
        match self.take(Instant::now()) {
            None => tracing::debug!(%peer, "peer refused: {reason}"),
            Some(0) => tracing::warn!(%peer, "peer refused: {reason}"),
            Some(others) => {
                tracing::warn!(%peer, others, "peer refused: {reason}; {others} others since the last line");
            }
        }
    }

    /// The number of others that the line names; none if there is no line now.
    fn take(&mut self, now: Instant) -> Option<u64> {
        if self.told_at.is_some_and(|at| now.saturating_duration_since(at) < PERIOD) {
            self.untold += 1;
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_counts_the_others() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.take(start), Some(0));
        let lines = (1..60).filter_map(|second| refusals.take(start + Duration::from_secs(second)));
        assert_eq!(lines.count(), 0);
        assert_eq!(refusals.take(start + PERIOD), Some(59));
        assert_eq!(refusals.take(start + 2 * PERIOD), Some(0));
    }
}
