//! Puts a node together, runs it, and takes it apart.
use super::{
    clock::{Clock, Timers},
    handle::NodeHandle,
    inbound,
    outbox::Outbox,
    peers::Peers,
    requests,
    run_loop::{End, Shell, Sources},
    workers::Workers,
};
use crate::{
    config::NodeConfig,
    metrics::Metrics,
    rpc::{self, RpcServerError},
};
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};
use timecoin_chain::{
    crypto::{SecretKey, Signer},
    engine::{Engine, EngineConfig, HaltKind, Stored},
    genesis::Chain,
    mempool::MempoolLimits,
    types::Millis,
};
use timecoin_network::{Network, NetworkConfig, NetworkError, PeerLimits};
use timecoin_store::{Store, StoreError, StoreOptions};
use tokio::{
    net::TcpListener,
    sync::{broadcast, mpsc, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Answers of workers on their way to the loop.
const ANSWERS: usize = 256;
/// Consensus events on their way to the loop.
const EVENTS: usize = 1_024;
/// Batches of transactions on their way to the loop: more wait in the network's queue, then drop.
const BULK_EVENTS: usize = 64;
/// Commands of RPC on their way to the loop.
const COMMANDS: usize = 1_024;
/// Final blocks that a slow reader may fall behind.
const FINAL_BLOCKS: usize = 256;
/// How long workers may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Why a node did not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum NodeRunError {
    /// A file of the configuration cannot be used.
    #[error("{0}")]
    Config(String),
    /// The database cannot be opened or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The network cannot be joined.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The RPC address cannot be listened on.
    #[error(
        "cannot listen for RPC on {address}: {error}\n  next: stop whatever holds the port, or set \
         `listen` under [rpc] to another one"
    )]
    RpcListen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The RPC server failed.
    #[error("the RPC server failed: {0}")]
    Rpc(#[from] RpcServerError),
    /// The engine will not go on.
    #[error("{0}")]
    Halted(String),
    /// The key must not sign here.
    #[error("{0}")]
    Guard(String),
}

impl NodeRunError {
    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 3,
            Self::Store(error) => exit_code_of(error),
            Self::Network(NetworkError::PortTaken { .. }) | Self::RpcListen { .. } => 6,
            Self::Halted(_) => 10,
            Self::Guard(_) => 11,
            Self::Network(_) | Self::Rpc(_) => 1,
        }
    }
}

/// The exit code of a process that cannot go on for this reason.
pub(crate) fn exit_code_of(error: &StoreError) -> u8 {
    match error {
        StoreError::AlreadyOpen { .. } => 4,
        _ => 5,
    }
}

/// Runs a node until it is stopped or cannot go on.
pub async fn run(config: NodeConfig, stop: CancellationToken) -> Result<(), NodeRunError> {
    let started = Instant::now();
    let chain = Arc::new(load_chain(&config)?);
    let consensus_key = load_consensus_key(&config)?;
    let node_key = crate::keys::load_node_key(&config.keys.node_key).map_err(config_error)?;

    let store = open_store(&config, chain.clone()).await?;
    let stored = read_stored(&store).await?;
    let rpc_listener = match config.rpc.enabled {
        true => Some(listen_rpc(config.rpc.listen).await?),
        false => None,
    };
    let network = timecoin_network::start(network_config(&config, &chain), node_key).await?;

    let tip = stored.state.height;
    tracing::info!(
        "started chain={} height={tip} peer_id={} masternode={}",
        chain.id(),
        network.handle.local_peer_id(),
        consensus_key
            .as_ref()
            .and_then(|key| chain.masternodes.index_of(&key.public_key()))
            .map_or_else(|| "no".into(), |index| index.to_string()),
    );
    let signer = consensus_key.map(|key| Arc::new(key) as Arc<dyn Signer>);
    let mempool = mempool_limits(&config, &chain);
    let engine_config = EngineConfig { chain: chain.clone(), signer, mempool, doubts_record: true };
    let engine = Engine::new(engine_config, store.clone(), stored);

    let node = Node { config, chain, store, started, stop };
    Box::pin(node.run(engine, network, rpc_listener)).await
}

/// What the tasks of a node share.
struct Node {
    config: NodeConfig,
    chain: Arc<Chain>,
    store: Arc<Store>,
    started: Instant,
    stop: CancellationToken,
}

impl Node {
    async fn run(
        self,
        engine: Engine<Arc<Store>>,
        network: Network,
        rpc_listener: Option<TcpListener>,
    ) -> Result<(), NodeRunError> {
        let clock = Clock::new(self.started);
        let (status, status_reader) = watch::channel(Arc::new(engine.status(clock.now())));
        let (answer_sender, answers) = mpsc::channel(ANSWERS);
        let (events, consensus) = mpsc::channel(EVENTS);
        let (bulk_events, bulk) = mpsc::channel(BULK_EVENTS);
        let (command_sender, commands) = mpsc::channel(COMMANDS);
        let (blocks, _) = broadcast::channel(FINAL_BLOCKS);
        let metrics = Arc::new(Metrics::new());
        let tasks = TaskTracker::new();
        let Network { handle, fast, bulk: bulk_gossip, requests, peers } = network;

        tasks.spawn(inbound::consensus(
            self.chain.clone(),
            status_reader.clone(),
            fast,
            events.clone(),
        ));
        tasks.spawn(inbound::transactions(bulk_gossip, bulk_events));
        tasks.spawn(requests::serve(
            self.chain.clone(),
            self.store.clone(),
            requests,
            events.clone(),
        ));
        let node = NodeHandle {
            chain: self.chain.clone(),
            store: self.store.clone(),
            network: handle.clone(),
            started: self.started,
            status: status_reader,
            commands: command_sender,
            blocks: blocks.clone(),
            stop: self.stop.clone(),
        };
        let rpc = self.serve_rpc(rpc_listener, node, metrics.clone()).await?;
        let shell = Shell {
            chain: self.chain.clone(),
            engine,
            clock,
            timers: Timers::default(),
            peers: Peers::default(),
            network: handle.clone(),
            workers: Workers {
                chain: self.chain.clone(),
                store: self.store.clone(),
                signatures: Arc::new(signature_pool()),
                answers: answer_sender,
                tasks: tasks.clone(),
            },
            outbox: Outbox::new(),
            metrics,
            status,
            blocks,
            events,
            tickets: 0,
            waiting: BTreeMap::new(),
            replies: BTreeMap::new(),
            committing: None,
            status_at: Millis::default(),
        };
        let sources = Sources { answers, consensus, peers, commands, bulk };
        let end = shell.run(sources, self.stop.clone()).await;
        self.stop.cancel();
        handle.shutdown().await;
        tasks.close();
        if tokio::time::timeout(STOP_PATIENCE, tasks.wait()).await.is_err() {
            tracing::warn!("workers are still busy after {STOP_PATIENCE:?}; stopping without them");
        }
        if let Some(rpc) = rpc {
            // A panic of the server was logged; the node is stopping anyway.
            drop(tokio::time::timeout(STOP_PATIENCE, rpc).await);
        }
        tracing::info!("stopped");
        match end {
            End::Stopped => Ok(()),
            End::Halted(HaltKind::Contradiction, reason) => Err(NodeRunError::Halted(reason)),
            End::Halted(HaltKind::KeyElsewhere, reason) => Err(NodeRunError::Guard(reason)),
            End::Store(error) => Err(NodeRunError::Store(error)),
        }
    }

    async fn serve_rpc(
        &self,
        listener: Option<TcpListener>,
        node: NodeHandle,
        metrics: Arc<Metrics>,
    ) -> Result<Option<tokio::task::JoinHandle<()>>, NodeRunError> {
        let Some(listener) = listener else { return Ok(None) };
        let auth = rpc::Auth::create(&self.config.data_dir)
            .map_err(|error| NodeRunError::Config(error.to_string()))?;
        let stop = self.stop.clone();
        Ok(Some(tokio::spawn(async move {
            let options = rpc::RpcOptions::default();
            if let Err(error) = rpc::serve(listener, node, auth, metrics, options).await {
                tracing::error!("the RPC server failed: {error}");
                stop.cancel();
            }
        })))
    }
}

fn load_chain(config: &NodeConfig) -> Result<Chain, NodeRunError> {
    crate::genesis_file::load_chain(&config.genesis).map_err(config_error)
}

fn load_consensus_key(config: &NodeConfig) -> Result<Option<SecretKey>, NodeRunError> {
    let Some(path) = &config.keys.consensus_key else { return Ok(None) };
    crate::keys::load(path).map(Some).map_err(config_error)
}

fn config_error(error: impl std::fmt::Display) -> NodeRunError {
    NodeRunError::Config(error.to_string())
}

async fn open_store(config: &NodeConfig, chain: Arc<Chain>) -> Result<Arc<Store>, NodeRunError> {
    let dir = config.data_dir.clone();
    let options = StoreOptions {
        address_index: config.store.address_index,
        cache_bytes: usize::try_from(config.store.cache_mb)
            .unwrap_or(usize::MAX)
            .saturating_mul(1024 * 1024),
    };
    let open = move || Store::open(&dir, &chain, options);
    Ok(Arc::new(blocking(open).await?))
}

async fn read_stored(store: &Arc<Store>) -> Result<Stored, NodeRunError> {
    let store = store.clone();
    let read = move || {
        Ok::<_, StoreError>(Stored {
            state: store.state()?,
            tip: store.tip_certificate()?,
            safety: store.load_safety()?,
        })
    };
    Ok(blocking(read).await?)
}

/// Runs a job off the async threads. A panic in it goes on here.
async fn blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(job).await {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

async fn listen_rpc(address: std::net::SocketAddr) -> Result<TcpListener, NodeRunError> {
    TcpListener::bind(address).await.map_err(|error| NodeRunError::RpcListen { address, error })
}

fn network_config(config: &NodeConfig, chain: &Chain) -> NetworkConfig {
    NetworkConfig {
        chain_tag: format!("tc-{}", chain.id()),
        agent: format!("timecoin/{}", env!("CARGO_PKG_VERSION")),
        listen: config.network.listen.clone(),
        external: config.network.external.clone(),
        bootstrap: config.network.bootstrap.clone(),
        allow_private: config.network.allow_private,
        limits: PeerLimits { peers_max: config.limits.peers, ..PeerLimits::default() },
    }
}

fn mempool_limits(config: &NodeConfig, chain: &Chain) -> MempoolLimits {
    MempoolLimits {
        bytes_max: config.mempool.bytes_mb * 1024 * 1024,
        transactions_max: config.mempool.transactions,
        ..MempoolLimits::for_params(chain.params())
    }
}

fn signature_pool() -> rayon::ThreadPool {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    rayon::ThreadPoolBuilder::new()
        .num_threads(cores)
        .thread_name(|index| format!("signatures-{index}"))
        .build()
        .expect("the system gives a process a few threads")
}
