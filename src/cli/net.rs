//! `timecoin net`: the peers of a running node, and who may not be one.
use super::{net_doctor, target::NodeArgs};
use crate::{
    api::{
        AddNode, Ask, BookCountsView, BookEntryView, BookView, DisconnectNode, GetMeshBook,
        GetPeerInfo, ListBanned, PeerView, SetBan,
    },
    terminal::{
        CliError,
        output::{self, count, span},
    },
};
use clap::{Args, Subcommand};
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(super) enum NetCommand {
    /// The connected peers, one line each.
    Peers(ListArgs),
    /// What is right and wrong with this node's place in the mesh, and what to do. Exit code 1 if
    /// something is bad.
    Doctor(ListArgs),
    /// The address book: whom the node may dial, when, and why it failed.
    Book(BookArgs),
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
pub(super) struct BookArgs {
    /// Only this peer id.
    peer: Option<String>,
    #[command(flatten)]
    list: ListArgs,
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
        NetCommand::Doctor(args) => net_doctor::run(&args.node, args.json),
        NetCommand::Book(args) => book(args),
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
    for PeerView { peer, addr, inbound, transport, score, pingtime, .. } in &peers {
        let direction = if *inbound { "in" } else { "out" };
        let rtt = pingtime.as_ref().map_or("-".into(), |rtt| format!("{} ms", rtt.0 / 1_000));
        output::line(format_args!(
            "{peer}  {direction:3}  {transport:7}  score {score:4}  {rtt:>7}  {addr}"
        ));
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

fn book(args: BookArgs) -> Result<(), CliError> {
    let wanted = GetMeshBook { count: None, peer: args.peer };
    let book = args.list.node.find()?.client.ask(&wanted)?;
    if args.list.json {
        return output::json(&book);
    }
    let BookView { counts, entries } = &book;
    entries.iter().for_each(|entry| output::line(book_line(entry)));
    output::line(book_summary(counts));
    Ok(())
}

fn book_line(entry: &BookEntryView) -> String {
    let BookEntryView { peer, state, addresses, failures, last_error, .. } = entry;
    let marks = [(entry.bootstrap, "bootstrap"), (entry.anchor, "anchor")];
    let marks: String =
        marks.iter().filter(|(is, _)| *is).map(|(_, mark)| format!("  {mark}")).collect();
    let proved = addresses.iter().filter(|known| known.proved).count();
    let next = match entry.next_dial_ms {
        None => "connected".into(),
        Some(ms) => format!("failed {failures}, next dial in {}", span(ms)),
    };
    let netgroup = entry.netgroup.as_deref().unwrap_or("-");
    let shown: Vec<&str> = addresses.iter().map(|known| known.address.as_str()).collect();
    let error = last_error.as_ref().map_or(String::new(), |error| format!("\n    {error}"));
    format!(
        "{peer}  {state}{marks}  {netgroup}  {next}  {proved} of {} proved: {}{error}",
        addresses.len(),
        shown.join(", ")
    )
}

fn book_summary(counts: &BookCountsView) -> String {
    let BookCountsView { tried, new, netgroups, largest, .. } = counts;
    let known = count(usize::try_from(tried + new).unwrap_or(usize::MAX), "peer");
    let largest = largest.iter().take(3).map(|it| format!("{} with {}", it.netgroup, it.peers));
    let largest: Vec<String> = largest.collect();
    let largest =
        if largest.is_empty() { String::new() } else { format!(": {}", largest.join(", ")) };
    format!("{known}, {tried} tried and {new} new, in {netgroups} netgroups{largest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{BookAddressView, NetgroupView};

    #[test]
    fn a_line_of_the_book_says_when_a_peer_is_dialled_and_why_it_failed() {
        let known = |address: &str, proved| BookAddressView { address: address.into(), proved };
        let mut entry = BookEntryView {
            peer: "12D3".into(),
            addresses: vec![known("/ip4/9.8.7.6/tcp/1", true), known("/ip4/9.8.7.6/tcp/2", false)],
            netgroup: Some("9.8.0.0/16".into()),
            state: "new".into(),
            connected: false,
            bootstrap: true,
            anchor: false,
            failures: 3,
            last_error: Some("refused".into()),
            time: 5,
            next_dial_ms: Some(1_500),
        };
        assert_eq!(
            book_line(&entry),
            "12D3  new  bootstrap  9.8.0.0/16  failed 3, next dial in 1.5 s  \
             1 of 2 proved: /ip4/9.8.7.6/tcp/1, /ip4/9.8.7.6/tcp/2\n    refused"
        );
        (entry.next_dial_ms, entry.last_error, entry.netgroup) = (None, None, None);
        assert!(book_line(&entry).starts_with("12D3  new  bootstrap  -  connected  1 of 2"));
        let largest = [("9.8.0.0/16", 3), ("9.9.0.0/16", 2), ("7.7.0.0/16", 1), ("5.5.0.0/16", 1)];
        let largest = largest.map(|(group, peers)| NetgroupView { netgroup: group.into(), peers });
        let mut counts = BookCountsView {
            tried: 3,
            new: 4,
            bootstrap: 1,
            netgroups: 4,
            largest: largest.to_vec(),
        };
        assert_eq!(
            book_summary(&counts),
            "7 peers, 3 tried and 4 new, in 4 netgroups: 9.8.0.0/16 with 3, 9.9.0.0/16 with 2, 7.7.0.0/16 with 1"
        );
        counts.largest.clear();
        assert!(book_summary(&counts).ends_with("in 4 netgroups"));
    }
}
