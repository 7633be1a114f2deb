//! Messages: who gets them, who does not.

use bytes::Bytes;
use futures::StreamExt;
use libp2p::{
    SwarmBuilder, gossipsub, identify, noise as noise_handshake,
    swarm::{NetworkBehaviour, SwarmEvent},
    tcp, yamux,
};
use timecoin_network::{PublishError, Topic};

use crate::support::{
    TAG, accept_next, address_of, config, connected, eventually, joining, leaf_of, meshed, next,
    node, noise, within,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_reaches_all_four_nodes_on_every_topic() {
    let first = node(1, config()).await;
    let second = node(2, joining(&[&first])).await;
    let third = node(3, joining(&[&first])).await;
    let fourth = node(4, joining(&[&first])).await;
    let mut others = [second, third, fourth];
    for topic in Topic::ALL {
        let handles: Vec<_> =
            others.iter().map(|other| &other.handle).chain([&first.handle]).collect();
        meshed(&handles, 3, topic).await;
        let payload = noise(topic.index() as u64, topic.bytes_max());
        first.handle.publish(topic, payload.clone(), 0).unwrap();
        for other in &mut others {
            let queue = if topic.is_fast() { &mut other.fast } else { &mut other.bulk };
            let message = next(queue).await;
            assert_eq!((message.topic, &message.bytes), (topic, &payload));
            message.ticket.accept();
        }
    }
    let stats = others[0].handle.stats();
    assert!(Topic::ALL.iter().all(|topic| stats.topic(*topic).received == 1), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_messages_arrive_back_to_back() {
    let mut first = node(5, config()).await;
    let second = node(6, joining(&[&first])).await;
    for topic in [Topic::Proposals, Topic::Transactions] {
        meshed(&[&first.handle, &second.handle], 1, topic).await;
        let queue = if topic.is_fast() { &mut first.fast } else { &mut first.bulk };
        // In pairs: the second is read with the first, and no pair waits in gossip's queue until it is
        // dropped for its age, as many may on a busy machine.
        for pair in [[0, 1], [2, 3], [4, 5], [6, 7]] {
            for seed in pair {
                second.handle.publish(topic, noise(seed, topic.bytes_max()), 0).unwrap();
            }
            for seed in pair {
                let expected = noise(seed, topic.bytes_max());
                assert!(accept_next(queue).await == expected, "{topic} {seed}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_the_middle_accepts_goes_on() {
    let mut middle = node(10, config()).await;
    let left = node(11, leaf_of(&middle)).await;
    let mut right = node(12, leaf_of(&middle)).await;
    meshed(&[&middle.handle], 2, Topic::Votes).await;
    meshed(&[&left.handle, &right.handle], 1, Topic::Votes).await;
    for payload in ["rejected", "ignored", "dropped", "accepted"] {
        left.handle.publish(Topic::Votes, Bytes::from(payload), 0).unwrap();
    }
    for _ in 0..4 {
        let message = next(&mut middle.fast).await;
        match &message.bytes[..] {
            b"rejected" => message.ticket.reject("a test"),
            b"ignored" => message.ticket.ignore(),
            b"dropped" => drop(message.ticket),
            _ => message.ticket.accept(),
        }
    }
    // The stream keeps its order: anything forwarded before would have arrived before.
    assert_eq!(accept_next(&mut right.fast).await, "accepted");
    let votes = middle.handle.stats().topic(Topic::Votes);
    assert_eq!((votes.accepted, votes.ignored, votes.rejected), (1, 2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unanswered_ticket_is_ignored_by_the_sweep() {
    let mut first = node(15, config()).await;
    let second = node(16, joining(&[&first])).await;
    meshed(&[&first.handle, &second.handle], 1, Topic::Evidence).await;
    second.handle.publish(Topic::Evidence, Bytes::from_static(b"kept"), 0).unwrap();
    let kept = next(&mut first.fast).await;
    eventually("the sweep", || first.handle.stats().topic(Topic::Evidence).unanswered == 1).await;
    kept.ticket.accept();
    second.handle.publish(Topic::Evidence, Bytes::from_static(b"next"), 0).unwrap();
    assert_eq!(accept_next(&mut first.fast).await, "next");
    eventually("the verdict", || first.handle.stats().topic(Topic::Evidence).accepted == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_passes_with_a_new_attempt_only() {
    let mut first = node(20, config()).await;
    let second = node(21, joining(&[&first])).await;
    meshed(&[&first.handle, &second.handle], 1, Topic::Votes).await;
    for (payload, attempt) in [("vote", 0), ("vote", 0), ("vote", 1), ("vote", 1), ("end", 0)] {
        second.handle.publish(Topic::Votes, Bytes::from(payload), attempt).unwrap();
    }
    for expected in ["vote", "vote", "end"] {
        assert_eq!(accept_next(&mut first.fast).await, expected);
    }
    assert_eq!(second.handle.stats().publish_duplicate, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused_and_having_no_peer_is_only_counted() {
    let alone = node(25, config()).await;
    let error = alone.handle.publish(Topic::Presences, noise(1, 513), 0);
    assert_eq!(
        error,
        Err(PublishError::TooLarge { topic: Topic::Presences, bytes: 513, limit: 512 })
    );
    alone.handle.publish(Topic::Presences, noise(1, 512), 0).unwrap();
    eventually("the counter", || alone.handle.stats().no_peers_subscribed == 1).await;
    alone.handle.shutdown().await;
    assert_eq!(alone.handle.publish(Topic::Votes, Bytes::new(), 0), Err(PublishError::Stopped));
}

#[derive(NetworkBehaviour)]
struct Stranger {
    gossip: gossipsub::Behaviour,
    identify: identify::Behaviour,
}

/// A node that speaks our protocols without our envelope.
fn stranger() -> libp2p::Swarm<Stranger> {
    let gossip = gossipsub::ConfigBuilder::default()
        .protocol_id(format!("/timecoin/{TAG}/fast/1"), gossipsub::Version::V1_1)
        .validation_mode(gossipsub::ValidationMode::Anonymous)
        .message_id_fn(|message| gossipsub::MessageId::new(&message.data))
        .build()
        .unwrap();
    SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::new(), noise_handshake::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|key| Stranger {
            gossip: gossipsub::Behaviour::new(gossipsub::MessageAuthenticity::Anonymous, gossip)
                .unwrap(),
            identify: identify::Behaviour::new(identify::Config::new(TAG.to_owned(), key.public())),
        })
        .unwrap()
        .build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_envelopes_never_reach_the_application_and_cost_their_sender_its_voice() {
    let mut node = node(30, config()).await;
    let mut stranger = stranger();
    stranger.dial(address_of(&node)).unwrap();
    let topic = gossipsub::IdentTopic::new(format!("/timecoin/{TAG}/gossip/votes/1"));
    stranger.behaviour_mut().gossip.subscribe(&topic).unwrap();
    let subscribed = async {
        loop {
            if let SwarmEvent::Behaviour(StrangerEvent::Gossip(gossipsub::Event::Subscribed {
                topic: theirs,
                ..
            })) = stranger.select_next_some().await
                && theirs == topic.hash()
            {
                return;
            }
        }
    };
    within("a subscription", subscribed).await;
    connected(&mut node).await;
    let well_formed = |text: &str| {
        let length = u8::try_from(text.len()).unwrap();
        [&[1, 0, 0, 0, length, 0, 0, 0], text.as_bytes()].concat()
    };
    let bomb = [1, 1, 0, 0, 255, 255, 255, 255, 0, 0].to_vec();
    for wire in [b"short".to_vec(), bomb, well_formed("heard")] {
        stranger.behaviour_mut().gossip.publish(topic.clone(), wire).unwrap();
    }
    let driven = tokio::spawn(async move {
        let mut wake = tokio::time::interval(std::time::Duration::from_millis(20));
        let mut count = 0_u8;
        loop {
            tokio::select! {
                _ = stranger.select_next_some() => {}
                _ = wake.tick() => {
                    count = count.saturating_add(1);
                    // Two were sent above; far more than needed to be ignored.
                    if count < 40 {
                        let _ = stranger.behaviour_mut().gossip.publish(topic.clone(), vec![count; 9]);
                    } else if count < 50 {
                        let _ = stranger.behaviour_mut().gossip.publish(topic.clone(), well_formed(&format!("unheard {count}")));
                    }
                }
            }
        }
    });
    assert_eq!(accept_next(&mut node.fast).await, "heard");
    eventually("the sender is ignored", || {
        (10..40).contains(&node.handle.stats().topic(Topic::Votes).malformed)
    })
    .await;
    driven.abort();
    let votes = node.handle.stats().topic(Topic::Votes);
    assert_eq!(votes.received, 1);
}
