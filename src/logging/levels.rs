//! Counts log lines by level. There is one log in a process, so there is one set of counters.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

static COUNTS: [AtomicU64; 5] = [const { AtomicU64::new(0) }; 5];
const LEVELS: [(Level, &str); 5] = [
    (Level::ERROR, "error"),
    (Level::WARN, "warn"),
    (Level::INFO, "info"),
    (Level::DEBUG, "debug"),
    (Level::TRACE, "trace"),
];

/// Counts every line that the filter lets through.
pub(super) struct CountLevels;

impl<S: Subscriber> Layer<S> for CountLevels {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = event.metadata().level();
        for ((counted, _), count) in LEVELS.iter().zip(&COUNTS) {
            if counted == level {
                count.fetch_add(1, Relaxed);
            }
        }
    }
}

/// Log lines since the start, by the name of their level.
pub(crate) fn counts() -> [(&'static str, u64); 5] {
    std::array::from_fn(|index| (LEVELS[index].1, COUNTS[index].load(Relaxed)))
}
