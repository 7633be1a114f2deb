//! The two clocks of the node, and its timers.
use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use timecoin_chain::{
    engine::Timer,
    types::{Millis, Now, Timestamp},
};

/// Reads the clocks. The monotonic one counts from the node's start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    pub(super) fn new(started: Instant) -> Self {
        Self { started }
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: Millis(millis(self.started.elapsed())), wall: wall() }
    }

    /// Waits until this moment.
    pub(super) async fn until(&self, at: Millis) {
        tokio::time::sleep_until(self.instant(at).into()).await;
    }

    fn instant(&self, at: Millis) -> Instant {
        self.started + Duration::from_millis(at.0)
    }
}

/// The wall clock.
pub(super) fn wall() -> Timestamp {
    // A clock before 1970 gives zero: blocks of others are then too far ahead, which is reported.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(millis(since))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The engine's timers. Setting one again replaces its time; each fires once.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeMap<Timer, Millis>);

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Millis) {
        self.0.insert(timer, at);
    }

    /// Takes a timer that is due, the earliest first.
    pub(super) fn take_due(&mut self, now: Millis) -> Option<Timer> {
        let (timer, at) = self.0.iter().min_by_key(|(_, at)| **at).map(|(t, at)| (*t, *at))?;
        if at > now {
            return None;
        }
        self.0.remove(&timer);
        Some(timer)
    }

    /// Whether a timer has been due for longer than this.
    pub(super) fn is_overdue(&self, now: Millis, grace: Millis) -> bool {
        self.0.values().any(|at| at.plus(grace) <= now)
    }

    /// Waits until this long after the next timer is due; for ever if none is set.
    pub(super) async fn due(&self, clock: &Clock, grace: Millis) {
        match self.0.values().min() {
            Some(&at) => clock.until(at.plus(grace)).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use timecoin_chain::types::Height;

    #[test]
    fn a_timer_set_again_comes_once_at_its_new_time() {
        let mut timers = Timers::default();
        timers.set(Timer::Due(Height(1)), Millis(50));
        timers.set(Timer::Sync, Millis(20));
        timers.set(Timer::Due(Height(1)), Millis(10));
        assert_eq!(timers.take_due(Millis(9)), None);
        assert_eq!(timers.take_due(Millis(30)), Some(Timer::Due(Height(1))));
        assert_eq!(timers.take_due(Millis(30)), Some(Timer::Sync));
        assert_eq!(timers.take_due(Millis(100)), None);
    }
}
