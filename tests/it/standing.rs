//! Who is a peer: a node that stands still stays one, and one that is banned does not come back. What
//! operators see of it.
use crate::{
    net::{Net, Node},
    room::Room,
    wait::eventually,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::time::Duration;
use timecoin::api::{BanView, BookView, MeshInfo, NetTotals, NodeAddress, PeerView};

/// How long a node stands still.
const STALL: Duration = Duration::from_secs(5);

#[test]
fn a_stalled_node_stays_connected_and_a_banned_one_stays_out() {
    let net = Net::five(Room::one());
    let (val0, val3) = (net.node("val0"), net.node("val3"));
    let view = |of: &str| -> Option<PeerView> {
        let peers: Vec<PeerView> = val0.call("getpeerinfo", [(); 0]);
        peers.into_iter().find(|peer| peer.peer == of)
    };
    let stalled = val3.peer_id();
    let before = eventually("val3 is a peer", || view(&stalled).ok_or("not yet".into()));
    net.signal("val3", Signal::SIGSTOP);
    std::thread::sleep(STALL);
    net.signal("val3", Signal::SIGCONT);
    let height = val0.height();
    val3.reaches(height + 2);
    let after = view(&stalled).expect("val3 is still a peer");
    assert_eq!((after.addr, after.conntime), (before.addr, before.conntime), "the same connection");
    assert!(after.score >= 0, "a stall costs nothing: {}", after.score);
    assert_eq!(
        (after.transport.as_str(), after.netgroup.as_deref()),
        ("tcp", Some("127.0.0.0/16"))
    );
    operators_see_the_mesh(val0);

    let full = net.node("full0").peer_id();
    let tell = |words: &[&str]| net.command(&[words, &["--node", "val0"]].concat()).ok();
    tell(&["net", "ban", &full, "--hours", "2"]);
    eventually("it is no peer any more", || view(&full).map_or(Ok(()), |_| Err("it is".into())));
    operators_see_the_ban(&net, &full);
    net.kill("val0");
    net.testnet(&["start", "val0"]).ok();
    let val0 = net.node("val0");
    let bans: Vec<BanView> = val0.call("listbanned", [(); 0]);
    assert_eq!((bans.len(), bans[0].address.as_str()), (1, full.as_str()), "{bans:?}");
    assert!(bans[0].time_remaining > 7_000, "{bans:?}");
    let height = val0.height();
    val0.reaches(height + 2);
    assert!(!val0.peers().contains(&full));
    tell(&["net", "unban", &full]);
    eventually("it is a peer again", || match val0.peers().contains(&full) {
        true => Ok(()),
        false => Err("not yet".into()),
    });
}

fn operators_see_the_mesh(val0: &Node) {
    let mesh: MeshInfo = val0.call("getmeshinfo", json!([]));
    let votes = &mesh.topics[0];
    assert_eq!(votes.topic, "votes");
    assert!(votes.mesh >= 1 && votes.received > 0 && votes.bytesrecv > 0, "{votes:?}");
    // Four masternodes forward each other's votes.
    assert!(votes.duplicates > 0, "{votes:?}");
    assert!(mesh.lanes.iter().all(|lane| lane.peers >= 3), "{:?}", mesh.lanes);
    assert!(mesh.memory > 0 && mesh.memory < mesh.memory_max, "{mesh:?}");
    assert!(mesh.open_files.is_some_and(|files| files > 10), "{mesh:?}");
    let status = mesh.protocols.iter().find(|it| it.protocol == "status").expect("a protocol");
    assert!(status.bytesrecv > 0 && status.bytessent > 0, "{status:?}");
    let totals: NetTotals = val0.call("getnettotals", json!([]));
    assert!(totals.totalbytesrecv >= votes.bytesrecv, "{totals:?}");
    let book: BookView = val0.call("getmeshbook", json!([]));
    assert_eq!((book.counts.bootstrap, book.entries.len()), (3, 4), "{book:?}");
    assert!(book.entries[..3].iter().all(|entry| entry.bootstrap && entry.state == "tried"));
    let nodes: Vec<NodeAddress> = val0.call("getnodeaddresses", json!([0, "ipv4"]));
    assert!(nodes.iter().any(|node| node.address == "127.0.0.1"), "{nodes:?}");
    assert_eq!(val0.call::<Vec<NodeAddress>>("getnodeaddresses", json!([0, "ipv6"])), []);
    assert_eq!(val0.refusal("getnodeaddresses", json!([1, "onion"])).code, -8);
    assert_eq!(val0.refusal("getmeshbook", json!([1, "nobody"])).code, -8);
}

/// The one that bans says whom; the one that is banned sees that a node of its configuration is missing.
fn operators_see_the_ban(net: &Net, full: &str) {
    let (val0, full0) = (net.node("val0"), net.node("full0"));
    let mesh: MeshInfo = val0.call("getmeshinfo", json!([]));
    let left = mesh.recent.iter().find(|departure| departure.peer == full);
    assert_eq!(left.map(|departure| departure.reason.as_str()), Some("banned"), "{mesh:?}");
    eventually("it comes back and is refused", || {
        match val0.figure("timecoin_net_refused_total{reason=\"banned\"}") {
            0 => Err("not yet".into()),
            _ => Ok(()),
        }
    });
    assert_eq!(val0.figure("timecoin_net_bans"), 1);
    let doctor =
        |more: &[&str]| net.command(&[&["net", "doctor", "--node", "full0"], more].concat());
    let of_val0 = |finding: &&Value| {
        let what = finding["what"].as_str().unwrap_or_default();
        finding["check"] == "bootstrap" && what.contains(&val0.peer_id())
    };
    eventually("its doctor names val0 with the error", || {
        let findings: Vec<Value> =
            serde_json::from_str(&doctor(&["--json"]).stdout).map_err(|error| error.to_string())?;
        let finding = findings.iter().find(of_val0).ok_or("no finding")?;
        let says = finding["what"].as_str().is_some_and(|what| what.contains("failed"));
        if says && finding["verdict"] == "warn" { Ok(()) } else { Err(finding.to_string()) }
    });
    // A ban of a node of the configuration is an error of the operator.
    let val3 = net.node("val3").peer_id();
    let tell = |words: &[&str]| net.command(&[words, &["--node", "full0"]].concat()).ok();
    tell(&["net", "ban", &val3]);
    doctor(&[]).refused(1, &["is banned", "next: timecoin net unban"]);
    tell(&["net", "unban", &val3]);
    let book = tell(&["net", "book", &full0.peer_id()]).stdout;
    assert!(book.contains("peers") && book.contains("tried"), "{book}");
}
