//! One simulated shell: an engine, its timers, peers and open questions, on a disk that outlives it.
use crate::{
    byzantine::{Actor, Role},
    clock::Clock,
    cores::Cores,
    disk::{Disk, SharedView},
    known::Duties,
    setup::Setup,
    waiting::Stall,
    wire::{Gossip, Id},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    rc::Rc,
    sync::Arc,
};
use timecoin_chain::{
    crypto::Signer,
    engine::{Engine, EngineConfig, Request, Timer},
    mempool::MempoolLimits,
    types::{BlockHash, Height, Millis, Now},
};

/// What an engine's ticket stands for.
pub enum Ticketed {
    /// Transactions of this node's own users.
    Payments,
    /// A gossiped message.
    Gossiped {
        /// The message.
        gossip: Rc<Gossip>,
        /// The peer that sent it, as the engine knows it.
        peer: u64,
        /// The node that it is; none for a stranger.
        from: Option<usize>,
        /// When it arrived.
        arrived: u64,
        /// Whether it was new to the duplicate cache.
        is_new: bool,
    },
    /// A peer's request.
    Question {
        /// The connection it came by.
        connection: u64,
        /// The asker's number for it.
        call: u64,
    },
}

/// An open request to a peer.
pub struct Call {
    /// The connection it went by.
    pub connection: u64,
    /// What was asked.
    pub request: Request,
}

/// The duplicate cache. Knows a message by the first bytes of its digest.
#[derive(Default)]
pub struct Seen(HashSet<u64>);

impl Seen {
    /// Records a message; true if it is new.
    pub fn insert(&mut self, id: Id) -> bool {
        self.0.insert(first_bytes(id))
    }

    /// Whether it was noted.
    pub fn contains(&self, id: Id) -> bool {
        self.0.contains(&first_bytes(id))
    }
}

fn first_bytes(id: Id) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = id;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// A node that is up. A crash drops all of it.
pub struct Running {
    /// The node itself.
    pub engine: Engine<SharedView>,
    /// The timers that are set: the generation of each, and when it is due.
    pub timers: BTreeMap<Timer, (u64, Millis)>,
    /// Connections and who is at the other end.
    pub peers: BTreeMap<u64, usize>,
    /// The duplicate cache.
    pub seen: Seen,
    /// Open tickets.
    pub tickets: BTreeMap<u64, Ticketed>,
    /// Open calls.
    pub calls: BTreeMap<u64, Call>,
    /// The number of the execution of each block that was not cancelled.
    pub executing: BTreeMap<BlockHash, u64>,
    /// Connections of strangers.
    pub strangers: BTreeSet<u64>,
    /// Its processor.
    pub cores: Cores,
    /// When the last block being written is durable.
    pub writing_until: u64,
    /// Why it handles no events, and the events that wait.
    pub stall: Stall,
    /// Events until it crashes, if it crashes during its recovery.
    pub dies_in: Option<u64>,
}

/// A node over its whole life.
pub struct Node {
    /// Survives crashes.
    pub disk: Disk,
    /// What it knows.
    pub duties: Duties,
    /// Up, or not.
    pub running: Option<Running>,
    /// How many times it was started.
    pub incarnation: u64,
    /// The greatest height that anyone outside was told or shown to be durable here.
    pub externalised: Height,
    /// Never started again.
    pub is_away: bool,
    /// The index of its key in the masternode set.
    pub key: Option<u16>,
    /// Its clocks.
    pub clock: Clock,
    /// The Byzantine actor between its engine and the wire, if it is Byzantine.
    pub actor: Option<(Role, Box<dyn Actor>)>,
    signer: Option<Arc<dyn Signer>>,
    mempool: MempoolLimits,
}

impl Node {
    /// A node that was never started. Without a signer it is an observer.
    pub fn new(
        setup: &Setup,
        signer: Option<Arc<dyn Signer>>,
        clock: Clock,
        mempool: MempoolLimits,
    ) -> Self {
        Self {
            disk: Disk::new(&setup.chain, signer.as_ref().map(|signer| signer.public_key())),
            duties: Duties::default(),
            running: None,
            incarnation: 0,
            externalised: Height::GENESIS,
            is_away: false,
            key: signer
                .as_ref()
                .and_then(|signer| setup.chain.masternodes.index_of(&signer.public_key())),
            clock,
            actor: None,
            signer,
            mempool,
        }
    }

    /// Another node with the same key and a disk of its own.
    pub fn twin(&self, setup: &Setup) -> Self {
        Self::new(setup, self.signer.clone(), self.clock.clone(), self.mempool.clone())
    }

    /// Starts the node from what its disk holds. A node that doubts its record stops when its key
    /// signs elsewhere; twins share a key on purpose and do not doubt it.
    pub fn boot(&mut self, setup: &Setup, now: u64, mono_offset: u64, doubts_record: bool) {
        let config = EngineConfig {
            chain: setup.chain.clone(),
            signer: self.signer.clone(),
            node: setup.node_of(self.signer.as_deref()),
            mempool: self.mempool.clone(),
            doubts_record,
        };
        self.incarnation += 1;
        self.duties.restart(self.disk.lost_decision());
        self.clock.start(now, mono_offset);
        self.running = Some(Running {
            engine: Engine::new(config, self.disk.view().clone(), self.disk.load()),
            timers: BTreeMap::new(),
            peers: BTreeMap::new(),
            seen: Seen::default(),
            tickets: BTreeMap::new(),
            calls: BTreeMap::new(),
            executing: BTreeMap::new(),
            strangers: BTreeSet::new(),
            cores: Cores::default(),
            writing_until: 0,
            stall: Stall::default(),
            dies_in: None,
        });
    }

    /// Somebody outside learns that this height is durable here.
    pub fn shows(&mut self, height: Height) {
        self.externalised = self.externalised.max(height);
    }

    /// What this node's clocks show.
    pub fn clocks(&self, now: u64) -> Now {
        self.clock.now(now)
    }
}
