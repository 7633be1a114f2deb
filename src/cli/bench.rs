//! `timecoin bench`: measures a network that is made for it on this machine.
//!
//! Invariant: the nodes are stopped however this ends, short of a kill of this process.
use super::{
    error::{CliError, Exit},
    output,
    signals::Interrupts,
    testnet::Layout,
};
use crate::{
    bench::{self, BenchError, Ceiling, Load, Node, Payments, Plan},
    genesis_file,
    wallet::{WalletFile, path_of},
};
use clap::{Args, Subcommand};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Deserialize;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::Duration,
};
use timecoin_chain::limits::{GENESIS_OUTPUTS_MAX, MASTERNODES_MAX};

/// How long signatures are verified before the network starts.
const CEILING_WITHIN: Duration = Duration::from_millis(1_500);
/// How long the first block may take: a genesis with many coins is made first.
const FIRST_BLOCK_SECONDS: u16 = 300;
/// How long nodes may take to stop.
const STOP_SECONDS: u16 = 60;
/// Where free ports are looked for: below the range from which the system hands out its own.
const BASE_PORTS: std::ops::Range<u16> = 23_000..32_000;
const PORTS_STEP: usize = 1_000;
const POLL: Duration = Duration::from_millis(20);
/// What a shell shows for a program that was interrupted.
const INTERRUPTED: u8 = 130;

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Throughput, time to finality and cost of a local network, on the disks and cores of this machine.
    Network(NetworkArgs),
}

#[derive(Debug, Args)]
pub(super) struct NetworkArgs {
    /// Masternodes.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=MASTERNODES_MAX as i64))]
    validators: u16,
    /// Nodes that do not vote.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=100))]
    full: u16,
    /// Length of the window that is measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Load before the window.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    warmup: u64,
    /// Payments a second; 0 for none [default: as many as become final]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u64).range(0..=100_000))]
    rate: Option<u64>,
    /// Keep the network in this directory, which must be empty or new [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// First port [default: the first of a few that is free]
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u16).range(1_024..))]
    base_port: Option<u16>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// For the maximum: payments that are signed before the start. The window ends with the last of them.
    #[arg(long, value_name = "N", default_value_t = 250_000, hide_short_help = true,
          value_parser = clap::value_parser!(u64).range(1..GENESIS_OUTPUTS_MAX))]
    payments: u64,
    /// For the maximum: payments on their way at a time.
    #[arg(long, value_name = "N", default_value_t = 9_600, hide_short_help = true,
          value_parser = clap::value_parser!(u64).range(200..=100_000))]
    outstanding: u64,
    /// Time between empty blocks [default: as for `testnet up`]
    #[arg(long, value_name = "MS", hide_short_help = true)]
    block_interval_ms: Option<u64>,
    /// Least time between blocks [default: as for `testnet up`]
    #[arg(long, value_name = "MS", hide_short_help = true)]
    min_spacing_ms: Option<u64>,
}

pub(super) fn run(command: BenchCommand) -> Result<(), CliError> {
    match command {
        BenchCommand::Network(args) => network(&args),
    }
}

/// `timecoin bench network`
fn network(args: &NetworkArgs) -> Result<(), CliError> {
    let interrupts = Interrupts::listen()?;
    let plan = args.plan();
    let payments = plan.payments(usize::try_from(args.payments).unwrap_or(usize::MAX));
    output::note("measuring signatures");
    let ceiling = Ceiling::measure(CEILING_WITHIN);
    output::note(format_args!("starting the network with {payments} coins"));
    let network = Network::start(args, payments, &interrupts)?;
    let payments = network.sign(payments)?;
    check_interrupts(&interrupts)?;
    let seconds = args.warmup.saturating_add(args.seconds);
    output::note(format_args!("running for {seconds} s"));
    let is_interrupted = || interrupts.count() > 0;
    let report = bench::run(&plan, &network.nodes, &payments, ceiling, &is_interrupted)
        .map_err(|error| failed(&error))?;
    drop(network);
    match args.json {
        true => output::json(&report)?,
        false => output::line(&report),
    }
    let Some(failure) = report.failure() else { return Ok(()) };
    let error = CliError::new(Exit::Failure, failure);
    Err(report
        .first_refusals()
        .iter()
        .fold(error, CliError::why)
        .next("run it with --dir DIR and read the logs of the nodes there"))
}

impl NetworkArgs {
    fn plan(&self) -> Plan {
        let outstanding = usize::try_from(self.outstanding).unwrap_or(usize::MAX);
        Plan {
            load: match self.rate {
                None => Load::Maximum { outstanding },
                Some(0) => Load::Idle,
                Some(rate) => Load::Rate(rate),
            },
            warmup: Duration::from_secs(self.warmup),
            window: Duration::from_secs(self.seconds),
            validators: usize::from(self.validators),
        }
    }

    /// The command that makes and starts the network.
    fn up(&self, layout: &Layout, coins: usize) -> Result<Command, CliError> {
        let base = match self.base_port {
            Some(base) => base,
            None => free_base(self.validators + self.full)?,
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

/// Nodes that are stopped when this goes out of use.
struct Network {
    layout: Layout,
    nodes: Vec<Node>,
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
    fn start(args: &NetworkArgs, coins: usize, interrupts: &Interrupts) -> Result<Self, CliError> {
        let temporary =
            || std::env::temp_dir().join(format!("timecoin-bench-{}", std::process::id()));
        let dir = args.dir.clone().unwrap_or_else(temporary);
        let layout = Layout::new(&dir);
        if layout.state().exists() {
            let what = format!("{} already holds a network", dir.display());
            return Err(CliError::new(Exit::Usage, what).next("timecoin bench network --dir OTHER"));
        }
        let mut command = args.up(&layout, coins)?;
        // From here on there may be nodes.
        let mut network = Self { layout, nodes: Vec::new(), is_temporary: args.dir.is_none() };
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

    /// Payments of the wallet that has the money.
    fn sign(&self, count: usize) -> Result<Payments, CliError> {
        let chain = genesis_file::load_chain(&self.layout.genesis())?;
        let wallet = WalletFile::load(&path_of(&self.layout.wallets(), "alice")?)?;
        let progress = |done| output::progress(format_args!("signed {done} of {count} payments"));
        let payments = Payments::sign(&chain, &wallet.secret, count, progress);
        output::clear_progress();
        let payments = payments.map_err(|error| failed(&error))?;
        output::note(format_args!("signed {} payments", payments.len()));
        Ok(payments)
    }

    fn stop(&self) -> Result<(), CliError> {
        if !self.layout.state().exists() {
            return Ok(());
        }
        output::note("stopping the nodes");
        if self.is_temporary {
            succeed(testnet(&self.layout, &["reset", "--yes"])?)?;
            // What others put there is not in the way of anybody.
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

/// Waits until the network makes blocks; passes an interruption on.
fn wait_for_up(command: &mut Command, interrupts: &Interrupts) -> Result<Up, CliError> {
    let mut child = command.spawn().map_err(|error| not_started(&error))?;
    let mut is_told = false;
    while child.try_wait().map_err(|error| not_started(&error))?.is_none() {
        if interrupts.count() > 0 && !is_told {
            is_told = true;
            let pid = i32::try_from(child.id()).map_err(|error| not_started(&error))?;
            // A child that ended meanwhile needs no signal.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        thread::sleep(POLL);
    }
    let output = child.wait_with_output().map_err(|error| not_started(&error))?;
    check_interrupts(interrupts)?;
    if !output.status.success() {
        let code = output.status.code().and_then(|code| u8::try_from(code).ok());
        return Err(CliError::with_code(
            code.unwrap_or(Exit::Failure as u8),
            "the network did not start; its error stands above",
        ));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| not_started(&error))
}

fn check_interrupts(interrupts: &Interrupts) -> Result<(), CliError> {
    match interrupts.count() {
        0 => Ok(()),
        _ => Err(failed(&BenchError::Interrupted)),
    }
}

/// A base from which so many nodes find free ports.
fn free_base(nodes: u16) -> Result<u16, CliError> {
    let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let fits = |base: &u16| {
        (0..nodes).all(|index| {
            let port = base.saturating_add(index.saturating_mul(10));
            is_free(port) && is_free(port.saturating_add(1))
        })
    };
    BASE_PORTS.step_by(PORTS_STEP).find(fits).ok_or_else(|| {
        CliError::new(Exit::AddressInUse, "no free ports were found")
            .next("timecoin bench network --base-port P")
    })
}

fn failed(error: &BenchError) -> CliError {
    match error {
        BenchError::Interrupted => CliError::with_code(INTERRUPTED, error),
        _ => CliError::new(Exit::Failure, error)
            .next("run it with --dir DIR and read the logs of the nodes there"),
    }
}

fn not_started(error: &dyn std::fmt::Display) -> CliError {
    CliError::new(Exit::Failure, format!("the network did not start: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: NetworkArgs,
    }

    fn args(line: &str) -> NetworkArgs {
        Line::try_parse_from(std::iter::once("bench").chain(line.split_whitespace())).unwrap().args
    }

    #[test]
    fn the_rate_decides_the_load() {
        assert_eq!(args("").plan().load, Load::Maximum { outstanding: 9_600 });
        assert_eq!(args("--rate 0").plan().load, Load::Idle);
        assert_eq!(args("--rate 50").plan().load, Load::Rate(50));
    }

    #[test]
    fn the_network_is_started_with_the_documented_flags() {
        let args = args("--rate 50 --base-port 22000 --min-spacing-ms 20 --full 1");
        let command = args.up(&Layout::new("net".as_ref()), 7).unwrap();
        let words: Vec<_> = command.get_args().filter_map(|word| word.to_str()).collect();
        let line = format!("timecoin {}", words.join(" "));
        assert!(line.contains("--alloc-outputs 7 --min-spacing-ms 20"), "{line}");
        assert!(crate::cli::Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
    }

    #[test]
    fn the_answer_of_testnet_up_is_understood() {
        let text = r#"{"dir":"net","genesis":"7f","nodes":[{"name":"val0","masternode":true,
            "pid":7,"p2p":21000,"rpc":21001,"ready_ms":5}],"wallet":"alice","height":1}"#;
        let up: Up = serde_json::from_str(text).unwrap();
        let node = &up.nodes[0];
        assert_eq!((node.name.as_str(), node.pid, node.rpc), ("val0", Some(7), 21_001));
    }
}
