//! How much memory this process uses, sampled once a second. Linux only; elsewhere it is not known
//! and no limit applies.

use std::{
    fs,
    time::{Duration, Instant},
};

const PERIOD: Duration = Duration::from_secs(1);

/// The limit and the last sample.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Bytes; 0 is no limit.
    pub(crate) limit: u64,
    /// Bytes in use when last looked at.
    pub(crate) resident: u64,
    look_at: Instant,
}

impl Memory {
    pub(crate) fn new(limit: u64, now: Instant) -> Self {
        Memory { limit, resident: 0, look_at: now }
    }

    /// Looks again if it is time to.
    pub(crate) fn sample(&mut self, now: Instant) {
        if self.look_at <= now {
            self.look_at = now + PERIOD;
            let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
            self.resident = resident(&status).unwrap_or(0);
        }
    }

    /// Whether the process uses more than its limit.
    pub(crate) fn is_over(&self) -> bool {
        self.limit > 0 && self.resident > self.limit
    }
}

/// The bytes in `/proc/PID/status`. (`statm` counts pages, whose size it does not say.)
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_compared_with_what_linux_writes() {
        assert_eq!(resident("Name:\tVmRSS: 1\nVmRSS:\t     123 kB\n"), Some(123 * 1024));
        assert_eq!(resident("VmRSS:\t many"), None);
        let now = Instant::now();
        let mut memory = Memory::new(100, now);
        for (resident, limit, expected) in
            [(0, 100, false), (100, 100, false), (101, 100, true), (101, 0, false)]
        {
            (memory.resident, memory.limit) = (resident, limit);
            assert_eq!(memory.is_over(), expected, "{resident} of {limit}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_looked_at_once_a_second() {
        let now = Instant::now();
        let mut memory = Memory::new(1, now);
        memory.sample(now);
        assert!(memory.is_over(), "{memory:?}");
        memory.resident = 0;
        memory.sample(now + PERIOD - Duration::from_millis(1));
        assert_eq!(memory.resident, 0);
        memory.sample(now + PERIOD);
        assert!(memory.resident > 1024 * 1024, "{memory:?}");
    }
}
