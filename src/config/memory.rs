//! How much memory the system gives this process. Linux only; elsewhere it is not known.
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The part of it that the process may use before strangers are refused.
const SHARE_PERCENT: u64 = 80;

/// The default limit in bytes; 0, which is no limit, if the system does not tell.
pub(super) fn default_limit() -> u64 {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| total(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let group = limit_files(&groups).iter().filter_map(|file| limit(&read(file)?)).min();
    let given = [machine, group].into_iter().flatten().min();
    given.map_or(0, |bytes| bytes / 100 * SHARE_PERCENT)
}

/// Bytes of the machine's memory in `/proc/meminfo`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// Where the limits of the control groups in `/proc/self/cgroup` are: of the process's own group and
/// of each around it. In a container the innermost that exists may be the root.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
        let (root, file) = match controllers.split(',').any(|name| name == "memory") {
            true => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            false if controllers.is_empty() => ("/sys/fs/cgroup", "memory.max"),
            false => continue,
        };
        let around = Path::new(group.trim_start_matches('/')).ancestors();
        files.extend(around.map(|group| Path::new(root).join(group).join(file)));
    }
    files
}

/// The limit in such a file; none for `max`.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_writes_is_read() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2048 * 1024));
        assert_eq!(total("MemTotal: all kB"), None);
        assert_eq!((limit("max\n"), limit("4096\n")), (None, Some(4_096)));
        let files =
            limit_files("12:cpu,cpuacct:/a\n4:memory:/docker\n0::/system.slice/timecoin.service\n");
        let expected = [
            "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/system.slice/timecoin.service/memory.max",
            "/sys/fs/cgroup/system.slice/memory.max",
            "/sys/fs/cgroup/memory.max",
        ];
        assert_eq!(files, expected.map(PathBuf::from));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_default_is_less_than_the_machine_has() {
        let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
        let (limit, machine) = (default_limit(), machine.unwrap_or_default());
        assert!(limit > 0 && limit <= machine / 100 * SHARE_PERCENT, "{limit} of {machine}");
    }
}
