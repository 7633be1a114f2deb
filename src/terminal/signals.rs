//! Ctrl-C and SIGTERM for commands that wait without an async runtime.
use super::{CliError, Exit};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Counts the signals that asked the program to stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts(Arc<AtomicUsize>);

impl Interrupts {
    /// Counts signals from now on; they no longer end the process.
    pub(crate) fn listen() -> Result<Self, CliError> {
        let count = Arc::new(AtomicUsize::new(0));
        let counter = count.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let signals = {
            let _inside = runtime.enter();
            // A terminal that closes ends the command; a node reads its configuration again instead.
            StopSignals::with(Some(SignalKind::hangup()))?
        };
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let mut signals = signals;
                loop {
                    signals.next().await;
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        });
        Ok(Self(count))
    }

    /// How often so far.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The signals that ask a program to stop.
#[derive(Debug)]
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl StopSignals {
    /// Within a runtime.
    pub(crate) fn new() -> Result<Self, CliError> {
        Self::with(None)
    }

    fn with(hangup: Option<SignalKind>) -> Result<Self, CliError> {
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let hangup = hangup.map(signal).transpose().map_err(failed)?;
        Ok(Self { interrupt, terminate, hangup })
    }

    /// Waits for the next one and names it.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            () = received(&mut self.hangup) => "SIGHUP",
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// The signal that asks a node to read its configuration again. Within a runtime.
pub(crate) fn reload_signal() -> Result<Signal, CliError> {
    signal(SignalKind::hangup()).map_err(failed)
}

fn failed(error: std::io::Error) -> CliError {
    CliError::new(Exit::Failure, format!("signals cannot be received: {error}"))
}
