//! `timecoin init`: a directory with everything a node needs. Safe to run again: it overwrites nothing.
use crate::{
    config::{self, NodeConfig},
    durable, genesis_file,
    keys::{self, KeyError, begin_record},
    terminal::{CliError, Exit, output},
};
use clap::Args;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use timecoin_chain::crypto::{SecretKey, Signer};
use toml::Value;

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The node's directory; created if missing.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The genesis file of the network to join.
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// Also create a consensus key, with which the node votes once it is a masternode.
    #[arg(long)]
    masternode: bool,
    /// A node to join through, such as /ip4/203.0.113.7/tcp/24000/p2p/PEER_ID. May be repeated.
    #[arg(long, value_name = "MULTIADDRESS")]
    bootstrap: Vec<String>,
}

pub(super) fn run(args: &InitArgs) -> Result<(), CliError> {
    let chain = genesis_file::load_chain(&args.genesis)?;
    for address in &args.bootstrap {
        timecoin_network::parse_address(address)
            .map_err(|error| CliError::new(Exit::Usage, error))?;
    }
    fs::create_dir_all(&args.dir).map_err(|error| failed(&args.dir, &error))?;
    let at = |name: &str| args.dir.join(name);

    let genesis = at("genesis.json");
    if genesis.exists() {
        let there = genesis_file::load_chain(&genesis)?;
        if there.hash != chain.hash {
            return Err(CliError::new(
                Exit::Config,
                format!("{} belongs to another network", args.dir.display()),
            )
            .why(format!("there: {}\nasked: {}", there.hash, chain.hash))
            .next("choose another directory: timecoin init --dir OTHER --genesis FILE"));
        }
        kept(&genesis);
    } else {
        genesis_file::create(&genesis, &chain)?;
        made(&genesis);
    }
    let (node, _) = make_key(&at("node.key"))?;
    let consensus = match args.masternode {
        true => Some(make_key(&at("consensus.key"))?),
        false => None,
    };
    write_config(&at("config.toml"), args)?;
    if let Some((secret, true)) = &consensus {
        let config = NodeConfig::load(&at("config.toml"), &[])?;
        begin_record(&config.data_dir, &chain.hash, secret.public_key())?;
    }

    output::line(format_args!(
        "network        {}",
        genesis_file::network_name(chain.genesis.network)
    ));
    output::line(format_args!("genesis        {}", chain.hash));
    let peer = timecoin_network::peer_id_of(&keys::node_identity(&node));
    output::line(format_args!("peer id        {peer}"));
    if let Some((secret, _)) = consensus {
        output::line(format_args!("consensus key  {}", secret.public_key()));
    }
    output::line(format_args!("next: timecoin start --config {}", at("config.toml").display()));
    Ok(())
}

/// The key of a file, and whether it is new.
fn make_key(path: &Path) -> Result<(SecretKey, bool), CliError> {
    match keys::create(path) {
        Ok(secret) => {
            made(path);
            Ok((secret, true))
        }
        Err(KeyError::Exists { .. }) => {
            let secret = keys::load(path)?;
            kept(path);
            Ok((secret, false))
        }
        Err(error) => Err(error.into()),
    }
}

fn write_config(path: &Path, args: &InitArgs) -> Result<(), CliError> {
    let mut set = Vec::new();
    if args.masternode {
        set.push(("keys.consensus_key", Value::String("consensus.key".into())));
    }
    if !args.bootstrap.is_empty() {
        let nodes = args.bootstrap.iter().cloned().map(Value::String).collect();
        set.push(("network.bootstrap", Value::Array(nodes)));
    }
    let text = config::render(&set)?;
    match durable::create(path, text.as_bytes(), 0o644) {
        Ok(()) => made(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            kept(path);
            if fs::read(path).is_ok_and(|there| there != text.as_bytes()) {
                output::note(
                    "      it differs from what this command would write; delete it to replace it",
                );
            }
        }
        Err(error) => return Err(failed(path, &error)),
    }
    Ok(())
}

fn made(path: &Path) {
    output::note(format_args!("made  {}", path.display()));
}

fn kept(path: &Path) {
    output::note(format_args!("kept  {}", path.display()));
}

fn failed(path: &Path, error: &io::Error) -> CliError {
    CliError::new(Exit::Failure, format!("{}: {error}", path.display()))
        .next(format!("ls -ld {}", path.display()))
}
