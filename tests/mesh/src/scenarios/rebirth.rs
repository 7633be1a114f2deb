//! Every node is killed, and those that others joined through do not come back.
use super::run::Run;
use crate::{
    net::BOOTSTRAPS,
    node::Node,
    outcome::{Outcome, need, until},
    row::Figure,
    watch::millis,
};
use serde_json::json;
use std::{
    fs,
    time::{Duration, Instant},
};
use timecoin::api::ListBanned;

const PEERS: usize = 3;
const WITHIN_MS: u64 = 5_000;
const BANNED: &str = "60.1.2.3/32";
const BAN_SECONDS: u64 = 7_200;
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) fn run(run: &Run<'_>) -> Outcome<Vec<Figure>> {
    let nodes = run.nodes(10, 16);
    let mut net = run.net(4, nodes - 4, 0)?;
    // The bootstrap nodes are the first that are no masternodes.
    let gone = 4..4 + BOOTSTRAPS;
    let left: Vec<usize> = (0..nodes).filter(|number| !gone.contains(number)).collect();
    for number in &left {
        let node = &net.nodes[*number];
        need(&format!("{} has saved its peers", node.name), PATIENCE, || has_saved(node))?;
    }
    net.nodes[0].call("setban", &json!(["60.1.2.3", "add", BAN_SECONDS]))?;
    let told = Instant::now();
    let is_on_disk = || saved(&net.nodes[0]).contains("60.1.2.3").then(|| millis(told.elapsed()));
    let (on_disk, _) = need("the ban is on disk", PATIENCE, is_on_disk)?;
    let height = net.nodes[0].height()?;
    net.nodes.iter_mut().for_each(Node::kill);
    let begun = Instant::now();
    for number in &left {
        net.nodes[*number].start(net.program)?;
    }
    let is_back = || left.iter().all(|number| has_peers(&net.nodes[*number])).then_some(());
    let meshed = until(PATIENCE, is_back).map(|_| millis(begun.elapsed()));
    let has_block =
        || left.iter().all(|number| is_above(&net.nodes[*number], height)).then_some(());
    let block = until(PATIENCE, has_block).map(|_| millis(begun.elapsed()));
    let bans = net.nodes[0].ask(&ListBanned {})?;
    let ban = bans.iter().find(|ban| ban.address == BANNED);
    let is_kept = ban.is_some_and(|ban| {
        ban.reason == "banned by the operator"
            && (BAN_SECONDS - 120..=BAN_SECONDS).contains(&ban.time_remaining)
    });
    Ok(vec![
        Figure::report(format!("{} of {nodes} nodes", left.len())),
        Figure::within(format!("each has {PEERS} peers after"), meshed, WITHIN_MS),
        Figure::within("each has a new block after", block, WITHIN_MS),
        Figure::report(format!("a ban is on disk after {on_disk} ms")),
        Figure::is("the ban is kept with reason and expiry", is_kept),
    ])
}

/// What the next start is given.
fn saved(node: &Node) -> String {
    fs::read_to_string(node.dir().join("data/network.json")).unwrap_or_default()
}

fn has_saved(node: &Node) -> Option<()> {
    (saved(node).matches("12D3Koo").count() >= PEERS + 2).then_some(())
}

fn has_peers(node: &Node) -> bool {
    node.peers().is_ok_and(|peers| peers.len() >= PEERS)
}

fn is_above(node: &Node, height: u64) -> bool {
    node.height().is_ok_and(|there| there > height)
}
