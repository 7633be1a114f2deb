//! Why a run ended early: an interrupt or a failure.
use crate::{
    devnet::bench::BenchError,
    terminal::{CliError, Exit, Interrupts},
};

pub(super) fn check_interrupts(interrupts: &Interrupts) -> Result<(), CliError> {
    match interrupts.count() {
        0 => Ok(()),
        _ => Err(failed(&BenchError::Interrupted)),
    }
}

pub(super) fn failed(error: &BenchError) -> CliError {
    match error {
        BenchError::Interrupted => CliError::new(Exit::Interrupted, error),
        _ => CliError::new(Exit::Failure, error)
            .next("run it with --dir DIR and read the logs of the nodes there"),
    }
}
