//! A node with one address joins, and one that nobody can reach follows.
use super::run::Run;
use crate::{
    net::Net,
    node::{Node, netgroups},
    outcome::{Outcome, until},
    row::Figure,
    watch::millis,
};
use std::time::Duration;

const PEERS: usize = 8;
const NETGROUPS: usize = 4;
const WITHIN_MS: u64 = 10_000;
/// Peers that a small network has to offer.
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) fn run(run: &Run<'_>) -> Outcome<Vec<Figure>> {
    let nodes = run.nodes(12, 30);
    let mut net = run.net(4, nodes - 4, 0)?;
    let mut figures = vec![Figure::report(format!("{nodes} nodes"))];
    // A network of 8 has 8 peers to offer only if all are found.
    let peers = PEERS.min(nodes);
    let newcomer = join(&mut net, "newcomer", false)?;
    figures.extend(meets(&net, newcomer, "newcomer", peers, run.ground.has_namespaces())?);
    if run.ground.has_namespaces() {
        let hidden = join(&mut net, "hidden", true)?;
        figures.extend(meets(&net, hidden, "behind NAT", peers, true)?);
        let inbound = net.nodes[hidden].peers()?.iter().filter(|peer| peer.inbound).count();
        figures.push(Figure::at_most("behind NAT: inbound peers", inbound as u64, 0, ""));
    }
    Ok(figures)
}

fn join(net: &mut Net<'_>, name: &str, hides: bool) -> Outcome<usize> {
    let number = net.add_full(name)?;
    // The last full node is nobody's bootstrap.
    let one = net.nodes[number - 1].address();
    net.configure(number, &[one], &[])?;
    if hides {
        net.nodes[number].host.refuse_inbound()?;
    }
    net.nodes[number].start(net.program)?;
    Ok(number)
}

/// How long the node takes from its start until it has its peers and every block.
fn meets(
    net: &Net<'_>,
    number: usize,
    who: &str,
    least: usize,
    has_groups: bool,
) -> Outcome<Vec<Figure>> {
    let node = &net.nodes[number];
    let groups = if has_groups { NETGROUPS } else { 0 };
    let has_peers = || {
        let peers = node.peers().ok()?;
        (peers.len() >= least && netgroups(&peers).len() >= groups).then_some(())
    };
    let there = until(PATIENCE, has_peers).map(|(_, after)| millis(after));
    let what = format!("{who}: {least} peers in >= {groups} netgroups after");
    let mut figures = vec![Figure::within(what, there, WITHIN_MS)];
    let synced = follows(node, net.nodes[0].height()?);
    figures.push(Figure::is(format!("{who}: synced"), synced));
    figures.push(Figure::is(format!("{who}: follows"), follows(node, net.nodes[0].height()? + 2)));
    Ok(figures)
}

fn follows(node: &Node, height: u64) -> bool {
    node.reaches(height, PATIENCE).is_some()
}
