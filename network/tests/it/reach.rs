//! Ways to be reached besides TCP over IPv4.

use timecoin_network::{
    Multiaddr, Network, NetworkConfig, PeerId, Reach, Topic, bootstrap_address,
    keypair_from_secret, peer_id_of, random_keypair, start,
};

use crate::support::{accept_next, config, eventually, meshed, node, noise};

const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";

fn listening(addresses: &[&str]) -> NetworkConfig {
    let listen = addresses.iter().map(|address| address.parse().unwrap()).collect();
    NetworkConfig { listen, ..config() }
}

fn address_with(node: &Network, part: &str) -> Multiaddr {
    let addresses = node.handle.listen_addresses();
    let address = addresses.iter().find(|address| address.to_string().contains(part)).unwrap();
    bootstrap_address(address, node.handle.local_peer_id())
}

/// How a node is connected to another, if it is.
fn via(node: &Network, peer: PeerId) -> Option<String> {
    let peers = node.handle.peers();
    Some(peers.iter().find(|info| info.peer == peer)?.address.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gossip_and_answers_travel_over_quic_and_ipv6() {
    let all = [QUIC, "/ip6/::1/tcp/0", "/ip6/::1/udp/0/quic-v1"];
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    for listen in all.into_iter().filter(|listen| has_ipv6 || listen.starts_with("/ip4")) {
        let mut first = node(120, listening(&[listen])).await;
        let bootstrap = vec![address_with(&first, "")];
        let second = node(121, NetworkConfig { bootstrap, ..listening(&[listen]) }).await;
        meshed(&[&first.handle, &second.handle], 1, Topic::Votes).await;
        second.handle.publish(Topic::Votes, noise(1, 500), 0).unwrap();
        assert_eq!(accept_next(&mut first.fast).await, noise(1, 500), "{listen}");
        eventually("bytes of both directions are counted", || {
            let info = second.handle.peers().remove(0);
            info.bytes_in > 100 && info.bytes_out > 500
        })
        .await;
        for network in [first, second] {
            network.handle.shutdown().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quic_is_used_where_tcp_fails() {
    let first = node(122, listening(&["/ip4/127.0.0.1/tcp/0", QUIC])).await;
    let peer = first.handle.local_peer_id();
    // Nothing listens on this TCP port.
    let dead = bootstrap_address(&"/ip4/127.0.0.1/tcp/1".parse().unwrap(), peer);
    let bootstrap = vec![dead, address_with(&first, "quic-v1")];
    let second = node(123, NetworkConfig { bootstrap, ..config() }).await;
    eventually("connected over QUIC", || {
        via(&second, peer).is_some_and(|address| address.contains("quic-v1"))
    })
    .await;
    // Where both work, TCP does: a process that is killed closes it at once.
    let bootstrap = vec![address_with(&first, "quic-v1"), address_with(&first, "tcp")];
    let third = node(124, NetworkConfig { bootstrap, ..config() }).await;
    eventually("connected over TCP", || {
        via(&third, peer).is_some_and(|address| address.contains("tcp"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_can_be_switched_off() {
    let off = Reach { quic: false, autonat: false, upnp: false, mdns: false };
    let quiet = node(125, NetworkConfig { reach: off, ..config() }).await;
    let loud = node(126, listening(&[QUIC])).await;
    let dialled = quiet.handle.dial(address_with(&loud, "quic-v1")).await;
    assert!(dialled.is_err(), "{dialled:?}");
    let config = NetworkConfig { reach: off, ..listening(&[QUIC]) };
    let error = start(config, random_keypair()).await.unwrap_err().to_string();
    assert!(error.contains("network.quic = true"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_behind_two_sentries_is_heard_and_known_to_nobody_else() {
    let hidden_key = keypair_from_secret([130; 32]);
    let hidden_id = peer_id_of(&hidden_key);
    let sentry = || NetworkConfig { private: vec![hidden_id], ..config() };
    let first = node(131, sentry()).await;
    let bootstrap = vec![address_with(&first, "")];
    let second = node(132, NetworkConfig { bootstrap: bootstrap.clone(), ..sentry() }).await;
    let behind = NetworkConfig {
        bootstrap: vec![address_with(&first, ""), address_with(&second, "")],
        only: vec![first.handle.local_peer_id(), second.handle.local_peer_id()],
        ..config()
    };
    let hidden = start(behind, hidden_key).await.unwrap();
    let mut stranger = node(133, NetworkConfig { bootstrap, ..config() }).await;
    meshed(&[&hidden.handle, &stranger.handle], 2, Topic::Votes).await;

    hidden.handle.publish(Topic::Votes, noise(3, 300), 0).unwrap();
    for sentry in [&first, &second] {
        assert!(sentry.handle.peers().iter().any(|peer| peer.peer == hidden_id));
    }
    let mut sentries = [first, second];
    for sentry in &mut sentries {
        assert_eq!(accept_next(&mut sentry.fast).await, noise(3, 300));
    }
    assert_eq!(accept_next(&mut stranger.fast).await, noise(3, 300));

    // What the stranger saves for its next start names its two peers and nobody else.
    let [first, mut second] = sentries;
    eventually("the stranger has saved its peers", || {
        let saved = String::from_utf8(stranger.saved.borrow().to_bytes()).unwrap();
        assert!(!saved.contains(&hidden_id.to_string()), "{saved}");
        [&first, &second]
            .iter()
            .all(|peer| saved.contains(&peer.handle.local_peer_id().to_string()))
    })
    .await;
    first.handle.shutdown().await;
    meshed(&[&hidden.handle, &stranger.handle], 1, Topic::Votes).await;
    hidden.handle.publish(Topic::Votes, noise(4, 300), 0).unwrap();
    assert_eq!(accept_next(&mut second.fast).await, noise(4, 300));
    assert_eq!(accept_next(&mut stranger.fast).await, noise(4, 300));
}
