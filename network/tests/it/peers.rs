//! Finding, losing and refusing peers.

use std::time::{Duration, Instant};

use timecoin_network::{
    Book, DialError, Network, NetworkConfig, NetworkError, PeerEvent, Topic, Why,
    keypair_from_secret, start,
};

use crate::support::{
    accept_next, address_of, config, connected, disconnected, eventually, joining, listen_of,
    meshed, node, noise, within,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_joiner_with_one_address_finds_everyone() {
    let first = node(60, config()).await;
    let second = node(61, joining(&[&first])).await;
    let third = node(62, joining(&[&second])).await;
    let fourth = node(63, joining(&[&third])).await;
    let everyone = [&first, &second, &third, &fourth];
    eventually("four nodes know each other", || {
        everyone.iter().all(|node| node.handle.peers().len() == 3)
    })
    .await;
    let late = node(64, joining(&[&fourth])).await;
    eventually("the late one knows all and all know it", || {
        late.handle.peers().len() == 4 && everyone.iter().all(|node| node.handle.peers().len() == 4)
    })
    .await;
    let info = late.handle.peers().remove(0);
    assert_eq!((info.agent.as_str(), info.protocol_version.as_str()), ("timecoin/test", "tc-test"));
    assert!(!info.listen.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_chain_is_refused_and_reported_on_both_sides() {
    let mut ours = node(65, config()).await;
    let mut theirs =
        node(66, NetworkConfig { chain_tag: "tc-other".to_owned(), ..joining(&[&ours]) }).await;
    for (node, foreign) in [(&mut ours, "tc-other"), (&mut theirs, "tc-test")] {
        match within("a refusal", node.peers.recv()).await {
            Some(PeerEvent::Refused { reason, .. }) => {
                assert!(reason.contains(foreign), "{reason}")
            }
            other => panic!("expected a refusal, got {other:?}"),
        }
        assert!(node.handle.peers().is_empty());
        assert!(node.handle.stats().refused(Why::Chain) >= 1);
    }
    // A later dial that the other side ends first has another error until the next one.
    within("the reason in the book", async {
        let says = |book: Book| {
            let error = book.entries.first().and_then(|entry| entry.last_error.clone());
            error.is_some_and(|error| error.contains("tc-test"))
        };
        while !says(theirs.handle.book(None, 1).await) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_bootstrap_node_is_found_again_and_gossip_flows() {
    let mut bootstrap = node(67, config()).await;
    let mut follower = node(68, joining(&[&bootstrap])).await;
    let address = address_of(&bootstrap);
    connected(&mut bootstrap).await;
    connected(&mut follower).await;

    let stopping = Instant::now();
    bootstrap.handle.shutdown().await;
    assert!(stopping.elapsed() < Duration::from_secs(2), "{:?}", stopping.elapsed());
    disconnected(&mut follower).await;
    eventually("several attempts fail", || follower.handle.stats().dials_failed >= 4).await;

    let again = NetworkConfig { listen: vec![address], ..config() };
    let mut bootstrap = node(67, again).await;
    let restarted = Instant::now();
    connected(&mut bootstrap).await;
    assert!(restarted.elapsed() < Duration::from_secs(10), "{:?}", restarted.elapsed());
    connected(&mut follower).await;
    meshed(&[&bootstrap.handle, &follower.handle], 1, Topic::Votes).await;
    follower.handle.publish(Topic::Votes, noise(1, 100), 0).unwrap();
    assert_eq!(accept_next(&mut bootstrap.fast).await, noise(1, 100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_peer_that_is_no_bootstrap_node_is_dialled_again() {
    let mut first = node(70, config()).await;
    let second = node(71, joining(&[&first])).await;
    let peer = connected(&mut first).await;
    let address = address_of(&second);
    second.handle.shutdown().await;
    assert_eq!(disconnected(&mut first).await, peer);
    // It comes back knowing nobody: only the other side can restore the connection.
    let again = NetworkConfig { listen: vec![address], ..config() };
    let mut second = node(71, again).await;
    assert_eq!(connected(&mut first).await, peer);
    assert_eq!(connected(&mut second).await, first.handle.local_peer_id());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_named_with_what_to_do() {
    let first = node(72, config()).await;
    let address = first.handle.listen_addresses().remove(0);
    let second = NetworkConfig { listen: vec![address.clone()], ..config() };
    let error = start(second, keypair_from_secret([73; 32])).await.unwrap_err();
    assert!(matches!(&error, NetworkError::PortTaken { address: named } if *named == address));
    let text = error.to_string();
    assert!(text.contains("taken") && text.contains("configure another port"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_dial_each_other_at_once_stay_connected() {
    for seed in (74..94).step_by(4) {
        let mut first = node(seed, config()).await;
        let mut second = node(seed + 1, config()).await;
        let (one, two) = tokio::join!(
            first.handle.dial(address_of(&second)),
            second.handle.dial(address_of(&first))
        );
        assert!(one.is_ok() || two.is_ok(), "{one:?} {two:?}");
        connected(&mut first).await;
        connected(&mut second).await;
        meshed(&[&first.handle, &second.handle], 1, Topic::Votes).await;
        first.handle.publish(Topic::Votes, noise(1, 100), 0).unwrap();
        second.handle.publish(Topic::Votes, noise(2, 100), 0).unwrap();
        assert_eq!(accept_next(&mut second.fast).await, noise(1, 100));
        assert_eq!(accept_next(&mut first.fast).await, noise(2, 100));
        assert!(first.peers.try_recv().is_err() && second.peers.try_recv().is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dialling_says_what_failed_and_disconnecting_lasts() {
    let mut first = node(95, config()).await;
    let second = node(96, config()).await;
    let bare = second.handle.listen_addresses().remove(0);
    assert_eq!(
        first.handle.dial(bare.clone()).await,
        Err(DialError::WithoutPeer { address: bare })
    );
    let full = address_of(&second);
    let peer = first.handle.dial(full.clone()).await.unwrap();
    assert_eq!(first.handle.dial(full.clone()).await, Ok(peer));
    assert_eq!(connected(&mut first).await, peer);
    assert!(first.handle.disconnect(peer).await);
    assert_eq!(disconnected(&mut first).await, peer);
    second.handle.shutdown().await;
    let error = first.handle.dial(full.clone()).await.unwrap_err();
    assert!(matches!(&error, DialError::Failed { address, .. } if *address == full), "{error}");
    assert!(!first.handle.disconnect(peer).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_every_handle_stops_the_node() {
    let mut first = node(97, config()).await;
    let second = node(98, joining(&[&first])).await;
    let peer = connected(&mut first).await;
    drop(second);
    assert_eq!(disconnected(&mut first).await, peer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_saved_brings_the_mesh_back_without_bootstrap_nodes() {
    let bootstrap = node(90, config()).await;
    let mut nodes = Vec::new();
    for seed in 91..95 {
        nodes.push(node(seed, joining(&[&bootstrap])).await);
    }
    let know_all = |nodes: &[Network], count| nodes.iter().all(|n| n.handle.peers().len() == count);
    eventually("all know all", || know_all(&nodes, 4)).await;
    // All stop at once, and the bootstrap node for good.
    bootstrap.handle.shutdown().await;
    let mut again = Vec::new();
    for (seed, node) in (91..).zip(&mut nodes) {
        node.handle.shutdown().await;
        let saved = (**node.saved.borrow_and_update()).clone();
        again.push((seed, NetworkConfig { saved, listen: vec![listen_of(node)], ..config() }));
    }
    let began = Instant::now();
    let mut back = Vec::new();
    for (seed, config) in again {
        back.push(node(seed, config).await);
    }
    eventually("the mesh is back", || know_all(&back, 3)).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
