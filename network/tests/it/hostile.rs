//! Peers that keep no rule, written on libp2p itself.

use std::{
    convert::Infallible,
    future::Future,
    io, iter,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
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
use timecoin_network::{Multiaddr, NetworkConfig, PeerLimits, Topic, bootstrap_address};
use tokio::net::TcpListener;

use crate::support::{
    PATIENCE, TAG, accept_next, address_of, config, connected, eventually, joining, meshed, node,
    noise as random, within,
};

/// What every hostile peer speaks, and one thing more.
#[derive(NetworkBehaviour)]
struct Hostile<B: NetworkBehaviour> {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    trick: B,
}

fn hostile<B: NetworkBehaviour>(seed: u8, trick: impl FnOnce(PeerId) -> B) -> Swarm<Hostile<B>> {
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

/// Writes messages of one topic as fast as they are read, on one stream of a gossipsub instance.
#[derive(Clone, Debug)]
struct Flood {
    protocol: StreamProtocol,
    topic: String,
    message: usize,
}

impl Flood {
    fn frame(&self, number: u64) -> Vec<u8> {
        let mut message = field(2, &random(number, self.message));
        message.extend(field(4, self.topic.as_bytes()));
        let rpc = field(2, &message);
        let mut frame = varint(rpc.len());
        frame.extend(rpc);
        frame
    }
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

impl UpgradeInfo for Flood {
    type Info = StreamProtocol;
    type InfoIter = iter::Once<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once(self.protocol.clone())
    }
}

impl OutboundUpgrade<Stream> for Flood {
    type Output = Flooded;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Flooded>> + Send>>;

    fn upgrade_outbound(self, mut stream: Stream, _info: StreamProtocol) -> Self::Future {
        Box::pin(async move {
            for number in 0.. {
                stream.write_all(&self.frame(number)).await?;
            }
            Ok(Flooded(None))
        })
    }
}

/// A stream of the target that is kept and not read: gossipsub hears nobody who refuses it.
#[derive(Debug)]
struct Flooded(#[expect(dead_code, reason = "it is kept open")] Option<Stream>);

impl From<Stream> for Flooded {
    fn from(stream: Stream) -> Self {
        Flooded(Some(stream))
    }
}

/// Floods every peer that it is connected to.
struct Flooder {
    flood: Flood,
    targets: Vec<(PeerId, ConnectionId)>,
    kept: Vec<Flooded>,
}

impl NetworkBehaviour for Flooder {
    type ConnectionHandler = OneShotHandler<ReadyUpgrade<StreamProtocol>, Flood, Flooded>;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: PeerId,
        _local: &Multiaddr,
        _remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(handler(&self.flood))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: PeerId,
        _address: &Multiaddr,
        _role: Endpoint,
        _port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(handler(&self.flood))
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
        let (handler, event) = (NotifyHandler::One(connection), self.flood.clone());
        Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, event })
    }
}

fn handler(flood: &Flood) -> OneShotHandler<ReadyUpgrade<StreamProtocol>, Flood, Flooded> {
    let config =
        OneShotHandlerConfig { outbound_substream_timeout: PATIENCE, ..Default::default() };
    let accept = ReadyUpgrade::new(flood.protocol.clone());
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
        [("bulk", "noise".to_owned()), ("fast", format!("/timecoin/{TAG}/gossip/heartbeats/1"))];
    for (seed, (lane, topic)) in (120..).zip(names) {
        let first = node(seed, config()).await;
        let mut second = node(seed + 10, joining(&[&first])).await;
        meshed(&[&first.handle, &second.handle], 1, Topic::Votes).await;
        let protocol = StreamProtocol::try_from_owned(format!("/timecoin/{TAG}/{lane}/1")).unwrap();
        let flood = Flood { protocol, topic, message: 1_000 };
        let mut attacker =
            hostile(seed + 20, |_| Flooder { flood, targets: Vec::new(), kept: Vec::new() });
        let target = address_of(&first);
        within("the flood is cut", until_cut(&mut attacker, target)).await;
        eventually("it is counted", || first.handle.stats().refused_offence >= 1).await;
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
    eventually("who was evicted is gone", || first.handle.peers().len() <= 8).await;
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
    eventually("it names its victims", || first.handle.stats().dials_unwanted >= 20).await;
    let reached = tokio::time::timeout(Duration::from_millis(500), victim.accept()).await;
    lying.abort();
    assert!(reached.is_err(), "the victim was dialled");
}
