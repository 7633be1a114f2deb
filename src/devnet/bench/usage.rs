//! What Linux reports about processes and the machine in `/proc`.
use super::BenchError;
use crate::metrics::process::{TICKS_PER_SECOND, cpu_seconds, number};
use std::fs;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Usage {
    /// Seconds of processor time, user and system.
    pub(super) cpu_seconds: f64,
    /// Memory in use.
    pub(super) resident_bytes: u64,
    /// Peak memory.
    pub(super) resident_max_bytes: u64,
    /// Bytes written to the disk.
    pub(super) written_bytes: u64,
}

impl Usage {
    pub(super) fn of(pid: u32) -> Result<Self, BenchError> {
        read(pid).ok_or(BenchError::Usage { pid })
    }
}

fn read(pid: u32) -> Option<Usage> {
    let text = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).ok();
    let status = text("status")?;
    Some(Usage {
        cpu_seconds: cpu_seconds(&text("stat")?)?,
        resident_bytes: number(&status, "VmRSS:")? * 1_024,
        resident_max_bytes: number(&status, "VmHWM:")? * 1_024,
        written_bytes: number(&text("io")?, "write_bytes:")?,
    })
}

/// Seconds of processor time that all processes of the machine have used.
pub(super) fn machine_cpu_seconds() -> f64 {
    fs::read_to_string("/proc/stat").ok().and_then(|text| busy_seconds(&text)).unwrap_or(0.0)
}

fn busy_seconds(stat: &str) -> Option<f64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<f64> = line.split_whitespace().map_while(|text| text.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq
    let [user, nice, system, _, _, irq, softirq, ..] = ticks[..] else { return None };
    Some((user + nice + system + irq + softirq) / TICKS_PER_SECOND)
}

/// How many processes wanted to run in the last minute, on average.
pub(super) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_not_work() {
        assert_eq!(busy_seconds("cpu  100 20 30 4000 500 6 4 0 0 0\ncpu0 1"), Some(1.6));
        assert_eq!(busy_seconds("cpu0 1 2 3 4 5 6 7"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let usage = Usage::of(std::process::id());
        assert!(usage.is_ok_and(|usage| usage.resident_bytes > 0));
        assert!(matches!(Usage::of(u32::MAX), Err(BenchError::Usage { pid: u32::MAX })));
    }
}
