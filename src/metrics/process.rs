//! What the system reports about this process. Linux only; elsewhere there are no figures.
use std::fs;

/// Ticks per second in `/proc`: 100 on every Linux since 2.4 (`USER_HZ`).
pub(crate) const TICKS_PER_SECOND: f64 = 100.0;

/// Figures of this process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Process {
    /// Memory in use.
    pub(crate) resident_bytes: u64,
    /// Seconds of processor time, user and system.
    pub(crate) cpu_seconds: f64,
    /// When it began, in seconds since 1970.
    pub(crate) started: f64,
    /// Open files and sockets.
    pub(crate) open_fds: u64,
    /// How many there may be, if there is a limit.
    pub(crate) open_fds_max: Option<u64>,
}

impl Process {
    pub(crate) fn read() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let boot = number(&fs::read_to_string("/proc/stat").ok()?, "btime")?;
        Some(Self {
            resident_bytes: number(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")?
                * 1_024,
            cpu_seconds: cpu_seconds(&stat)?,
            started: f64::from(u32::try_from(boot).ok()?) + started(&stat)?,
            open_fds: fs::read_dir("/proc/self/fd").ok()?.count() as u64,
            open_fds_max: number(&fs::read_to_string("/proc/self/limits").ok()?, "Max open files"),
        })
    }
}

/// The number on the line that begins with a name.
pub(crate) fn number(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Seconds of processor time, user and system, in `/proc/PID/stat`.
pub(crate) fn cpu_seconds(stat: &str) -> Option<f64> {
    // The name before may hold spaces and brackets; user and system time are the 12th and 13th after.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: Vec<u32> =
        fields.split_whitespace().skip(11).take(2).map_while(|text| text.parse().ok()).collect();
    let [user, system] = ticks[..] else { return None };
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

/// When a process began, in seconds since the boot, in `/proc/PID/stat`.
fn started(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: f64 = fields.split_whitespace().nth(19)?.parse().ok()?;
    Some(ticks / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_writes_is_read() {
        let status = "Name:\tVmRSS: 1\nVmHWM:\t   9 kB\nVmRSS:\t     123 kB\n";
        assert_eq!(number(status, "VmRSS:"), Some(123));
        assert_eq!(number(status, "VmHWM:"), Some(9));
        assert_eq!(number(status, "VmSwap:"), None);
        assert_eq!(number("VmRSS:\t many", "VmRSS:"), None);
        let io = "rchar: 1\nwrite_bytes: 4096\ncancelled_write_bytes: 5\n";
        assert_eq!(number(io, "write_bytes:"), Some(4_096));
        let limits = "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n";
        assert_eq!(number(limits, "Max open files"), Some(1_024));
        assert_eq!(number("Max open files  unlimited  unlimited  files", "Max open files"), None);
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 9 0 100";
        assert_eq!(cpu_seconds(stat), Some(4.0));
        assert_eq!(started(stat), Some(1.0));
        assert_eq!(started("7 (a) S 1"), None);
        assert_eq!(cpu_seconds("7 (a) S 1"), None);
        assert_eq!(cpu_seconds("7"), None);
    }
}
