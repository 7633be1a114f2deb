//! Where the lines of the log go: one thread writes them to standard output or to a file.
//!
//! A log never stops or delays the node. A line that finds the queue full, because the reader of a pipe stands still, and
//! a line that cannot be written, because the disk is full or the pipe is closed, are counted as lost; the next line that
//! can be written is followed by a warning with their number.
//!
//! Invariant: at most [`LINES_MAX`] lines of [`LINE_BYTES_MAX`] bytes wait.
use super::file::RotatingFile;
use std::{
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait to be written.
const LINES_MAX: usize = 4_096;
/// Bytes of one line; the rest is cut off.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// How long the end of the process waits for the last lines.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
const FLUSH_POLL: Duration = Duration::from_millis(5);
/// Between two reports of lost lines.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Where lines are written.
#[derive(Debug)]
pub(super) enum Target {
    /// Standard output.
    Stdout,
    /// A file that is rotated.
    File(RotatingFile),
}

impl Target {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(line)?;
                stdout.flush()
            }
            Self::File(file) => file.write(line),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout => Ok(()),
            Self::File(file) => file.reopen(),
        }
    }
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    Flush(Arc<Flushed>),
}

#[derive(Debug, Default)]
struct Flushed(Mutex<bool>, Condvar);

/// Lines that were lost since the start.
#[derive(Debug, Default)]
pub struct Losses {
    queue: AtomicU64,
    write: AtomicU64,
}

impl Losses {
    /// Lines for which the queue had no room.
    pub fn queue(&self) -> u64 {
        self.queue.load(Relaxed)
    }

    /// Lines that could not be written.
    pub fn write(&self) -> u64 {
        self.write.load(Relaxed)
    }

    fn sum(&self) -> u64 {
        self.queue() + self.write()
    }
}

/// The queue to the writing thread.
#[derive(Debug, Clone)]
pub(super) struct Sink {
    entries: SyncSender<Entry>,
    losses: Arc<Losses>,
    /// Whether the file is to be opened again, which a full queue must not forget.
    reopen: Arc<AtomicBool>,
}

impl Sink {
    /// Starts the thread.
    pub(super) fn start(target: Target) -> io::Result<Self> {
        let (entries, received) = sync_channel(LINES_MAX);
        let losses = Arc::<Losses>::default();
        let reopen = Arc::<AtomicBool>::default();
        let (counted, asked) = (losses.clone(), reopen.clone());
        thread::Builder::new()
            .name("log".into())
            .spawn(move || write_lines(target, &received, &counted, &asked))?;
        Ok(Self { entries, losses, reopen })
    }

    pub(super) fn losses(&self) -> Arc<Losses> {
        self.losses.clone()
    }

    /// Opens the file again before the next line; something else may have renamed it.
    pub(super) fn reopen(&self) {
        self.reopen.store(true, Relaxed);
    }

    /// Waits until the lines so far are written, but not for a reader that stands still.
    pub(super) fn flush(&self) {
        let (begun, flushed) = (Instant::now(), Arc::<Flushed>::default());
        while self.entries.try_send(Entry::Flush(flushed.clone())).is_err() {
            if begun.elapsed() > FLUSH_PATIENCE {
                return;
            }
            thread::sleep(FLUSH_POLL);
        }
        let left = FLUSH_PATIENCE.saturating_sub(begun.elapsed());
        drop(flushed.1.wait_timeout_while(locked(&flushed.0), left, |done| !*done));
    }
}

fn write_lines(
    mut target: Target,
    entries: &Receiver<Entry>,
    losses: &Losses,
    reopen: &AtomicBool,
) {
    let (mut reported, mut reported_at) = (0, None::<Instant>);
    while let Ok(entry) = entries.recv() {
        if reopen.swap(false, Relaxed)
            && let Err(error) = target.reopen()
        {
            tracing::warn!(%error, "the log file was not reopened; the old one goes on");
        }
        match entry {
            Entry::Line(line) => match target.write(&line) {
                Ok(()) => {
                    let lost = losses.sum();
                    let is_due = reported_at.is_none_or(|at| at.elapsed() >= REPORT_EVERY);
                    if lost > reported && is_due {
                        // Goes to the end of this queue, like every event, and may be lost as well.
                        tracing::warn!(lost, "lines of the log were lost since the start");
                        (reported, reported_at) = (lost, Some(Instant::now()));
                    }
                }
                Err(_) => drop(losses.write.fetch_add(1, Relaxed)),
            },
            Entry::Flush(flushed) => {
                *locked(&flushed.0) = true;
                flushed.1.notify_all();
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is locked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Write for &Sink {
    /// One call is one event.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut kept = line.get(..LINE_BYTES_MAX).unwrap_or(line).to_vec();
        if kept.len() < line.len() {
            kept.push(b'\n');
        }
        match self.entries.try_send(Entry::Line(kept)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.losses.queue.fetch_add(1, Relaxed);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Sink {
    type Writer = &'w Sink;

    fn make_writer(&'w self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use std::{fs::File, io::Read, process::Command};

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_delays_nobody() {
        const LINES: usize = 10_000;
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut reader = File::options().read(true).write(true).open(&pipe).unwrap();
        let sink = Sink::start(Target::File(RotatingFile::open(&pipe, 0, 0).unwrap())).unwrap();
        let line = [b"x".repeat(99), b"\n".to_vec()].concat();
        for _ in 0..LINES {
            assert_eq!((&sink).write(&line).unwrap(), line.len());
        }
        let lost = usize::try_from(sink.losses().queue()).unwrap();
        assert!((1..=LINES - LINES_MAX).contains(&lost), "{lost}");
        let begun = Instant::now();
        sink.flush();
        assert!(begun.elapsed() < 10 * FLUSH_PATIENCE, "it does not wait for the reader");

        let mut read = vec![0; (LINES - lost) * line.len()];
        reader.read_exact(&mut read).unwrap();
        assert!(read.chunks(line.len()).all(|read| read == line), "the others are whole");
        assert_eq!(sink.losses().write(), 0);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_a_full_disk_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let sink = Sink::start(Target::File(RotatingFile::open(&path, 0, 0).unwrap())).unwrap();
        (&sink).write_all(&b"y".repeat(2 * LINE_BYTES_MAX)).unwrap();
        sink.flush();
        assert_eq!(std::fs::read(&path).unwrap().len(), LINE_BYTES_MAX + 1);

        let full = RotatingFile::open("/dev/full".as_ref(), 0, 0).unwrap();
        let sink = Sink::start(Target::File(full)).unwrap();
        (&sink).write_all(b"z\n").unwrap();
        sink.flush();
        assert_eq!((sink.losses().write(), sink.losses().queue()), (1, 0));
    }
}
