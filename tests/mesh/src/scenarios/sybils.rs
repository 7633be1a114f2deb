//! Sybils take every place of a full node.
use super::run::{Run, addresses, plan};
use crate::{
    attack::Attack,
    net::Net,
    node::ip_of,
    outcome::{Outcome, until},
    row::Figure,
    watch::millis,
};
use std::{net::IpAddr, time::Duration};
use timecoin_hostile::{Act, Plan};
use toml::Value;

const SYBILS: usize = 60;
/// The node under attack: nobody joins through it.
const TARGET: usize = 6;
const RESERVED_MS: u64 = 2_000;
const NEWCOMER_MS: u64 = 10_000;
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) fn run(run: &Run<'_>) -> Outcome<Vec<Figure>> {
    let mut net = run.net(4, 4, 0)?;
    let reserved = net.add_full("reserved")?;
    let id = Value::Array(vec![Value::from(net.nodes[reserved].peer_id.clone())]);
    let joins = [net.nodes[4].address(), net.nodes[5].address()];
    net.configure(TARGET, &joins, &[("network.reserved", id)])?;
    net.nodes[TARGET].kill();
    net.start([TARGET])?;
    // Three /24s in each of ten /16s, two sybils on each address.
    let from: Vec<IpAddr> =
        (0..30).map(|number| IpAddr::from([62, number % 10, number / 10, 9])).collect();
    let host = run.ground.host(&from)?;
    let targets = addresses(&net.nodes[TARGET..=TARGET], false)?;
    let crowd = Plan { identities: SYBILS, again_ms: 500, ..plan(&net, targets, &from, Act::Idle) };
    let mut attack = Attack::begin(host, &crowd)?;
    let inbound = |net: &Net<'_>| {
        let peers = net.nodes[TARGET].peers().unwrap_or_default();
        let is_sybil = |addr: &str| ip_of(addr).is_some_and(|ip| from.contains(&ip));
        peers.iter().filter(|peer| peer.inbound && is_sybil(&peer.addr)).count()
    };
    // 32 places, of which honest peers hold some.
    until(PATIENCE, || (inbound(&net) >= 26).then_some(()));
    let sybils = inbound(&net);
    let own = net.nodes[TARGET].address();
    net.configure(reserved, std::slice::from_ref(&own), &[])?;
    let reserved_after = connects(&mut net, reserved)?;
    let newcomer = net.add_full("newcomer")?;
    net.configure(newcomer, &[own], &[])?;
    let newcomer_after = connects(&mut net, newcomer)?;
    Ok(vec![
        Figure::at_least("sybils connected:", sybils as u64, 26, ""),
        Figure::within("a reserved peer is connected after", reserved_after, RESERVED_MS),
        Figure::within("a newcomer is connected after", newcomer_after, NEWCOMER_MS),
        Figure::is("the sybils are still at it", attack.is_running()),
    ])
}

/// From the start of its process until the target has it as a peer.
fn connects(net: &mut Net<'_>, number: usize) -> Outcome<Option<u64>> {
    net.nodes[number].start(net.program)?;
    let (node, target) = (&net.nodes[number], &net.nodes[TARGET]);
    let is_connected = || {
        let peers = target.peers().ok()?;
        peers.iter().any(|peer| peer.peer == node.peer_id).then_some(())
    };
    Ok(until(PATIENCE, is_connected).map(|(_, after)| millis(after)))
}
