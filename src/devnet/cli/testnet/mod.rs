//! `timecoin testnet`: a network of several nodes as processes on this machine.
//!
//! | file | what it does |
//! |---|---|
//! | `init` | make a network, for processes or containers, and do not start it |
//! | `up`, `ready` | start all, wait for the first final block |
//! | `watch` | a line for each block |
//! | `args` | the arguments that commands share |
//! | `status`, `stop` | the rest of the commands |
mod args;
mod init;
mod ready;
mod status;
mod stop;
mod up;
mod watch;

use crate::terminal::CliError;
use args::{DownArgs, NetArgs, OneArgs, ResetArgs};
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum TestnetCommand {
    /// Make a network and do not start it: keys, a genesis, configurations and a funded wallet `alice`. With --compose
    /// for containers.
    Init(init::InitArgs),
    /// Start a network, or those of its nodes that do not run. The first start creates keys, a genesis and a funded
    /// wallet `alice`.
    Up(up::UpArgs),
    /// What each node does.
    Status(NetArgs),
    /// Kill a node at once, as a power cut would.
    Kill(OneArgs),
    /// Start one node.
    Start(OneArgs),
    /// Stop all nodes gracefully.
    Down(DownArgs),
    /// Stop all nodes and delete the network with its keys, wallets and data.
    Reset(ResetArgs),
}

pub(crate) fn run(command: TestnetCommand) -> Result<(), CliError> {
    match command {
        TestnetCommand::Init(args) => init::run(&args),
        TestnetCommand::Up(args) => up::run(&args),
        TestnetCommand::Status(args) => status::run(&args),
        TestnetCommand::Kill(args) => stop::kill(&args),
        TestnetCommand::Start(args) => up::start_one(&args),
        TestnetCommand::Down(args) => stop::down(&args),
        TestnetCommand::Reset(args) => stop::reset(&args),
    }
}
