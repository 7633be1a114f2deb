//! Each finding by what the node says.
use super::*;
use crate::api::{
    BookAddressView, BookCountsView, ConnectionsView, JsonAmount, RefusalView, SlowView,
};
use timecoin_chain::types::Amount;
use timecoin_network::Reachability;

const SEED: &str = "12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2";

/// A node that is well: eight outbound peers in eight netgroups and three inbound ones.
fn well() -> Facts {
    let address = "/ip4/9.8.7.6/tcp/24000";
    let seed = BookEntryView {
        peer: SEED.into(),
        addresses: vec![BookAddressView { address: address.into(), proved: true }],
        netgroup: Some("9.8.0.0/16".into()),
        state: "tried".into(),
        connected: true,
        bootstrap: true,
        anchor: true,
        failures: 0,
        last_error: None,
        time: 1,
        next_dial_ms: None,
    };
    Facts { network: network(), peers: vec![peer()], mesh: mesh(), book: vec![seed], bans: vec![] }
}

fn network() -> NetworkInfo {
    let fee = JsonAmount(Amount(1));
    NetworkInfo {
        version: 100,
        subversion: String::new(),
        protocolversion: 1,
        chain: "main".into(),
        genesis: String::new(),
        chain_id: String::new(),
        peer_id: String::new(),
        bootstrap: vec![],
        listen: vec!["/ip4/5.6.7.8/tcp/24000".into()],
        reachability: "reachable".into(),
        masternode: None,
        connections: 11,
        connections_in: 3,
        connections_out: 8,
        localrelay: true,
        networkactive: true,
        timeoffset: 0,
        relayfee: fee,
        incrementalrelayfee: fee,
        warnings: vec![],
    }
}

fn peer() -> PeerView {
    PeerView {
        id: 0,
        peer: SEED.into(),
        addr: String::new(),
        inbound: false,
        connection_type: String::new(),
        transport: "tcp".into(),
        netgroup: None,
        conntime: 1,
        pingtime: None,
        subver: String::new(),
        protocol: String::new(),
        version: 2,
        services: String::new(),
        servicesnames: vec![],
        listen: vec![],
        mesh: vec![],
        has_place: false,
        score: 0,
        bytesrecv: 0,
        bytessent: 0,
    }
}

fn mesh() -> MeshInfo {
    let counts =
        BookCountsView { tried: 20, new: 80, bootstrap: 1, netgroups: 40, largest: vec![] };
    MeshInfo {
        external: vec![],
        reserved: vec!["reserved".into()],
        connections: ConnectionsView {
            inbound: 3,
            inbound_max: 32,
            outbound: 8,
            outbound_max: 18,
            outbound_target: 8,
            outbound_netgroups: 8,
            pending: 0,
            pending_max: 64,
            evicted: 0,
        },
        topics: vec![],
        lanes: vec![],
        protocols: vec![],
        book: counts,
        bans: 0,
        refusals: vec![],
        slow: SlowView { count: 0, peer: None, seconds_ago: None },
        recent: vec![],
        loop_lag_ms: 1,
        loop_lag_max_ms: 20,
        memory: 100 << 20,
        memory_max: 1 << 30,
        open_files: Some(60),
        open_files_max: Some(1_024),
    }
}

fn refused(reason: &str, seconds_ago: u64) -> RefusalView {
    let (reason, text) = (reason.to_owned(), format!("text of {reason}"));
    RefusalView { reason, text, count: 2, seconds_ago: Some(seconds_ago) }
}

fn ban(address: &str) -> BanView {
    let (address, reason) = (address.to_owned(), "noise".to_owned());
    BanView { address, banned_until: 9, time_remaining: 9, reason, times: 1 }
}

/// The findings of a node that is not quite well; those that are ok are left out.
fn findings(change: impl Fn(&mut Facts)) -> Vec<Finding> {
    let mut facts = well();
    change(&mut facts);
    examine(&facts, " --net net").into_iter().filter(|it| it.verdict != Verdict::Ok).collect()
}

#[test]
fn a_node_that_is_well_has_only_good_findings() {
    let findings = examine(&well(), "");
    assert!(findings.iter().all(|it| it.verdict == Verdict::Ok && it.next.is_none()));
    let checks: Vec<&str> = findings.iter().map(|it| it.check).collect();
    let expected = [
        "listen",
        "public",
        "inbound",
        "peers",
        "netgroups",
        "bootstrap",
        "bans",
        "places",
        "files",
        "memory",
        "loop",
        "slow",
        "refused",
    ];
    assert_eq!(checks, expected);
}

type Change = fn(&mut Facts);
/// What is changed; the check, its verdict, and words of what is said and of what to do next.
type Case = (Change, &'static str, Verdict, &'static str, &'static str);

fn are_found(cases: &[Case]) {
    for (change, check, verdict, what, next) in cases {
        let found = findings(change);
        let Some(finding) = found.iter().find(|it| it.check == *check) else {
            unreachable!("{check} {what}: {found:?}");
        };
        assert_eq!(finding.verdict, *verdict, "{finding:?}");
        assert!(finding.what.contains(what), "{finding:?}");
        assert!(finding.next.as_deref().is_some_and(|it| it.contains(next)), "{finding:?}");
    }
}

#[test]
fn what_is_not_well_with_addresses_and_peers_is_named_with_what_to_do() {
    use Verdict::{Bad, Warn};
    are_found(&[
        (|f| f.network.listen.clear(), "listen", Bad, "nowhere", "network.listen"),
        (
            |f| f.network.listen = vec!["/ip4/10.0.0.1/tcp/24000".into()],
            "public",
            Warn,
            "no public address",
            "forward port 24000",
        ),
        (
            |f| {
                (f.network.connections_in, f.network.reachability) = (0, "unknown".into());
            },
            "inbound",
            Warn,
            "nothing shows",
            "UDP port 24000",
        ),
        (
            |f| f.network.reachability = Reachability::OutboundOnly { tested: vec![] }.to_string(),
            "inbound",
            Warn,
            "behind NAT",
            "UDP port 24000",
        ),
        (
            |f| (f.network.connections, f.mesh.book.tried, f.mesh.book.new) = (0, 0, 0),
            "peers",
            Bad,
            "none is known",
            "network.bootstrap",
        ),
        (|f| f.network.connections = 0, "peers", Bad, "100 known", "net book --net net"),
        (
            |f| (f.network.connections_out, f.book[0].connected) = (3, false),
            "peers",
            Warn,
            "3 outbound of a target of 8",
            "net book --net net",
        ),
        (|f| f.mesh.connections.outbound_netgroups = 2, "netgroups", Warn, "2 netgroups", "other"),
        (
            |f| {
                let seed = &mut f.book[0];
                (seed.connected, seed.failures) = (false, 3);
                seed.last_error = Some("refused".into());
            },
            "bootstrap",
            Warn,
            "failed 3 times: refused",
            "timecoin net add /ip4/9.8.7.6/tcp/24000/p2p/12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2 --net net",
        ),
        (
            |f| {
                f.peers.clear();
                f.book[0].connected = false;
            },
            "bootstrap",
            Bad,
            "is not connected",
            "net add",
        ),
    ]);
}

#[test]
fn what_is_not_well_with_bans_limits_and_load_is_named_with_what_to_do() {
    use Verdict::{Bad, Warn};
    are_found(&[
        (|f| f.bans = vec![ban(SEED)], "bans", Bad, "noise", "net unban 12D3KooWBm"),
        (|f| f.bans = vec![ban("9.8.7.6/32")], "bans", Bad, "noise", "net unban 9.8.7.6/32"),
        (|f| f.bans = vec![ban("reserved")], "bans", Bad, "noise", "net unban reserved --net net"),
        (|f| f.mesh.connections.inbound = 32, "places", Warn, "32 of 32", "limits.peers"),
        (|f| f.mesh.open_files = Some(820), "files", Warn, "820 of 1024", "LimitNOFILE"),
        (|f| f.mesh.open_files = Some(1_000), "files", Bad, "1000 of 1024", "LimitNOFILE"),
        (|f| f.mesh.memory = 1_000 << 20, "memory", Warn, "1000 of 1024 MiB", "limits.memory_mib"),
        (|f| f.mesh.memory = 2 << 30, "memory", Bad, "strangers are refused", "limits.memory_mib"),
        (|f| f.mesh.loop_lag_max_ms = 900, "loop", Warn, "at most 900 ms", "top"),
        (
            |f| f.mesh.slow = SlowView { count: 7, peer: Some("x".into()), seconds_ago: Some(5) },
            "slow",
            Warn,
            "x did not take its messages in time 5 s ago; 7 times",
            "timecoin net drop x --net net",
        ),
        (
            |f| f.mesh.refusals = vec![refused("full", 9), refused("newer", 5)],
            "refused",
            Warn,
            "text of full (2 times, the last 9 s ago); text of newer",
            "newer release",
        ),
        (|f| f.mesh.refusals = vec![refused("full", 9)], "refused", Warn, "full", "limits.peers"),
    ]);
}

#[test]
fn what_is_usual_old_or_of_others_is_no_finding() {
    let changes: [fn(&mut Facts); 7] = [
        |f| f.mesh.external = vec!["/dns4/node.example.org/tcp/1".into()],
        |f| f.mesh.refusals = vec![refused("unwanted", 1), refused("chain", 1)],
        |f| f.mesh.refusals = vec![refused("full", NEWS_SECONDS)],
        |f| f.bans = vec![ban("7.7.7.7/32")],
        |f| f.network.connections_out = 4,
        |f| f.mesh.slow = SlowView { count: 1, peer: Some("x".into()), seconds_ago: Some(601) },
        |f| (f.mesh.memory, f.mesh.memory_max, f.mesh.open_files) = (2 << 30, 0, None),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert_eq!(findings(change), [], "change {number}");
    }
    let mut facts = well();
    facts.mesh.refusals = vec![refused("unwanted", 1), refused("rate", 1)];
    let told = refusals(&facts).what;
    assert!(told.contains("text of rate") && !told.contains("unwanted"), "{told}");
}
