//! Honest masternodes in virtual milliseconds, without any fault: engines whose effects are carried out at once, and
//! a network that loses nothing. For what takes the whole of the simulator's time and none of its faults.
#[cfg(test)]
mod control;
mod effects;

use crate::{
    rng::Rng,
    setup::{GENESIS_MS, Setup},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    sync::Arc,
};
use timecoin_chain::{
    crypto::Signer,
    engine::{Engine, EngineConfig, Held, Input, Recovered, SafetyRecord, Stored, Timer},
    ledger::{LedgerState, LedgerView, MemoryView, PositionedCoin, ViewError, genesis_delta},
    mempool::MempoolLimits,
    types::{Certificate, ConsensusMessage, Height, Millis, Now, OutPoint, Round, Timestamp},
    wire::{Peer, Request, Ticket, encode_message},
};

/// Messages of honest masternodes that are remembered, to be repeated by the hostile one.
const SAID_MAX: usize = 256;

#[derive(Clone)]
struct SharedView(Rc<RefCell<MemoryView>>);

impl LedgerView for SharedView {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<PositionedCoin>, ViewError> {
        self.0.borrow().coin(outpoint)
    }

    fn certificate(&self, height: Height) -> Result<Option<Certificate>, ViewError> {
        self.0.borrow().certificate(height)
    }
}

/// What the clocks of a masternode show.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock {
    /// How far the wall clock is ahead, or behind.
    pub(crate) ahead_ms: i64,
    /// By how many millionths both clocks are too fast, or too slow.
    pub(crate) fast_ppm: i64,
}

impl Clock {
    fn now(self, ms: u64) -> Now {
        let drift = ms.cast_signed() * self.fast_ppm / 1_000_000;
        let mono = ms.saturating_add_signed(drift);
        let wall = (GENESIS_MS + mono).saturating_add_signed(self.ahead_ms);
        Now { mono: Millis(mono), wall: Timestamp(wall) }
    }
}

struct Shell {
    engine: Engine<SharedView>,
    view: SharedView,
    clock: Clock,
    timers: BTreeMap<Timer, Millis>,
    is_up: bool,
    disk: Disk,
}

/// What is durable beside the coins.
#[derive(Clone)]
pub(crate) struct Disk {
    state: LedgerState,
    tip: Option<Certificate>,
    safety: Recovered,
}

impl Disk {
    /// The safety record.
    #[cfg(test)]
    pub(crate) fn record(&self) -> &SafetyRecord {
        &self.safety.record
    }
}

/// Whether a message gets from one masternode to another. A question has none.
pub(crate) type Filter = Box<dyn Fn(usize, usize, Option<&ConsensusMessage>) -> bool>;

/// The honest masternodes: the first ones of the set. Others are played by who owns this.
pub(crate) struct Shells {
    setup: Setup,
    shells: Vec<Shell>,
    ms: u64,
    queue: VecDeque<(usize, Input)>,
    /// Messages on their way, by arrival.
    travelling: BTreeMap<(u64, u64), (usize, Input)>,
    /// A message takes up to this long.
    delay_ms: u64,
    rng: Rng,
    said: Vec<ConsensusMessage>,
    /// The last block that was committed.
    tip: Option<Arc<Certificate>>,
    /// Who asked whom for what, by ticket.
    asked: BTreeMap<u64, (usize, Peer, Request)>,
    tickets: u64,
    published: u64,
    evidence: u64,
    /// The first so many and the others do not reach each other.
    cut: usize,
    /// What else does not pass.
    filter: Option<Filter>,
    /// Rounds that began beside the first of each height.
    later_rounds: u64,
    /// The longest that one of them meant to wait for a proposal that is due, or for more votes.
    longest_wait_ms: u64,
}

impl Shells {
    /// As many as there are clocks.
    pub(crate) fn start(setup: Setup, clocks: &[Clock], delay_ms: u64) -> Result<Self, String> {
        let shells =
            clocks.iter().enumerate().map(|(index, clock)| Shell::new(&setup, index, *clock));
        let (shells, members): (Vec<Shell>, _) = (shells.collect(), setup.masternodes.len());
        let honest = shells.len();
        let mut all = Self {
            setup,
            shells,
            // No clock shows less than nothing.
            ms: 1_000_000,
            queue: VecDeque::new(),
            travelling: BTreeMap::new(),
            delay_ms,
            rng: Rng::new(1),
            said: Vec::new(),
            tip: None,
            asked: BTreeMap::new(),
            tickets: 0,
            published: 0,
            evidence: 0,
            cut: 0,
            filter: None,
            later_rounds: 0,
            longest_wait_ms: 0,
        };
        for index in 0..honest {
            all.queue.push_back((index, Input::Start));
            let peers = (0..members).filter(|peer| *peer != index);
            all.queue.extend(peers.map(|peer| (index, Input::PeerUp(peer_of(peer)))));
        }
        all.run()?;
        Ok(all)
    }

    /// A message of somebody else reaches the door of each of them now.
    pub(crate) fn receive_all(&mut self, message: &ConsensusMessage) -> Result<(), String> {
        let from = peer_of(self.shells.len());
        for index in 0..self.shells.len() {
            let input = self.gossip(from, message);
            self.queue.push_back((index, input));
        }
        self.run()
    }

    /// A message as its receivers get it.
    fn gossip(&mut self, from: Peer, message: &ConsensusMessage) -> Input {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let (topic, bytes) = encode_message(message);
        Input::Gossip { from, topic, bytes, ticket }
    }

    /// A millisecond passes.
    pub(crate) fn pass_ms(&mut self) -> Result<(), String> {
        self.ms += 1;
        while let Some(entry) =
            self.travelling.first_entry().filter(|entry| entry.key().0 <= self.ms)
        {
            self.queue.push_back(entry.remove());
        }
        for (index, shell) in self.shells.iter_mut().enumerate() {
            let now = shell.clock.now(self.ms).mono;
            let is_due = |(_, at): &(&Timer, &Millis)| **at <= now;
            let due: Vec<Timer> =
                shell.timers.iter().filter(is_due).map(|(timer, _)| *timer).collect();
            for timer in due {
                shell.timers.remove(&timer);
                self.queue.push_back((index, Input::Timer(timer)));
            }
        }
        self.run()
    }

    /// The height and round of the first of them.
    pub(crate) fn place(&self) -> (Height, Round) {
        let engine = &self.shells[0].engine;
        (engine.height(), engine.status(self.now(0)).round)
    }

    /// What commits the last block, and the state root after it.
    pub(crate) fn tip(&self) -> (Option<Certificate>, [u8; 32]) {
        let root = self.shells[0].engine.status(self.now(0)).state_root;
        (self.tip.as_deref().cloned(), root)
    }

    /// What they said of late.
    pub(crate) fn said(&self) -> &[ConsensusMessage] {
        &self.said
    }

    /// The most that one of them holds, in each count.
    pub(crate) fn held(&self) -> Held {
        self.shells
            .iter()
            .map(|shell| shell.engine.held())
            .fold(Held::default(), |most, held| most.max_of(&held))
    }

    /// Virtual time in milliseconds.
    pub(crate) fn ms(&self) -> u64 {
        self.ms
    }

    /// The last height that each has decided.
    pub(crate) fn heights(&self) -> impl Iterator<Item = u64> {
        self.shells.iter().map(|shell| shell.engine.height().0 - 1)
    }

    /// Messages that they published.
    pub(crate) fn published(&self) -> u64 {
        self.published
    }

    /// Messages that they proved to conflict.
    pub(crate) fn evidence(&self) -> u64 {
        self.evidence
    }

    fn now(&self, index: usize) -> Now {
        self.shells[index].clock.now(self.ms)
    }

    fn reaches(&self, from: usize, to: usize, message: Option<&ConsensusMessage>) -> bool {
        (from < self.cut) == (to < self.cut)
            && self.filter.as_ref().is_none_or(|filter| filter(from, to, message))
    }

    /// Sends on its way what another shell is to receive.
    fn send(&mut self, to: usize, input: Input) {
        if self.delay_ms == 0 {
            return self.queue.push_back((to, input));
        }
        let at = self.ms + self.rng.between(1, self.delay_ms);
        self.tickets += 1;
        self.travelling.insert((at, self.tickets), (to, input));
    }

    fn run(&mut self) -> Result<(), String> {
        while let Some((index, input)) = self.queue.pop_front() {
            if !self.shells[index].is_up {
                continue;
            }
            let now = self.now(index);
            for effect in self.shells[index].engine.handle(now, input) {
                self.carry_out(index, effect)?;
            }
        }
        Ok(())
    }
}

/// A node on this disk.
fn engine(
    setup: &Setup,
    signer: Arc<dyn Signer>,
    view: &SharedView,
    disk: Disk,
) -> Engine<SharedView> {
    let config = EngineConfig {
        chain: setup.chain.clone(),
        signer: Some(signer),
        node: None,
        mempool: MempoolLimits::for_params(setup.chain.params()),
        doubts_record: true,
    };
    let Disk { state, tip, safety } = disk;
    Engine::new(config, view.clone(), Stored { state, tip, safety: Some(safety) })
}

impl Shell {
    fn new(setup: &Setup, index: usize, clock: Clock) -> Self {
        let genesis = genesis_delta(&setup.chain);
        let view = SharedView(Rc::new(RefCell::new(MemoryView::default())));
        view.0.borrow_mut().apply(&genesis);
        let signer = setup.masternodes[index].clone();
        let record = SafetyRecord::first(signer.public_key());
        let safety = Recovered { record, blocks: Vec::new() };
        let disk = Disk { state: genesis.state, tip: None, safety };
        let engine = engine(setup, signer, &view, disk.clone());
        Self { engine, view, clock, timers: BTreeMap::new(), is_up: true, disk }
    }
}

fn peer_of(index: usize) -> Peer {
    Peer(u64::try_from(index).unwrap_or(u64::MAX))
}
