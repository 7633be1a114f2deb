//! Carries a plan out with many identities and tells what happened, as JSON lines.

use std::{
    collections::HashMap,
    io::Write,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    PeerId, StreamProtocol, Swarm,
    allow_block_list::{self, AllowedPeers},
    core::ConnectedPoint,
    identity::Keypair,
    kad::{self, store::MemoryStore},
    multiaddr::Protocol,
    swarm::{ConnectionId, NetworkBehaviour, SwarmEvent, behaviour::toggle::Toggle},
};
use tokio::sync::mpsc;

use crate::{
    peer::{Hostile, HostileEvent, hostile},
    plan::{Event, Plan, Told},
    trick::{Played, Trick, Trickster},
};

/// Lines that wait to be written.
const LINES_MAX: usize = 4_096;

/// What an identity of a plan does.
#[derive(NetworkBehaviour)]
struct Acts {
    /// Who lies does not dial its victims itself.
    only: Toggle<allow_block_list::Behaviour<AllowedPeers>>,
    names: Toggle<kad::Behaviour<MemoryStore>>,
    trick: Trickster,
}

/// Carries the plan out until the process ends or nobody reads `out` any more.
pub async fn run(plan: Plan, mut out: impl Write) {
    let (lines, mut told) = mpsc::channel(LINES_MAX);
    let (plan, begun) = (Arc::new(plan), Instant::now());
    let lives: Vec<_> = (0..plan.identities)
        .map(|number| {
            let from = plan.from[number % plan.from.len()];
            let told = Teller { number, from, begun, lines: lines.clone() };
            tokio::spawn(live(Arc::clone(&plan), told))
        })
        .collect();
    drop(lines);
    while let Some(told) = told.recv().await {
        let Ok(line) = serde_json::to_string(&told) else { continue };
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    lives.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Tells what happens to one identity.
struct Teller {
    number: usize,
    from: IpAddr,
    begun: Instant,
    lines: mpsc::Sender<Told>,
}

impl Teller {
    async fn tell(&self, event: Event) {
        let at_ms = millis(self.begun);
        let told = Told { at_ms, identity: self.number, from: self.from, event };
        // Nobody listens when the program ends.
        let _ = self.lines.send(told).await;
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// One identity after another, or the same one again and again.
async fn live(plan: Arc<Plan>, teller: Teller) {
    // Not all in the same moment: a crowd of handshakes would be limited by this machine.
    let turn = u64::try_from(teller.number).unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(2 * turn)).await;
    let mut keypair = Keypair::generate_ed25519();
    loop {
        if let Ok(swarm) = swarm_of(&plan, &keypair, &teller) {
            Life { plan: &plan, teller: &teller, swarm, since: HashMap::new(), left: false }
                .spend()
                .await;
        }
        if plan.fresh {
            keypair = Keypair::generate_ed25519();
        }
        tokio::time::sleep(Duration::from_millis(plan.again_ms.max(1))).await;
    }
}

type Body = (Swarm<Hostile<Acts>>, Arc<AtomicU64>);

fn swarm_of(
    plan: &Plan,
    keypair: &Keypair,
    teller: &Teller,
) -> Result<Body, Box<dyn std::error::Error + Send + Sync>> {
    let sent = Arc::new(AtomicU64::new(0));
    let trick = Trick::new(&plan.tag, plan.act.clone(), Arc::clone(&sent));
    let mut swarm =
        hostile(keypair.clone(), &plan.tag, teller.from, plan.lies.hides, |local| Acts {
            only: Toggle::from(only(plan)),
            names: Toggle::from(names(plan, local)),
            trick: Trickster::new(trick),
        })?;
    plan.lies.own.iter().for_each(|address| swarm.add_external_address(address.clone()));
    Ok((swarm, sent))
}

/// The targets, for those who lie; nobody else may talk to these.
fn only(plan: &Plan) -> Option<allow_block_list::Behaviour<AllowedPeers>> {
    let mut only = allow_block_list::Behaviour::<AllowedPeers>::default();
    for target in &plan.targets {
        if let Some(Protocol::P2p(peer)) = target.iter().last() {
            only.allow_peer(peer);
        }
    }
    (plan.lies.peers > 0).then_some(only)
}

/// Names peers that do not exist; none if there are no such lies.
fn names(plan: &Plan, local: PeerId) -> Option<kad::Behaviour<MemoryStore>> {
    if plan.lies.peers == 0 {
        return None;
    }
    let name = StreamProtocol::try_from_owned(format!("/timecoin/{}/kad/1", plan.tag)).ok()?;
    let mut config = kad::Config::new(name);
    config.set_periodic_bootstrap_interval(None);
    let mut names = kad::Behaviour::with_config(local, MemoryStore::new(local), config);
    names.set_mode(Some(kad::Mode::Server));
    for _ in 0..plan.lies.peers {
        let peer = PeerId::random();
        plan.lies.others.iter().for_each(|address| {
            names.add_address(&peer, address.clone());
        });
    }
    Some(names)
}

/// The connections of one swarm.
struct Life<'a> {
    plan: &'a Plan,
    teller: &'a Teller,
    swarm: Body,
    since: HashMap<ConnectionId, Instant>,
    left: bool,
}

impl Life<'_> {
    /// Returns when a dialled connection ended or none was made.
    async fn spend(mut self) {
        loop {
            match self.swarm.0.select_next_some().await {
                SwarmEvent::NewListenAddr { .. } => self.dial(),
                SwarmEvent::ConnectionEstablished { connection_id, endpoint, .. } => {
                    let inbound = matches!(endpoint, ConnectedPoint::Listener { .. });
                    self.since.insert(connection_id, Instant::now());
                    self.teller.tell(Event::Connected { inbound }).await;
                }
                SwarmEvent::ConnectionClosed { connection_id, .. } => {
                    self.closed(connection_id).await;
                    if self.since.is_empty() {
                        return;
                    }
                }
                SwarmEvent::OutgoingConnectionError { .. } => {
                    self.teller.tell(Event::Refused).await;
                    if self.since.is_empty() {
                        return;
                    }
                }
                SwarmEvent::Behaviour(HostileEvent::Trick(ActsEvent::Trick((peer, played)))) => {
                    self.played(peer, played).await;
                }
                _ => {}
            }
        }
    }

    async fn played(&mut self, peer: PeerId, played: Played) {
        if let Played::Answered { after, bytes } = played {
            let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            self.teller.tell(Event::Answered { after_ms, bytes }).await;
        } else {
            self.left = true;
            // It may be gone already.
            let _ = self.swarm.0.disconnect_peer_id(peer);
        }
    }

    fn dial(&mut self) {
        for target in &self.plan.targets {
            // A failed dial is an event.
            let _ = self.swarm.0.dial(target.clone());
        }
    }

    async fn closed(&mut self, connection: ConnectionId) {
        let Some(since) = self.since.remove(&connection) else { return };
        let (after_ms, left) = (millis(since), self.left);
        let sent = self.swarm.1.load(Relaxed);
        self.teller.tell(Event::Ended { after_ms, sent, left }).await;
    }
}
