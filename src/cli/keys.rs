//! `timecoin keys`: key files of nodes.
use super::guard;
use crate::{
    genesis_file::network_name,
    keys,
    terminal::{CliError, output},
};
use clap::Subcommand;
use serde::Serialize;
use std::path::PathBuf;
use timecoin_chain::{
    address::address_of,
    crypto::{SecretKey, Signer},
    genesis::Network,
};

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Create a key in a new file that only you can read.
    New {
        /// The file.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// The safety record of a masternode's key: show it, or move it to another host.
    #[command(subcommand)]
    Guard(guard::GuardCommand),
    /// The public side of a key file.
    Show {
        /// The file.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Serialize)]
struct KeyView {
    public_key: String,
    peer_id: String,
    address_main: String,
    address_test: String,
    address_dev: String,
}

pub(super) fn run(command: KeysCommand) -> Result<(), CliError> {
    match command {
        KeysCommand::New { file, json } => {
            let secret = keys::create(&file)?;
            show(&secret, json)?;
            output::note(format_args!(
                "made {}; keep a copy in a safe place: nobody can restore it",
                file.display()
            ));
            Ok(())
        }
        KeysCommand::Guard(command) => guard::run(command),
        KeysCommand::Show { file, json } => show(&keys::load(&file)?, json),
    }
}

fn show(secret: &SecretKey, json: bool) -> Result<(), CliError> {
    let key = secret.public_key();
    let peer = timecoin_network::peer_id_of(&keys::node_identity(secret));
    let view = KeyView {
        public_key: key.to_string(),
        peer_id: peer.to_string(),
        address_main: address_of(Network::Main, &key),
        address_test: address_of(Network::Test, &key),
        address_dev: address_of(Network::Dev, &key),
    };
    if json {
        return output::json(&view);
    }
    output::line(format_args!("public key    {}", view.public_key));
    output::line(format_args!("peer id       {}", view.peer_id));
    for (network, address) in [
        (Network::Main, view.address_main),
        (Network::Test, view.address_test),
        (Network::Dev, view.address_dev),
    ] {
        output::line(format_args!("address {:<5} {address}", network_name(network)));
    }
    Ok(())
}
