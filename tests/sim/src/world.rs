//! The scheduler: one heap of events in virtual time, one event after the other.
use crate::{
    byzantine::{
        Parcel, Role,
        fork::{Plot, Trial},
        twins::{Masks, Scenario},
    },
    clock::Clock,
    coverage::{Coverage, Met},
    disk::Flaw,
    faults::Faults,
    instances::{Class, Instance, Instances},
    net::{Cut, Net},
    node::Node,
    oracle::{Oracle, Violation},
    past::Past,
    payments::{Fate, Payments},
    rng::Rng,
    scale::{mesh::Mesh, traffic::Traffic},
    setup::Setup,
    trace::{Auditor, Trace},
    wire::{Gossip, Reply},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    rc::Rc,
    sync::Arc,
};
use timecoin_chain::{
    crypto::LtHash,
    engine::{Input, Request, Ticket, Timer},
    ledger::{Layer, LedgerState},
    mempool::MempoolLimits,
    rules::Spend,
    types::{Block, BlockHash, Height, Round, WTxId},
};

/// One second of virtual time, which is counted in microseconds.
pub const SECOND: u64 = 1_000_000;
/// Heights that every node must commit after everything healed.
const PROGRESS_HEIGHTS: u64 = 5;
/// Virtual time within which it must. At the longest delays a height takes several rounds.
const PROGRESS_TIME: u64 = 60 * SECOND;
/// Virtual time for each height on top of those.
const HEIGHT_TIME: u64 = 6 * SECOND;
/// For each height, faults last this long at the most.
const STORM_TIME: u64 = 3 * SECOND;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Masternodes.
    pub masternodes: u8,
    /// Heights to reach at the least.
    pub heights: u64,
    /// Use ed25519 in every seed.
    pub real_signatures: bool,
    /// These faults and not those that the seed draws.
    pub faults: Option<Faults>,
    /// Connections of a node on average; with everyone where none is given.
    pub degree: Option<usize>,
    /// Whether to count what travels.
    pub counts_traffic: bool,
    /// Only these faults strike; all where none is given.
    pub only: Option<Vec<Instance>>,
    /// Masternodes up to a third of the weight do this, and not what the seed draws.
    pub byzantine: Option<Role>,
    /// One key on several nodes, and who reaches whom.
    pub twins: Option<Scenario>,
    /// More than a third of the weight tries to fork the chain.
    pub fork: Option<Plot>,
    /// A planted fault.
    pub flaw: Flaw,
    /// Stop after the event with this number.
    pub until: Option<u64>,
    /// Whether to keep lines for people.
    pub trace: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            masternodes: 4,
            heights: 20,
            real_signatures: false,
            faults: None,
            degree: None,
            counts_traffic: false,
            only: None,
            byzantine: None,
            twins: None,
            fork: None,
            flaw: Flaw::None,
            until: None,
            trace: false,
        }
    }
}

/// How a seed ended.
#[derive(Debug)]
pub struct Outcome {
    /// What did not hold.
    pub violation: Option<Violation>,
    /// The digest over all events.
    pub hash: [u8; 32],
    /// How many events.
    pub events: u64,
    /// All single faults.
    pub faults: Vec<Instance>,
    /// Virtual time in microseconds.
    pub time: u64,
    /// Virtual time from healing to the end.
    pub recovery: u64,
    /// The greatest final height.
    pub height: Height,
    /// The height with two final blocks, where so many cheat that there may be one.
    pub forked: Option<Height>,
    /// What was met.
    pub coverage: Coverage,
    /// What travelled, if it was counted.
    pub traffic: Option<Traffic>,
    /// Lines for people.
    pub trace: Vec<String>,
}

/// Work that a shell does off its loop.
pub(crate) enum Work {
    Execute {
        block: Arc<Block>,
        parent: Arc<LedgerState>,
        layers: Vec<Arc<Layer>>,
        verified: BTreeSet<WTxId>,
    },
    Verify {
        ticket: Ticket,
        spends: Vec<Spend>,
    },
    Commit,
    Committed {
        height: Height,
    },
}

/// What can happen.
pub(crate) enum Event {
    Gossip { to: usize, connection: u64, gossip: Rc<Gossip>, passes_cache: bool },
    Question { to: usize, connection: u64, call: u64, request: Rc<Request>, id: [u8; 32] },
    Reply { to: usize, connection: u64, call: u64, reply: Rc<Reply> },
    CallTimeout { node: usize, incarnation: u64, call: u64 },
    Timer { node: usize, incarnation: u64, timer: Timer, generation: u64 },
    Work { node: usize, incarnation: u64, work: Work },
    PeerDown { node: usize, incarnation: u64, connection: u64 },
    Input { node: usize, incarnation: u64, input: Input },
    Durable { node: usize, incarnation: u64 },
    Wake { node: usize, incarnation: u64 },
    Connect { a: usize, b: usize },
    Boot { node: usize },
    Parcel { node: usize, incarnation: u64, parcel: Parcel },
    Tick { node: usize },
    Schism { cut: Cut },
    Verdict,
    Payment,
    Partition,
    Heal,
    Crash,
    CrashAll,
    Clog,
    Filter,
    Pause,
    ClockFault,
    ClockSet { node: usize },
    EndOfStorm,
    Deadline,
}

impl Event {
    /// The node whose loop handles it; none where it happens to a node or to the world.
    pub(crate) fn handled_by(&self) -> Option<usize> {
        match self {
            Self::Gossip { to, .. } | Self::Question { to, .. } | Self::Reply { to, .. } => {
                Some(*to)
            }
            Self::CallTimeout { node, .. }
            | Self::Timer { node, .. }
            | Self::Work { node, .. }
            | Self::PeerDown { node, .. }
            | Self::Input { node, .. } => Some(*node),
            _ => None,
        }
    }

    /// Whether a full queue may drop it.
    pub(crate) fn is_gossip(&self) -> bool {
        matches!(self, Self::Gossip { .. })
    }
}

struct Entry {
    time: u64,
    sequence: u64,
    /// Elsewhere, because the queue moves its entries all the time.
    event: Box<Event>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.sequence).cmp(&(other.time, other.sequence))
    }
}

/// One seed while it runs.
pub struct World {
    pub(crate) options: Options,
    pub(crate) seed: u64,
    /// When faults come and what they hit.
    pub(crate) storms: BTreeMap<Class, Rng>,
    /// What has no stream of its own.
    pub(crate) rng: Rng,
    /// What becomes of messages.
    pub(crate) network: Rng,
    /// How long things take on a node, and what a crash leaves.
    pub(crate) labour: Rng,
    /// What users do.
    pub(crate) users: Rng,
    /// What Byzantine nodes do.
    pub(crate) actors: Rng,
    /// What a scenario of twins lets pass.
    pub(crate) masks: Option<Masks>,
    pub(crate) trial: Option<Trial>,
    pub(crate) instances: Instances,
    pub(crate) faults: Faults,
    pub(crate) setup: Setup,
    pub(crate) time: u64,
    queue: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
    pub(crate) numbers: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) net: Net,
    pub(crate) past: Past,
    pub(crate) mesh: Option<Mesh>,
    pub(crate) traffic: Option<Traffic>,
    pub(crate) oracle: Oracle,
    pub(crate) payments: Payments,
    pub(crate) auditor: Auditor,
    pub(crate) coverage: Coverage,
    pub(crate) trace: Trace,
    pub(crate) violation: Option<Violation>,
    pub(crate) locks: BTreeMap<(usize, Height), (Round, BlockHash)>,
    /// The last round that a node began at a height.
    pub(crate) rounds: BTreeMap<(usize, Height), Round>,
    /// When everything healed, and the height that every node must reach from there.
    healed: Option<(u64, Height)>,
    /// A node that had not reached it when it was looked at last.
    laggard: usize,
    pub(crate) is_over: bool,
}

/// Runs a seed to its end.
pub fn run(seed: u64, options: &Options) -> Outcome {
    let mut world = World::new(seed, options.clone());
    world.begin();
    while !world.is_over && world.violation.is_none() {
        let Some(Reverse(entry)) = world.queue.pop() else { break };
        world.time = entry.time;
        world.dispatch(*entry.event);
        world.check_progress();
        if options.until.is_some_and(|until| world.auditor.events >= until) {
            break;
        }
    }
    world.finish()
}

/// Any number as far from zero as this, either way.
pub(crate) fn signed(rng: &mut Rng, most: u64) -> i64 {
    rng.below(2 * most + 1).cast_signed() - most.cast_signed()
}

impl World {
    fn new(seed: u64, options: Options) -> Self {
        let mut rng = Rng::new(seed);
        let drawn = Faults::draw(&mut rng);
        let mut faults = options.faults.clone().unwrap_or(drawn);
        faults.byzantine = options.byzantine.or(faults.byzantine);
        faults.real_signatures |= options.real_signatures;
        let setup = Setup::draw(&mut rng, &faults, options.masternodes);
        let mut limits = MempoolLimits::for_params(setup.chain.params());
        if faults.tiny_mempools {
            (limits.transactions_max, limits.bytes_max) = (8, 4_000);
        }
        let signers = setup.masternodes.iter().cloned().map(Some);
        let observers = (0..faults.observers).map(|_| None);
        let nodes: Vec<Node> = signers
            .chain(observers)
            .map(|signer| {
                let offset = signed(&mut rng, faults.clock_offset_ms);
                let drift = signed(&mut rng, faults.clock_drift_ppm);
                Node::new(&setup, signer, Clock::new(offset, drift), limits.clone())
            })
            .collect();
        let oracle = Oracle::new(&setup);
        Self {
            payments: Payments::new(&setup, &oracle.ledger),
            oracle,
            seed,
            storms: BTreeMap::new(),
            rng: Rng::stream(seed, 1),
            network: Rng::stream(seed, 2),
            labour: Rng::stream(seed, 3),
            users: Rng::stream(seed, 4),
            actors: Rng::stream(seed, 5),
            masks: None,
            instances: Instances::new(options.only.clone()),
            trial: None,
            faults,
            setup,
            time: 3 * SECOND,
            queue: BinaryHeap::new(),
            sequence: 0,
            numbers: 0,
            mesh: options.degree.map(|degree| Mesh::new(&mut rng, nodes.len(), degree)),
            traffic: options.counts_traffic.then(|| Traffic::new(nodes.len())),
            nodes,
            net: Net::new(),
            past: Past::default(),
            auditor: Auditor::default(),
            coverage: Coverage::default(),
            trace: Trace::new(options.trace),
            violation: None,
            locks: BTreeMap::new(),
            rounds: BTreeMap::new(),
            healed: None,
            laggard: 0,
            is_over: false,
            options,
        }
    }

    fn begin(&mut self) {
        let faults = format!("{:?}", self.faults);
        self.trace.line(|| faults);
        if let Some(role) = self.faults.byzantine {
            self.assign(role);
        }
        if let Some(plot) = self.options.fork {
            self.begin_fork(plot);
        }
        if let Some(scenario) = self.options.twins.clone() {
            self.begin_twins(scenario);
        }
        for node in 0..self.nodes.len() {
            let after = self.labour.below(SECOND);
            self.after(after, Event::Boot { node });
        }
        self.after(STORM_TIME * self.options.heights, Event::EndOfStorm);
        self.plan_storm();
        if let Some(mean) = self.faults.payment {
            let after = self.users.exponential(mean);
            self.after(after, Event::Payment);
        }
    }

    /// Plans an event.
    pub(crate) fn at(&mut self, time: u64, event: Event) {
        self.sequence += 1;
        let event = Box::new(event);
        self.queue.push(Reverse(Entry { time, sequence: self.sequence, event }));
    }

    /// Plans an event a while from now.
    pub(crate) fn after(&mut self, span: u64, event: Event) {
        self.at(self.time + span, event);
    }

    /// A number that was not used before.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// Whether a fault with this chance strikes a node now.
    pub(crate) fn strikes(&mut self, class: Class, permille: u64) -> bool {
        self.labour.chance(permille) && self.instances.strikes(class)
    }

    /// Notes that something does not hold. The first is kept.
    pub(crate) fn expect(&mut self, result: Result<(), Violation>) {
        if let Err(violation) = result
            && !self.has_forked()
        {
            self.violation.get_or_insert(violation);
        }
    }

    /// Whether faults happen.
    pub(crate) fn is_storm(&self) -> bool {
        self.healed.is_none()
    }

    pub(crate) fn end_storm(&mut self) {
        if !self.is_storm() {
            return;
        }
        if self.trial.is_some() {
            // Two groups that do not reach each other need not get anywhere.
            self.is_over |= !self.has_forked();
            return;
        }
        self.heal_everything();
        let progress = self.oracle.height().0 + PROGRESS_HEIGHTS;
        let goal = progress.max(self.options.heights);
        self.healed = Some((self.time, Height(goal)));
        self.after(PROGRESS_TIME + HEIGHT_TIME * (goal - progress), Event::Deadline);
    }

    /// Ends the storm when enough heights were decided in it, and the seed when enough came after.
    fn check_progress(&mut self) {
        let Some((_, goal)) = self.healed else {
            if self.oracle.height().0 + PROGRESS_HEIGHTS >= self.options.heights {
                self.end_storm();
            }
            return;
        };
        if !self.has_arrived(self.laggard, goal) {
            return;
        }
        match (0..self.nodes.len()).find(|&node| !self.has_arrived(node, goal)) {
            Some(laggard) => self.laggard = laggard,
            None => {
                let is_over = self.open_payments().next().is_none();
                self.is_over = is_over;
            }
        }
    }

    /// Byzantine nodes and those that stay away need not.
    fn has_arrived(&self, node: usize, goal: Height) -> bool {
        let is_excused = self.nodes[node].is_away || !self.is_honest(node);
        is_excused || self.nodes[node].disk.height() >= goal
    }

    fn open_payments(&self) -> impl Iterator<Item = String> + '_ {
        let fates = self.payments.fates(&self.oracle.ledger, &self.nodes);
        let is_open = |fate| fate == Fate::Open && !self.faults.tiny_mempools;
        fates.filter(move |(_, fate)| is_open(*fate)).map(|(txid, _)| txid.to_string())
    }

    pub(crate) fn deadline(&mut self) {
        let heights: Vec<u64> = self.nodes.iter().map(|node| node.disk.height().0).collect();
        let open: Vec<String> = self.open_payments().collect();
        let (healed, goal) = self.healed.map_or((0, 0), |(healed, goal)| (healed, goal.0));
        let seconds = (self.time - healed) / SECOND;
        let lags = (0..self.nodes.len()).any(|node| !self.has_arrived(node, Height(goal)));
        let violation = if lags {
            let detail = format!("{seconds} s after healing heights are {heights:?}, not {goal}");
            Violation::new("progress", detail)
        } else {
            Violation::new("payments", format!("still open after {seconds} s: {open:?}"))
        };
        self.violation.get_or_insert(violation);
    }

    fn finish(mut self) -> Outcome {
        let forked = self.trial.as_ref().and_then(|trial| trial.forked);
        if forked.is_none() {
            self.check_ledgers();
        }
        let fates: Vec<Fate> =
            self.payments.fates(&self.oracle.ledger, &self.nodes).map(|(_, fate)| fate).collect();
        for fate in fates {
            match fate {
                Fate::Final => self.coverage.met(Met::PaymentFinal),
                Fate::Lost => self.coverage.met(Met::PaymentLost),
                Fate::Forgotten | Fate::Open => {}
            }
        }
        let height = self.oracle.height();
        if self.violation.is_none() {
            let epochs = height.0 / self.setup.chain.params().epoch_blocks;
            (0..epochs).for_each(|_| self.coverage.met(Met::RewardsPaid));
        }
        Outcome {
            violation: self.violation,
            events: self.auditor.events,
            faults: self.instances.all(),
            hash: self.auditor.finish(),
            time: self.time,
            recovery: self.healed.map_or(0, |(healed, _)| self.time - healed),
            height,
            forked,
            coverage: self.coverage,
            traffic: self.traffic,
            trace: self.trace.into_lines(),
        }
    }

    /// Nodes at the last height hold exactly the coins of the oracle's ledger.
    fn check_ledgers(&mut self) {
        let ledger = &self.oracle.ledger;
        let differs = self.nodes.iter().position(|node| {
            let coins = node.disk.coins();
            node.disk.height() == ledger.height
                && (coins.len() != ledger.coins.len()
                    || coins.iter().any(|held| {
                        ledger.coins.get(&held.coin.outpoint) != Some(&held.coin.output)
                    }))
        });
        let is_committed = |node: &Node| {
            let mut coins = LtHash::default();
            node.disk.coins().iter().for_each(|coin| coins.add(&coin.element()));
            coins == node.disk.state().coins
        };
        let differs = differs.or_else(|| self.nodes.iter().position(|node| !is_committed(node)));
        if let Some(node) = differs {
            let detail = format!("node {node} holds other coins than its blocks make");
            self.violation.get_or_insert(Violation::new("ledger", detail));
        }
    }
}
