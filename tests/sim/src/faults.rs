//! What goes wrong in one seed. Each class of fault is first switched on or off and then drawn in
//! its intensity, so that seeds differ in kind and not only in luck.
use crate::{rng::Rng, role::Role};

const MS: u64 = 1_000;
const SECOND: u64 = 1_000 * MS;
const HOUR_MS: u64 = 3_600_000;
/// The random stream that draws whether a seed is a flood.
const FLOOD_STREAM: u64 = 6;
/// The random stream that draws whether a seed has bad blocks.
const BAD_BLOCKS_STREAM: u64 = 8;
/// One seed in so many has masternodes that say which nodes they are.
const PRESENCES_EVERY: u64 = 4;
/// One seed in so many has bad blocks.
const BAD_BLOCKS_EVERY: u64 = 50;

/// Times between the beginnings of a fault and how long each lasts, as means in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// From one to the next.
    pub every: u64,
    /// From beginning to end.
    pub lasts: u64,
}

impl Rhythm {
    /// How long one lasts.
    pub fn span(&self, rng: &mut Rng) -> u64 {
        rng.exponential(self.lasts) + SECOND / 10
    }
}

/// A second host with a masternode's key and without its record: when it starts, and how slow the first
/// is. Spans are in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecondHost {
    /// From the beginning to its start.
    pub starts: u64,
    /// How long the first host stands still in every 400 ms.
    pub pause: u64,
    /// How much longer than others' its messages take.
    pub lag: u64,
}

/// The nodes of both hosts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hosts {
    pub(crate) first: usize,
    pub(crate) second: usize,
    pub(crate) fault: SecondHost,
}

/// What a crash leaves of the writes in flight.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// Nothing.
    Lost,
    /// The first of them.
    Prefix,
    /// Any of them, as far as one file is written in order.
    Subset,
}

/// As Rust writes it, to be pasted into a test.
impl std::fmt::Debug for Unsynced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lost => "Unsynced::Lost",
            Self::Prefix => "Unsynced::Prefix",
            Self::Subset => "Unsynced::Subset",
        })
    }
}

/// Flooders against a large masternode set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flood {
    /// Masternodes of the seed, whatever the options say.
    pub masternodes: u8,
    /// Connections without a key that send hostile messages.
    pub strangers: u64,
    /// Nodes that they connect to.
    pub targets: u64,
    /// Messages that each of them sends at a time.
    pub pace: u64,
    /// Messages that it sends as soon as it is connected.
    pub burst: u64,
}

/// As many as a node has places for peers, less a few.
const STRANGERS_MAX: u64 = 48;
/// One seed in so many is a flood.
const FLOOD_EVERY: u64 = 100;

impl Flood {
    /// The flood of a seed, from a stream of its own: the other draws of all seeds stay what they are.
    fn draw(rng: &mut Rng, always: bool) -> Option<Self> {
        let is_flood = rng.below(FLOOD_EVERY) == 0;
        // Many who send little each, or a few who send much: both at once only take longer to simulate.
        let is_crowd = rng.chance(400);
        (is_flood || always).then(|| Self {
            masternodes: u8::try_from(rng.between(16, 31)).unwrap_or(u8::MAX),
            strangers: if is_crowd { rng.between(24, STRANGERS_MAX) } else { rng.between(1, 12) },
            targets: if is_crowd { 1 } else { rng.between(1, 3) },
            pace: magnitude(rng, 1, if is_crowd { 1 } else { 8 }),
            burst: magnitude(rng, 1, if is_crowd { 16 } else { 200 }),
        })
    }
}

/// The faults of one seed. Spans are in microseconds, chances in thousandths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// Chance that a message is lost.
    pub loss: u64,
    /// Mean one-way delay.
    pub delay: u64,
    /// Whether a later message may overtake an earlier one.
    pub reorder: bool,
    /// Chance that a message arrives twice.
    pub duplicate: u64,
    /// Whether a duplicate may pass the duplicate cache, as one does that comes late enough.
    pub late_duplicates: bool,
    /// Chance that a lying peer takes a transaction out of a proposal or a final block on its way.
    pub tamper: u64,
    /// Chance that a node answers a request for blocks with "busy".
    pub busy: u64,
    /// Chance that bits of a message flip on its way.
    pub corrupt: u64,
    /// Chance that a message of an earlier height comes again beside a message.
    pub replay: u64,
    /// Links that hold everything for a while.
    pub clog: Option<Rhythm>,
    /// Links that lose one kind of message for a while.
    pub filter: Option<Rhythm>,
    /// Whether receivers pass gossip on.
    pub forward: bool,
    /// Partitions.
    pub partition: Option<Rhythm>,
    /// Whether connections break in a partition, or only fall silent.
    pub partition_breaks: bool,
    /// Crashes of single nodes.
    pub crash: Option<Rhythm>,
    /// Chance of a crash before an effect is carried out.
    pub crash_at_effect: u64,
    /// Chance of a crash while a record or a block is on its way to the disk.
    pub crash_in_write: u64,
    /// Chance of a crash right after a record became durable.
    pub crash_after_persist: u64,
    /// Chance of a crash within the first inputs after a start.
    pub crash_in_recovery: u64,
    /// Crashes of all nodes at once.
    pub crash_all: Option<Rhythm>,
    /// What a crash leaves of the writes in flight.
    pub unsynced: Unsynced,
    /// Machines that stand still for a while.
    pub pause: Option<Rhythm>,
    /// How far wall clocks are off at the most, in milliseconds.
    pub clock_offset_ms: u64,
    /// How much too fast or slow clocks run at the most, in millionths.
    pub clock_drift_ppm: u64,
    /// Wall clocks that jump, or stand still, and are set right later.
    pub clock_fault: Option<Rhythm>,
    /// How far they jump at the most, in milliseconds.
    pub clock_step_ms: u64,
    /// Mean time of making a record durable.
    pub persist: u64,
    /// Mean time of a commit.
    pub commit: u64,
    /// Mean time of executing a block or checking signatures.
    pub work: u64,
    /// Whether the weights of masternodes differ.
    pub uneven_weights: bool,
    /// Whether they are 1, 10 and 100 in turn.
    pub skewed_weights: bool,
    /// Observers beside the masternodes.
    pub observers: usize,
    /// Whether one masternode stays away for good when the others heal.
    pub one_stays_away: bool,
    /// Mean time between payments; none where nothing is paid.
    pub payment: Option<u64>,
    /// Whether mempools are tiny.
    pub tiny_mempools: bool,
    /// What masternodes with up to a third of the weight do instead of keeping the rules.
    pub byzantine: Option<Role>,
    /// Whether signatures are real.
    pub real_signatures: bool,
    /// Whether masternodes say which nodes they are.
    pub presences: bool,
    /// A second host with a masternode's key.
    pub second_host: Option<SecondHost>,
    /// A large masternode set that is flooded.
    pub flood: Option<Flood>,
    /// Whether masternodes with up to a third of the weight propose invalid blocks that are costly to refuse.
    pub bad_blocks: bool,
}

impl Faults {
    /// The faults of a seed, the rest of which is drawn from `rng`. It may be said that it is a flood.
    pub fn of_seed(seed: u64, rng: &mut Rng, is_flood: bool) -> Self {
        let drawn = Self { presences: seed.is_multiple_of(PRESENCES_EVERY), ..Self::draw(rng) };
        let has_bad_blocks = Rng::stream(seed, BAD_BLOCKS_STREAM).below(BAD_BLOCKS_EVERY) == 0;
        match Flood::draw(&mut Rng::stream(seed, FLOOD_STREAM), is_flood) {
            Some(flood) => {
                Self { byzantine: Some(Role::Flooder), flood: Some(flood), ..drawn.few() }
            }
            None if has_bad_blocks => {
                Self {
                    byzantine: Some(Role::CostlyProposer),
                    bad_blocks: true,
                    // A payment that the proposer lacks also costs a round.
                    payment: None,
                    ..drawn.few()
                }
            }
            None => drawn,
        }
    }

    /// Few of these faults: what is late beside one more is late because of it.
    fn few(self) -> Self {
        Self {
            delay: self.delay.min(50 * MS),
            reorder: self.reorder,
            duplicate: self.duplicate,
            late_duplicates: self.late_duplicates,
            uneven_weights: self.uneven_weights,
            forward: true,
            ..Self::none()
        }
    }

    /// Draws the faults of a seed.
    pub fn draw(rng: &mut Rng) -> Self {
        Self {
            loss: class(rng, 500, |rng| rng.between(1, 300)).unwrap_or(0),
            delay: magnitude(rng, MS, 200 * MS),
            reorder: rng.chance(500),
            duplicate: class(rng, 400, |rng| rng.between(1, 200)).unwrap_or(0),
            late_duplicates: rng.chance(500),
            tamper: class(rng, 300, |rng| rng.between(1, 200)).unwrap_or(0),
            corrupt: class(rng, 300, |rng| rng.between(1, 100)).unwrap_or(0),
            replay: class(rng, 300, |rng| rng.between(1, 200)).unwrap_or(0),
            clog: class(rng, 400, |rng| rhythm(rng, (1, 10), (1, 4))),
            filter: class(rng, 400, |rng| rhythm(rng, (1, 10), (1, 8))),
            forward: rng.chance(300),
            partition: class(rng, 500, |rng| rhythm(rng, (2, 20), (1, 15))),
            partition_breaks: rng.chance(500),
            crash: class(rng, 500, |rng| rhythm(rng, (2, 20), (1, 10))),
            crash_at_effect: class(rng, 300, |rng| rng.between(1, 10)).unwrap_or(0),
            crash_in_write: class(rng, 300, |rng| rng.between(1, 30)).unwrap_or(0),
            crash_after_persist: class(rng, 300, |rng| rng.between(1, 50)).unwrap_or(0),
            crash_all: class(rng, 250, |rng| rhythm(rng, (5, 40), (1, 3))),
            crash_in_recovery: class(rng, 300, |rng| rng.between(50, 400)).unwrap_or(0),
            unsynced: [Unsynced::Lost, Unsynced::Prefix, Unsynced::Subset][rng.index(3)],
            pause: class(rng, 300, |rng| rhythm(rng, (3, 20), (1, 5))),
            clock_offset_ms: class(rng, 500, |rng| rng.between(1, 2_000)).unwrap_or(0),
            clock_drift_ppm: class(rng, 300, |rng| rng.between(1, 1_000)).unwrap_or(0),
            clock_fault: class(rng, 250, |rng| rhythm(rng, (5, 30), (1, 10))),
            clock_step_ms: magnitude(rng, 100, HOUR_MS),
            persist: magnitude(rng, 100, 20 * MS),
            commit: magnitude(rng, MS, 100 * MS),
            work: magnitude(rng, 100, 20 * MS),
            uneven_weights: rng.chance(250),
            skewed_weights: false,
            observers: usize::from(rng.chance(250)),
            one_stays_away: rng.chance(250),
            payment: class(rng, 800, |rng| magnitude(rng, 200 * MS, 4 * SECOND)),
            tiny_mempools: rng.chance(150),
            byzantine: class(rng, 400, Role::draw),
            real_signatures: rng.chance(30),
            presences: false,
            second_host: class(rng, 200, |rng| SecondHost {
                starts: rng.between(2 * SECOND, 20 * SECOND),
                pause: rng.between(0, 200 * MS),
                lag: rng.between(0, 200 * MS),
            }),
            flood: None,
            bad_blocks: false,
            busy: class(rng, 300, |rng| rng.between(100, 900)).unwrap_or(0),
        }
    }

    /// A quiet network.
    pub fn none() -> Self {
        Self {
            loss: 0,
            delay: 20 * MS,
            reorder: false,
            duplicate: 0,
            late_duplicates: false,
            tamper: 0,
            busy: 0,
            corrupt: 0,
            replay: 0,
            clog: None,
            filter: None,
            forward: false,
            partition: None,
            partition_breaks: false,
            crash: None,
            crash_at_effect: 0,
            crash_in_write: 0,
            crash_after_persist: 0,
            crash_all: None,
            crash_in_recovery: 0,
            unsynced: Unsynced::Lost,
            pause: None,
            clock_offset_ms: 0,
            clock_drift_ppm: 0,
            clock_fault: None,
            clock_step_ms: 0,
            persist: MS / 2,
            commit: 2 * MS,
            work: MS,
            uneven_weights: false,
            skewed_weights: false,
            observers: 0,
            one_stays_away: false,
            payment: Some(SECOND),
            tiny_mempools: false,
            byzantine: None,
            real_signatures: false,
            presences: false,
            second_host: None,
            flood: None,
            bad_blocks: false,
        }
    }

    /// What remains when everything heals: delays, and who stays away.
    pub fn heal(&mut self) {
        self.loss = 0;
        self.duplicate = 0;
        self.tamper = 0;
        self.corrupt = 0;
        self.replay = 0;
        self.clog = None;
        self.filter = None;
        self.partition = None;
        self.crash = None;
        self.crash_at_effect = 0;
        self.crash_in_write = 0;
        self.crash_after_persist = 0;
        self.crash_in_recovery = 0;
        self.crash_all = None;
        self.pause = None;
        self.clock_fault = None;
        self.payment = None;
    }
}

fn class<T>(rng: &mut Rng, permille: u64, draw: impl Fn(&mut Rng) -> T) -> Option<T> {
    let drawn = draw(rng);
    rng.chance(permille).then_some(drawn)
}

/// Any power of two between the bounds is as likely as any other.
fn magnitude(rng: &mut Rng, least: u64, most: u64) -> u64 {
    let octaves = u64::from((most / least).ilog2());
    let base = least << rng.between(0, octaves);
    rng.between(base, base * 2).min(most)
}

fn rhythm(rng: &mut Rng, every: (u64, u64), lasts: (u64, u64)) -> Rhythm {
    Rhythm {
        every: rng.between(every.0 * SECOND, every.1 * SECOND),
        lasts: rng.between(lasts.0 * SECOND, lasts.1 * SECOND),
    }
}
