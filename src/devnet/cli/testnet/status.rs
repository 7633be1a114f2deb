//! `timecoin testnet status`
use super::args::NetArgs;
use crate::{
    devnet::network::{Layout, NodeEntry, TestnetState, patient_client, processes},
    rpc_client::NodeStatus,
    terminal::{
        CliError,
        output::{self, short_id, span},
    },
};
use serde::Serialize;
use std::{thread, time::Duration};

/// How long each of the calls to a node may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct View {
    genesis: String,
    nodes: Vec<NodeView>,
    /// Why no block can be made, if none can.
    halted: Option<String>,
}

#[derive(Serialize)]
struct NodeView {
    name: String,
    masternode: bool,
    running: bool,
    pid: Option<u32>,
    p2p: u16,
    rpc: u16,
    status: Option<NodeStatus>,
    /// Why there is no status although the process runs.
    error: Option<String>,
}

pub(super) fn run(args: &NetArgs) -> Result<(), CliError> {
    let (layout, state) = args.load()?;
    let view = view(&layout, &state);
    if args.json {
        return output::json(&view);
    }
    output::line(format_args!("genesis {}   {}", short_id(&view.genesis), layout.root().display()));
    for node in &view.nodes {
        output::line(row(node));
    }
    if let Some(reason) = &view.halted {
        output::line(reason);
    }
    if view.nodes.iter().all(|node| !node.running) {
        output::note(format_args!("start it:  timecoin testnet up{}", layout.dir_flag()));
    }
    Ok(())
}

fn view(layout: &Layout, state: &TestnetState) -> View {
    // One that stands still delays nobody else.
    let nodes: Vec<NodeView> = thread::scope(|scope| {
        let views: Vec<_> = state
            .nodes
            .iter()
            .map(|node| (node, scope.spawn(|| node_view(layout, node))))
            .collect();
        let view = |(node, view): (&NodeEntry, thread::ScopedJoinHandle<'_, NodeView>)| {
            view.join().unwrap_or_else(|_| NodeView::unknown(node))
        };
        views.into_iter().map(view).collect()
    });
    let halted = nodes.iter().find_map(|node| {
        let status = node.status.as_ref()?;
        status.stopped.clone().or(status.halted.clone())
    });
    View { genesis: state.genesis.clone(), nodes, halted: halted.map(|text| state.name_keys(text)) }
}

fn node_view(layout: &Layout, node: &NodeEntry) -> NodeView {
    let running = processes::is_running(layout, node);
    let asked = running.then(|| NodeStatus::ask(&patient_client(layout, node, ANSWER_WITHIN)));
    let (status, error) = match asked {
        Some(Ok(status)) => (Some(status), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    NodeView {
        running,
        pid: node.pid.filter(|_| running),
        status,
        error,
        ..NodeView::unknown(node)
    }
}

impl NodeView {
    /// A node that was not asked.
    fn unknown(node: &NodeEntry) -> Self {
        Self {
            name: node.name.clone(),
            masternode: node.consensus_key.is_some(),
            running: false,
            pid: None,
            p2p: node.p2p,
            rpc: node.rpc,
            status: None,
            error: None,
        }
    }
}

fn row(node: &NodeView) -> String {
    let start = format!("{:<6}  p2p {:<5}  rpc {:<5}", node.name, node.p2p, node.rpc);
    match (&node.status, node.pid) {
        (Some(status), Some(pid)) => format!(
            "{start}  pid {pid:<7}  height {:<6}  final {:>7} ago  round {}  voting {}/{}  peers {}  mempool {}  sync {}",
            status.height,
            span(status.block_age_ms),
            status.round,
            status.masternodes_voting,
            status.masternodes,
            status.peers,
            status.mempool_transactions,
            status.sync(),
        ),
        (None, Some(pid)) => format!("{start}  pid {pid:<7}  does not answer"),
        _ => format!("{start}  stopped"),
    }
}
