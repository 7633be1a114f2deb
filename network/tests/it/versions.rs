//! Nodes of different releases.

use futures::StreamExt;
use libp2p::{StreamProtocol, Swarm, kad, swarm::SwarmEvent};
use timecoin_network::{
    Features, NetworkConfig, PeerEvent, Protocol, VERSION_MAX, Why, bootstrap_address,
};

use timecoin_hostile::Hostile;

use crate::{
    hostile::hostile,
    support::{TAG, address_of, config, eventually, joining, node, within},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_and_a_new_node_work_together_and_two_new_ones_tell_their_features() {
    let offering = |config| NetworkConfig { features: Features::NETWORK, ..config };
    let old = node(140, NetworkConfig { version_max: 1, ..offering(config()) }).await;
    let newer = node(141, offering(joining(&[&old]))).await;
    let asker = node(142, offering(joining(&[&old, &newer]))).await;
    let expected = [(old, 1, None), (newer, VERSION_MAX, Some(Features::NETWORK))];
    for (asked, version, features) in expected {
        let (peer, mut requests) = (asked.handle.local_peer_id(), asked.requests);
        tokio::spawn(async move {
            while let Some(request) = requests.recv().await {
                request.reply.send(vec![7; 9].into());
            }
        });
        let info = || asker.handle.peers().into_iter().find(|info| info.peer == peer);
        eventually("connected", || info().is_some()).await;
        let answer = asker.handle.request(peer, Protocol::Status, Vec::new().into()).await;
        assert_eq!(answer.unwrap(), vec![7; 9]);
        let info = info().unwrap();
        assert_eq!((info.version, info.features), (version, features));
    }
}

/// A peer of a far release.
fn of_version_9(seed: u8) -> Swarm<Hostile<kad::Behaviour<kad::store::MemoryStore>>> {
    hostile(seed, |peer| {
        // A server names its protocol, which is all that is needed.
        let name = StreamProtocol::try_from_owned(format!("/timecoin/{TAG}/status/9")).unwrap();
        let store = kad::store::MemoryStore::new(peer);
        let mut server = kad::Behaviour::with_config(peer, store, kad::Config::new(name));
        server.set_mode(Some(kad::Mode::Server));
        server
    })
}

/// Anyone can connect and claim a version: that makes no operator look for a release.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_that_connects_cannot_say_that_this_node_is_too_old() {
    let node = node(145, config()).await;
    let mut stranger = of_version_9(146);
    stranger.dial(address_of(&node)).unwrap();
    let running = tokio::spawn(async move {
        loop {
            stranger.select_next_some().await;
        }
    });
    eventually("the stranger is refused", || node.handle.stats().refused(Why::Older) >= 1).await;
    assert_eq!(node.handle.stats().refused(Why::Newer), 0);
    running.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_too_old_says_so() {
    let mut future = of_version_9(144);
    let listen = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = future.select_next_some().await {
            break address;
        }
    };
    let bootstrap = vec![bootstrap_address(&listen, *future.local_peer_id())];
    let mut node = node(143, NetworkConfig { bootstrap, ..config() }).await;
    let running = tokio::spawn(async move {
        loop {
            future.select_next_some().await;
        }
    });
    match within("a refusal", node.peers.recv()).await {
        Some(PeerEvent::Refused { reason, .. }) => {
            assert!(reason.contains("9 to 9") && reason.contains("newer release"), "{reason}");
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
    assert!(node.handle.stats().refused(Why::Newer) >= 1);
    running.abort();
}
