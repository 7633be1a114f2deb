//! `timecoin start`: runs a node until it is told to stop.
use super::config_args::ConfigArgs;
use crate::{
    config::{ConfigError, LogFormat, LogSection, NodeConfig},
    keys,
    node::{self, NodeRunError},
    terminal::{CliError, Exit, StopSignals},
};
use clap::Args;
use std::{io::IsTerminal, net::SocketAddr};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// The exit code after a second signal, as a shell shows an interrupted program.
const STOPPED_AT_ONCE: i32 = 130;

#[derive(Debug, Args)]
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
}

pub(super) fn run(args: &StartArgs) -> Result<(), CliError> {
    let config = args.load()?;
    check_keys(&config)?;
    begin_log(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(Exit::Failure, error))?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(StopSignals::new()?, stop.clone()));
        // The node's future is large; it lives on the heap.
        Box::pin(node::run(config, stop)).await.map_err(|error| describe(&error, args))
    })
}

/// Reads the key files once before anything starts, so that an error names the command that helps.
fn check_keys(config: &NodeConfig) -> Result<(), CliError> {
    for path in std::iter::once(&config.keys.node_key).chain(&config.keys.consensus_key) {
        keys::load(path)?;
    }
    Ok(())
}

async fn stop_on_signal(mut signals: StopSignals, stop: CancellationToken) {
    let name = signals.next().await;
    tracing::info!("{name}: stopping; a second one stops at once");
    stop.cancel();
    signals.next().await;
    std::process::exit(STOPPED_AT_ONCE);
}

fn begin_log(log: &LogSection) -> Result<(), CliError> {
    let filter = EnvFilter::try_new(quiet(&log.filter)).map_err(|error| {
        CliError::new(Exit::Config, format!("log.filter `{}`: {error}", log.filter))
            .next("timecoin start --log info")
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter);
    let begun = match log.format {
        LogFormat::Human => {
            lines.with_target(false).with_ansi(std::io::stdout().is_terminal()).try_init()
        }
        LogFormat::Json => lines.json().try_init(),
    };
    begun.map_err(|error| CliError::new(Exit::Failure, format!("the log did not begin: {error}")))
}

/// Without a word about libp2p its parts say only what an operator may act on.
fn quiet(filter: &str) -> String {
    match filter.contains("libp2p") {
        true => filter.to_owned(),
        false => format!("{filter},libp2p=error,yamux=error"),
    }
}

fn describe(error: &NodeRunError, args: &StartArgs) -> CliError {
    let code = error.exit_code();
    let text = error.to_string();
    // Some errors name the next step themselves.
    let written = ["\n  next: ", ". Next: "].iter().find_map(|mark| text.split_once(mark));
    let (text, written) = match written {
        Some((text, next)) => (text, Some(next.to_owned())),
        None => (text.as_str(), None),
    };
    let (node, config) = (&args.node, args.node.config.display());
    let next = match (written, code) {
        (Some(next), _) => next,
        (None, 3) => format!("correct {config}"),
        (None, 4) => "stop the other process, or start with --data-dir DIR".into(),
        (None, 5) => "keep the directory for a diagnosis and start with --data-dir NEW_DIR: a node syncs from others".into(),
        (None, 6) => format!("stop whatever holds the port, or set `listen` in {config}"),
        (None, 11) => format!(
            "timecoin keys guard show {node}; then import the record from where the key ran last"
        ),
        (None, 10) => "keep the log and the data directory; do not restart before the cause is known".into(),
        (None, _) => format!("timecoin start {node} --log debug"),
    };
    let (what, why) = text.split_once('\n').unwrap_or((text, ""));
    CliError::with_code(code, what).why(why).next(next)
}
