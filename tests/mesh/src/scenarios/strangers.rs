//! Strangers take places and do nothing while masternodes restart one after another.
use super::run::{Run, addresses, plan};
use crate::{
    attack::Attack,
    net::Net,
    node::Node,
    outcome::{Outcome, need, until},
    row::Figure,
    watch::{Watch, millis},
};
use std::{collections::BTreeSet, net::IpAddr, time::Duration};
use timecoin_hostile::{Act, Event, Plan};

const MASTERNODES: usize = 4;
const BACK_MS: u64 = 2_000;
/// An empty block is due after two seconds.
const BLOCK_MS: u64 = 2_000;
const LATE_MS: u64 = 2_000;
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) fn run(run: &Run<'_>) -> Outcome<Vec<Figure>> {
    let mut net = run.net(MASTERNODES, 2, 0)?;
    let twelve: Vec<IpAddr> = (0..12).map(|number| IpAddr::from([61, number, 5, 9])).collect();
    let one_net: Vec<IpAddr> =
        (1..=8).map(|number| IpAddr::from([0x2a01, 0x99, 0, 0, 0, 0, 0, number])).collect();
    let mut figures = Vec::new();
    let many = if run.is_quick { 200 } else { 1_000 };
    let mut crowds = vec![("12 addresses", &twelve, 34), ("one /64", &one_net, many)];
    if !run.is_quick {
        crowds.insert(1, ("12 addresses", &twelve, many));
    }
    for (of, from, identities) in crowds {
        let what = format!("{identities} of {of}");
        let host = run.ground.host(from)?;
        let targets = addresses(&net.nodes[..MASTERNODES], from[0].is_ipv6())?;
        let crowd = Plan { identities, again_ms: 2_000, ..plan(&net, targets, from, Act::Idle) };
        let mut attack = Attack::begin(host, &crowd)?;
        let is_connected = |event: &Event| matches!(event, Event::Connected { .. });
        // Each masternode has its share of them.
        let there = || (attack.count(is_connected) >= MASTERNODES as u64 * 3).then_some(());
        need("strangers are connected", PATIENCE, there)?;
        figures.extend(restarts(&mut net, &what)?);
        let connected = attack.count(is_connected);
        figures.push(Figure::is(
            format!("{what}: {connected} connections, still at it"),
            attack.is_running(),
        ));
    }
    Ok(figures)
}

/// Restarts each masternode when the one before is back.
fn restarts(net: &mut Net<'_>, what: &str) -> Outcome<Vec<Figure>> {
    let ids: BTreeSet<String> =
        net.nodes[..MASTERNODES].iter().map(|node| node.peer_id.clone()).collect();
    let watch = Watch::begin(&net.nodes[MASTERNODES])?;
    let mut slowest = Some(0);
    for number in 0..MASTERNODES {
        net.nodes[number].kill();
        net.nodes[number].start(net.program)?;
        let node = &net.nodes[number];
        let back = until(PATIENCE, || has_masternodes(node, &ids)).map(|(_, after)| millis(after));
        slowest = slowest.zip(back).map(|(slowest, back)| slowest.max(back));
        let height = net.nodes[MASTERNODES].height()?;
        need("the masternode is back", PATIENCE, || {
            node.height().ok().filter(|own| *own > height)
        })?;
    }
    let gap = watch.end(Duration::ZERO).gap_ms();
    Ok(vec![
        Figure::within(format!("{what}: 3 masternode peers after at most"), slowest, BACK_MS),
        Figure::within(
            format!("{what}: a block at most"),
            Some(gap.saturating_sub(BLOCK_MS)),
            LATE_MS,
        ),
    ])
}

fn has_masternodes(node: &Node, ids: &BTreeSet<String>) -> Option<()> {
    let peers = node.peers().ok()?;
    let there: BTreeSet<&String> =
        peers.iter().map(|peer| &peer.peer).filter(|peer| ids.contains(*peer)).collect();
    (there.len() >= 3).then_some(())
}
