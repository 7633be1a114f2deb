//! Waits until nodes answer and a block is final; ends at once when a node dies.
use crate::{
    api::{BlockId, CommitView, GetBlockCount, GetCommit, GetConsensusInfo},
    devnet::network::{Layout, NodeEntry, TestnetState, client, processes},
    rpc_client::RpcClient,
    terminal::{
        CliError, Exit, Interrupts,
        output::{self, span},
    },
};
use std::{
    thread,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(50);
/// Lines of the log of a node that died.
const TAIL_LINES: usize = 15;

/// A network that makes blocks.
#[derive(Debug)]
pub(super) struct Ready {
    /// The time of each node's first answer.
    pub(super) answered_ms: Vec<u64>,
    /// When the block was final.
    pub(super) block_ms: u64,
    /// Whether it is the first of the chain.
    pub(super) is_first: bool,
    /// Its certificate.
    pub(super) commit: CommitView,
}

/// What is known about one node while it starts.
struct Watched<'a> {
    node: &'a NodeEntry,
    client: RpcClient,
    answered_ms: Option<u64>,
    height: u64,
}

/// Waits until every node answers and a new block is final. `None` if interrupted.
pub(super) fn wait(
    layout: &Layout,
    state: &TestnetState,
    is_new: bool,
    begun: Instant,
    patience: Duration,
    interrupts: &Interrupts,
) -> Result<Option<Ready>, CliError> {
    let mut watched: Vec<Watched<'_>> = state
        .nodes
        .iter()
        .map(|node| Watched { node, client: client(layout, node), answered_ms: None, height: 0 })
        .collect();
    // The height from which a new block counts: known for a new network, seen first otherwise.
    let mut base = is_new.then_some(0);
    let mut block: Option<(u64, usize)> = None;
    loop {
        for (index, watched) in watched.iter_mut().enumerate() {
            check_alive(layout, watched.node)?;
            watched.poll(begun);
            if watched.answered_ms.is_none() {
                continue;
            }
            let base = *base.get_or_insert(watched.height);
            if watched.height > base && block.is_none() {
                block = Some((elapsed_ms(begun), index));
            }
        }
        let answering = watched.iter().filter(|node| node.answered_ms.is_some()).count();
        if let Some((block_ms, index)) = block.filter(|_| answering == watched.len()) {
            output::clear_progress();
            let height = base.unwrap_or(0) + 1;
            let block = BlockId::Height(height);
            let commit = watched[index].client.ask(&GetCommit { block })?;
            let answered_ms = watched.iter().filter_map(|node| node.answered_ms).collect();
            return Ok(Some(Ready { answered_ms, block_ms, is_first: height == 1, commit }));
        }
        if interrupts.count() > 0 {
            output::clear_progress();
            return Ok(None);
        }
        if begun.elapsed() > patience {
            output::clear_progress();
            return Err(too_late(layout, &watched, patience));
        }
        output::progress(format_args!(
            "starting: {answering}/{} nodes answer, height {}, {}",
            watched.len(),
            watched.iter().map(|node| node.height).max().unwrap_or(0),
            span(elapsed_ms(begun))
        ));
        thread::sleep(POLL);
    }
}

/// Waits until one node answers; its height.
pub(super) fn wait_for_answer(
    layout: &Layout,
    node: &NodeEntry,
    patience: Duration,
    interrupts: &Interrupts,
) -> Result<u64, CliError> {
    let begun = Instant::now();
    let client = client(layout, node);
    let mut watched = Watched { node, client, answered_ms: None, height: 0 };
    loop {
        check_alive(layout, node)?;
        watched.poll(begun);
        if watched.answered_ms.is_some() {
            return Ok(watched.height);
        }
        if begun.elapsed() > patience || interrupts.count() > 0 {
            return Err(too_late(layout, &[watched], begun.elapsed()));
        }
        thread::sleep(POLL);
    }
}

impl Watched<'_> {
    fn poll(&mut self, begun: Instant) {
        if let Ok(height) = self.client.ask(&GetBlockCount {}) {
            self.height = height;
            self.answered_ms.get_or_insert_with(|| elapsed_ms(begun));
        }
    }
}

fn check_alive(layout: &Layout, node: &NodeEntry) -> Result<(), CliError> {
    if processes::is_running(layout, node) {
        return Ok(());
    }
    output::clear_progress();
    let log = layout.log(&node.name);
    Err(CliError::new(Exit::Failure, format!("{} ended while it started", node.name))
        .why(format!("the last lines of {}:", log.display()))
        .why(processes::log_tail(layout, &node.name, TAIL_LINES))
        .next(format!("timecoin start --config {}", layout.config(&node.name).display())))
}

fn too_late(layout: &Layout, watched: &[Watched<'_>], patience: Duration) -> CliError {
    let silent: Vec<&str> = watched
        .iter()
        .filter(|node| node.answered_ms.is_none())
        .map(|node| node.node.name.as_str())
        .collect();
    let taken = span(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX));
    let what = match silent.is_empty() {
        true => format!("no block was final after {taken}"),
        false => format!("{} did not answer within {taken}", silent.join(", ")),
    };
    let reason = watched
        .iter()
        .filter(|node| node.answered_ms.is_some())
        .find_map(|node| node.client.ask(&GetConsensusInfo {}).ok())
        .and_then(|info| info.stopped.or(info.halted));
    let of = silent.first().copied().or(watched.first().map(|node| node.node.name.as_str()));
    let error = CliError::new(Exit::Failure, what);
    let error = match reason {
        Some(reason) => error.why(reason),
        None => error,
    };
    match of {
        Some(name) => error.next(format!("less {}", layout.log(name).display())),
        None => error,
    }
}

/// Milliseconds since a moment.
pub(super) fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
