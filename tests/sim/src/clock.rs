//! The clocks of one node: a monotonic one that may run fast or slow, and a wall clock that may also be
//! off, jump either way or stand still.
//!
//! Safety must hold whatever the wall clocks show. Progress must hold as long as more than two
//! thirds of the weight have clocks within `clock_drift_max` of each other and of the chain's last
//! timestamp. Clocks are corrected when everything heals; then every node makes progress, even if
//! the chain's time is far ahead of the clocks.
//!
//! Invariant: between two starts the monotonic clock never goes back.
use crate::setup::GENESIS_MS;
use timecoin_chain::types::{Millis, Now, Timestamp};

/// One second of virtual time, which is counted in microseconds.
pub const SECOND: u64 = 1_000_000;
const MILLION: i64 = 1_000_000;

/// The clocks of one node.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// The initial offset of the wall clock, in milliseconds.
    pub offset_ms: i64,
    /// The drift of both clocks, in millionths.
    pub drift_ppm: i64,
    /// The sum of the wall clock's jumps, in milliseconds.
    pub step_ms: i64,
    /// What the wall clock shows while it stands still.
    pub frozen: Option<Timestamp>,
    started: u64,
    mono_offset: u64,
    stood: u64,
    wall_drifts: bool,
}

impl Clock {
    /// Clocks with this offset and drift.
    pub fn new(offset_ms: i64, drift_ppm: i64) -> Self {
        Self { offset_ms, drift_ppm, wall_drifts: true, ..Self::default() }
    }

    /// The machine starts: its monotonic clock begins at an arbitrary value.
    pub fn start(&mut self, now: u64, mono_offset: u64) {
        (self.started, self.mono_offset, self.stood) = (now, mono_offset, 0);
    }

    /// The monotonic clock stood still for a while, as that of a suspended machine does.
    pub fn stood(&mut self, span: u64) {
        self.stood += span;
    }

    /// Corrects the wall clock.
    pub fn set(&mut self) {
        (self.step_ms, self.frozen) = (0, None);
    }

    /// Corrects the wall clock and keeps it correct.
    pub fn heal(&mut self) {
        (self.step_ms, self.frozen, self.wall_drifts) = (0, None, false);
    }

    /// What the clocks show.
    pub fn now(&self, now: u64) -> Now {
        Now { mono: self.mono(now), wall: self.wall(now) }
    }

    /// What the wall clock shows.
    pub fn wall(&self, now: u64) -> Timestamp {
        let elapsed = if self.wall_drifts { drifted(now, self.drift_ppm) } else { now };
        let off = self.offset_ms + self.step_ms;
        let shown = || Timestamp((GENESIS_MS + elapsed / 1_000).saturating_add_signed(off));
        self.frozen.unwrap_or_else(shown)
    }

    /// What the monotonic clock shows.
    pub fn mono(&self, now: u64) -> Millis {
        let ran = now.saturating_sub(self.started + self.stood);
        Millis(drifted(ran, self.drift_ppm) / 1_000 + self.mono_offset)
    }

    /// When the monotonic clock shows this; now, if that time has passed.
    pub fn moment(&self, now: u64, at: Millis) -> u64 {
        let shown = u128::from(at.0.saturating_sub(self.mono_offset)) * 1_000;
        let rate = u128::from((MILLION + self.drift_ppm).unsigned_abs());
        let ran = (shown * u128::from(MILLION.unsigned_abs())).div_ceil(rate);
        let ran = u64::try_from(ran).unwrap_or(u64::MAX);
        (self.started + self.stood).saturating_add(ran).max(now)
    }
}

fn drifted(span: u64, ppm: i64) -> u64 {
    let rate = u128::from((MILLION + ppm).unsigned_abs());
    let shown = u128::from(span) * rate / u128::from(MILLION.unsigned_abs());
    u64::try_from(shown).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_first_at_which_the_clock_shows_it() {
        for ppm in [-1_000, -1, 0, 7, 1_000] {
            let mut clock = Clock::new(0, ppm);
            clock.start(5_000_000, 1_234);
            clock.stood(250_000);
            for at in [1_234, 1_235, 2_000, 999_999].map(Millis) {
                let moment = clock.moment(0, at);
                assert!(clock.mono(moment) >= at, "{ppm} {at:?}");
                assert!(moment == 5_250_000 || clock.mono(moment - 1) < at, "{ppm} {at:?}");
            }
        }
    }

    #[test]
    fn a_clock_that_stands_still_shows_the_same_until_it_is_set_right() {
        let mut clock = Clock::new(-300, 0);
        clock.step_ms = 3_600_000;
        clock.frozen = Some(clock.wall(1_000_000));
        assert_eq!(clock.wall(9_000_000), Timestamp(GENESIS_MS + 1_000 - 300 + 3_600_000));
        clock.heal();
        assert_eq!(clock.wall(9_000_000), Timestamp(GENESIS_MS + 9_000 - 300));
    }
}
