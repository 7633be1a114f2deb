//! What operators see: memory that runs out, the address book, departures.

use timecoin_network::{NetworkConfig, Why, keypair_from_secret, peer_id_of_public_key};

use crate::support::{config, connected, disconnected, eventually, joining, node, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg(target_os = "linux")]
async fn a_node_out_of_memory_refuses_strangers_and_admits_reserved_peers() {
    let key = keypair_from_secret([201; 32]).public().try_into_ed25519().unwrap().to_bytes();
    let reserved = peer_id_of_public_key(&key).unwrap();
    let little = NetworkConfig { memory_bytes: 1, reserved: vec![reserved], ..config() };
    let mut first = node(200, little).await;
    eventually("it looks at its memory", || first.handle.stats().memory_limit_bytes_gauge == 1)
        .await;
    let stranger = node(202, joining(&[&first])).await;
    eventually("a stranger is refused", || first.handle.stats().refused(Why::Memory) >= 1).await;
    let friend = node(201, joining(&[&first])).await;
    assert_eq!(within("the reserved peer", connected(&mut first)).await, reserved);

    let mesh = within("an answer", first.handle.mesh()).await.unwrap();
    assert!(mesh.memory_bytes > 1 && mesh.memory_bytes_max == 1, "{mesh:?}");
    assert_eq!((mesh.occupancy.inbound, &mesh.occupancy.reserved[..]), (1, &[reserved][..]));
    let refused = mesh.refusals.iter().find(|refused| refused.why == Why::Memory).unwrap();
    assert!(refused.count >= 1 && refused.last.is_some(), "{refused:?}");

    let book = within("the book", stranger.handle.book(None, 9)).await;
    assert_eq!(book.entries.len(), 1, "{book:?}");
    let entry = &book.entries[0];
    assert_eq!(entry.peer, first.handle.local_peer_id());
    assert!(entry.bootstrap && !entry.connected && entry.failures >= 1, "{entry:?}");
    assert!(entry.last_error.is_some() && entry.next_dial.is_some(), "{entry:?}");
    assert_eq!(entry.addresses.len(), 1);
    drop(friend);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_left_is_remembered_with_the_reason() {
    let mut first = node(210, config()).await;
    let second = node(211, joining(&[&first])).await;
    let peer = within("a peer", connected(&mut first)).await;
    assert_eq!(peer, second.handle.local_peer_id());
    assert!(first.handle.disconnect(peer).await);
    assert_eq!(within("it leaves", disconnected(&mut first)).await, peer);
    let mesh = within("an answer", first.handle.mesh()).await.unwrap();
    let last = mesh.departures.last().unwrap();
    assert_eq!((last.peer, last.reason.as_str()), (peer, "disconnected by the operator"));
    second.handle.shutdown().await;
    assert_eq!(within("an answer", second.handle.mesh()).await, None, "it has stopped");
}
