//! `timecoin net`: the peers of a running node, and who may not be one.
use super::target::NodeArgs;
use crate::{
    api::{AddNode, Ask, DisconnectNode, GetPeerInfo, ListBanned, PeerView, SetBan},
    terminal::{
        CliError,
        output::{self, count},
    },
};
use clap::{Args, Subcommand};
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(super) enum NetCommand {
    /// The connected peers, one line each.
    Peers(ListArgs),
    /// The bans in force.
    Bans(ListArgs),
    /// Ban a peer or a host and end its connections. The ban survives a restart.
    Ban(BanArgs),
    /// Lift a ban.
    Unban(PartyArgs),
    /// Connect to a node once, by its multiaddress with peer id.
    Add(AddArgs),
    /// Close the connections of a peer.
    Drop(PartyArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct BanArgs {
    #[command(flatten)]
    party: PartyArgs,
    /// How long, in hours.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..))]
    hours: u32,
}

#[derive(Debug, Args)]
pub(super) struct PartyArgs {
    /// A peer id; for bans also an IP address.
    party: String,
    #[command(flatten)]
    node: NodeArgs,
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Such as /ip4/192.0.2.7/tcp/24000/p2p/12D3...
    address: String,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(command: NetCommand) -> Result<(), CliError> {
    match command {
        NetCommand::Peers(args) => peers(&args),
        NetCommand::Bans(args) => bans(&args),
        NetCommand::Ban(args) => {
            let seconds = u64::from(args.hours) * 3_600;
            let request = set_ban(&args.party.party, "add", Some(seconds));
            tell(&args.party.node, &request, format_args!("banned {}", args.party.party))
        }
        NetCommand::Unban(args) => {
            let request = set_ban(&args.party, "remove", None);
            tell(&args.node, &request, format_args!("{} is no longer banned", args.party))
        }
        NetCommand::Add(args) => {
            let request = AddNode { node: args.address, command: "onetry".into() };
            tell(&args.node, &request, format_args!("connected to {}", request.node))
        }
        NetCommand::Drop(args) => {
            let request = DisconnectNode { address: args.party };
            tell(&args.node, &request, format_args!("disconnected {}", request.address))
        }
    }
}

fn set_ban(party: &str, command: &str, bantime: Option<u64>) -> SetBan {
    SetBan { subnet: party.into(), command: command.into(), bantime }
}

fn tell<A: Ask<Answer = ()>>(
    node: &NodeArgs,
    request: &A,
    done: std::fmt::Arguments<'_>,
) -> Result<(), CliError> {
    node.find()?.client.ask(request)?;
    output::line(done);
    Ok(())
}

fn peers(args: &ListArgs) -> Result<(), CliError> {
    let peers = args.node.find()?.client.ask(&GetPeerInfo {})?;
    if args.json {
        return output::json(&peers);
    }
    for PeerView { peer, addr, inbound, score, pingtime, .. } in &peers {
        let direction = if *inbound { "in" } else { "out" };
        let rtt = pingtime.as_ref().map_or("-".into(), |rtt| format!("{} ms", rtt.0 / 1_000));
        output::line(format_args!("{peer}  {direction:3}  score {score:4}  {rtt:>7}  {addr}"));
    }
    output::line(count(peers.len(), "peer"));
    Ok(())
}

fn bans(args: &ListArgs) -> Result<(), CliError> {
    let bans = args.node.find()?.client.ask(&ListBanned {})?;
    if args.json {
        return output::json(&bans);
    }
    for ban in &bans {
        let remaining = Duration::from_secs(ban.time_remaining);
        output::line(format_args!("{}  for {remaining:?}  {}", ban.address, ban.reason));
    }
    output::line(count(bans.len(), "ban"));
    Ok(())
}
