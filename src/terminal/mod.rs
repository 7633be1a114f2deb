//! The commands' input and output on a terminal.
//!
//! | file | what it does |
//! |---|---|
//! | `error` | what happened, why, the next command, and the exit code |
//! | `output` | results on standard output, progress on standard error, figures for people |
//! | `signals` | Ctrl-C and SIGTERM for commands that wait |
mod error;
pub(crate) mod output;
mod signals;

pub use crate::exit::Exit;
pub use error::CliError;
pub(crate) use signals::{Interrupts, StopSignals, reload_signal};
