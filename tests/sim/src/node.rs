//! One simulated shell: an engine, its timers, peers and open questions, on a disk that outlives it.
use crate::{
    disk::{Disk, SharedView},
    setup::{GENESIS_MS, Setup},
    wire::{Gossip, Id},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::Arc,
};
use timecoin_chain::{
    crypto::Signer,
    engine::{Engine, EngineConfig, Request, Timer},
    mempool::MempoolLimits,
    types::{Height, Millis, Now, Timestamp},
};

/// What an engine's ticket stands for.
pub enum Ticketed {
    /// Transactions of this node's own users.
    Payments,
    /// Gossiped transactions.
    Gossiped(Rc<Gossip>),
    /// A peer's question.
    Question {
        /// The connection it came by.
        connection: u64,
        /// The asker's number for it.
        call: u64,
    },
}

/// An open question to a peer.
pub struct Call {
    /// The connection it went by.
    pub connection: u64,
    /// What was asked.
    pub request: Request,
}

/// A node that is up. A crash drops all of it.
pub struct Running {
    /// The node itself.
    pub engine: Engine<SharedView>,
    /// The generation of each timer that is set.
    pub timers: BTreeMap<Timer, u64>,
    /// Connections and who is at the other end.
    pub peers: BTreeMap<u64, usize>,
    /// The duplicate cache.
    pub seen: BTreeSet<Id>,
    /// Open tickets.
    pub tickets: BTreeMap<u64, Ticketed>,
    /// Open calls.
    pub calls: BTreeMap<u64, Call>,
    /// Whether a commit is on its way to the disk.
    pub is_committing: bool,
    booted: u64,
    mono_offset: u64,
}

/// A node over its whole life.
pub struct Node {
    /// Survives crashes.
    pub disk: Disk,
    /// Up, or not.
    pub running: Option<Running>,
    /// How many times it was started.
    pub incarnation: u64,
    /// The greatest height that anyone outside was told is durable here.
    pub externalised: Height,
    /// Never started again.
    pub is_away: bool,
    /// The index of its key in the masternode set.
    pub key: Option<u16>,
    signer: Option<Arc<dyn Signer>>,
    wall_offset_ms: i64,
    mempool: MempoolLimits,
}

impl Node {
    /// A node that was never started. Without a signer it is an observer.
    pub fn new(
        setup: &Setup,
        signer: Option<Arc<dyn Signer>>,
        wall_offset_ms: i64,
        mempool: MempoolLimits,
    ) -> Self {
        Self {
            disk: Disk::new(&setup.chain),
            running: None,
            incarnation: 0,
            externalised: Height::GENESIS,
            is_away: false,
            key: signer
                .as_ref()
                .and_then(|signer| setup.chain.masternodes.index_of(&signer.public_key())),
            signer,
            wall_offset_ms,
            mempool,
        }
    }

    /// Starts the node from what its disk holds.
    pub fn boot(&mut self, setup: &Setup, now: u64, mono_offset: u64) {
        let config = EngineConfig {
            chain: setup.chain.clone(),
            signer: self.signer.clone(),
            mempool: self.mempool.clone(),
        };
        self.incarnation += 1;
        self.running = Some(Running {
            engine: Engine::new(config, self.disk.view().clone(), self.disk.load()),
            timers: BTreeMap::new(),
            peers: BTreeMap::new(),
            seen: BTreeSet::new(),
            tickets: BTreeMap::new(),
            calls: BTreeMap::new(),
            is_committing: false,
            booted: now,
            mono_offset,
        });
    }

    /// What this node's clocks show.
    pub fn clocks(&self, now: u64) -> Now {
        let mono = self.running.as_ref().map_or(0, |running| running.mono(now));
        let wall = (GENESIS_MS + now / 1_000).saturating_add_signed(self.wall_offset_ms);
        Now { mono: Millis(mono), wall: Timestamp(wall) }
    }
}

impl Running {
    fn mono(&self, now: u64) -> u64 {
        (now - self.booted) / 1_000 + self.mono_offset
    }

    /// When this node's monotonic clock shows a moment; now, if it has.
    pub fn moment(&self, now: u64, at: Millis) -> u64 {
        (self.booted + at.0.saturating_sub(self.mono_offset) * 1_000).max(now)
    }
}
