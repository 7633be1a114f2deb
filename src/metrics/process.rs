//! What the system says about this process. Only Linux tells it this way; elsewhere there is nothing.
use std::fs;

/// Ticks of a second in `/proc`: 100 on every Linux since 2.4 (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Figures of this process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Process {
    /// Memory in use.
    pub(super) resident_bytes: u64,
    /// Seconds of processor time, user and system.
    pub(super) cpu_seconds: f64,
    /// Open files and sockets.
    pub(super) open_fds: u64,
}

impl Process {
    pub(super) fn read() -> Option<Self> {
        Some(Self {
            resident_bytes: resident_bytes(&fs::read_to_string("/proc/self/status").ok()?)?,
            cpu_seconds: cpu_seconds(&fs::read_to_string("/proc/self/stat").ok()?)?,
            open_fds: fs::read_dir("/proc/self/fd").ok()?.count() as u64,
        })
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    // The name before may hold spaces and brackets; user and system time are the 12th and 13th after.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: Vec<u32> =
        fields.split_whitespace().skip(11).take(2).map_while(|text| text.parse().ok()).collect();
    let [user, system] = ticks[..] else { return None };
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_writes_is_read() {
        assert_eq!(resident_bytes("VmPeak:\t  9 kB\nVmRSS:\t     123 kB\n"), Some(123 * 1024));
        assert_eq!(resident_bytes("VmRSS:\t many"), None);
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 9 0 100";
        assert_eq!(cpu_seconds(stat), Some(4.0));
        assert_eq!(cpu_seconds("7 (a) S 1"), None);
    }
}
