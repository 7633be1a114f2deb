//! Starting nodes and waiting for what they do.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use bytes::Bytes;
use timecoin_network::{
    Gossip, Multiaddr, Network, NetworkConfig, NetworkHandle, PeerEvent, PeerId, PeerLimits, Topic,
    bootstrap_address, keypair_from_secret, start,
};
use tokio::sync::mpsc;

/// How long anything may take; far more than it does, for machines under load.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const TAG: &str = "tc-test";

pub(crate) fn config() -> NetworkConfig {
    NetworkConfig {
        agent: "timecoin/test".to_owned(),
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        allow_private: true,
        ..NetworkConfig::of_chain(TAG)
    }
}

pub(crate) fn joining(bootstrap: &[&Network]) -> NetworkConfig {
    NetworkConfig { bootstrap: bootstrap.iter().map(|node| address_of(node)).collect(), ..config() }
}

/// A node with at most one connection, to shape a network into a line.
pub(crate) fn leaf_of(middle: &Network) -> NetworkConfig {
    NetworkConfig {
        limits: PeerLimits {
            peers_max: 1,
            inbound_max: 0,
            outbound_max: 1,
            outbound_target: 1,
            ..PeerLimits::default()
        },
        ..joining(&[middle])
    }
}

pub(crate) async fn node(seed: u8, config: NetworkConfig) -> Network {
    start(config, keypair_from_secret([seed; 32])).await.unwrap()
}

pub(crate) fn address_of(node: &Network) -> Multiaddr {
    let address = node.handle.listen_addresses().remove(0);
    bootstrap_address(&address, node.handle.local_peer_id())
}

/// Where a node that has stopped listened, to start it again there.
pub(crate) fn listen_of(node: &Network) -> Multiaddr {
    node.handle.listen_addresses().remove(0)
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {PATIENCE:?}"),
    }
}

/// Looks again until it holds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn connected(node: &mut Network) -> PeerId {
    match within("an event of a peer", node.peers.recv()).await {
        Some(PeerEvent::Connected { peer, .. }) => peer,
        other => panic!("expected a connected peer, got {other:?}"),
    }
}

pub(crate) async fn disconnected(node: &mut Network) -> PeerId {
    match within("an event of a peer", node.peers.recv()).await {
        Some(PeerEvent::Disconnected { peer, .. }) => peer,
        other => panic!("expected a disconnected peer, got {other:?}"),
    }
}

/// Waits until each node has exactly this many peers and each is in its mesh for the topic.
pub(crate) async fn meshed(handles: &[&NetworkHandle], peers: usize, topic: Topic) {
    eventually("a full mesh", || {
        handles.iter().all(|handle| {
            let known = handle.peers();
            known.len() == peers && known.iter().all(|peer| peer.mesh.contains(&topic))
        })
    })
    .await;
}

pub(crate) async fn next(queue: &mut mpsc::Receiver<Gossip>) -> Gossip {
    within("a message", queue.recv()).await.unwrap()
}

pub(crate) async fn accept_next(queue: &mut mpsc::Receiver<Gossip>) -> Bytes {
    let message = next(queue).await;
    message.ticket.accept();
    message.bytes
}

/// Bytes that do not compress, different for each seed.
pub(crate) fn noise(seed: u64, bytes: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}
