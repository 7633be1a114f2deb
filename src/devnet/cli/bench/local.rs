//! A network of nodes on this machine that ends with its owner.
//!
//! Invariant: the nodes are stopped on every exit except a kill of this process.
use super::ending::{check_interrupts, failed};
use crate::{
    api::GetBlockHash,
    devnet::{
        bench::{Node, Payments},
        network::{Layout, NodeEntry, TestnetState, ports},
    },
    genesis_file,
    rpc_client::RpcClient,
    terminal::{CliError, Exit, Interrupts, output},
    wallet::{WalletFile, path_of},
};
use clap::Args;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};
use timecoin_chain::{genesis::Chain, limits::MASTERNODES_MAX};

/// How long the first block may take: a genesis with many coins is made first.
const FIRST_BLOCK_SECONDS: u16 = 300;
/// How long nodes may take to stop.
const STOP_SECONDS: u16 = 60;
/// Where free ports are looked for: below the range from which the system hands out its own.
const BASE_PORTS: std::ops::Range<u16> = 23_000..32_000;
const PORTS_STEP: usize = 1_000;
const POLL: Duration = Duration::from_millis(20);

/// The shape of the network.
#[derive(Debug, Args)]
pub(super) struct Shape {
    /// Masternodes.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=MASTERNODES_MAX as i64))]
    pub(super) validators: u16,
    /// Nodes that do not vote.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=100))]
    pub(super) full: u16,
    /// Keep the network in this directory, which must be empty or new [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// First port [default: the first of a few that is free]
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u16).range(1_024..))]
    pub(super) base_port: Option<u16>,
    /// Time between empty blocks [default: as for `testnet up`]
    #[arg(long, value_name = "MS", hide_short_help = true)]
    pub(super) block_interval_ms: Option<u64>,
    /// Least time between blocks [default: as for `testnet up`]
    #[arg(long, value_name = "MS", hide_short_help = true)]
    pub(super) min_spacing_ms: Option<u64>,
}

impl Shape {
    /// The command that makes and starts the network.
    fn up(&self, layout: &Layout, coins: usize) -> Result<Command, CliError> {
        let base = match self.base_port {
            Some(base) => base,
            None => {
                let bases = BASE_PORTS.step_by(PORTS_STEP);
                ports::first_free(bases, self.validators + self.full).ok_or_else(|| {
                    CliError::new(Exit::AddressInUse, "no free ports were found")
                        .next("--base-port P")
                })?
            }
        };
        let mut command = testnet(layout, &["up", "--detach", "--json"])?;
        let flags = [
            ("--validators", Some(u64::from(self.validators))),
            ("--full", Some(u64::from(self.full))),
            ("--base-port", Some(u64::from(base))),
            ("--timeout", Some(u64::from(FIRST_BLOCK_SECONDS))),
            ("--alloc-outputs", Some(coins.max(1) as u64)),
            ("--block-interval-ms", self.block_interval_ms),
            ("--min-spacing-ms", self.min_spacing_ms),
        ];
        for (flag, value) in flags {
            if let Some(value) = value {
                command.args([flag, &value.to_string()]);
            }
        }
        Ok(command)
    }
}

/// The nodes of the network; they are stopped when this is dropped.
pub(super) struct Network {
    layout: Layout,
    pub(super) nodes: Vec<Node>,
    is_temporary: bool,
}

/// What `testnet up --json` says.
#[derive(Deserialize)]
struct Up {
    nodes: Vec<UpNode>,
}

#[derive(Deserialize)]
struct UpNode {
    name: String,
    pid: Option<u32>,
    rpc: u16,
}

impl Network {
    pub(super) fn start(
        shape: &Shape,
        coins: usize,
        interrupts: &Interrupts,
    ) -> Result<Self, CliError> {
        let temporary =
            || std::env::temp_dir().join(format!("timecoin-bench-{}", std::process::id()));
        let dir = shape.dir.clone().unwrap_or_else(temporary);
        let layout = Layout::new(&dir);
        if layout.state().exists() {
            let what = format!("{} already holds a network", dir.display());
            return Err(CliError::new(Exit::Usage, what).next("another --dir"));
        }
        let mut command = shape.up(&layout, coins)?;
        // From here on nodes may run.
        let mut network = Self { layout, nodes: Vec::new(), is_temporary: shape.dir.is_none() };
        let up = wait_for_up(command.stdout(Stdio::piped()), interrupts)?;
        for node in up.nodes {
            network.nodes.push(Node {
                pid: node.pid.unwrap_or(0),
                rpc: SocketAddr::from((Ipv4Addr::LOCALHOST, node.rpc)),
                cookie: network.layout.cookie(&node.name),
                name: node.name,
            });
        }
        Ok(network)
    }

    /// Payments from the funded wallet.
    pub(super) fn sign(&self, count: usize) -> Result<Payments, CliError> {
        let chain = self.chain()?;
        let wallet = WalletFile::load(&path_of(&self.layout.wallets(), "alice")?)?;
        let progress = |done| output::progress(format_args!("signed {done} of {count} payments"));
        let payments = Payments::sign(&chain, &wallet.secret, count, progress);
        output::clear_progress();
        let payments = payments.map_err(|error| failed(&error))?;
        output::note(format_args!("signed {} payments", payments.len()));
        Ok(payments)
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn chain(&self) -> Result<Chain, CliError> {
        Ok(genesis_file::load_chain(&self.layout.genesis())?)
    }

    /// The nodes as they run now, in the order of [`Self::nodes`].
    pub(super) fn entries(&self) -> Result<Vec<NodeEntry>, CliError> {
        Ok(TestnetState::load(&self.layout)?.nodes)
    }

    /// Which node is the masternode with this index.
    pub(super) fn masternode(&self, index: u16) -> Result<usize, CliError> {
        let state = TestnetState::load(&self.layout)?;
        let name = state.masternodes().get(usize::from(index)).copied();
        let node = self.nodes.iter().position(|node| Some(node.name.as_str()) == name);
        node.ok_or_else(|| CliError::new(Exit::Failure, format!("there is no masternode {index}")))
    }

    /// Kills a node at once.
    pub(super) fn kill(&self, node: usize) -> Result<(), CliError> {
        succeed(testnet(&self.layout, &["kill", &self.nodes[node].name, "--json"])?)
    }

    /// Starts a node that was killed; returns when it answers.
    pub(super) fn start_again(&self, node: usize) -> Result<(), CliError> {
        succeed(testnet(&self.layout, &["start", &self.nodes[node].name])?)
    }

    /// Asks every node for all blocks up to a height.
    pub(super) fn assert_one_chain(&self, to: u64) -> Result<(), CliError> {
        let clients: Vec<RpcClient> = self.nodes.iter().map(Node::client).collect();
        for height in 1..=to {
            let hashes = clients
                .iter()
                .map(|client| client.ask(&GetBlockHash { height }))
                .collect::<Result<BTreeSet<_>, _>>()
                .map_err(|error| CliError::new(Exit::Failure, error))?;
            if hashes.len() > 1 {
                let what = format!("nodes differ at height {height}: {hashes:?}");
                return Err(CliError::new(Exit::Failure, what));
            }
        }
        Ok(())
    }

    fn stop(&self) -> Result<(), CliError> {
        if !self.layout.state().exists() {
            return Ok(());
        }
        output::note("stopping the nodes");
        if self.is_temporary {
            succeed(testnet(&self.layout, &["reset", "--yes"])?)?;
            // Other files in the temporary directory do no harm.
            let _ = fs::remove_dir_all(self.layout.root());
            return Ok(());
        }
        let mut down = testnet(&self.layout, &["down"])?;
        down.args(["--timeout", &STOP_SECONDS.to_string()]);
        succeed(down).or_else(|_| {
            self.nodes
                .iter()
                .try_for_each(|node| succeed(testnet(&self.layout, &["kill", &node.name])?))
        })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            output::note(error);
        }
    }
}

/// A command of this program about the network, away from the Ctrl-C of this one.
fn testnet(layout: &Layout, words: &[&str]) -> Result<Command, CliError> {
    let program = std::env::current_exe().map_err(|error| not_started(&error))?;
    let mut command = Command::new(program);
    command.arg("testnet").args(words).arg("--dir").arg(layout.root());
    command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    Ok(command)
}

fn succeed(mut command: Command) -> Result<(), CliError> {
    let status = command.status().map_err(|error| not_started(&error))?;
    match status.success() {
        true => Ok(()),
        false => Err(CliError::new(Exit::Failure, "the nodes were not all stopped")),
    }
}

/// Waits until the network makes blocks; forwards an interruption to the child.
fn wait_for_up(command: &mut Command, interrupts: &Interrupts) -> Result<Up, CliError> {
    let mut child = command.spawn().map_err(|error| not_started(&error))?;
    let mut is_told = false;
    while child.try_wait().map_err(|error| not_started(&error))?.is_none() {
        if interrupts.count() > 0 && !is_told {
            is_told = true;
            let pid = i32::try_from(child.id()).map_err(|error| not_started(&error))?;
            // A child that has already ended needs no signal.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        thread::sleep(POLL);
    }
    let output = child.wait_with_output().map_err(|error| not_started(&error))?;
    check_interrupts(interrupts)?;
    if !output.status.success() {
        let exit = output.status.code().and_then(Exit::of).unwrap_or(Exit::Failure);
        return Err(CliError::new(exit, "the network did not start; its error is above"));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| not_started(&error))
}

fn not_started(error: &dyn std::fmt::Display) -> CliError {
    CliError::new(Exit::Failure, format!("the network did not start: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use clap::Parser;

    #[test]
    fn the_answer_of_testnet_up_is_understood() {
        let text = r#"{"dir":"net","genesis":"7f","nodes":[{"name":"val0","masternode":true,
            "pid":7,"p2p":21000,"rpc":21001,"ready_ms":5}],"wallet":"alice","height":1}"#;
        let up: Up = serde_json::from_str(text).unwrap();
        let node = &up.nodes[0];
        assert_eq!((node.name.as_str(), node.pid, node.rpc), ("val0", Some(7), 21_001));
    }

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        shape: Shape,
    }

    #[derive(Parser)]
    struct Testnet {
        #[command(subcommand)]
        _command: crate::devnet::cli::testnet::TestnetCommand,
    }

    fn shape(line: &str) -> Shape {
        Line::try_parse_from(std::iter::once("bench").chain(line.split_whitespace())).unwrap().shape
    }

    #[test]
    fn the_network_is_started_with_the_documented_flags() {
        let shape = shape("--base-port 22000 --min-spacing-ms 20 --full 1");
        let command = shape.up(&Layout::new("net".as_ref()), 7).unwrap();
        let words: Vec<_> = command.get_args().filter_map(|word| word.to_str()).collect();
        let line = words.join(" ");
        assert!(line.contains("--alloc-outputs 7 --min-spacing-ms 20"), "{line}");
        assert!(Testnet::try_parse_from(line.split(' ')).is_ok(), "{line}");
    }
}
