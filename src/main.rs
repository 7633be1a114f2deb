//! The `timecoin` program: reads the command line, runs it, and ends with an exit code.
use clap::Parser;
use std::{io::Write as _, process::ExitCode};
use timecoin::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(error.exit().code())
        }
    }
}
