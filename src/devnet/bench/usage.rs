//! What Linux says about processes and the machine in `/proc`.
use super::BenchError;
use std::fs;

/// Ticks of a second in `/proc`: 100 on every Linux since 2.4 (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Usage {
    /// Seconds of processor time, user and system.
    pub(super) cpu_seconds: f64,
    /// Memory in use.
    pub(super) resident_bytes: u64,
    /// The most there was.
    pub(super) resident_max_bytes: u64,
    /// Bytes sent towards the disk.
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

fn cpu_seconds(stat: &str) -> Option<f64> {
    // The name before may hold spaces and brackets; user and system time are the 12th and 13th after.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

/// The number on the line that begins with a name.
fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
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
    fn what_linux_writes_is_read() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 9 0 100";
        assert_eq!(cpu_seconds(stat), Some(4.0));
        assert_eq!(cpu_seconds("7 (a) S 1"), None);
        assert_eq!(cpu_seconds("7"), None);
        let status = "Name:\tVmRSS: 1\nVmHWM:\t   9 kB\nVmRSS:\t     123 kB\n";
        assert_eq!(number(status, "VmRSS:"), Some(123));
        assert_eq!(number(status, "VmHWM:"), Some(9));
        assert_eq!(number(status, "VmSwap:"), None);
        let io = "rchar: 1\nwrite_bytes: 4096\ncancelled_write_bytes: 5\n";
        assert_eq!(number(io, "write_bytes:"), Some(4_096));
        assert_eq!(number("VmRSS:\t many", "VmRSS:"), None);
    }

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
