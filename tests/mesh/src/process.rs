//! Processes that end with this program. In namespaces the kernel sees to that; on the loopback an
//! interruption does it here.
use crate::outcome::Outcome;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Child, Command},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};
use tokio::signal::unix::{SignalKind, signal};

static LEFT: Mutex<(BTreeSet<u32>, BTreeSet<PathBuf>)> =
    Mutex::new((BTreeSet::new(), BTreeSet::new()));

fn left() -> MutexGuard<'static, (BTreeSet<u32>, BTreeSet<PathBuf>)> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process that is killed when dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Outcome<Self> {
        // An interruption waits until the process is on the list.
        let mut left = left();
        let child = command.spawn()?;
        left.0.insert(child.id());
        Ok(Self(child))
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended already.
        let _ = send(self.0.id(), signal);
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }

    /// Processor time so far, in hundredths of a second.
    pub(crate) fn cpu_ticks(&self) -> Outcome<u64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let fields = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
        let ticks =
            fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
        Ok(ticks.sum())
    }
}

fn send(pid: u32, signal: Signal) -> Outcome<()> {
    Ok(kill(Pid::from_raw(i32::try_from(pid)?), signal)?)
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
        left().0.remove(&self.0.id());
    }
}

/// A directory that is deleted when dropped, or when the program is interrupted.
pub(crate) fn directory() -> Outcome<tempfile::TempDir> {
    let directory = tempfile::Builder::new().prefix("mesh").tempdir()?;
    left().1.insert(directory.path().to_owned());
    Ok(directory)
}

/// Ends everything on an interruption.
pub(crate) fn end_all_when_interrupted() {
    thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        let waited = runtime.block_on(async {
            let (mut interrupt, mut terminate) =
                (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            Ok::<(), std::io::Error>(())
        });
        if waited.is_err() {
            return;
        }
        let left = left();
        for pid in &left.0 {
            let _ = send(*pid, Signal::SIGKILL);
        }
        for directory in &left.1 {
            let _ = fs::remove_dir_all(directory);
        }
        std::process::exit(130);
    });
}
