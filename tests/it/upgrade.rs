//! A network is upgraded one node after the other.
use crate::{net::Net, room::Room, wait::eventually};
use timecoin::api::PeerView;

/// A node's configuration with the protocol version of the release before this one, or without it.
fn set_version(net: &Net, name: &str, is_old: bool) {
    const OLD: &str = "[network]\nversion_max = 1\n";
    let path = net.node(name).config();
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = match is_old {
        true => text.replacen("[network]\n", OLD, 1),
        false => text.replacen(OLD, "[network]\n", 1),
    };
    assert_ne!(text, changed, "{text}");
    std::fs::write(path, changed).unwrap();
}

fn peers_of(net: &Net, name: &str) -> Vec<PeerView> {
    net.node(name).call("getpeerinfo", [(); 0])
}

#[test]
fn five_nodes_are_upgraded_one_by_one_while_payments_settle() {
    let net = Net::five(Room::one());
    let names: Vec<String> = net.nodes.iter().map(|node| node.name.clone()).collect();
    net.kill_all();
    names.iter().for_each(|name| set_version(&net, name, true));
    net.up_again();
    net.wallet(&["new", "bob"]).ok();
    net.pay_and_wait("bob", "1");
    for name in &names {
        assert!(peers_of(&net, name).iter().all(|peer| peer.version == 1), "{name}");
    }
    for name in &names {
        net.kill(name);
        set_version(&net, name, false);
        // One of four masternodes is away: the others go on.
        let other = names.iter().find(|other| *other != name).unwrap();
        let height = net.node(other).height();
        net.pay_and_wait("bob", "1");
        assert!(net.node(other).height() > height);
        net.testnet(&["start", name]).ok();
        net.node(name).reaches(height + 1);
        eventually(&format!("{name} has all its peers again"), || {
            match peers_of(&net, name).len() {
                4 => Ok(()),
                peers => Err(format!("{peers} peers")),
            }
        });
    }
    for name in &names {
        eventually(&format!("{name} knows what its peers offer, and who is a masternode"), || {
            let peers = peers_of(&net, name);
            let is_known =
                |peer: &&PeerView| peer.version == 2 && peer.servicesnames == ["NETWORK"];
            let masternodes = peers.iter().filter(|peer| peer.has_place).count();
            let expected = if name.starts_with("val") { 3 } else { 4 };
            match (peers.iter().filter(is_known).count(), masternodes) {
                (4, places) if places == expected => Ok(()),
                counts => Err(format!("{counts:?}, not 4 and {expected}")),
            }
        });
    }
    net.assert_one_chain(1);
    net.assert_sound();
}
