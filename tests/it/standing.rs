//! Who is a peer: a node that stands still stays one, and one that is banned does not come back.
use crate::{net::Net, room::Room, wait::eventually};
use nix::sys::signal::Signal;
use std::time::Duration;
use timecoin::api::{BanView, PeerView};

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

    let full = net.node("full0").peer_id();
    let tell = |words: &[&str]| net.command(&[words, &["--node", "val0"]].concat()).ok();
    tell(&["net", "ban", &full, "--hours", "2"]);
    eventually("it is no peer any more", || view(&full).map_or(Ok(()), |_| Err("it is".into())));
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
