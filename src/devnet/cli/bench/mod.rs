//! `timecoin bench`: measures a network that is made for it on this machine.
//!
//! | file | what it does |
//! |---|---|
//! | `network` | payments: how many, how soon, at what cost |
//! | `faults` | killed proposers and partitions: how long until the next block |
//! | `cut` | cuts the connection between nodes and restores it |
//! | `local` | the network, from its start to its end |
mod cut;
mod faults;
mod local;
mod network;

use crate::{
    devnet::bench::BenchError,
    terminal::{CliError, Exit, Interrupts},
};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Throughput, time to finality and cost of a local network, on the disks and cores of this machine.
    Network(network::NetworkArgs),
    /// How long a local network is without a block when a proposer is killed or the network is cut in two.
    Faults(faults::FaultsArgs),
}

pub(crate) fn run(command: BenchCommand) -> Result<(), CliError> {
    match command {
        BenchCommand::Network(args) => network::run(&args),
        BenchCommand::Faults(args) => faults::run(&args),
    }
}

fn check_interrupts(interrupts: &Interrupts) -> Result<(), CliError> {
    match interrupts.count() {
        0 => Ok(()),
        _ => Err(failed(&BenchError::Interrupted)),
    }
}

fn failed(error: &BenchError) -> CliError {
    match error {
        BenchError::Interrupted => CliError::new(Exit::Interrupted, error),
        _ => CliError::new(Exit::Failure, error)
            .next("run it with --dir DIR and read the logs of the nodes there"),
    }
}
