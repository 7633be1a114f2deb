//! `timecoin start`: runs a node until it is asked to stop.
use super::config_args::ConfigArgs;
use crate::{
    app::{self, RunError},
    config::{ConfigError, LogFormat, NodeConfig},
    genesis_file, keys,
    logging::{self, Log, LogError},
    terminal::{CliError, Exit, StopSignals, reload_signal},
};
use clap::Args;
use std::{net::SocketAddr, sync::Arc};
use timecoin_chain::crypto::Signer;
use timecoin_store::LEDGER_FILE;
use tokio::signal::unix::Signal;
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, Args)]
pub(super) struct StartArgs {
    #[command(flatten)]
    node: ConfigArgs,
    /// Where the JSON-RPC server listens.
    #[arg(long, value_name = "ADDRESS")]
    rpc_listen: Option<SocketAddr>,
    /// Log filter, such as info or debug.
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Format of log lines: human or json.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl StartArgs {
    fn load(&self) -> Result<NodeConfig, ConfigError> {
        let named = [
            ("rpc.listen", self.rpc_listen.map(|address| address.to_string())),
            ("log.filter", self.log.clone()),
            ("log.format", self.log_format.clone()),
        ];
        self.node.load(named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))))
    }

    /// An error before the configuration is known is written as the command line or the environment says.
    fn in_form(&self, error: CliError) -> CliError {
        let named = self.log_format.clone().or_else(|| std::env::var("TIMECOIN_LOG__FORMAT").ok());
        match named.as_deref() {
            Some("json") => error.in_form(LogFormat::Json),
            _ => error,
        }
    }
}

pub(super) fn run(args: &StartArgs) -> Result<(), CliError> {
    let config = args.load().map_err(|error| args.in_form(error.into()))?;
    let form = config.log.format;
    start(config, args).map_err(|error| error.in_form(form))
}

fn start(config: NodeConfig, args: &StartArgs) -> Result<(), CliError> {
    check_keys(&config)?;
    let log = Arc::new(logging::begin(&config.log)?);
    begin_record(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(Exit::Failure, error))?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(StopSignals::new()?, stop.clone()));
        tokio::spawn(reload_on_signal(reload_signal()?, args.clone(), log.clone()));
        // The node's future is large; it lives on the heap.
        let ended = Box::pin(app::run(config, log.losses(), stop)).await;
        ended.map_err(|error| describe(&error, args))
    })
}

/// Opens the log file again and takes the filter that the configuration names now.
async fn reload_on_signal(mut hangup: Signal, args: StartArgs, log: Arc<Log>) {
    while hangup.recv().await.is_some() {
        let reloaded = match args.load() {
            Ok(config) => log.reload(&config.log).map_err(CliError::from),
            Err(error) => Err(error.into()),
        };
        match reloaded {
            Ok(()) => tracing::info!("SIGHUP: reloaded log.filter, reopened the log file"),
            Err(error) => {
                let reason = error.to_string().replace("\n", ";");
                tracing::warn!("SIGHUP: nothing was reloaded: {reason}");
            }
        }
    }
}

/// Reads the key files once before anything starts, so that an error names the command that helps.
fn check_keys(config: &NodeConfig) -> Result<(), CliError> {
    for path in std::iter::once(&config.keys.node_key).chain(&config.keys.consensus_key) {
        keys::load(path)?;
    }
    Ok(())
}

/// Begins the record of a dev network's key in a new data directory: a container's volume begins empty.
fn begin_record(config: &NodeConfig) -> Result<(), CliError> {
    let Some(path) = config.keys.consensus_key.as_ref().filter(|_| config.keys.begin_record) else {
        return Ok(());
    };
    // Beside blocks that were signed with it, a missing record is a lost one.
    if config.data_dir.join(LEDGER_FILE).exists() {
        return Ok(());
    }
    let genesis = genesis_file::load_chain(&config.genesis)?.hash;
    Ok(keys::begin_record(&config.data_dir, &genesis, keys::load(path)?.public_key())?)
}

async fn stop_on_signal(mut signals: StopSignals, stop: CancellationToken) {
    let name = signals.next().await;
    tracing::info!("{name}: stopping; a second one stops at once");
    stop.cancel();
    signals.next().await;
    std::process::exit(Exit::Interrupted.code().into());
}

impl From<LogError> for CliError {
    fn from(error: LogError) -> Self {
        match &error {
            LogError::Filter { .. } | LogError::Word { .. } => {
                Self::new(Exit::Config, error).next("timecoin start --log info")
            }
            LogError::File { path, .. } => {
                let next = format!("ls -ld {}", path.parent().unwrap_or(path).display());
                Self::new(Exit::Config, error).next(next)
            }
            LogError::Thread(_) | LogError::Twice(_) => Self::new(Exit::Failure, error),
        }
    }
}

fn describe(error: &RunError, args: &StartArgs) -> CliError {
    let (node, config) = (&args.node, args.node.config.display());
    let next = error.next().unwrap_or_else(|| match error.exit() {
        Exit::Config => format!("correct {config}"),
        Exit::AddressInUse => {
            format!("stop the process that holds the port, or set `listen` in {config}")
        }
        Exit::KeyElsewhere => format!(
            "timecoin keys guard show {node}; then import the record from the host where the key \
             signed last"
        ),
        Exit::Contradiction => {
            "keep the log and the data directory; do not restart before the cause is known".into()
        }
        _ => format!("timecoin start {node} --log debug"),
    });
    CliError::new(error.exit(), error).next(next).with_user_if_refused(error)
}
