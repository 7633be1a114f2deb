//! Waits for conditions.
use std::{
    thread,
    time::{Duration, Instant},
};

/// The default time limit, generous for machines under load.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// The polling interval.
const LOOK: Duration = Duration::from_millis(25);

/// Polls until the condition holds. On timeout, panics with what is still missing.
pub(crate) fn eventually<T>(what: &str, look: impl FnMut() -> Result<T, String>) -> T {
    within(PATIENCE, what, look)
}

/// The same with another time limit.
pub(crate) fn within<T>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<T, String>,
) -> T {
    let begun = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(missing) if begun.elapsed() > patience => {
                panic!("{what}: not within {patience:?}: {missing}")
            }
            Err(_) => thread::sleep(LOOK),
        }
    }
}

/// Asserts for a while that something does not change.
pub(crate) fn stays(span: Duration, mut holds: impl FnMut()) {
    let begun = Instant::now();
    while begun.elapsed() < span {
        holds();
        thread::sleep(LOOK);
    }
}
