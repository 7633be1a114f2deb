//! `timecoin testnet kill, down, reset`.
use super::{
    args::{DownArgs, OneArgs, ResetArgs},
    ready::elapsed_ms,
};
use crate::{
    devnet::network::{Layout, TestnetState, processes},
    terminal::{
        CliError, Exit, Interrupts,
        output::{self, confirm, count, span},
    },
};
use nix::sys::signal::Signal;
use serde_json::json;
use std::{
    fs, io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(20);
/// How long a killed process may take to end.
const KILL_WITHIN: Duration = Duration::from_secs(10);

/// The outcome for each node that ran.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) stopped: Vec<String>,
    pub(super) killed: Vec<String>,
    pub(super) remaining: Vec<String>,
    pub(super) took_ms: u64,
}

/// `timecoin testnet kill NODE`
pub(super) fn kill(args: &OneArgs) -> Result<(), CliError> {
    let (layout, mut state) = args.net.load()?;
    let node = state.named(&args.node)?.clone();
    let was_running = processes::signal(&layout, &node, Signal::SIGKILL)?;
    let begun = Instant::now();
    while processes::is_running(&layout, &node) && begun.elapsed() < KILL_WITHIN {
        thread::sleep(POLL);
    }
    if args.net.json {
        return output::json(&json!({ "node": node.name, "was_running": was_running }));
    }
    output::line(match was_running {
        true => format!("{} killed", node.name),
        false => format!("{} was not running", node.name),
    });
    output::note(format_args!(
        "bring it back:  timecoin testnet start {}{}",
        node.name,
        layout.dir_flag()
    ));
    Ok(())
}

/// `timecoin testnet down`
pub(super) fn down(args: &DownArgs) -> Result<(), CliError> {
    let (layout, state) = args.net.load()?;
    let patience = Duration::from_secs(args.timeout);
    let outcome = stop_nodes(&layout, &state, None, patience, &Kill::Never)?;
    report(&layout, &outcome, args.net.json)
}

/// `timecoin testnet reset`
pub(super) fn reset(args: &ResetArgs) -> Result<(), CliError> {
    let (layout, state) = args.net.load()?;
    let root = layout.root().display();
    if !args.yes {
        confirm(&format!("Delete the network in {root} with its keys, wallets and blocks?"))?;
    }
    // The data is deleted anyway, so nodes need not stop gracefully.
    for node in &state.nodes {
        processes::signal(&layout, node, Signal::SIGKILL)?;
    }
    let begun = Instant::now();
    while state.nodes.iter().any(|node| processes::is_running(&layout, node)) {
        if begun.elapsed() > KILL_WITHIN {
            return Err(CliError::new(Exit::Failure, "a node does not end, nothing was deleted")
                .next(format!("timecoin testnet status{}", layout.dir_flag())));
        }
        thread::sleep(POLL);
    }
    for node in &state.nodes {
        remove(&layout.node(&node.name))?;
    }
    remove(&layout.wallets())?;
    remove(&layout.genesis())?;
    remove(&layout.state())?;
    // Deletes only what this program made: the directory stays if it holds anything else.
    let is_gone = fs::remove_dir(layout.root()).is_ok();
    if args.net.json {
        return output::json(&json!({ "dir": layout.root(), "deleted": is_gone }));
    }
    output::line(match is_gone {
        true => format!("{root} deleted"),
        false => format!("the network in {root} deleted; other files in it were kept"),
    });
    Ok(())
}

/// Stops all nodes after a foreground run; a signal during the stop kills them.
pub(super) fn stop_and_report(
    layout: &Layout,
    patience: Duration,
    interrupts: &Interrupts,
) -> Result<(), CliError> {
    let state = TestnetState::load(layout)?;
    let kill = Kill::AfterSignals(interrupts, interrupts.count());
    let outcome = stop_nodes(layout, &state, None, patience, &kill)?;
    report(layout, &outcome, false)
}

/// When nodes that do not stop are killed.
pub(super) enum Kill<'a> {
    /// Never: they are reported.
    Never,
    /// When the time limit ends.
    AtTheEnd,
    /// When the time limit ends, or at the next signal.
    AfterSignals(&'a Interrupts, usize),
}

/// Asks the named nodes, or all, to stop and waits.
pub(super) fn stop_nodes(
    layout: &Layout,
    state: &TestnetState,
    names: Option<&[&str]>,
    patience: Duration,
    kill: &Kill<'_>,
) -> Result<Stopped, CliError> {
    let begun = Instant::now();
    let mut running = Vec::new();
    for node in &state.nodes {
        let is_meant = names.is_none_or(|names| names.contains(&node.name.as_str()));
        if is_meant && processes::signal(layout, node, Signal::SIGTERM)? {
            running.push(node);
        }
    }
    let mut outcome = Stopped { stopped: vec![], killed: vec![], remaining: vec![], took_ms: 0 };
    let is_hurried = || match kill {
        Kill::AfterSignals(interrupts, before) => interrupts.count() > *before,
        Kill::Never | Kill::AtTheEnd => false,
    };
    while !running.is_empty() && begun.elapsed() < patience && !is_hurried() {
        running.retain(|node| {
            let is_running = processes::is_running(layout, node);
            if !is_running {
                outcome.stopped.push(node.name.clone());
            }
            is_running
        });
        thread::sleep(POLL);
    }
    for node in running {
        if !matches!(kill, Kill::Never) && processes::signal(layout, node, Signal::SIGKILL)? {
            outcome.killed.push(node.name.clone());
        } else if processes::is_running(layout, node) {
            outcome.remaining.push(node.name.clone());
        }
    }
    outcome.took_ms = elapsed_ms(begun);
    Ok(outcome)
}

fn report(layout: &Layout, outcome: &Stopped, json: bool) -> Result<(), CliError> {
    if json {
        output::json(&json!({
            "stopped": outcome.stopped,
            "killed": outcome.killed,
            "remaining": outcome.remaining,
            "took_ms": outcome.took_ms,
        }))?;
    } else {
        let taken = span(outcome.took_ms);
        match (outcome.stopped.len(), outcome.killed.len()) {
            (0, 0) if outcome.remaining.is_empty() => output::line("no node was running"),
            (stopped, 0) => {
                output::line(format_args!("{} stopped cleanly in {taken}", count(stopped, "node")))
            }
            (stopped, killed) => output::line(format_args!(
                "{} stopped cleanly, {} killed, in {taken}",
                count(stopped, "node"),
                count(killed, "node"),
            )),
        }
    }
    if outcome.remaining.is_empty() {
        return Ok(());
    }
    let names = outcome.remaining.join(", ");
    Err(CliError::new(Exit::Failure, format!("{names} did not stop in time"))
        .why(format!("see {}", layout.log(&outcome.remaining[0]).display()))
        .next(format!("timecoin testnet kill {}{}", outcome.remaining[0], layout.dir_flag())))
}

fn remove(path: &Path) -> Result<(), CliError> {
    let removed = match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CliError::new(Exit::Failure, format!("{}: {error}", path.display()))
                .next(format!("rm -r {}", path.display())))
        }
        _ => Ok(()),
    }
}
