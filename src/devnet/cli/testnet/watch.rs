//! Prints a line for each block until Ctrl-C, and a line when a node stops, starts, or the chain halts.
use crate::{
    api::{BlockEvent, GetConsensusInfo},
    devnet::network::{Layout, TestnetState, client, processes},
    terminal::{
        CliError, Interrupts,
        output::{self, count},
    },
};
use std::{
    collections::BTreeSet,
    process::Child,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

const TICK: Duration = Duration::from_millis(200);
/// How long there may be no block before it asks for the reason.
const QUIET: Duration = Duration::from_secs(5);
/// Blocks queued for the terminal.
const BLOCKS: usize = 256;

/// Prints until a signal arrives or no node is running.
pub(super) fn run(
    layout: &Layout,
    mut children: Vec<(String, Child)>,
    interrupts: &Interrupts,
) -> Result<(), CliError> {
    let mut state = TestnetState::load(layout)?;
    let mut running = names_running(layout, &state);
    let mut source: Option<Source> = None;
    let mut last_height = 0;
    let mut last_block = Instant::now();
    let mut last_reason = None;
    output::line("  Ctrl-C stops all nodes");
    while interrupts.count() == 0 {
        source = source.or_else(|| Source::open(layout, &state, &running));
        let event = match &source {
            Some(source) => source.blocks.recv_timeout(TICK),
            None => {
                thread::sleep(TICK);
                Err(RecvTimeoutError::Timeout)
            }
        };
        match event {
            // A new source may repeat blocks that the previous one reported.
            Ok(block) if block.height > last_height => {
                output::line(block_line(&block, &state));
                (last_height, last_block, last_reason) = (block.height, Instant::now(), None);
            }
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => source = None,
            Err(RecvTimeoutError::Timeout) => {}
        }
        // A process that ended stays a zombie until its parent waits for it.
        children.retain_mut(|(_, child)| matches!(child.try_wait(), Ok(None)));
        if let Ok(fresh) = TestnetState::load(layout) {
            state = fresh;
        }
        let now = names_running(layout, &state);
        tell_changes(layout, &running, &now);
        running = now;
        if running.is_empty() {
            output::line("  no node is running");
            break;
        }
        if last_block.elapsed() > QUIET {
            let reason = halt_reason(layout, &state, &running);
            if reason.is_some() && reason != last_reason {
                output::line(format_args!("  {}", reason.as_deref().unwrap_or_default()));
            }
            last_reason = reason.or(last_reason);
            last_block = Instant::now();
        }
    }
    Ok(())
}

/// The blocks of one node, read on a separate thread because reading events blocks.
struct Source {
    blocks: Receiver<BlockEvent>,
}

impl Source {
    fn open(layout: &Layout, state: &TestnetState, running: &BTreeSet<String>) -> Option<Self> {
        let node = state.nodes.iter().find(|node| running.contains(&node.name))?;
        let events = client(layout, node).events("block").ok()?;
        let (sender, blocks) = mpsc::sync_channel(BLOCKS);
        thread::spawn(move || {
            for event in events.filter(|event| event.name == "block") {
                let Ok(block) = serde_json::from_str(&event.data) else { continue };
                if sender.send(block).is_err() {
                    return;
                }
            }
        });
        Some(Self { blocks })
    }
}

fn block_line(block: &BlockEvent, state: &TestnetState) -> String {
    let names = state.masternodes();
    let proposer = names.get(usize::from(block.proposer)).copied().unwrap_or("?");
    format!(
        "  height {:<6}  {:<5}  round {}  {:>6}  {:>5} ms  {}/{} votes",
        block.height,
        proposer,
        block.round,
        format!("{} tx", block.txs),
        block.took_ms,
        block.weight,
        block.total
    )
}

fn names_running(layout: &Layout, state: &TestnetState) -> BTreeSet<String> {
    let running = state.nodes.iter().filter(|node| processes::is_running(layout, node));
    running.map(|node| node.name.clone()).collect()
}

fn tell_changes(layout: &Layout, before: &BTreeSet<String>, now: &BTreeSet<String>) {
    for name in before.difference(now) {
        let left = count(now.len(), "node");
        let log = layout.log(name);
        output::line(format_args!("  {name} ended, {left} left; see {}", log.display()));
    }
    for name in now.difference(before) {
        output::line(format_args!("  {name} runs"));
    }
}

fn halt_reason(
    layout: &Layout,
    state: &TestnetState,
    running: &BTreeSet<String>,
) -> Option<String> {
    let node = state.nodes.iter().find(|node| running.contains(&node.name))?;
    let info = client(layout, node).ask(&GetConsensusInfo {}).ok()?;
    info.stopped.or(info.halted).map(|reason| state.name_keys(reason))
}
