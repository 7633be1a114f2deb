//! Who reaches whom, and when. Decides fates; carries nothing itself.
use crate::{faults::Faults, rng::Rng};
use std::collections::BTreeMap;

/// When a copy of a message arrives, and whether it comes so late that no duplicate cache knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The moment.
    pub at: u64,
    /// Whether it passes the duplicate cache.
    pub passes_cache: bool,
}

/// The shapes of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// One node reaches nobody, and nobody reaches it.
    One(usize),
    /// Two groups: a bit for each node.
    Halves(u64),
    /// One node is heard and hears nothing.
    Deaf(usize),
    /// One node hears and is not heard.
    Mute(usize),
}

impl Cut {
    /// Any shape.
    pub fn draw(rng: &mut Rng, nodes: usize) -> Self {
        let node = rng.index(nodes);
        match rng.below(4) {
            0 => Self::One(node),
            1 => Self::Deaf(node),
            2 => Self::Mute(node),
            _ => Self::Halves((rng.number() & !(1 << node)) | 1 << ((node + 1) % nodes)),
        }
    }
}

/// All directed links.
#[derive(Debug)]
pub struct Net {
    cut: Option<Cut>,
    connections: BTreeMap<(usize, usize), u64>,
    connections_made: u64,
    last_arrival: BTreeMap<(usize, usize), u64>,
}

impl Net {
    /// Nobody is connected.
    pub fn new() -> Self {
        Self {
            cut: None,
            connections: BTreeMap::new(),
            connections_made: 0,
            last_arrival: BTreeMap::new(),
        }
    }

    /// Begins a partition.
    pub fn cut(&mut self, cut: Cut) {
        self.cut = Some(cut);
    }

    /// Whether there is one.
    pub fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// Ends a partition.
    pub fn heal(&mut self) {
        self.cut = None;
    }

    /// Whether messages get from one to the other.
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        match self.cut {
            None => true,
            Some(Cut::One(node)) => from != node && to != node,
            Some(Cut::Deaf(node)) => to != node,
            Some(Cut::Mute(node)) => from != node,
            Some(Cut::Halves(bits)) => (bits >> from) & 1 == (bits >> to) & 1,
        }
    }

    /// Whether a connection can be made or kept: it needs both directions.
    pub fn can_connect(&self, a: usize, b: usize) -> bool {
        self.reaches(a, b) && self.reaches(b, a)
    }

    /// The connection of two nodes.
    pub fn connection(&self, a: usize, b: usize) -> Option<u64> {
        self.connections.get(&pair(a, b)).copied()
    }

    /// Makes a connection. Its number is never used again.
    pub fn connect(&mut self, a: usize, b: usize) -> u64 {
        self.connections_made += 1;
        self.connections.insert(pair(a, b), self.connections_made);
        self.connections_made
    }

    /// Ends a connection.
    pub fn disconnect(&mut self, a: usize, b: usize) -> Option<u64> {
        self.connections.remove(&pair(a, b))
    }

    /// When a message sent now arrives: never, once or twice.
    pub fn arrivals(
        &mut self,
        rng: &mut Rng,
        faults: &Faults,
        now: u64,
        (from, to): (usize, usize),
    ) -> Vec<Arrival> {
        let mut arrivals = Vec::with_capacity(1);
        if !self.reaches(from, to) || rng.chance(faults.loss) {
            return arrivals;
        }
        let mut at = now + 100 + rng.exponential(faults.delay);
        let last = self.last_arrival.entry((from, to)).or_default();
        if !faults.reorder {
            at = at.max(*last + 1);
        }
        *last = at;
        arrivals.push(Arrival { at, passes_cache: false });
        if rng.chance(faults.duplicate) {
            let at = at + rng.exponential(faults.delay * 4);
            arrivals.push(Arrival { at, passes_cache: faults.late_duplicates });
        }
        arrivals
    }
}

impl Default for Net {
    fn default() -> Self {
        Self::new()
    }
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}
