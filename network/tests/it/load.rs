//! What must hold while a node is flooded, its application is slow, or nothing happens at all.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use timecoin_network::{NetworkConfig, Protocol, PublishError, Topic};

use crate::support::{config, eventually, joining, meshed, next, node, noise, within};

// On one thread the test sees the vote before the nodes go on, however busy the machine is.
#[tokio::test]
async fn a_vote_overtakes_a_flood_of_bulk() {
    const FLOOD: u64 = 200;
    let mut first = node(100, config()).await;
    let second = node(101, joining(&[&first])).await;
    meshed(&[&first.handle, &second.handle], 1, Topic::Votes).await;
    meshed(&[&first.handle, &second.handle], 1, Topic::Transactions).await;
    for seed in 0..FLOOD {
        let batch = noise(seed + 1, Topic::Transactions.bytes_max());
        second.handle.publish(Topic::Transactions, batch, 0).unwrap();
    }
    let sent = Instant::now();
    second.handle.publish(Topic::Votes, Bytes::from_static(b"vote"), 0).unwrap();
    let vote = next(&mut first.fast).await;
    let behind = first.handle.stats().topic(Topic::Transactions).received;
    let latency = sent.elapsed();
    vote.ticket.accept();
    assert!(behind < FLOOD / 10, "the vote came behind {behind} of {FLOOD} batches");
    assert!(latency < Duration::from_secs(2), "{latency:?}, behind {behind}");
    println!("vote after {latency:?}, behind {behind} of {FLOOD} batches");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sleeping_application_costs_messages_but_neither_peers_nor_answers() {
    let mut asleep = node(102, config()).await;
    let busy = node(103, joining(&[&asleep])).await;
    meshed(&[&asleep.handle, &busy.handle], 1, Topic::Votes).await;
    let flood = async {
        let mut count = 0_u32;
        while asleep.handle.stats().topic(Topic::Votes).dropped == 0 {
            match busy.handle.publish(Topic::Votes, Bytes::copy_from_slice(&count.to_le_bytes()), 0)
            {
                Ok(()) => count += 1,
                Err(PublishError::QueueFull { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    within("the queue overflows", flood).await;
    let peer = asleep.handle.local_peer_id();
    let (answered, ()) =
        tokio::join!(busy.handle.request(peer, Protocol::Status, Bytes::new()), async {
            let request = within("a request", asleep.requests.recv()).await.unwrap();
            request.reply.send(Bytes::from_static(b"awake after all"));
        });
    assert_eq!(answered.unwrap(), "awake after all");
    eventually("pings are answered", || {
        busy.handle.peers().first().is_some_and(|peer| peer.rtt.is_some())
    })
    .await;
    assert_eq!(asleep.handle.peers().len(), 1);
    assert_eq!(asleep.fast.len(), 4096);
}

const QUIET_TAG: &str = "tc-quiet";

/// Counts gossipsub's heartbeats by its log: a lonely instance reports each topic's thin mesh at every beat. It
/// listens to the whole process, so the chain's tag tells this test's node from those of others.
#[derive(Clone, Default)]
struct Heartbeats {
    fast: Arc<AtomicU32>,
    bulk: Arc<AtomicU32>,
}

#[derive(Default)]
struct Fields {
    message: String,
    topic: String,
}

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "topic" => self.topic = format!("{value:?}"),
            _ => {}
        }
    }
}

impl tracing::Subscriber for Heartbeats {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("libp2p_gossipsub")
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mine = fields.topic.contains(QUIET_TAG);
        if !mine || !fields.message.starts_with("HEARTBEAT: Mesh low") {
            return;
        }
        if fields.topic.contains("/votes/") {
            self.fast.fetch_add(1, Ordering::SeqCst);
        }
        if fields.topic.contains("/transactions/") {
            self.bulk.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// Nothing polls a lonely swarm but the tick; without it there is one heartbeat and never another.
#[tokio::test]
async fn gossipsub_keeps_its_heartbeat_on_a_quiet_swarm() {
    let heartbeats = Heartbeats::default();
    tracing::subscriber::set_global_default(heartbeats.clone()).unwrap();
    let alone = NetworkConfig { chain_tag: QUIET_TAG.to_owned(), ..config() };
    let _alone = node(104, alone).await;
    eventually("five heartbeats of both instances", || {
        heartbeats.fast.load(Ordering::SeqCst) >= 5 && heartbeats.bulk.load(Ordering::SeqCst) >= 5
    })
    .await;
}
