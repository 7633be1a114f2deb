//! The command line.
//!
//! | file | what it does |
//! |---|---|
//! | `start`, `init` | a node: run it, prepare its directory |
//! | `status`, `health`, `net`, `net_doctor`, `rpc` | ask a running node |
//! | `metrics` | list what a node measures |
//! | `keys`, `wallet` | secrets and money |
//! | `guard`, `guard_file` | the safety record of a consensus key, and the file that carries it to another host |
//! | `target`, `config_args` | the node a command is about: a running one, or one by its configuration |
//!
//! `testnet` and `bench` are in `devnet/cli`. Results go to standard output, errors and progress to standard error.
mod config_args;
mod guard;
mod guard_file;
mod health;
mod init;
mod keys;
mod metrics;
mod net;
mod net_doctor;
mod pretty;
mod rpc;
mod start;
mod status;
mod target;
mod wallet;

use crate::{
    devnet::cli::{bench, testnet},
    exit::Exit,
    terminal::CliError,
};
use clap::{Parser, Subcommand};

/// A payment network that settles in under a second.
#[derive(Debug, Parser)]
#[command(
    name = "timecoin",
    version,
    about,
    after_help = format!("Begin with a network on this machine:  timecoin testnet up\n\n{}", Exit::list())
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A local network: several nodes as processes on this machine.
    #[command(subcommand)]
    Testnet(testnet::TestnetCommand),
    /// Prepare a directory for a node: keys, configuration and genesis.
    Init(init::InitArgs),
    /// Run a node.
    Start(start::StartArgs),
    /// One screen about a running node.
    Status(status::StatusArgs),
    /// Key files of nodes.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Call a method of a running node's JSON-RPC server.
    Rpc(rpc::RpcArgs),
    /// The peers of a running node: list, ban, connect, disconnect, and what is wrong with them.
    #[command(subcommand)]
    Net(net::NetCommand),
    /// Whether a node is ready: exit code 0 if ready, 8 while it syncs, 13 if the chain is halted, 7 if no node answers.
    Health(health::HealthArgs),
    /// What `/metrics` of a node shows.
    #[command(subcommand)]
    Metrics(metrics::MetricsCommand),
    /// Wallets of test networks: addresses, balances, payments.
    Wallet(wallet::WalletArgs),
    /// Measure what this program does on this machine.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

impl Cli {
    /// Runs the command.
    pub fn run(self) -> Result<(), CliError> {
        match self.command {
            Command::Testnet(command) => testnet::run(command),
            Command::Init(args) => init::run(&args),
            Command::Start(args) => start::run(&args),
            Command::Status(args) => status::run(&args),
            Command::Keys(command) => keys::run(command),
            Command::Rpc(args) => rpc::run(&args),
            Command::Net(command) => net::run(command),
            Command::Health(args) => health::run(&args),
            Command::Metrics(command) => metrics::run(&command),
            Command::Wallet(args) => wallet::run(args),
            Command::Bench(command) => bench::run(command),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_documented_commands_are_understood() {
        for line in [
            "testnet init",
            "testnet init --compose --validators 7 --full 2 --dir net --base-port 22000",
            "testnet up",
            "testnet up --validators 4 --full 1 --dir net --base-port 21000 --detach",
            "testnet status --json",
            "testnet kill val3 --dir net",
            "testnet start val3",
            "testnet down",
            "testnet reset --yes",
            "init --dir node --genesis genesis.json",
            "start --config node/config.toml",
            "start --config c.toml --set rpc.listen=127.0.0.1:1 --log debug",
            "status --net net --node val1 --json",
            "keys new node.key",
            "keys show node.key --json",
            "keys guard show --config c.toml --data-dir d --json",
            "keys guard export record.json --config c.toml --set data_dir=d",
            "rpc getblock 12 2",
            "rpc getbalance -- -1",
            "bench network",
            "bench network --validators 4 --full 1 --seconds 5 --warmup 1 --rate 50 --dir net --base-port 21000 --json",
            "bench faults",
            "bench faults --kills 3 --partitions 2 --cut-ms 5000 --rate 20 --dir net --json",
            "net peers --json",
            "net ban 192.0.2.7 --hours 12 --net net --node val0",
            "net unban 192.0.2.7",
            "net bans",
            "net book",
            "net book 12D3 --json",
            "net doctor --json --net net --node val0",
            "net add /ip4/192.0.2.7/tcp/24000/p2p/12D3",
            "net drop 12D3",
            "health",
            "metrics list",
            "metrics list --markdown",
            "health --config node/config.toml",
            "wallet new bob",
            "wallet --net net new bob",
            "wallet list --json",
            "wallet address bob",
            "wallet balance alice --all-nodes --net net",
            "wallet send --from alice --to bob 12.5",
            "wallet send --from alice --to bob 0.1 --yes --wait --every 1",
            "wallet send --from alice --to bob 12.5 --yes --wait --fee-rate 3 --allow-high-fee",
        ] {
            let words = std::iter::once("timecoin").chain(line.split(' '));
            if let Err(error) = Cli::try_parse_from(words) {
                unreachable!("{line}: {error}");
            }
        }
    }

    #[test]
    fn a_wrong_command_line_is_refused() {
        for line in ["", "node", "wallet send --from alice --to bob", "testnet up --validators 0"] {
            let words = std::iter::once("timecoin").chain(line.split_whitespace());
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
    }
}
