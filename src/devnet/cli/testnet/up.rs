//! `timecoin testnet up` and `start`: nodes from files to the first final block.
use super::{
    args::{NetArgs, OneArgs, ShapeArgs},
    ready::{self, Ready},
    stop, watch,
};
use crate::{
    devnet::network::{
        Layout, TestnetState,
        create::{self, FUNDED, FUNDS},
        ports, processes,
    },
    terminal::{
        CliError, Exit, Interrupts,
        output::{self, count, short_id, short_money, span},
    },
    wallet::path_of,
};
use clap::Args;
use serde_json::json;
use std::{
    process::Child,
    time::{Duration, Instant},
};

/// How long nodes of a network that did not come up may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(20);
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    net: NetArgs,
    #[command(flatten)]
    shape: ShapeArgs,
    /// Return when the first block is final; the nodes go on.
    #[arg(long)]
    detach: bool,
    /// How many seconds the first block may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
}

pub(super) fn run(args: &UpArgs) -> Result<(), CliError> {
    let interrupts = Interrupts::listen()?;
    let layout = Layout::new(&args.net.dir);
    let is_new = !layout.state().exists();
    let mut state = match is_new {
        true => create::create(&layout, &args.shape.plan())?,
        false => resume(args, &layout)?,
    };
    let begun = Instant::now();
    let started = start_missing(&layout, &mut state)?;
    let patience = Duration::from_secs(args.timeout);
    let ready = match ready::wait(&layout, &state, is_new, begun, patience, &interrupts) {
        Ok(Some(ready)) => ready,
        outcome => {
            let names: Vec<&str> = started.iter().map(|(name, _)| name.as_str()).collect();
            let kill = stop::Kill::AtTheEnd;
            stop::stop_nodes(&layout, &state, Some(&names), STOP_WITHIN, &kill)?;
            let interrupted =
                CliError::new(Exit::Interrupted, "interrupted before the first block");
            return Err(outcome.err().unwrap_or(interrupted));
        }
    };
    match args.net.json {
        true => print_json(&layout, &state, &ready)?,
        false => print(&layout, &state, &ready),
    }
    if args.detach {
        return Ok(());
    }
    watch::run(&layout, started, &interrupts)?;
    stop::stop_and_report(&layout, STOP_WITHIN * 3, &interrupts)
}

/// The existing network. Options for new networks do not apply to it.
fn resume(args: &UpArgs, layout: &Layout) -> Result<TestnetState, CliError> {
    let mut state = TestnetState::load(layout)?;
    let votes = state.nodes.iter().filter(|node| node.consensus_key.is_some()).count();
    let full = state.nodes.len() - votes;
    let differs = |asked: Option<u16>, there: usize| asked.is_some_and(|n| usize::from(n) != there);
    let shape = &args.shape;
    let shaped = shape.sets_parameters();
    if differs(shape.validators, votes) || differs(shape.full, full) || shaped {
        let what = format!("{} already holds a network", layout.root().display());
        return Err(CliError::new(Exit::Usage, what)
            .why(format!(
                "it has {votes} masternodes and {full} more; its shape and parameters cannot be changed"
            ))
            .next(format!("timecoin testnet reset{}   (deletes it), or --dir OTHER", layout.dir_flag())));
    }
    if let Some(base) = shape.base_port.filter(|&base| base != state.base_port) {
        if state.nodes.iter().any(|node| processes::is_running(layout, node)) {
            let what = "ports cannot change while nodes run";
            return Err(CliError::new(Exit::Usage, what)
                .next(format!("timecoin testnet down{}", layout.dir_flag())));
        }
        create::move_ports(layout, &mut state, base)?;
    }
    Ok(state)
}

/// Starts the nodes that do not run, after their ports were found free.
fn start_missing(
    layout: &Layout,
    state: &mut TestnetState,
) -> Result<Vec<(String, Child)>, CliError> {
    let missing = || state.nodes.iter().filter(|node| !processes::is_running(layout, node));
    let all = u16::try_from(state.nodes.len()).unwrap_or(u16::MAX);
    ports::check(layout, missing(), state.base_port, all)?;
    let names: Vec<String> = missing().map(|node| node.name.clone()).collect();
    let mut started = Vec::with_capacity(names.len());
    for name in names {
        let child = processes::start(layout, state, &name)?;
        started.push((name, child));
    }
    Ok(started)
}

/// `timecoin testnet start NODE`
pub(super) fn start_one(args: &OneArgs) -> Result<(), CliError> {
    let (layout, mut state) = args.net.load()?;
    let interrupts = Interrupts::listen()?;
    let node = state.named(&args.node)?.clone();
    let was_running = processes::is_running(&layout, &node);
    let begun = Instant::now();
    if !was_running {
        ports::check(&layout, [&node].into_iter(), state.base_port, 1)?;
        processes::start(&layout, &mut state, &node.name)?;
    }
    let node = state.named(&args.node)?.clone();
    let height = ready::wait_for_answer(&layout, &node, Duration::from_secs(60), &interrupts)?;
    if args.net.json {
        return output::json(&json!({
            "node": node.name, "pid": node.pid, "was_running": was_running, "height": height,
        }));
    }
    let taken = span(ready::elapsed_ms(begun));
    output::line(match was_running {
        true => format!("{} runs already, height {height}", node.name),
        false => format!("{} answers after {taken}, height {height}", node.name),
    });
    Ok(())
}

fn print(layout: &Layout, state: &TestnetState, ready: &Ready) {
    let votes = state.nodes.iter().filter(|node| node.consensus_key.is_some()).count();
    output::line(format_args!(
        "  network dev   genesis {}   {} + {}   {}",
        short_id(&state.genesis),
        count(votes, "masternode"),
        count(state.nodes.len() - votes, "full node"),
        layout.root().display()
    ));
    for (node, ms) in state.nodes.iter().zip(&ready.answered_ms) {
        output::line(format_args!(
            "  {:<6}  p2p {:<5}  rpc {:<5}  ready  {}",
            node.name,
            node.p2p,
            node.rpc,
            span(*ms)
        ));
    }
    let commit = &ready.commit;
    output::line(format_args!(
        "  {} block final in {} (height {}, round {}, {}/{} votes)",
        if ready.is_first { "first" } else { "next" },
        span(ready.block_ms),
        commit.height,
        commit.round,
        commit.weight,
        commit.total
    ));
    if ready.is_first {
        output::line(format_args!("  wallet \"{FUNDED}\" holds {} TIME", short_money(FUNDS)));
    }
    let (net, dir) = (layout.net_flag(), layout.dir_flag());
    let send = format!("timecoin wallet send --from {FUNDED} --to bob 12.5 --wait{net}");
    if path_of(&layout.wallets(), "bob").is_ok_and(|bob| bob.exists()) {
        output::line(format_args!("  Next:  {send}"));
    } else {
        output::line(format_args!("  Next:  timecoin wallet new bob{net}"));
        output::line(format_args!("         {send}"));
    }
    output::line(format_args!("  Stop:  timecoin testnet down{dir}"));
}

fn print_json(layout: &Layout, state: &TestnetState, ready: &Ready) -> Result<(), CliError> {
    let nodes: Vec<_> = state
        .nodes
        .iter()
        .zip(&ready.answered_ms)
        .map(|(node, ms)| {
            json!({
                "name": node.name,
                "masternode": node.consensus_key.is_some(),
                "pid": node.pid,
                "p2p": node.p2p,
                "rpc": node.rpc,
                "ready_ms": ms,
            })
        })
        .collect();
    output::json(&json!({
        "dir": layout.root(),
        "genesis": state.genesis,
        "nodes": nodes,
        "wallet": FUNDED,
        "height": ready.commit.height,
        "round": ready.commit.round,
        "weight": ready.commit.weight,
        "total": ready.commit.total,
        "first_block_ms": ready.block_ms,
    }))
}
