//! Many identities on one address, each of which can be dialled back.
use super::run::{Run, addresses, plan};
use crate::{
    attack::Attack,
    node::{ip_of, netgroups},
    outcome::Outcome,
    row::Figure,
};
use std::{
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};
use timecoin_hostile::{Act, Event, Plan};

const IDENTITIES: usize = 200;
const CONNECTIONS: u64 = 3;
const OUTBOUND: u64 = 8;
const NETGROUPS: u64 = 4;
/// A full node that nobody joins through.
const TARGET: usize = 6;

pub(super) fn run(run: &Run<'_>) -> Outcome<Vec<Figure>> {
    let mut net = run.net(4, 8, 0)?;
    let from = [IpAddr::from([63, 1, 5, 9])];
    let host = run.ground.host(&from)?;
    let targets = addresses(&net.nodes[TARGET..=TARGET], false)?;
    let crowd =
        Plan { identities: IDENTITIES, again_ms: 1_000, ..plan(&net, targets, &from, Act::Idle) };
    let mut attack = Attack::begin(host, &crowd)?;
    // It comes back in the middle of the attack, with the addresses of before.
    net.nodes[TARGET].kill();
    net.start([TARGET])?;
    let (begun, span, mut most) = (Instant::now(), run.span(20, 300), 0);
    while begun.elapsed() < span {
        let peers = net.nodes[TARGET].peers()?;
        let there = peers.iter().filter(|peer| ip_of(&peer.addr) == Some(from[0])).count();
        most = most.max(there as u64);
        thread::sleep(Duration::from_millis(100));
    }
    let mut outbound = net.nodes[TARGET].peers()?;
    outbound.retain(|peer| !peer.inbound && ip_of(&peer.addr) != Some(from[0]));
    let attempts = attack.count(|event| matches!(event, Event::Refused | Event::Connected { .. }));
    Ok(vec![
        Figure::report(format!("{attempts} attempts in {} s", span.as_secs())),
        Figure::at_most("connections of the host, at most", most, CONNECTIONS, ""),
        Figure::at_least("outbound peers in the end", outbound.len() as u64, OUTBOUND, ""),
        Figure::at_least("their netgroups", netgroups(&outbound).len() as u64, NETGROUPS, ""),
        Figure::is("the host is still at it", attack.is_running()),
    ])
}
