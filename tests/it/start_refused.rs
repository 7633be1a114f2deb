//! Nodes that must not start, or must not connect: each says why, with the documented exit code.
use crate::{
    net::{Net, Node},
    ports,
    process::run,
    room::Room,
    wait::{eventually, stays},
};
use serde_json::{Value, json};
use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    time::Duration,
};
use timecoin::api::GetBlockchainInfo;

/// Longer than several attempts to connect in a local network.
const ATTEMPTS: Duration = Duration::from_secs(6);

#[test]
fn a_second_process_on_one_data_directory_is_refused_and_names_the_first() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    let pid = net.pid("val0").to_string();
    let height = val0.height();
    let config = val0.config();
    let said = start(&config, &[]).refused(4, &["already open", &pid, "next:"]);
    println!("{said}");
    val0.reaches(height + 1);
    assert_eq!(net.pid("val0").to_string(), pid);
    net.assert_sound();
}

#[test]
fn an_unknown_key_is_refused_with_its_place() {
    let net = Net::single(Room::one());
    let spare = spare(&net, "spare");
    let config = spare.config();
    let good = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("data_dirr = \"x\"\n{good}")).unwrap();
    let file = config.to_str().unwrap();
    let words = ["unknown key `data_dirr`", file, "did you mean `data_dir`?"];
    println!("{}", start(&config, &[]).refused(3, &words));
    fs::write(&config, good).unwrap();
    let words = ["unknown key `rpc.port`", "the command line"];
    start(&config, &["--set", "rpc.port=1"]).refused(3, &words);
    assert!(!spare.dir.join("data").exists(), "nothing was begun");
}

#[test]
fn a_taken_port_is_refused_and_named() {
    let net = Net::single(Room::one());
    let spare = spare(&net, "spare");
    let config = spare.config();
    let (p2p, rpc) = (spare.p2p, spare.rpc);
    let listen = format!("network.listen=/ip4/127.0.0.1/tcp/{p2p}");
    let more = ["--set", &listen, "--rpc-listen", &format!("127.0.0.1:{rpc}")];
    {
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, p2p)).unwrap();
        let address = format!("/ip4/127.0.0.1/tcp/{p2p}");
        println!("{}", start(&config, &more).refused(6, &[&address, "taken", "next:"]));
    }
    {
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, rpc)).unwrap();
        let address = format!("127.0.0.1:{rpc}");
        println!("{}", start(&config, &more).refused(6, &["RPC", &address, "next:"]));
    }
    let base = net.node("val0").p2p.to_string();
    let dir = net.dir.join("other");
    let port = format!("port {base} is taken, val0 needs it for p2p");
    let words = ["testnet", "up", "--detach", "--base-port", &base, "--dir"];
    run(&[&words[..], &[dir.to_str().unwrap()]].concat()).refused(6, &[&port, "--base-port"]);
}

#[test]
fn a_database_of_another_genesis_is_refused_and_left_as_it_was() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    let height = val0.height();
    net.kill("val0");
    let other = net.dir.join("other-genesis.json");
    let found = write_other_genesis(&net, &other);
    let genesis = format!("genesis={}", other.display());
    let words = [&net.genesis().to_string(), found.as_str(), "Nothing was changed"];
    println!("{}", start(&val0.config(), &["--set", &genesis]).refused(5, &words));
    net.testnet(&["start", "val0"]).ok();
    val0.reaches(height + 1);
    net.assert_sound();
}

#[test]
fn a_peer_of_another_chain_is_never_connected_and_both_sides_say_why() {
    let [one, two] = Room::two();
    let (ours, theirs) = (Net::single(one), Net::single(two));
    let (friend, foreigner) = (ours.node("val0"), theirs.node("val0"));
    let node = spare(&ours, "late");
    let bootstrap = format!("network.bootstrap={},{}", friend.address(), foreigner.address());
    let _process = node.start(&["--set", &bootstrap, "--set", "network.allow_private=true"]);

    let tags = [&ours, &theirs].map(|net| format!("tc-{}", &net.genesis().to_string()[..8]));
    for (node, foreign) in [(&node, &tags[1]), (foreigner, &tags[0])] {
        let line = node.logs("refused: serves the chain");
        assert!(line.contains(" WARN ") && line.contains(foreign.as_str()), "{line}");
        println!("{line}");
    }
    let tip = friend.height();
    node.reaches(tip);
    let friends = [friend.peer_id()].into();
    eventually("only the friend is connected", || {
        let peers = node.peers();
        if peers == friends { Ok(()) } else { Err(format!("{peers:?}")) }
    });
    stays(ATTEMPTS, || {
        assert_eq!(node.peers(), friends);
        assert_eq!(foreigner.peers(), [].into());
    });
    assert!(node.figure("timecoin_net_refused_total{reason=\"chain\"}") >= 1);
    let info = node.ask(&GetBlockchainInfo {});
    assert_eq!(info.genesis, ours.genesis().to_string());
    ours.assert_sound();
    theirs.assert_sound();
}

/// `timecoin start`, which must end by itself.
fn start(config: &Path, more: &[&str]) -> crate::process::Ended {
    run(&[&["start", "--config", config.to_str().unwrap()], more].concat())
}

/// The files of an additional node of a network's chain, on free ports.
fn spare(net: &Net, name: &str) -> Node {
    let base = ports::free_base(1);
    let node = Node::at(name.into(), net.dir.join(name), base, base + 1);
    let (dir, genesis) = (node.dir.to_str().unwrap(), net.genesis_file());
    run(&["init", "--dir", dir, "--genesis", genesis.to_str().unwrap()]).ok();
    node
}

/// The network's genesis a millisecond later; returns its hash.
fn write_other_genesis(net: &Net, path: &Path) -> String {
    let text = fs::read(net.genesis_file()).unwrap();
    let mut genesis: Value = serde_json::from_slice(&text).unwrap();
    genesis["time_ms"] = json!(genesis["time_ms"].as_u64().unwrap() + 1);
    genesis.as_object_mut().unwrap().remove("hash");
    fs::write(path, genesis.to_string()).unwrap();
    timecoin::genesis_file::load_chain(path).unwrap().hash.to_string()
}
