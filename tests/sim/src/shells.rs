//! Honest masternodes in virtual milliseconds, without any fault: engines whose effects are carried out at once, and
//! a network that loses nothing. For what takes the whole of the simulator's time and none of its faults.
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
    engine::{
        Effect, Engine, EngineConfig, Held, Input, Recovered, Report, SafetyRecord, Stored, Timer,
    },
    ledger::{
        LedgerState, LedgerView, MemoryView, PositionedCoin, ViewError, genesis_delta, look_up,
    },
    mempool::MempoolLimits,
    rules,
    types::{Certificate, ConsensusMessage, Height, Millis, Now, OutPoint, Round, Timestamp},
    wire::{Peer, Protocol, Request, Response, Ticket, encode_message},
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

    /// The first so many and the others stop to reach each other. Connections do not break; questions
    /// fail. With none the network is whole.
    #[cfg(test)]
    pub(crate) fn cut(&mut self, first: usize) {
        self.cut = first;
    }

    /// Only what this lets pass gets through; with none, everything does.
    #[cfg(test)]
    pub(crate) fn filter(&mut self, filter: Option<Filter>) {
        self.filter = filter;
    }

    /// A masternode crashes. What it had persisted stays.
    #[cfg(test)]
    pub(crate) fn kill(&mut self, index: usize) {
        self.shells[index].is_up = false;
        self.shells[index].timers.clear();
        let others = (0..self.shells.len()).filter(|other| *other != index);
        self.queue.extend(others.map(|other| (other, Input::PeerDown(peer_of(index)))));
    }

    /// It starts again, with its own safety record or another.
    #[cfg(test)]
    pub(crate) fn restart(&mut self, index: usize, record: Option<Recovered>) {
        let shell = &mut self.shells[index];
        if let Some(safety) = record {
            shell.disk.safety = safety;
        }
        let signer = self.setup.masternodes[index].clone();
        shell.engine = engine(&self.setup, signer, &shell.view, shell.disk.clone());
        shell.is_up = true;
        self.queue.push_back((index, Input::Start));
        let is_other_up = |other: &usize| *other != index && self.shells[*other].is_up;
        let others: Vec<usize> = (0..self.shells.len()).filter(is_other_up).collect();
        for other in others {
            self.queue.push_back((index, Input::PeerUp(peer_of(other))));
            self.queue.push_back((other, Input::PeerUp(peer_of(index))));
        }
    }

    /// The height and round of one of them, and what it has persisted.
    #[cfg(test)]
    pub(crate) fn masternode(&self, index: usize) -> (Height, Round, &Disk) {
        let shell = &self.shells[index];
        let status = shell.engine.status(self.now(index));
        (shell.engine.height(), status.round, &shell.disk)
    }

    /// The chain that they run.
    #[cfg(test)]
    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Rounds that began beside the first of each height, at all of them together, and the longest wait
    /// that one of them set, since this was asked last.
    #[cfg(test)]
    pub(crate) fn take_delays(&mut self) -> (u64, Millis) {
        let waited = std::mem::take(&mut self.longest_wait_ms);
        (std::mem::take(&mut self.later_rounds), Millis(waited))
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

    fn carry_out(&mut self, index: usize, effect: Effect) -> Result<(), String> {
        let shell = &mut self.shells[index];
        match effect {
            Effect::Execute(execution) => {
                let block = execution.block().hash();
                let (scheme, chain) = (&*self.setup.scheme, &*self.setup.chain);
                let result = execution.run(scheme, chain, shell.view.clone()).map(Box::new);
                self.queue.push_back((index, Input::Executed { block, result }));
            }
            Effect::Commit { delta, certificate, .. } => {
                shell.disk.state = delta.state.clone();
                shell.disk.tip = Some((*certificate).clone());
                self.tip = Some(certificate);
                shell.view.0.borrow_mut().apply(&delta);
                self.queue.push_back((index, Input::Durable { height: delta.height }));
            }
            Effect::LookUp { ticket, inputs } => {
                let coins = look_up(&shell.view, inputs);
                self.queue.push_back((index, Input::CoinsFound { ticket, coins }));
            }
            Effect::Verify { ticket, spends } => {
                let results =
                    rules::verify_spends(&*self.setup.scheme, &self.setup.chain.hash, spends);
                self.queue.push_back((index, Input::Verified { ticket, results }));
            }
            Effect::SetTimer { timer, at } => {
                shell.timers.insert(timer, at);
                if let Timer::Step(..) = timer {
                    self.note_wait(index, at);
                }
            }
            Effect::Report(Report::Round { round, .. }) if round > Round(0) => {
                self.later_rounds += 1;
            }
            Effect::Publish { message, .. } => self.publish(index, message),
            Effect::Run(job) => {
                let outcome = job.run(&*self.setup.scheme, &self.setup.chain);
                self.queue.push_back((index, Input::Done(outcome)));
            }

            Effect::Request { to, request } => self.request(index, to, request),
            Effect::Respond { ticket, response } => self.respond(ticket, response),
            Effect::Report(Report::Evidence(_)) => self.evidence += 1,
            Effect::Halt { reason, .. } => {
                return Err(format!("masternode {index} halts: {reason}"));
            }
            Effect::Persist { record, blocks } => {
                let safety = &mut shell.disk.safety;
                safety.record = (*record).clone();
                safety.blocks.extend(blocks.iter().map(|block| (**block).clone()));
                let named = record.blocks();
                safety.blocks.retain(|block| named.contains(&block.hash()));
            }
            Effect::Cancel { .. }
            | Effect::Regossip { .. }
            | Effect::Relay { .. }
            | Effect::Admission { .. }
            | Effect::Judge { .. }
            | Effect::Serve { .. }
            | Effect::Refuse { .. }
            | Effect::Report(_) => {}
        }
        Ok(())
    }

    fn note_wait(&mut self, index: usize, at: Millis) {
        let now = self.now(index);
        let due_in = self.shells[index].engine.status(now).proposal_due_in.unwrap_or_default();
        let wait = at.since(now.mono.plus(due_in));
        self.longest_wait_ms = self.longest_wait_ms.max(wait.0);
    }

    fn publish(&mut self, index: usize, message: ConsensusMessage) {
        self.published += 1;
        for to in (0..self.shells.len()).filter(|to| *to != index) {
            if self.reaches(index, to, Some(&message)) {
                let input = self.gossip(peer_of(index), &message);
                self.send(to, input);
            }
        }
        if self.said.len() == SAID_MAX {
            self.said.remove(0);
        }
        self.said.push(message);
    }

    /// Votes are asked of the engine; for the rest this network has no answer.
    fn request(&mut self, index: usize, to: Peer, request: Request) {
        let peer = usize::try_from(to.0).unwrap_or(usize::MAX);
        let is_reached =
            peer < self.shells.len() && self.shells[peer].is_up && self.reaches(index, peer, None);
        if !is_reached || request.protocol() != Protocol::Votes {
            let input = Input::RequestFailed { from: to, request };
            return self.queue.push_back((index, input));
        }
        self.tickets += 1;
        let (protocol, bytes, ticket) =
            (request.protocol(), request.encode(), Ticket(self.tickets));
        self.asked.insert(self.tickets, (index, to, request));
        let from = Peer(index as u64);
        self.queue.push_back((peer, Input::Request { from, protocol, bytes, ticket }));
    }

    fn respond(&mut self, ticket: Ticket, response: Response) {
        if let Some((to, from, request)) = self.asked.remove(&ticket.0) {
            let bytes = response.encode();
            self.send(to, Input::Response { from, request, bytes });
        }
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
