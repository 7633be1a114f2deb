//! Rations warnings that strangers can cause: one line a minute, with the number of the others.
//!
//! Never logs: it says whether to.

use std::time::{Duration, Instant};

/// The warnings that strangers can cause.
#[derive(Debug, Default)]
pub(crate) struct Rations {
    pub(crate) lag: Ration,
    pub(crate) listen: Ration,
    pub(crate) memory: Ration,
}

/// Lets through one line a minute and counts the others.
#[derive(Debug, Default)]
pub struct Ration {
    told_at: Option<Instant>,
    untold: u64,
}

impl Ration {
    const PERIOD: Duration = Duration::from_secs(60);

    /// The number of lines that were suppressed since the last one; none if this one is suppressed too.
    pub fn take(&mut self, now: Instant) -> Option<u64> {
        if self.told_at.is_some_and(|at| now.saturating_duration_since(at) < Self::PERIOD) {
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
        let (mut ration, start) = (Ration::default(), Instant::now());
        assert_eq!(ration.take(start), Some(0));
        let lines = (1..60).filter_map(|second| ration.take(start + Duration::from_secs(second)));
        assert_eq!(lines.count(), 0);
        assert_eq!(ration.take(start + Ration::PERIOD), Some(59));
        assert_eq!(ration.take(start + 2 * Ration::PERIOD), Some(0));
    }
}
