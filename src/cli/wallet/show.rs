//! `timecoin wallet new, list, address, balance`.
use super::{coins, place::PlaceArgs};
use crate::{
    api::GetBlockchainInfo,
    cli::target::NodesAt,
    genesis_file::{network_by_name, network_name},
    terminal::{
        CliError, Exit,
        output::{self, count, money},
    },
    wallet::{self, WalletFile, WalletFileError},
};
use serde_json::json;
use std::fs;
use timecoin_chain::{genesis::Network, types::Amount};

pub(super) fn create(place: &PlaceArgs, name: &str, kind: Option<&str>) -> Result<(), CliError> {
    let network = network(place, kind)?;
    let path = place.file(name)?;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| {
            CliError::new(Exit::Failure, format!("{}: {error}", parent.display()))
        })?;
    }
    let wallet = WalletFile::create(&path, network)?;
    if place.json {
        return output::json(&json!({
            "name": name,
            "network": network_name(network),
            "address": wallet.address,
            "file": path,
        }));
    }
    output::line(format_args!("wallet   {name} ({})", path.display()));
    output::line(format_args!("address  {}", wallet.address));
    output::note("the file holds the secret in plain: for test networks only");
    Ok(())
}

/// The kind of network of a new wallet.
fn network(place: &PlaceArgs, kind: Option<&str>) -> Result<Network, CliError> {
    if let Some(kind) = kind {
        return network_by_name(kind).ok_or_else(|| {
            CliError::new(Exit::Usage, format!("`{kind}` is not a kind of network"))
                .next("--network dev")
        });
    }
    match place.node.place()? {
        NodesAt::Net(layout, _) => Ok(crate::genesis_file::load(&layout.genesis())?.network),
        NodesAt::Config(_) | NodesAt::Address(_) => {
            let chain = place.node.find()?.client.ask(&GetBlockchainInfo {})?;
            network_by_name(&chain.chain).ok_or_else(|| {
                CliError::new(Exit::Answered, format!("network `{}` is not known", chain.chain))
            })
        }
    }
}

pub(super) fn list(place: &PlaceArgs) -> Result<(), CliError> {
    let directory = place.directory()?;
    let names = wallet::list(&directory)?;
    let node = place.node.find();
    let mut views = Vec::with_capacity(names.len());
    let mut damaged = Vec::new();
    for name in names {
        let wallet = match WalletFile::load(&place.file(&name)?) {
            Ok(wallet) => wallet,
            Err(error) => {
                damaged.push(error);
                continue;
            }
        };
        let balance = match &node {
            Ok(node) => Some(coins::balance(&node.client, &wallet.address)?.0),
            Err(_) => None,
        };
        views.push((name, wallet.address, balance));
    }
    if place.json {
        let views: Vec<_> = views
            .iter()
            .map(|(name, address, balance)| {
                json!({ "name": name, "address": address, "balance": balance.map(text) })
            })
            .collect();
        output::json(&views)?;
        return first_of(damaged);
    }
    if views.is_empty() {
        output::note(format_args!("no wallets in {}", directory.display()));
    }
    for (name, address, balance) in views {
        let balance = balance.map_or_else(|| "?".into(), money);
        output::line(format_args!("{name:<12} {balance:>24} TIME  {address}"));
    }
    if let Err(error) = node {
        output::note(format_args!("balances are unknown\n{error}"));
    }
    first_of(damaged)
}

/// The others were listed; all damaged ones are named.
fn first_of(damaged: Vec<WalletFileError>) -> Result<(), CliError> {
    let mut damaged = damaged.into_iter();
    let Some(first) = damaged.next() else { return Ok(()) };
    Err(damaged.fold(CliError::from(first), CliError::why))
}

pub(super) fn address(place: &PlaceArgs, name: &str) -> Result<(), CliError> {
    let wallet = WalletFile::load(&place.file(name)?)?;
    if place.json {
        return output::json(&json!({ "name": name, "address": wallet.address }));
    }
    output::line(wallet.address);
    Ok(())
}

pub(super) fn balance(place: &PlaceArgs, name: &str, all_nodes: bool) -> Result<(), CliError> {
    let wallet = WalletFile::load(&place.file(name)?)?;
    let nodes = match all_nodes {
        true => place.node.find_all()?,
        false => vec![place.node.find()?],
    };
    let mut views = Vec::with_capacity(nodes.len());
    for node in &nodes {
        let found = coins::balance(&node.client, &wallet.address);
        match found {
            Err(error) if !all_nodes => return Err(error),
            found => views.push((&node.name, found)),
        }
    }
    let answered = views.iter().any(|(_, found)| found.is_ok());
    if place.json {
        let views: Vec<_> = views
            .iter()
            .map(|(node, found)| match found {
                Ok((total, coins)) => {
                    json!({ "node": node, "balance": text(*total), "coins": coins })
                }
                Err(error) => json!({ "node": node, "error": error.to_string() }),
            })
            .collect();
        match all_nodes {
            true => output::json(&views)?,
            false => output::json(&views.first())?,
        }
        return some(answered, place);
    }
    for (node, found) in views {
        let shown = match found {
            Ok((total, coins)) => format!("{:>24} TIME  in {}", money(total), count(coins, "coin")),
            Err(_) => format!("{:>24}", "not running"),
        };
        match all_nodes {
            true => output::line(format_args!("{node:<8} {shown}")),
            false => output::line(shown.trim_start()),
        }
    }
    some(answered, place)
}

/// The error if no node answered.
fn some(answered: bool, place: &PlaceArgs) -> Result<(), CliError> {
    match answered {
        true => Ok(()),
        false => Err(CliError::new(Exit::Unreachable, "no node of the network answers")
            .next(format!("timecoin status{}", place.node.flag()))),
    }
}

/// An amount in JSON: a text, so that no reader rounds it.
fn text(amount: Amount) -> String {
    amount.to_string()
}
