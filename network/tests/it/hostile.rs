//! Peers that keep no rule, written on libp2p itself.

use std::{
    convert::Infallible,
    future::Future,
    io, iter,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::{AsyncWriteExt, StreamExt};
use libp2p::{
    PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder,
    connection_limits::{self, ConnectionLimits},
    core::{
        Endpoint, UpgradeInfo,
        transport::PortUse,
        upgrade::{OutboundUpgrade, ReadyUpgrade},
    },
    identify,
    identity::Keypair,
    kad, noise, ping,
    swarm::{
        ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, OneShotHandler,
        OneShotHandlerConfig, SubstreamProtocol, SwarmEvent, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm,
    },
    tcp, yamux,
};
use timecoin_network::{
    Multiaddr, NetworkConfig, Party, PeerLimits, Protocol, Topic, Why, bootstrap_address,
};
use tokio::net::TcpListener;

use crate::support::{
    PATIENCE, TAG, accept_next, address_of, config, connected, eventually, joining, listen_of,
    meshed, next, node, noise as random, within,
};

/// What every hostile peer speaks, and one thing more.
#[derive(NetworkBehaviour)]
pub(crate) struct Hostile<B: NetworkBehaviour> {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    trick: B,
}

pub(crate) fn hostile<B: NetworkBehaviour>(
    seed: u8,
    trick: impl FnOnce(PeerId) -> B,
) -> Swarm<Hostile<B>> {
    let keypair = Keypair::ed25519_from_bytes([seed; 32]).unwrap();
    let mut swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_tcp(tcp::Config::new().nodelay(true), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|keypair| Hostile {
            identify: identify::Behaviour::new(identify::Config::new_with_signed_peer_record(
                TAG.to_owned(),
                keypair,
            )),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(Duration::from_millis(500)),
            ),
            trick: trick(keypair.public().to_peer_id()),
        })
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(PATIENCE))
        .build();
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
    swarm
}

/// What a hostile peer does on a stream of its own.
#[derive(Clone, Debug)]
struct Trick {
    protocol: StreamProtocol,
    act: Act,
}

#[derive(Clone, Debug)]
enum Act {
    /// Writes messages of one topic as fast as they are read, on one stream of a gossipsub instance.
    Flood { topic: String, message: usize },
    /// Asks, and reads nothing of the answer.
    ReadNothing,
}

impl Trick {
    fn new(protocol: &str, act: Act) -> Self {
        let protocol = format!("/timecoin/{TAG}/{protocol}/1");
        Trick { protocol: StreamProtocol::try_from_owned(protocol).unwrap(), act }
    }
}

/// A message of gossipsub.
fn rpc(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = field(2, payload);
    message.extend(field(4, topic.as_bytes()));
    let rpc = field(2, &message);
    let mut frame = varint(rpc.len());
    frame.extend(rpc);
    frame
}

/// A length-delimited field of protobuf.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(varint(bytes.len()));
    field.extend(bytes);
    field
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

impl UpgradeInfo for Trick {
    type Info = StreamProtocol;
    type InfoIter = iter::Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once(self.protocol.clone())
    }
}

impl OutboundUpgrade<Stream> for Trick {
    type Output = Kept;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Kept>> + Send>>;

    fn upgrade_outbound(self, mut stream: Stream, _info: StreamProtocol) -> Self::Future {
        Box::pin(async move {
            match self.act {
                Act::Flood { topic, message } => {
                    for number in 0.. {
                        stream.write_all(&rpc(&topic, &random(number, message))).await?;
                    }
                }
                Act::ReadNothing => {
                    // A frame of 8 bytes: the envelope of an empty request.
                    stream.write_all(&[0, 0, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0]).await?;
                    stream.flush().await?;
                }
            }
            Ok(Kept(Some(stream)))
        })
    }
}

/// A stream of the target that is kept and not read: gossipsub hears nobody who refuses it.
#[derive(Debug)]
struct Kept(#[expect(dead_code, reason = "it is kept open")] Option<Stream>);

impl From<Stream> for Kept {
    fn from(stream: Stream) -> Self {
        Kept(Some(stream))
    }
}

/// Plays its trick on every peer that it is connected to.
struct Trickster {
    trick: Trick,
    targets: Vec<(PeerId, ConnectionId)>,
    kept: Vec<Kept>,
}

impl Trickster {
    fn new(trick: Trick) -> Self {
        Trickster { trick, targets: Vec::new(), kept: Vec::new() }
    }
}

impl NetworkBehaviour for Trickster {
    type ConnectionHandler = OneShotHandler<ReadyUpgrade<StreamProtocol>, Trick, Kept>;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: PeerId,
        _local: &Multiaddr,
        _remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(handler(&self.trick.protocol))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: PeerId,
        _address: &Multiaddr,
        _role: Endpoint,
        _port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(handler(&self.trick.protocol))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionEstablished(established) = event {
            self.targets.push((established.peer_id, established.connection_id));
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _peer: PeerId,
        _connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.kept.extend(event);
    }

    fn poll(
        &mut self,
        _context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        let Some((peer_id, connection)) = self.targets.pop() else { return Poll::Pending };
        let (handler, event) = (NotifyHandler::One(connection), self.trick.clone());
        Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, event })
    }
}

fn handler(protocol: &StreamProtocol) -> OneShotHandler<ReadyUpgrade<StreamProtocol>, Trick, Kept> {
    let config =
        OneShotHandlerConfig { outbound_substream_timeout: PATIENCE, ..Default::default() };
    let accept = ReadyUpgrade::new(protocol.clone());
    OneShotHandler::new(SubstreamProtocol::new(accept, ()), config)
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
        let flood = Trick::new(lane, Act::Flood { topic, message: 1_000 });
        let mut attacker = hostile(seed + 20, |_| Trickster::new(flood));
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
    let mut readers: Vec<_> = (0..READERS)
        .map(|seed| hostile(162 + seed, |_| Trickster::new(Trick::new("blocks", Act::ReadNothing))))
        .collect();
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
