//! The processes of a local network.
//!
//! Invariant: no signal goes to a process whose command line does not name the node's own
//! configuration file. The system reuses process ids.
use super::{
    layout::Layout,
    state::{NodeEntry, TestnetState},
};
use crate::terminal::{CliError, Exit};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, OpenOptions},
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long the system may take to show the command line of a new process.
const COMMAND_LINE_WITHIN: Duration = Duration::from_secs(5);

/// Whether the node's process runs.
pub(crate) fn is_running(layout: &Layout, node: &NodeEntry) -> bool {
    node.pid.is_some_and(|pid| is_node(pid, &layout.config(&node.name)))
}

/// Starts a node in a process group of its own, so that it outlives this program and its Ctrl-C.
/// Its process id is in the state when this returns.
pub(crate) fn start(
    layout: &Layout,
    state: &mut TestnetState,
    name: &str,
) -> Result<Child, CliError> {
    let failed = |what: &dyn std::fmt::Display| {
        CliError::new(Exit::Failure, format!("{name} did not start: {what}"))
    };
    let config = absolute(&layout.config(name)).map_err(|error| failed(&error))?;
    let log = OpenOptions::new().create(true).append(true).open(layout.log(name));
    let log = log.map_err(|error| failed(&error))?;
    let errors = log.try_clone().map_err(|error| failed(&error))?;
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let mut command = Command::new(program);
    command.args(["start".as_ref(), "--config".as_ref(), config.as_os_str()]);
    // This shell's settings are for other nodes.
    let own = std::env::vars_os().map(|(key, _)| key);
    for key in own.filter(|key| key.as_bytes().starts_with(b"TIMECOIN_")) {
        command.env_remove(key);
    }
    command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
    let mut child = command.spawn().map_err(|error| failed(&error))?;
    wait_for_command_line(&mut child, &config);
    state.named(name)?.pid = Some(child.id());
    state.save(layout)?;
    Ok(child)
}

/// Sends a signal. Whether there was a process to receive it.
pub(crate) fn signal(layout: &Layout, node: &NodeEntry, signal: Signal) -> Result<bool, CliError> {
    let Some(pid) = node.pid.filter(|_| is_running(layout, node)) else { return Ok(false) };
    let number = i32::try_from(pid)
        .map_err(|error| CliError::new(Exit::Failure, format!("process {pid}: {error}")))?;
    match kill(Pid::from_raw(number), signal) {
        Ok(()) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(error) => Err(CliError::new(Exit::Failure, format!("{}: {error}", node.name))
            .why(format!("process {pid} did not take {signal}"))
            .next(format!("ps -fp {pid}"))),
    }
}

/// The last lines of a node's log, or only the error if the log ends with one.
pub(crate) fn log_tail(layout: &Layout, name: &str, lines: usize) -> String {
    const TAIL_BYTES: usize = 16 * 1024;
    let bytes = fs::read(layout.log(name)).unwrap_or_default();
    let tail = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
    let text = String::from_utf8_lossy(tail);
    let all: Vec<&str> = text.lines().collect();
    let last = &all[all.len().saturating_sub(lines)..];
    let error = last.iter().rposition(|line| line.starts_with("error: "));
    last[error.unwrap_or(0)..].join("\n")
}

/// Whether a process is `timecoin start --config FILE` with this file. A process that has ended has
/// no command line, even before its parent waits for it.
fn is_node(pid: u32, config: &Path) -> bool {
    let Ok(config) = absolute(config) else { return false };
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|&byte| byte == 0).collect();
    words.windows(3).any(|words| {
        words[0] == b"start" && words[1] == b"--config" && words[2] == config.as_os_str().as_bytes()
    })
}

/// The system shows the command line of a new process slightly after its start.
fn wait_for_command_line(child: &mut Child, config: &Path) {
    let begun = Instant::now();
    while !is_node(child.id(), config)
        && matches!(child.try_wait(), Ok(None))
        && begun.elapsed() < COMMAND_LINE_WITHIN
    {
        thread::sleep(Duration::from_millis(1));
    }
}

fn absolute(path: &Path) -> std::io::Result<PathBuf> {
    fs::canonicalize(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn entry(pid: u32) -> NodeEntry {
        NodeEntry {
            name: "val0".into(),
            consensus_key: None,
            peer_id: String::new(),
            p2p: 1,
            rpc: 2,
            pid: Some(pid),
        }
    }

    #[test]
    fn a_stranger_gets_no_signal() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        fs::create_dir(layout.node("val0")).unwrap();
        fs::write(layout.config("val0"), "").unwrap();
        let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
        let node = entry(stranger.id());
        assert!(!is_running(&layout, &node));
        assert!(!signal(&layout, &node, Signal::SIGKILL).unwrap());
        assert!(stranger.try_wait().unwrap().is_none(), "it lives");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        assert!(!is_running(&layout, &entry(u32::MAX)));
    }

    #[test]
    fn our_own_process_is_known_by_its_command_line() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        fs::create_dir(layout.node("val0")).unwrap();
        fs::write(layout.config("val0"), "").unwrap();
        let config = fs::canonicalize(layout.config("val0")).unwrap();
        // Waits for a line that never comes, without a process of its own.
        let mut ours = Command::new("sh")
            .args(["-c", "read line", "timecoin", "start", "--config"])
            .arg(&config)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for_command_line(&mut ours, &config);
        let node = entry(ours.id());
        assert!(is_running(&layout, &node));
        assert!(signal(&layout, &node, Signal::SIGKILL).unwrap());
        ours.wait().unwrap();
        assert!(!is_running(&layout, &node));
    }

    #[test]
    fn the_tail_of_a_log_is_its_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        fs::create_dir(layout.node("val0")).unwrap();
        assert_eq!(log_tail(&layout, "val0", 2), "");
        fs::write(layout.log("val0"), "a\nb\nc\n").unwrap();
        assert_eq!(log_tail(&layout, "val0", 2), "b\nc");
        fs::write(layout.log("val0"), "a\nb\nerror: no\n  next: x\n").unwrap();
        assert_eq!(log_tail(&layout, "val0", 9), "error: no\n  next: x");
    }
}
