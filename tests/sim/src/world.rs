//! One seed from beginning to end: its state, and its events one after the other.
//!
//! Defines the state of a seed. The other files with `impl World` handle the events.
pub(crate) use crate::schedule::{Event, Work};
pub use crate::{
    clock::SECOND,
    options::{Options, Outcome},
};

use crate::{
    byzantine::{plot::Trial, twins::Masks},
    clock::Clock,
    coverage::{Coverage, Met},
    faults::{Faults, Hosts},
    instances::{Class, Instances},
    mesh::Mesh,
    net::Net,
    node::Node,
    oracle::{Oracle, Violation},
    past::Past,
    payments::{Fate, Payments},
    rng::Rng,
    schedule::Schedule,
    setup::Setup,
    strangers::Strangers,
    trace::{Auditor, Trace},
    traffic::Traffic,
    verdicts::Verdicts,
};
use std::collections::BTreeMap;
use timecoin_chain::{
    crypto::LtHash,
    mempool::MempoolLimits,
    types::{BlockHash, Height, Round},
};

/// Heights that every node must decide after everything heals.
const PROGRESS_HEIGHTS: u64 = 5;
/// Virtual time within which it must. At the longest delays a height takes several rounds.
const PROGRESS_TIME: u64 = 60 * SECOND;
/// Virtual time for each height on top of those.
const HEIGHT_TIME: u64 = 6 * SECOND;
/// Heights of a seed with a large masternode set that is flooded.
const FLOOD_HEIGHTS: u64 = PROGRESS_HEIGHTS + 2;
/// The maximum duration of faults for each height.
const STORM_TIME: u64 = 3 * SECOND;

/// One seed while it runs.
pub struct World {
    pub(crate) options: Options,
    pub(crate) seed: u64,
    /// When faults come and what they hit.
    pub(crate) storms: BTreeMap<Class, Rng>,
    /// Everything without a stream of its own.
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
    pub(crate) hosts: Option<Hosts>,
    pub(crate) instances: Instances,
    pub(crate) faults: Faults,
    /// Whether answers of honest nodes may be changed on their way.
    pub(crate) alters_answers: bool,
    pub(crate) setup: Setup,
    pub(crate) time: u64,
    schedule: Schedule,
    pub(crate) numbers: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) net: Net,
    pub(crate) past: Past,
    pub(crate) strangers: Option<Strangers>,
    pub(crate) verdicts: Verdicts,
    /// The call that a stranger's answer belongs to, while a node takes it.
    pub(crate) answering: Option<u64>,
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
    /// A node that had not reached it at the last check.
    laggard: usize,
    pub(crate) is_over: bool,
}

/// Runs a seed to its end.
pub fn run(seed: u64, options: &Options) -> Outcome {
    let mut world = World::new(seed, options.clone());
    world.begin();
    while !world.is_over && world.violation.is_none() {
        let Some((time, event)) = world.schedule.pop() else { break };
        world.time = time;
        world.dispatch(event);
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
    fn new(seed: u64, mut options: Options) -> Self {
        let mut rng = Rng::new(seed);
        let drawn = Faults::of_seed(seed, &mut rng, options.is_flood);
        let mut faults = options.faults.clone().unwrap_or(drawn);
        faults.byzantine = options.byzantine.or(faults.byzantine);
        faults.real_signatures |= options.real_signatures;
        if let Some(flood) = &faults.flood {
            options.masternodes = flood.masternodes;
            options.heights = options.heights.min(FLOOD_HEIGHTS);
        }
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
            hosts: None,
            alters_answers: faults.tamper > 0 || faults.corrupt > 0,
            faults,
            setup,
            time: 3 * SECOND,
            schedule: Schedule::default(),
            numbers: 0,
            mesh: options.degree.map(|degree| Mesh::new(&mut rng, nodes.len(), degree)),
            traffic: options.counts_traffic.then(|| Traffic::new(nodes.len())),
            nodes,
            net: Net::new(),
            past: Past::default(),
            strangers: None,
            verdicts: Verdicts::default(),
            answering: None,
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
        if let Some(fault) = self.faults.second_host {
            self.begin_second_host(fault);
        }
        for node in 0..self.nodes.len() {
            let after = self.labour.below(SECOND);
            self.after(after, Event::Boot { node });
        }
        self.after(STORM_TIME * self.options.heights, Event::EndOfStorm);
        self.plan_storm();
        self.begin_siege();
        if let Some(mean) = self.faults.payment {
            let after = self.users.exponential(mean);
            self.after(after, Event::Payment);
        }
    }

    /// Plans an event.
    pub(crate) fn at(&mut self, time: u64, event: Event) {
        self.schedule.push(time, event);
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

    /// Records a violation. Only the first is kept.
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

    /// Byzantine nodes and those that stay away are exempt.
    fn has_arrived(&self, node: usize, goal: Height) -> bool {
        let is_excused =
            self.nodes[node].is_away || !self.is_honest(node) || self.is_second_host(node);
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
        if self.violation.is_none() {
            self.violation = self.verdicts.check_waits().err();
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
            vote_wait: self.verdicts.vote_wait(),
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
