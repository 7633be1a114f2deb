//! Opens a node, joins the network, runs the loop, and shuts down.
use super::{
    clock::{Clock, Timers},
    handle::{Command, NodeHandle, OnReport},
    log, memory,
    outbox::Outbox,
    peers::Peers,
    refusals::Refusals,
    requests::Librarian,
    run_loop::{End, Shell, Sources, Waiting},
    workers::{Executions, Workers},
};
use crate::{config::NodeConfig, exit::Exit};
use std::{
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use timecoin_chain::{
    crypto::{SecretKey, Signer},
    engine::{Engine, EngineConfig, EngineStatus, StopKind, Stored},
    genesis::Chain,
    mempool::MempoolLimits,
    types::{Millis, NodeKey},
};
use timecoin_network::{
    Features, Keypair, Network, NetworkConfig, NetworkError, Saved, public_key_of,
};
use timecoin_store::{Store, StoreError};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Worker results queued for the loop.
const FINISHED: usize = 256;
/// Peer responses queued for the loop.
const RESPONSES: usize = 256;
/// RPC commands queued for the loop.
const COMMANDS: usize = 1_024;
/// How many final blocks a slow reader may fall behind.
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
    /// The engine stopped: something contradicts itself.
    #[error("{0}")]
    EngineStopped(String),
    /// The key must not sign here.
    #[error("{0}")]
    Guard(String),
}

impl NodeRunError {
    /// The exit code of the process.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Config,
            Self::Store(error) => error.into(),
            Self::Network(NetworkError::PortTaken { .. }) => Exit::AddressInUse,
            Self::EngineStopped(_) => Exit::Contradiction,
            Self::Guard(_) => Exit::KeyElsewhere,
            Self::Network(_) => Exit::Failure,
        }
    }

    /// What the operator does next, if the error knows.
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Store(error) => Some(error.next()),
            Self::Network(_) | Self::Config(_) | Self::EngineStopped(_) | Self::Guard(_) => None,
        }
    }
}

/// A node whose files are read and whose database is locked, before it joins the network.
pub struct Opened {
    config: NodeConfig,
    chain: Arc<Chain>,
    store: Arc<Store>,
    stored: Stored,
    consensus_key: Option<SecretKey>,
    node_key: Keypair,
    started: Instant,
    stop: CancellationToken,
}

/// Reads the files of a node and opens its database.
///
/// # Errors
/// When a file of the configuration or the database cannot be used.
pub async fn open(config: NodeConfig, stop: CancellationToken) -> Result<Opened, NodeRunError> {
    let started = Instant::now();
    let chain = Arc::new(load_chain(&config)?);
    let consensus_key = load_consensus_key(&config)?;
    let node_key = crate::keys::load_node_key(&config.keys.node_key).map_err(config_error)?;
    let store = open_store(&config, chain.clone()).await?;
    let stored = read_stored(&store).await?;
    Ok(Opened { config, chain, store, stored, consensus_key, node_key, started, stop })
}

impl Opened {
    /// How many masternodes the chain has.
    pub fn masternodes(&self) -> usize {
        self.chain.masternodes.len()
    }

    /// Joins the network. The loop begins with [`Node::run`].
    ///
    /// # Errors
    /// When the network cannot be joined.
    pub async fn join(self, on_report: OnReport) -> Result<Node, NodeRunError> {
        let data_dir = self.config.data_dir.clone();
        let saved = memory::load(&data_dir);
        let network = network_config(&self.config, &self.chain, saved);
        // Who is behind sentries or in a private network tells nobody where.
        let is_private = !self.config.network.only.is_empty();
        let node = public_key_of(&self.node_key).filter(|_| !is_private).map(NodeKey);
        let network = timecoin_network::start(network, self.node_key).await?;
        let me = self.consensus_key.as_ref().map(SecretKey::public_key);
        tracing::info!(
            chain = %self.chain.id(),
            height = self.stored.state.height.0,
            peer = %network.handle.local_peer_id(),
            masternode = me.and_then(|key| self.chain.masternodes.index_of(&key)),
            "started"
        );
        let signer = self.consensus_key.map(|key| Arc::new(key) as Arc<dyn Signer>);
        let engine_config = EngineConfig {
            chain: self.chain.clone(),
            signer,
            node,
            mempool: mempool_limits(&self.config, &self.chain),
            doubts_record: true,
        };
        let engine = Engine::new(engine_config, self.store.clone(), self.stored);
        let clock = Clock::new(self.started);
        let (status, status_reader) = watch::channel(Arc::new(engine.status(clock.now())));
        let (command_sender, commands) = mpsc::channel(COMMANDS);
        let (blocks, _) = broadcast::channel(FINAL_BLOCKS);
        let handle = NodeHandle {
            chain: self.chain,
            store: self.store,
            network: network.handle.clone(),
            started: self.started,
            status: status_reader,
            commands: command_sender,
            blocks,
            stop: self.stop,
        };
        Ok(Node { handle, engine, network, data_dir, clock, status, commands, on_report })
    }
}

/// A node among its peers.
pub struct Node {
    handle: NodeHandle,
    engine: Engine<Arc<Store>>,
    network: Network,
    data_dir: PathBuf,
    clock: Clock,
    status: watch::Sender<Arc<EngineStatus>>,
    commands: mpsc::Receiver<Command>,
    on_report: OnReport,
}

impl Node {
    /// The handle for the rest of the program.
    pub fn handle(&self) -> NodeHandle {
        self.handle.clone()
    }

    /// Runs until it is stopped or cannot go on.
    ///
    /// # Errors
    /// When the node cannot go on.
    pub async fn run(self) -> Result<(), NodeRunError> {
        let NodeHandle { chain, store, stop, blocks, .. } = self.handle;
        let (finished_sender, finished) = mpsc::channel(FINISHED);
        let (response_sender, responses) = mpsc::channel(RESPONSES);
        let tasks = TaskTracker::new();
        let Network { handle, fast, bulk, requests, peers, saved } = self.network;
        tasks.spawn(memory::keep(self.data_dir, saved));

        let shell = Shell {
            engine: self.engine,
            clock: self.clock,
            timers: Timers::default(),
            peers: Peers::default(),
            refusals: Refusals::default(),
            network: handle.clone(),
            librarian: Librarian::new(chain.clone(), store.clone(), tasks.clone()),
            workers: Workers {
                chain,
                store,
                door: Arc::new(pool("door")),
                signatures: Arc::new(pool("signatures")),
                finished: finished_sender,
                tasks: tasks.clone(),
            },
            executions: Executions::default(),
            outbox: Outbox::new(),
            on_report: self.on_report,
            status: self.status,
            blocks,
            responses: response_sender,
            waiting: Waiting::default(),
            committing: None,
            status_at: Millis::default(),
            halts: log::Halts::default(),
        };
        let sources =
            Sources { finished, fast, responses, peers, requests, commands: self.commands, bulk };
        let end = shell.run(sources, stop.clone()).await;
        stop.cancel();
        handle.shutdown().await;
        tasks.close();
        if tokio::time::timeout(STOP_PATIENCE, tasks.wait()).await.is_err() {
            tracing::warn!("workers are still busy after {STOP_PATIENCE:?}; stopping without them");
        }
        match end {
            End::Stopped => Ok(()),
            End::EngineStopped(StopKind::Contradiction, reason) => {
                Err(NodeRunError::EngineStopped(reason))
            }
            End::EngineStopped(StopKind::KeyElsewhere, reason) => Err(NodeRunError::Guard(reason)),
            End::Store(error) => Err(NodeRunError::Store(error)),
        }
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
    let options = config.store.options();
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

/// Runs a job off the async threads. A panic in it propagates.
async fn blocking<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(job).await {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

fn network_config(config: &NodeConfig, chain: &Chain, saved: Saved) -> NetworkConfig {
    NetworkConfig {
        chain_tag: format!("tc-{}", chain.id()),
        agent: format!("timecoin/{}", env!("CARGO_PKG_VERSION")),
        listen: config.network.listen.clone(),
        external: config.network.external.clone(),
        bootstrap: config.network.bootstrap.clone(),
        allow_private: config.network.allow_private,
        reserved: config.network.reserved.clone(),
        only: config.network.only.clone(),
        private: config.network.private_peers.clone(),
        reach: config.network.reach,
        features: Features::NETWORK,
        version_max: config.network.version_max,
        upload_bytes: config.limits.upload_kib * 1024,
        memory_bytes: config.limits.memory_bytes,
        limits: config.limits.peers,
        saved,
    }
}

fn mempool_limits(config: &NodeConfig, chain: &Chain) -> MempoolLimits {
    MempoolLimits {
        bytes_max: config.mempool.bytes_mb * 1024 * 1024,
        transactions_max: config.mempool.transactions,
        ..MempoolLimits::for_params(chain.params())
    }
}

fn pool(name: &'static str) -> rayon::ThreadPool {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    rayon::ThreadPoolBuilder::new()
        .num_threads(cores)
        .thread_name(move |index| format!("{name}-{index}"))
        .build()
        .expect("the system gives a process a few threads")
}
