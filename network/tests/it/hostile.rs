//! Peers that keep no rule (`timecoin-hostile`), against one node or two.

use std::{
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    PeerId, StreamProtocol, Swarm,
    connection_limits::{self, ConnectionLimits},
    identity::Keypair,
    kad, ping,
    swarm::{NetworkBehaviour, SwarmEvent},
};
use timecoin_hostile::{Act, Flood, Hostile, Payload, Trick, Trickster};
use timecoin_network::{
    Multiaddr, NetworkConfig, Party, PeerLimits, Protocol, Topic, Why, bootstrap_address,
};
use tokio::net::TcpListener;

use crate::support::{
    TAG, accept_next, address_of, config, connected, eventually, joining, listen_of, meshed, next,
    node, noise as random, within,
};

pub(crate) fn hostile<B: NetworkBehaviour>(
    seed: u8,
    trick: impl FnOnce(PeerId) -> B,
) -> Swarm<Hostile<B>> {
    let keypair = Keypair::ed25519_from_bytes([seed; 32]).unwrap();
    timecoin_hostile::hostile(keypair, TAG, Ipv4Addr::LOCALHOST.into(), false, trick).unwrap()
}

fn trickster(act: Act) -> Trickster {
    Trickster::new(Trick::new(TAG, act, Arc::default()))
}

/// Names peers that do not exist at the address of a victim.
#[derive(NetworkBehaviour)]
struct Liar {
    limits: connection_limits::Behaviour,
    names: kad::Behaviour<kad::store::MemoryStore>,
}

async fn listening<B: NetworkBehaviour>(swarm: &mut Swarm<B>) -> Multiaddr {
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            return bootstrap_address(&address, *swarm.local_peer_id());
        }
    }
}

/// Runs it until it has no connection any more.
async fn until_cut<B: NetworkBehaviour>(swarm: &mut Swarm<B>, target: Multiaddr) {
    swarm.dial(target).unwrap();
    let mut was_connected = false;
    while !was_connected || swarm.connected_peers().next().is_some() {
        swarm.select_next_some().await;
        was_connected |= swarm.connected_peers().next().is_some();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_floods_a_topic_is_cut_and_honest_messages_pass_meanwhile() {
    let names =
        [("bulk", "noise".to_owned()), ("fast", format!("/timecoin/{TAG}/gossip/presences/1"))];
    for (seed, (lane, topic)) in (120..).zip(names) {
        let first = node(seed, config()).await;
        let mut second = node(seed + 10, joining(&[&first])).await;
        meshed(&[&first.handle, &second.handle], 1, Topic::Votes).await;
        let (lane, payload) = (lane.to_owned(), Payload::Raw(1_000));
        let flood = Flood { lane, topic, payload, per_second: 0, messages: 0 };
        let mut attacker = hostile(seed + 20, |_| trickster(Act::Flood(flood)));
        let target = address_of(&first);
        within("the flood is cut", until_cut(&mut attacker, target)).await;
        eventually("it is counted", || first.handle.stats().refused(Why::Offence) >= 1).await;
        first.handle.publish(Topic::Votes, random(1, 100), 0).unwrap();
        assert_eq!(accept_next(&mut second.fast).await, random(1, 100));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_strangers_do_not_keep_a_newcomer_out() {
    let limits = PeerLimits { inbound_max: 8, ..PeerLimits::default() };
    let first = node(140, NetworkConfig { limits, ..config() }).await;
    let mut strangers: Vec<_> =
        (141..149).map(|seed| hostile(seed, |_| ping::Behaviour::default())).collect();
    for stranger in &mut strangers {
        stranger.dial(address_of(&first)).unwrap();
    }
    let idle = tokio::spawn(async move {
        let mut all = futures::stream::select_all(strangers);
        while all.next().await.is_some() {}
    });
    eventually("every place is taken", || first.handle.peers().len() == 8).await;
    let mut newcomer = node(150, joining(&[&first])).await;
    assert_eq!(connected(&mut newcomer).await, first.handle.local_peer_id());
    meshed(&[&newcomer.handle], 1, Topic::Votes).await;
    assert!(first.handle.stats().evicted >= 1);
    // It may come back as an outbound peer.
    let inbound = || first.handle.peers().iter().filter(|peer| peer.inbound).count();
    eventually("who was evicted is gone", || inbound() <= 8).await;
    idle.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_lie_about_addresses_make_nobody_dial_them() {
    let victim = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: Multiaddr =
        format!("/ip4/127.0.0.1/tcp/{}", victim.local_addr().unwrap().port()).parse().unwrap();
    let mut liar = hostile(152, |local| {
        let name = StreamProtocol::try_from_owned(format!("/timecoin/{TAG}/kad/1")).unwrap();
        let store = kad::store::MemoryStore::new(local);
        let mut names = kad::Behaviour::with_config(local, store, kad::Config::new(name));
        names.set_mode(Some(kad::Mode::Server));
        for _ in 0..20 {
            names.add_address(&PeerId::random(), address.clone());
        }
        // It must not dial its victim itself.
        let limits = ConnectionLimits::default().with_max_pending_outgoing(Some(0));
        Liar { limits: connection_limits::Behaviour::new(limits), names }
    });
    let at = within("the liar listens", listening(&mut liar)).await;
    let lying = tokio::spawn(async move {
        loop {
            liar.select_next_some().await;
        }
    });
    let first = node(151, NetworkConfig { bootstrap: vec![at], ..config() }).await;
    eventually("it names its victims", || first.handle.stats().refused(Why::Unwanted) >= 20).await;
    let reached = tokio::time::timeout(Duration::from_millis(500), victim.accept()).await;
    lying.abort();
    assert!(reached.is_err(), "the victim was dialled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_of_the_largest_answers_delay_no_votes_and_fill_no_memory() {
    const READERS: u8 = 28;
    let mut first = node(160, config()).await;
    let mut asker = node(161, joining(&[&first])).await;
    let peer = connected(&mut asker).await;
    let ask = Act::Ask { protocol: "blocks".to_owned(), request: Vec::new(), reads: false };
    let mut readers: Vec<_> =
        (0..READERS).map(|seed| hostile(162 + seed, |_| trickster(ask.clone()))).collect();
    for reader in &mut readers {
        reader.dial(address_of(&first)).unwrap();
    }
    let reading = tokio::spawn(async move {
        let mut all = futures::stream::select_all(readers);
        while all.next().await.is_some() {}
    });
    // The application builds an answer for each request that it is handed.
    let handle = first.handle.clone();
    let answering = tokio::spawn(async move {
        let largest = random(1, Protocol::Blocks.response_bytes_max());
        while let Some(request) = first.requests.recv().await {
            request.reply.send(match request.protocol {
                Protocol::Blocks => largest.clone(),
                _ => random(2, 1_000),
            });
        }
    });
    let blocks = || handle.stats().protocol(Protocol::Blocks);
    eventually("every reader asked", || blocks().received + blocks().busy >= READERS.into()).await;
    assert_eq!(blocks().received, 13, "what does not fit into the budget is not built");
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        asker.handle.request(peer, Protocol::Votes, random(3, 10)).await.unwrap();
        times.push(begun.elapsed());
    }
    times.sort();
    assert!(times[10] < Duration::from_secs(1), "{times:?}");
    reading.abort();
    answering.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_sends_invalid_messages_is_banned_and_stays_so_after_a_restart() {
    let mut first = node(200, config()).await;
    let liar = node(201, joining(&[&first])).await;
    let peer = connected(&mut first).await;
    meshed(&[&liar.handle, &first.handle], 1, Topic::Votes).await;
    // All at once, so that the connection outlives the first offences.
    let mut messages = Vec::new();
    for number in 0..5 {
        liar.handle.publish(Topic::Votes, random(number, 100), 0).unwrap();
        messages.push(next(&mut first.fast).await);
    }
    messages.into_iter().for_each(|message| message.ticket.reject("a test"));
    eventually("it is banned", || first.handle.stats().banned >= 1).await;
    let ban = first.handle.bans().await.remove(0);
    assert_eq!((ban.party, ban.times), (Party::Peer(peer), 1));
    eventually("its connections end", || first.handle.peers().is_empty()).await;
    first.handle.shutdown().await;
    let saved = (**first.saved.borrow_and_update()).clone();
    let again = NetworkConfig { saved, listen: vec![listen_of(&first)], ..config() };
    let first = node(200, again).await;
    assert_eq!(first.handle.bans().await[0].reason, "sent invalid messages");
    eventually("its next connection is refused", || first.handle.stats().inbound_denied >= 1).await;
    assert!(first.handle.unban(Party::Peer(peer)).await);
    eventually("it is admitted again", || first.handle.peers().len() == 1).await;
}
