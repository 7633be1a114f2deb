//! The `timecoin` program: reads the command line, runs it, and ends with an exit code.
use clap::Parser;
use std::process::ExitCode;
use timecoin::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit().code())
        }
    }
}
