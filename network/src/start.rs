//! Builds the swarm and listens before it reports that the network runs.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io,
    net::{Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm, TransportError,
    core::transport::ListenerId,
    identity::Keypair,
    multiaddr::Protocol as Part,
    swarm::{self, SwarmEvent},
};
use tokio::sync::{mpsc, watch};

use crate::{
    Network, address,
    behaviour::{Behaviour, BehaviourEvent},
    budget::Budget,
    config::NetworkConfig,
    discovery::Discovery,
    error::NetworkError,
    exchange::Answered,
    gossip::{Judged, Tickets},
    handle::{BULK_QUEUE, Command, HIGH_QUEUE, Inner, LOW_QUEUE, NetworkHandle},
    journal::Journal,
    memory::Memory,
    peers::Peers,
    rate::Rates,
    ration::Rations,
    reach::{Evidence, Reachability},
    saved::Saved,
    stats::Stats,
    swarm::{Inlets, Node, Outlets},
    topic::{Names, Topics},
    traffic::Traffic,
    transport,
};

const LISTEN_WITHIN: Duration = Duration::from_secs(5);
/// Gossip streams keep a connection alive; this applies to a connection without one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// Streams of one connection whose protocol is not agreed on yet.
const NEGOTIATING_MAX: usize = 32;
/// From the start to the first look at what the next one is given.
const SAVE_AFTER: Duration = Duration::from_secs(2);
const GOSSIP_QUEUE: usize = 4096;
const REQUEST_QUEUE: usize = 256;
const PEER_EVENT_QUEUE: usize = 256;
/// Answers queued for the swarm; each belongs to a request that libp2p still tracks.
const REPLY_QUEUE: usize = 4096;

/// Starts the network of one node. When it returns, the node listens on every configured address.
///
/// # Errors
/// [`NetworkError::Config`] before anything starts; [`NetworkError::PortTaken`] and the other
/// listening errors, each with its address and what to do.
pub async fn start(config: NetworkConfig, keypair: Keypair) -> Result<Network, NetworkError> {
    config.validate()?;
    let listen_on = free_addresses(&config.listen)?;
    let names = Names::new(&config.chain_tag);
    let topics = Topics::new(&names);
    let local = keypair.public().to_peer_id();
    let stats = Stats::default();
    let behaviour = Behaviour::new(&config, &names, &topics, &keypair, &stats)?;
    let traffic = Traffic::new(stats.clone());
    let mut swarm = new_swarm(&config, &keypair, behaviour, traffic.clone())?;
    let early = listen(&mut swarm, &listen_on).await?;

    let (replies, replies_inlet) = mpsc::channel(REPLY_QUEUE);
    let (fast_outlet, fast) = mpsc::channel(GOSSIP_QUEUE);
    let (bulk_outlet, bulk) = mpsc::channel(GOSSIP_QUEUE);
    let (requests_outlet, requests) = mpsc::channel(REQUEST_QUEUE);
    let (peer_events, peers) = mpsc::channel(PEER_EVENT_QUEUE);
    let (saved_outlet, saved) = watch::channel(Arc::new(Saved::default()));
    let (listen_outlet, listening) = watch::channel(swarm.listeners().cloned().collect());
    let (reach_outlet, reach) = watch::channel(Reachability::Unknown);
    let (fast_tickets, fast_verdicts) = Tickets::new();
    let (bulk_tickets, bulk_verdicts) = Tickets::new();

    let now = Instant::now();
    let mut node = Node {
        swarm,
        names,
        topics,
        allow_private: config.allow_private,
        version_max: config.version_max,
        stats: stats.clone(),
        peers: Peers::new(peer_events, traffic),
        discovery: Discovery::new(&config, local, now),
        rates: Rates::default(),
        evidence: Evidence::default(),
        fast_tickets,
        bulk_tickets,
        asked: HashMap::new(),
        answers: Budget::new(config.upload_bytes, now),
        dials: HashMap::new(),
        refused: VecDeque::new(),
        outlets: Outlets {
            fast: fast_outlet,
            bulk: bulk_outlet,
            requests: requests_outlet,
            replies,
            listen: listen_outlet,
            reach: reach_outlet,
            saved: saved_outlet,
        },
        journal: Journal::default(),
        memory: Memory::new(config.memory_bytes, now),
        rations: Rations::default(),
        save_at: now + SAVE_AFTER,
        save_pause: SAVE_AFTER,
    };
    let (handle, commands) =
        handle((local, config.version_max), &node.peers, stats, (listening, reach));
    let (inlets, ended) = commands.join(replies_inlet, fast_verdicts, bulk_verdicts);
    for event in early {
        node.on_event(event);
    }
    tokio::spawn(node.run(inlets, ended));
    Ok(Network { handle, fast, bulk, requests, peers, saved })
}

fn new_swarm(
    config: &NetworkConfig,
    keypair: &Keypair,
    behaviour: Behaviour,
    traffic: Traffic,
) -> Result<Swarm<Behaviour>, NetworkError> {
    let settings = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(IDLE_TIMEOUT)
        .with_max_negotiating_inbound_streams(NEGOTIATING_MAX)
        .with_smart_dial();
    let transport = transport::build(keypair, config, &traffic)?;
    let mut swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), settings);
    for external in &config.external {
        swarm.add_external_address(address::without_peer(external));
    }
    Ok(swarm)
}

/// The swarm's ends of a handle.
struct Commands {
    high: mpsc::Receiver<Command>,
    low: mpsc::Receiver<Command>,
    bulk: mpsc::Receiver<Command>,
    stop: watch::Receiver<bool>,
    ended: watch::Sender<()>,
}

impl Commands {
    /// All sources of work, and what closes when the swarm has ended.
    fn join(
        self,
        replies: mpsc::Receiver<Answered>,
        fast_verdicts: mpsc::Receiver<Judged>,
        bulk_verdicts: mpsc::Receiver<Judged>,
    ) -> (Inlets, watch::Sender<()>) {
        let Commands { high, low, bulk, stop, ended } = self;
        (Inlets { stop, high, low, bulk, replies, fast_verdicts, bulk_verdicts }, ended)
    }
}

fn handle(
    (local, version_max): (PeerId, u32),
    peers: &Peers,
    stats: Stats,
    (listen, reach): (watch::Receiver<Vec<Multiaddr>>, watch::Receiver<Reachability>),
) -> (NetworkHandle, Commands) {
    let (high, high_inlet) = mpsc::channel(HIGH_QUEUE);
    let (low, low_inlet) = mpsc::channel(LOW_QUEUE);
    let (bulk, bulk_inlet) = mpsc::channel(BULK_QUEUE);
    let (stop, stop_inlet) = watch::channel(false);
    let (ended_outlet, ended) = watch::channel(());
    let peers = peers.snapshot();
    let inner =
        Inner { local, version_max, high, low, bulk, peers, stats, listen, reach, stop, ended };
    let commands = Commands {
        high: high_inlet,
        low: low_inlet,
        bulk: bulk_inlet,
        stop: stop_inlet,
        ended: ended_outlet,
    };
    (NetworkHandle { inner: Arc::new(inner) }, commands)
}

/// The addresses to listen on, each of which has a free port.
fn free_addresses(addresses: &[Multiaddr]) -> Result<Vec<Multiaddr>, NetworkError> {
    let mut free = Vec::new();
    for address in addresses {
        if check_port_is_free(address)? {
            free.push(address.clone());
        }
    }
    Ok(free)
}

/// libp2p sets the port-reuse option on listeners, so a second node of the same user on the same
/// port would start silently and take half of the first one's connections. A plain bind does not
/// share the port. False for all addresses of IPv6 on a machine that has none: a container without IPv6 lets a program
/// bind `::`, but not the loopback address.
fn check_port_is_free(address: &Multiaddr) -> Result<bool, NetworkError> {
    let Some(socket) = socket_address(address) else {
        return Ok(true);
    };
    let bound = match address::is_quic(address) {
        true => UdpSocket::bind(socket).map(drop),
        false => TcpListener::bind(socket).map(drop),
    };
    let bound = bound.and_then(|()| match is_all_of_ipv6(socket) {
        true => UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).map(drop),
        false => Ok(()),
    });
    match bound {
        Ok(()) => Ok(true),
        Err(error) if is_without_ipv6(socket, &error) => {
            tracing::info!(%address, "not listening there: this machine has no IPv6");
            Ok(false)
        }
        Err(error) => Err(listen_error(address, &error)),
    }
}

fn is_without_ipv6(socket: SocketAddr, error: &io::Error) -> bool {
    let others = [io::ErrorKind::AddrInUse, io::ErrorKind::PermissionDenied];
    is_all_of_ipv6(socket) && !others.contains(&error.kind())
}

fn is_all_of_ipv6(socket: SocketAddr) -> bool {
    socket.is_ipv6() && socket.ip().is_unspecified()
}

fn socket_address(address: &Multiaddr) -> Option<SocketAddr> {
    let ip = address::ip(address)?;
    let port = address.iter().find_map(|part| match part {
        Part::Tcp(port) | Part::Udp(port) => Some(port),
        _ => None,
    })?;
    (port != 0).then_some(SocketAddr::new(ip, port))
}

fn listen_error(address: &Multiaddr, error: &io::Error) -> NetworkError {
    let address = address.clone();
    if error.kind() == io::ErrorKind::AddrInUse {
        return NetworkError::PortTaken { address };
    }
    NetworkError::Listen { address, error: error.to_string() }
}

/// Listens on every address and waits until each has a port. Returns the other events of that time:
/// peers may connect to the first listener while the last one is not ready.
async fn listen(
    swarm: &mut Swarm<Behaviour>,
    addresses: &[Multiaddr],
) -> Result<Vec<SwarmEvent<BehaviourEvent>>, NetworkError> {
    let mut waiting: HashMap<ListenerId, Multiaddr> = HashMap::new();
    for address in addresses {
        let listener =
            swarm.listen_on(address::without_peer(address)).map_err(|error| match error {
                TransportError::Other(error) => listen_error(address, &error),
                TransportError::MultiaddrNotSupported(_) => NetworkError::Listen {
                    address: address.clone(),
                    error: "this kind of address is not supported".to_owned(),
                },
            })?;
        waiting.insert(listener, address.clone());
    }
    let mut ready: HashSet<ListenerId> = HashSet::new();
    let mut early = Vec::new();
    let all_ready = async {
        while ready.len() < waiting.len() {
            match swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { listener_id, .. } => {
                    ready.insert(listener_id);
                }
                SwarmEvent::ListenerClosed { listener_id, reason: Err(error), .. } => {
                    let address = waiting.get(&listener_id).cloned();
                    return Err(listen_error(&address.unwrap_or_else(Multiaddr::empty), &error));
                }
                other => early.push(other),
            }
        }
        Ok(())
    };
    match tokio::time::timeout(LISTEN_WITHIN, all_ready).await {
        Ok(result) => result.map(|()| early),
        Err(_) => {
            let silent = waiting.iter().find(|(id, _)| !ready.contains(id));
            Err(NetworkError::ListenTimeout {
                address: silent.map_or_else(Multiaddr::empty, |(_, address)| address.clone()),
                seconds: LISTEN_WITHIN.as_secs(),
            })
        }
    }
}
