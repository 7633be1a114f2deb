//! `timecoin net doctor`: what is right and wrong with a running node's place in the mesh.
//!
//! It asks the node by RPC and judges here. Each line has a verdict and, unless all is well, what to
//! type or to set next.
use super::target::{NodeArgs, Target};
use crate::{
    api::{
        BanView, BookEntryView, GetMeshBook, GetMeshInfo, GetNetworkInfo, GetPeerInfo, ListBanned,
        MeshInfo, NetworkInfo, PeerView,
    },
    terminal::{
        CliError, Exit,
        output::{self, count},
    },
};
use serde::Serialize;
use timecoin_network::{Party, ip_and_port, is_public, parse_address};

/// Refusals and slow peers of this time are news.
const NEWS_SECONDS: u64 = 600;
/// Outbound peers that are enough to ask for different netgroups.
const OUTBOUND_MANY: u64 = 4;
/// A loop that is so late delays votes.
const LAG_MS: u64 = 500;
/// Reasons that are nothing to worry about.
const USUAL: [&str; 3] = ["unwanted", "twice", "again"];
/// Reasons that an operator can do something about, the gravest first. Any stranger may be of another chain.
const GRAVE: [&str; 3] = ["newer", "memory", "full"];

/// What the node says.
#[derive(Debug)]
struct Facts {
    network: NetworkInfo,
    peers: Vec<PeerView>,
    mesh: MeshInfo,
    /// The nodes of the configuration come first.
    book: Vec<BookEntryView>,
    bans: Vec<BanView>,
}

/// How well a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Bad,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    what: String,
    next: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, what: what.into(), next: None }
    }

    fn warn(check: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warn, what: what.into(), next: Some(next.into()) }
    }

    fn bad(check: &'static str, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, ..Self::warn(check, what, next) }
    }
}

pub(super) fn run(node: &NodeArgs, as_json: bool) -> Result<(), CliError> {
    let findings = examine(&ask(&node.find()?)?, &node.flag());
    if as_json {
        output::json(&findings)?;
    } else {
        for Finding { check, verdict, what, next } in &findings {
            let verdict = match verdict {
                Verdict::Ok => "ok",
                Verdict::Warn => "warn",
                Verdict::Bad => "BAD",
            };
            output::line(format_args!("{verdict:4}  {check:9}  {what}"));
            if let Some(next) = next {
                output::line(format_args!("      {:9}  next: {next}", ""));
            }
        }
    }
    let bad: Vec<&Finding> = findings.iter().filter(|f| f.verdict == Verdict::Bad).collect();
    let Some(first) = bad.first() else { return Ok(()) };
    let what = format!("{} of {} checks failed", bad.len(), findings.len());
    let error = CliError::new(Exit::Failure, what).why(&first.what);
    Err(first.next.iter().fold(error, |error, next| error.next(next)))
}

fn ask(target: &Target) -> Result<Facts, CliError> {
    let client = &target.client;
    Ok(Facts {
        network: client.ask(&GetNetworkInfo {})?,
        peers: client.ask(&GetPeerInfo {})?,
        mesh: client.ask(&GetMeshInfo {})?,
        book: client.ask(&GetMeshBook::default())?.entries,
        bans: client.ask(&ListBanned {})?,
    })
}

/// All findings. `flag` names the node in commands.
fn examine(facts: &Facts, flag: &str) -> Vec<Finding> {
    let mut findings = vec![listens(facts), public(facts), inbound(facts), peers(facts, flag)];
    findings.push(netgroups(facts));
    findings.extend(
        facts
            .book
            .iter()
            .filter(|entry| entry.bootstrap)
            .map(|entry| bootstrap(entry, facts.peers.is_empty(), flag)),
    );
    findings.push(bans(facts, flag));
    findings.push(places(facts));
    findings.extend(open_files(facts));
    findings.extend(memory(facts));
    findings.extend([lag(facts), slow(facts, flag), refusals(facts)]);
    findings
}

fn listens(facts: &Facts) -> Finding {
    match facts.network.listen.as_slice() {
        [] => Finding::bad(
            "listen",
            "listens nowhere: nobody can connect",
            "set network.listen in the configuration and restart",
        ),
        listen => Finding::ok("listen", format!("listens on {}", listen.join(", "))),
    }
}

fn public(facts: &Facts) -> Finding {
    let is_public = |text: &&String| parse_address(text).is_ok_and(|address| is_public(&address));
    let own = facts.network.listen.iter().chain(&facts.mesh.external);
    let public: Vec<&str> = own.filter(is_public).map(String::as_str).collect();
    if !public.is_empty() {
        return Finding::ok("public", format!("others are told {}", public.join(", ")));
    }
    Finding::warn(
        "public",
        "no public address is announced: only nodes of this machine or network can connect",
        format!("forward port {} and set network.external to the public address", port(facts)),
    )
}

fn inbound(facts: &Facts) -> Finding {
    let connected = facts.network.connections_in;
    let reached = format!("{} reached this node", peers_of(connected));
    let next = format!("forward TCP and UDP port {} from the router to this machine", port(facts));
    match facts.network.reachability.as_str() {
        "reachable" => Finding::ok("inbound", format!("reachable: {reached}")),
        "unknown" if connected > 0 => Finding::ok("inbound", reached),
        "unknown" => {
            Finding::warn("inbound", "nothing shows yet that others reach this node", next)
        }
        other => Finding::warn("inbound", other, next),
    }
}

/// The port of the first address it listens on.
fn port(facts: &Facts) -> String {
    let address = facts.network.listen.first().and_then(|text| parse_address(text).ok());
    let port = address.and_then(|address| ip_and_port(&address));
    port.map_or("of network.listen".into(), |(_, port)| port.to_string())
}

fn peers(facts: &Facts, flag: &str) -> Finding {
    let NetworkInfo { connections, connections_in, connections_out, .. } = facts.network;
    let target = facts.mesh.connections.outbound_target;
    let known = facts.mesh.book.tried + facts.mesh.book.new;
    if connections == 0 && known == 0 {
        return Finding::bad(
            "peers",
            "no peers, and none is known to dial",
            "set network.bootstrap in the configuration and restart",
        );
    }
    if connections == 0 {
        return Finding::bad(
            "peers",
            format!("no peers; {known} known ones are being dialled"),
            format!("timecoin net book{flag}"),
        );
    }
    let what = format!(
        "{}: {connections_in} inbound, {connections_out} outbound of a target of {target}",
        peers_of(connections)
    );
    let unconnected = facts.book.iter().any(|entry| !entry.connected);
    match connections_out < target && unconnected {
        true => Finding::warn("peers", what, format!("timecoin net book{flag}")),
        false => Finding::ok("peers", what),
    }
}

fn netgroups(facts: &Facts) -> Finding {
    let outbound = facts.network.connections_out;
    let groups = facts.mesh.connections.outbound_netgroups;
    match groups {
        0 => Finding::ok("netgroups", "no outbound peer has a public address"),
        1..OUTBOUND_MANY if outbound >= OUTBOUND_MANY => Finding::warn(
            "netgroups",
            format!("{outbound} outbound peers in {groups} netgroups: one party may own them all"),
            "add nodes of other providers to network.bootstrap and restart",
        ),
        _ => Finding::ok("netgroups", format!("{outbound} outbound peers in {groups} netgroups")),
    }
}

fn bootstrap(entry: &BookEntryView, is_alone: bool, flag: &str) -> Finding {
    let address = entry.addresses.first().map_or("?", |known| known.address.as_str());
    let name = format!("{address}/p2p/{}", entry.peer);
    if entry.connected {
        return Finding::ok("bootstrap", format!("{name} is connected"));
    }
    let next = format!("timecoin net add {name}{flag}");
    let what = match &entry.last_error {
        Some(error) => format!("{name} failed {}: {error}", times(entry.failures)),
        None => format!("{name} is not connected"),
    };
    match is_alone {
        true => Finding::bad("bootstrap", what, next),
        false => Finding::warn("bootstrap", what, next),
    }
}

fn bans(facts: &Facts, flag: &str) -> Finding {
    let bootstrap = facts.book.iter().filter(|entry| entry.bootstrap);
    let hosts = bootstrap.clone().flat_map(|entry| &entry.addresses).filter_map(|known| {
        let address = parse_address(&known.address).ok()?;
        let host: Party = ip_and_port(&address)?.0.to_string().parse().ok()?;
        Some(host.to_string())
    });
    let ours: Vec<String> = bootstrap
        .map(|entry| entry.peer.clone())
        .chain(facts.mesh.reserved.iter().cloned())
        .chain(hosts)
        .collect();
    match facts.bans.iter().find(|ban| ours.contains(&ban.address)) {
        Some(BanView { address, reason, .. }) => Finding::bad(
            "bans",
            format!("{address} of the configuration is banned: {reason}"),
            format!("timecoin net unban {address}{flag}"),
        ),
        None => Finding::ok("bans", format!("{} in force", count(facts.bans.len(), "ban"))),
    }
}

fn places(facts: &Facts) -> Finding {
    let places = &facts.mesh.connections;
    let what = format!(
        "{} of {} inbound places taken, {} left for others since the start",
        places.inbound, places.inbound_max, places.evicted
    );
    match places.inbound >= places.inbound_max {
        true => {
            Finding::warn("places", what, "raise limits.peers in the configuration and restart")
        }
        false => Finding::ok("places", what),
    }
}

fn open_files(facts: &Facts) -> Option<Finding> {
    let (open, max) = (facts.mesh.open_files?, facts.mesh.open_files_max?);
    let what = format!("{open} of {max} open files and sockets");
    let next = "raise the limit: LimitNOFILE= of the service, or ulimit -n, and restart";
    Some(match open.saturating_mul(100).checked_div(max)? {
        95.. => Finding::bad("files", what, next),
        80.. => Finding::warn("files", what, next),
        _ => Finding::ok("files", what),
    })
}

fn memory(facts: &Facts) -> Option<Finding> {
    let (used, max) = (facts.mesh.memory, facts.mesh.memory_max);
    let mib = |bytes: u64| bytes / (1024 * 1024);
    let what = format!("{} of {} MiB of memory", mib(used), mib(max));
    let next = "raise limits.memory_mib, or lower limits.peers or mempool.bytes_mb, and restart";
    Some(match used.saturating_mul(100).checked_div(max)? {
        _ if used > max => Finding::bad("memory", format!("{what}: strangers are refused"), next),
        90.. => Finding::warn("memory", what, next),
        _ => Finding::ok("memory", what),
    })
}

fn lag(facts: &Facts) -> Finding {
    let MeshInfo { loop_lag_ms: now, loop_lag_max_ms: max, .. } = facts.mesh;
    let what = format!("the network loop is {now} ms late, at most {max} ms since the start");
    let next = "give the node more processor time; see what else runs: top";
    match (now > LAG_MS, max > LAG_MS) {
        (true, _) => Finding::bad("loop", what, next),
        (false, true) => Finding::warn("loop", what, next),
        (false, false) => Finding::ok("loop", what),
    }
}

fn slow(facts: &Facts, flag: &str) -> Finding {
    let slow = &facts.mesh.slow;
    match (&slow.peer, slow.seconds_ago) {
        (Some(peer), Some(seconds)) if seconds < NEWS_SECONDS => Finding::warn(
            "slow",
            format!(
                "{peer} did not take its messages in time {seconds} s ago; {} since the start",
                times(u32::try_from(slow.count).unwrap_or(u32::MAX))
            ),
            format!("timecoin net drop {peer}{flag}"),
        ),
        _ => Finding::ok("slow", "every peer took its messages in time"),
    }
}

fn refusals(facts: &Facts) -> Finding {
    let news = facts.mesh.refusals.iter().filter(|refusal| {
        refusal.seconds_ago.is_some_and(|seconds| seconds < NEWS_SECONDS)
            && !USUAL.contains(&refusal.reason.as_str())
    });
    let news: Vec<_> = news.collect();
    if news.is_empty() {
        return Finding::ok("refused", "nobody was turned away in the last 10 minutes");
    }
    let of = |refusal: &&crate::api::RefusalView| {
        let ago = refusal.seconds_ago.unwrap_or_default();
        format!("{} ({}, the last {ago} s ago)", refusal.text, times_of(refusal.count))
    };
    let what = news.iter().map(of).collect::<Vec<_>>().join("; ");
    let is_news = |grave: &&&str| news.iter().any(|refusal| refusal.reason == ***grave);
    let next = match GRAVE.iter().find(is_news) {
        None => return Finding::ok("refused", what),
        Some(&"newer") => "install a newer release; the data stays as it is",
        Some(&"memory") => "raise limits.memory_mib in the configuration and restart",
        Some(_) => "raise limits.peers in the configuration and restart",
    };
    Finding::warn("refused", what, next)
}

fn peers_of(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "peer")
}

fn times(number: u32) -> String {
    times_of(number.into())
}

fn times_of(number: u64) -> String {
    if number == 1 { "once".into() } else { format!("{number} times") }
}

#[cfg(test)]
mod tests;
