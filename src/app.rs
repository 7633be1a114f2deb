//! The process of a node: starts the node, its metrics and its RPC server.
//!
//! The only module that knows all three. The node reports and hands out its handle; metrics count the
//! reports, and RPC reads both.
use crate::{
    config::NodeConfig,
    exit::Exit,
    logging::Losses,
    metrics::Metrics,
    node::{self, NodeHandle, NodeRunError},
    rpc::{self, Auth, AuthError},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// How long the RPC server may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Why a process did not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The node did not start or cannot go on.
    #[error(transparent)]
    Node(#[from] NodeRunError),
    /// The node cannot listen on the RPC address.
    #[error("cannot listen for RPC on {address}: {error}")]
    RpcListen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The cookie of the RPC server could not be written.
    #[error(transparent)]
    Auth(#[from] AuthError),
}

impl RunError {
    /// The exit code of the process.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Node(error) => error.exit(),
            Self::RpcListen { .. } => Exit::AddressInUse,
            Self::Auth(_) => Exit::Config,
        }
    }

    /// What the operator does next, if the error knows.
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Node(error) => error.next(),
            Self::RpcListen { .. } => Some(
                "stop the process that holds the port, or set another `listen` under [rpc]".into(),
            ),
            Self::Auth(_) => None,
        }
    }
}

/// Runs a node until it is stopped or cannot go on.
///
/// # Errors
/// When a part does not start, or the node cannot go on.
pub async fn run(
    config: NodeConfig,
    log: Arc<Losses>,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let (rpc_config, data_dir) = (config.rpc.clone(), config.data_dir.clone());
    // Takes the lock of the data directory first: only its holder may write the cookie.
    let opened = node::open(config, stop.clone()).await?;
    let listener = match rpc_config.enabled {
        true => Some(listen(rpc_config.listen).await?),
        false => None,
    };
    let metrics = Arc::new(Metrics::new(data_dir.clone(), opened.masternodes(), log));
    let counting = metrics.clone();
    let node = Box::pin(opened.join(Box::new(move |report| counting.on_report(report)))).await?;
    let server = match listener {
        Some(listener) => {
            warn_if_public(rpc_config.listen);
            let auth = Auth::create(&data_dir)?;
            let options = rpc::RpcOptions { allowed_hosts: rpc_config.allowed_hosts };
            Some(serve(listener, node.handle(), auth, (metrics, options), stop))
        }
        None => None,
    };
    let end = Box::pin(node.run()).await;
    if let Some(server) = server {
        // A panic of the server was logged; the node has stopped anyway.
        drop(timeout(STOP_PATIENCE, server).await);
    }
    tracing::info!("stopped");
    Ok(end?)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(address).await.map_err(|error| RunError::RpcListen { address, error })
}

/// The server speaks plain HTTP, and whoever has the cookie may stop payments and peers.
fn warn_if_public(address: SocketAddr) {
    if !address.ip().is_loopback() {
        tracing::warn!(
            %address,
            "rpc.listen is not on this machine alone: calls need the cookie, but health, metrics and events do not, and \
             nothing is encrypted. Set rpc.listen to 127.0.0.1, or let a firewall or proxy stand before it"
        );
    }
}

/// A node whose server fails stops.
fn serve(
    listener: TcpListener,
    node: NodeHandle,
    auth: Auth,
    (metrics, options): (Arc<Metrics>, rpc::RpcOptions),
    stop: CancellationToken,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = rpc::serve(listener, node, auth, metrics, options).await {
            tracing::error!(%error, "the RPC server failed");
            stop.cancel();
        }
    })
}
