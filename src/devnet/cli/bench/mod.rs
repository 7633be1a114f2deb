//! `timecoin bench`: measures a network that is made for it on this machine.
//!
//! | file | what it does |
//! |---|---|
//! | `network` | payments: how many, how soon, at what cost |
//! | `faults` | killed proposers and partitions: how long until the next block |
//! | `cut` | cuts the connection between nodes and restores it |
//! | `ending` | why a run ended early |
//! | `local` | the network, from its start to its end |
mod cut;
mod ending;
mod faults;
mod local;
mod network;

use crate::terminal::CliError;
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
