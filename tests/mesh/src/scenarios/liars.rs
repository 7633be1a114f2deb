//! Peers that say where others are, or where they are themselves, and lie.
use super::run::{Run, addresses, plan};
use crate::{attack::Attack, host::Host, outcome::Outcome, row::Figure};
use std::{
    collections::BTreeMap,
    net::{IpAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    thread,
};
use timecoin_hostile::{Act, Lies, Plan};
use timecoin_network::{Multiaddr, parse_address};

const LIARS: u8 = 10;
const NAMED: usize = 20;
const ADDRESSES: u16 = 16;
const PER_MINUTE: u64 = 4;
/// Dials in ten minutes.
const FOREIGN: u64 = 16;
/// A full node that nobody joins through.
const TARGET: usize = 6;

pub(super) fn run(run: &Run<'_>) -> Outcome<Vec<Figure>> {
    let mut net = run.net(4, 4, 0)?;
    let (named, claimed) = (IpAddr::from([64, 1, 5, 9]), IpAddr::from([64, 2, 5, 9]));
    let victims =
        [Victim::new(run.ground.host(&[named])?)?, Victim::new(run.ground.host(&[claimed])?)?];
    let from: Vec<IpAddr> = (0..LIARS).map(|number| IpAddr::from([65, number, 5, 9])).collect();
    let host = run.ground.host(&from)?;
    let targets = addresses(&net.nodes[TARGET..=TARGET], false)?;
    let lies = Lies { others: addresses_of(named)?, peers: NAMED, ..Lies::default() };
    let liars =
        Plan { identities: LIARS.into(), lies, ..plan(&net, targets.clone(), &from, Act::Idle) };
    let mut liars = Attack::begin(host, &liars)?;
    let own = [IpAddr::from([65, 99, 5, 9])];
    let other = run.ground.host(&own)?;
    let lies = Lies { own: addresses_of(claimed)?, hides: true, ..Lies::default() };
    let mut claimant =
        Attack::begin(other, &Plan { lies, ..plan(&net, targets, &own, Act::Idle) })?;
    // It comes back among them, and looks for peers.
    net.nodes[TARGET].kill();
    net.start([TARGET])?;
    let span = run.span(20, 600);
    thread::sleep(span);
    let unwanted = net.nodes[TARGET].counter("timecoin_net_refused_total{reason=\"unwanted\"}")?;
    let minutes = span.as_secs().div_ceil(60);
    Ok(vec![
        Figure::report(format!("{} s", span.as_secs())),
        Figure::at_least("dials that lies led to, stopped:", unwanted, NAMED as u64, ""),
        Figure::at_most("connections to the victim", victims[0].all(), PER_MINUTE * minutes, ""),
        Figure::at_most("dials of one node to foreign addresses", victims[1].most(), FOREIGN, ""),
        Figure::report(format!("of all {} nodes {}", net.nodes.len(), victims[1].all())),
        Figure::is("the liars are still at it", liars.is_running() && claimant.is_running()),
    ])
}

fn addresses_of(ip: IpAddr) -> Outcome<Vec<Multiaddr>> {
    ports().map(|port| Ok(parse_address(&format!("/ip4/{ip}/tcp/{port}"))?)).collect()
}

fn ports() -> impl Iterator<Item = u16> {
    5_000..5_000 + ADDRESSES
}

/// A host that counts who connects.
struct Victim {
    reached: Arc<Mutex<BTreeMap<IpAddr, u64>>>,
    _host: Host,
}

impl Victim {
    fn new(host: Host) -> Outcome<Self> {
        let reached: Arc<Mutex<BTreeMap<IpAddr, u64>>> = Arc::default();
        for port in ports() {
            let ip = host.addresses()[0];
            let listener = host.enter(|| TcpListener::bind((ip, port)))?;
            let reached = Arc::clone(&reached);
            // The thread waits until the program ends.
            thread::spawn(move || {
                while let Ok((_, from)) = listener.accept() {
                    let mut reached = reached.lock().unwrap_or_else(PoisonError::into_inner);
                    *reached.entry(from.ip()).or_default() += 1;
                }
            });
        }
        Ok(Self { reached, _host: host })
    }

    /// Connections of all nodes.
    fn all(&self) -> u64 {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    /// Connections of the node that made most of them.
    fn most(&self) -> u64 {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.values().max().copied().unwrap_or_default()
    }
}
