//! Waiting for what is to happen.
use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything may take; far more than it does, for machines under load.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);

/// Looks again until it is there. What is still in the way is told when it takes too long.
pub(crate) fn eventually<T>(what: &str, look: impl FnMut() -> Result<T, String>) -> T {
    within(PATIENCE, what, look)
}

/// The same with another end.
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

/// Watches for a while that something stays as it is.
pub(crate) fn stays(span: Duration, mut holds: impl FnMut()) {
    let begun = Instant::now();
    while begun.elapsed() < span {
        holds();
        thread::sleep(LOOK);
    }
}
