//! How long a peer takes to answer, as TCP estimates it (RFC 6298), in whole milliseconds.
use crate::types::Millis;

/// While nothing is measured: above the round trip of two continents.
const UNKNOWN: Millis = Millis(400);
/// Bounds of what is concluded from measurements, so that a loaded machine is not asked twice at once and a peer that
/// answers late on purpose is not waited for.
const LEAST: Millis = Millis(150);
const MOST: Millis = Millis(1_500);

/// The smoothed round trip and its smoothed deviation; none while nothing is measured.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RoundTrip(Option<(u64, u64)>);

impl RoundTrip {
    /// An answer took so long.
    pub(super) fn measured(&mut self, took: Millis) {
        let took = took.0.min(MOST.0);
        self.0 = Some(match self.0 {
            None => (took, took / 2),
            Some((smooth, deviation)) => {
                ((7 * smooth + took) / 8, (3 * deviation + smooth.abs_diff(took)) / 4)
            }
        });
    }

    /// After which time an answer counts as lost.
    pub(super) fn patience(self) -> Millis {
        let needed = |(smooth, deviation): (u64, u64)| {
            Millis(smooth + (smooth / 2).max(4 * deviation)).clamp(LEAST, MOST)
        };
        self.0.map_or(UNKNOWN, needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patience_follows_what_was_measured_within_bounds() {
        for (took, patience) in [(1, 150), (100, 150), (300, 450), (700, 1_050), (60_000, 1_500)] {
            let mut round_trip = RoundTrip::default();
            assert_eq!(round_trip.patience(), UNKNOWN);
            (0..40).for_each(|_| round_trip.measured(Millis(took)));
            assert_eq!(round_trip.patience(), Millis(patience), "{took} ms");
        }
    }

    #[test]
    fn answers_that_scatter_are_waited_for_longer() {
        let mut round_trip = RoundTrip::default();
        (0..40).for_each(|number| round_trip.measured(Millis(200 + 200 * (number % 2))));
        assert!(round_trip.patience() > Millis(600), "{round_trip:?}");
    }
}
