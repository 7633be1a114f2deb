//! `timecoin testnet`: a network of several nodes as processes on this machine.
//!
//! | file | what it does |
//! |---|---|
//! | `up`, `ready` | start all, wait for the first final block |
//! | `watch` | a line for each block |
//! | `status`, `stop` | the rest of the commands |
mod ready;
mod status;
mod stop;
mod up;
mod watch;

use crate::{
    devnet::network::{DEFAULT_NET, Layout, TestnetState},
    terminal::CliError,
};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum TestnetCommand {
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

/// Which network.
#[derive(Debug, Args)]
pub(crate) struct NetArgs {
    /// The network's directory.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_NET)]
    dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Which node of which network.
#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// The node, such as val3.
    node: String,
    #[command(flatten)]
    net: NetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    #[command(flatten)]
    net: NetArgs,
    /// How many seconds nodes may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ResetArgs {
    #[command(flatten)]
    net: NetArgs,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(command: TestnetCommand) -> Result<(), CliError> {
    match command {
        TestnetCommand::Up(args) => up::run(&args),
        TestnetCommand::Status(args) => status::run(&args),
        TestnetCommand::Kill(args) => stop::kill(&args),
        TestnetCommand::Start(args) => up::start_one(&args),
        TestnetCommand::Down(args) => stop::down(&args),
        TestnetCommand::Reset(args) => stop::reset(&args),
    }
}

impl NetArgs {
    fn load(&self) -> Result<(Layout, TestnetState), CliError> {
        let layout = Layout::new(&self.dir);
        let state = TestnetState::load(&layout)?;
        Ok((layout, state))
    }
}
