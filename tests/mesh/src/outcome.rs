//! Failures of the test itself, and waiting for what nodes do.
use std::{
    error::Error,
    thread,
    time::{Duration, Instant},
};

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A result of the test's own work.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A failure in words.
pub(crate) fn failed(words: impl Into<String>) -> Box<dyn Error + Send + Sync> {
    words.into().into()
}

/// Looks until it is there, and says how long that took; none after the limit.
pub(crate) fn until<T>(
    limit: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Option<(T, Duration)> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some((found, begun.elapsed()));
        }
        if begun.elapsed() > limit {
            return None;
        }
        thread::sleep(LOOK);
    }
}

/// The same for what the test needs before it begins.
pub(crate) fn need<T>(
    what: &str,
    limit: Duration,
    look: impl FnMut() -> Option<T>,
) -> Outcome<(T, Duration)> {
    until(limit, look).ok_or_else(|| failed(format!("{what}: not within {limit:?}")))
}
