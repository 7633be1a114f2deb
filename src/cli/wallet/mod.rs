//! `timecoin wallet`: wallets of test networks.
//!
//! | file | what it does |
//! |---|---|
//! | `coins` | the coins of a wallet, as a node reports them |
//! | `place` | which node, which wallets |
//! | `show` | new, list, address, balance |
//! | `send` | a payment, shown, confirmed and sent |
//! | `steady` | the same again and again |
//! | `resend` | payments that no node is known to have |
//! | `follow` | which node has a payment, and when it is final |
mod coins;
mod follow;
mod place;
mod resend;
mod send;
mod show;
mod steady;

use crate::terminal::CliError;
use clap::{Args, Subcommand};
use place::PlaceArgs;

#[derive(Debug, Args)]
pub(super) struct WalletArgs {
    #[command(flatten)]
    place: PlaceArgs,
    #[command(subcommand)]
    command: WalletCommand,
}

#[derive(Debug, Subcommand)]
enum WalletCommand {
    /// Create a wallet.
    New {
        /// Its name.
        name: String,
        /// Kind of network if no node or local network is named: test or dev.
        #[arg(long, value_name = "KIND")]
        network: Option<String>,
    },
    /// All wallets with their balances.
    List,
    /// A wallet's address.
    Address {
        /// Its name.
        name: String,
    },
    /// What a wallet holds.
    Balance {
        /// Its name.
        name: String,
        /// Ask every node of the local network.
        #[arg(long)]
        all_nodes: bool,
    },
    /// Pay.
    Send(send::SendArgs),
    /// Send payments again that are not final yet. This never pays twice.
    Resend(resend::ResendArgs),
}

pub(super) fn run(args: WalletArgs) -> Result<(), CliError> {
    let place = &args.place;
    match args.command {
        WalletCommand::New { name, network } => show::create(place, &name, network.as_deref()),
        WalletCommand::List => show::list(place),
        WalletCommand::Address { name } => show::address(place, &name),
        WalletCommand::Balance { name, all_nodes } => show::balance(place, &name, all_nodes),
        WalletCommand::Send(args) => steady::run(place, &args),
        WalletCommand::Resend(args) => resend::run(place, &args),
    }
}
