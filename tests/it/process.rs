//! Processes of the built program: commands that run to completion, and nodes owned by a test.
use crate::wait::{PATIENCE, within};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fmt,
    fs::{self, File},
    io::{Read, Seek},
    os::unix::{ffi::OsStrExt, process::ExitStatusExt},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::Duration,
};

/// How long a command may take; the longest waits for a network to come up.
const COMMAND_WITHIN: Duration = Duration::from_secs(180);

/// A command that has ended.
pub(crate) struct Ended {
    line: String,
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program with these arguments to completion.
pub(crate) fn run(words: &[&str]) -> Ended {
    let mut command = program();
    command.args(words);
    end_of(command)
}

/// The same, but every write beyond the first few KiB of a file fails.
pub(crate) fn run_on_a_bad_disk(words: &[&str]) -> Ended {
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\"";
    command.args(["-c", script]).arg(program().get_program()).args(words);
    end_of(command)
}

fn end_of(mut command: Command) -> Ended {
    let line = format!("{command:?}");
    let (mut out, mut err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command.stdout(out.try_clone().unwrap()).stderr(err.try_clone().unwrap());
    let mut process = Process::spawn(&mut command);
    let status = process.end_within(COMMAND_WITHIN);
    Ended { line, status, stdout: text_of(&mut out), stderr: text_of(&mut err) }
}

impl Ended {
    /// Asserts that it succeeded.
    pub(crate) fn ok(self) -> Self {
        assert!(self.status.success(), "{self}");
        self
    }

    /// The JSON output of a successful command.
    pub(crate) fn json(self) -> Value {
        let ended = self.ok();
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended}"))
    }

    /// Asserts that it ended with this code and printed all of this to standard error; returns its
    /// output.
    pub(crate) fn refused(self, code: i32, words: &[&str]) -> String {
        assert_eq!(self.status.code(), Some(code), "{self}");
        for word in words {
            assert!(self.stderr.contains(word), "no `{word}` in: {self}");
        }
        self.stderr
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, status, stdout, stderr } = self;
        write!(f, "{line}: {status}\n{stdout}{stderr}")
    }
}

/// A process that is killed when dropped.
pub(crate) struct Process(Child);

impl Process {
    /// `timecoin start` with a configuration and more arguments, its output in a file next to it.
    pub(crate) fn node(config: &Path, more: &[&str]) -> Self {
        let log = config.with_file_name("node.log");
        let log = File::options().create(true).append(true).open(log).unwrap();
        let errors = log.try_clone().unwrap();
        let mut command = program();
        command.args(["start", "--config"]).arg(config).args(more);
        Self::spawn(command.stdout(log).stderr(errors))
    }

    /// Starts a command.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    /// What it writes to a pipe on standard output.
    pub(crate) fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits for its end; returns its exit code, or 128 plus the signal that ended it.
    pub(crate) fn end(&mut self) -> i32 {
        let status = self.end_within(PATIENCE);
        status.code().or(status.signal().map(|signal| 128 + signal)).unwrap()
    }

    fn end_within(&mut self, patience: Duration) -> ExitStatus {
        within(patience, "the end of a process", || {
            self.0.try_wait().unwrap().ok_or_else(|| format!("process {} runs", self.0.id()))
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program, without the shell's settings for other nodes.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_timecoin"));
    for (key, _) in std::env::vars_os() {
        if key.as_bytes().starts_with(b"TIMECOIN_") {
            command.env_remove(key);
        }
    }
    command
}

/// Sends a signal; whether there was a process to receive it.
pub(crate) fn send(pid: u32, signal: Signal) -> bool {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).is_ok()
}

/// Whether the process runs with this word in its command line. A process that ended has no command
/// line.
pub(crate) fn runs_with(pid: u32, word: &Path) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|&byte| byte == 0).any(|there| there == word.as_os_str().as_bytes())
}

/// Whether a process has released all its resources. Its command line disappears before its ports
/// and locks do.
pub(crate) fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_none_or(|state| state == 'Z' || state == 'X')
}

fn text_of(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
