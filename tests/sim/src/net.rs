//! Decides which messages arrive and when. Carries no messages itself.
use crate::{
    faults::Faults,
    instances::{Class, Instances},
    obstacles::{Label, Obstacles},
    rng::Rng,
};
use std::collections::BTreeMap;

/// When a copy of a message arrives, and whether it is too late for the duplicate caches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The moment.
    pub at: u64,
    /// Whether it passes the duplicate cache.
    pub passes_cache: bool,
}

/// A group of nodes: a bit for each, and for every 128th after it.
pub type Group = u128;

/// The shapes of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// One node reaches nobody, and nobody reaches it.
    One(usize),
    /// This group and the others.
    Halves(Group),
    /// One node is heard and hears nothing.
    Deaf(usize),
    /// One node hears and is not heard.
    Mute(usize),
    /// This group hears the others and is not heard by them.
    OneWay(Group),
    /// Two groups with nodes in common, which alone reach both.
    Bridge(Group, Group),
}

impl Cut {
    /// Two groups of a large network: about half of it and the others, or about a quarter.
    pub fn draw_groups(rng: &mut Rng) -> Self {
        let mut half = || Group::from(rng.number()) << 64 | Group::from(rng.number());
        let (half, other) = (half(), half());
        Self::Halves(if rng.chance(500) { half } else { half & other })
    }

    /// Any shape of a small network.
    pub fn draw(rng: &mut Rng, nodes: usize) -> Self {
        let node = rng.index(nodes);
        // Neither empty nor everyone.
        let all = (0..nodes).fold(0, |all: Group, node| all | 1 << node);
        let any = Group::from(rng.number()) << 64 | Group::from(rng.number());
        let group = any & all & !(1 << node) | 1 << ((node + 1) % nodes);
        let common = 1 << rng.index(nodes);
        match rng.below(6) {
            0 => Self::One(node),
            1 => Self::Deaf(node),
            2 => Self::Mute(node),
            3 => Self::OneWay(group),
            4 => Self::Bridge(group | common, all & !group | common),
            _ => Self::Halves(group),
        }
    }

    fn reaches(self, from: usize, to: usize) -> bool {
        let holds = |group: Group, node: usize| (group >> (node % 128)) & 1 == 1;
        match self {
            Self::One(node) => from != node && to != node,
            Self::Deaf(node) => to != node,
            Self::Mute(node) => from != node,
            Self::Halves(group) => holds(group, from) == holds(group, to),
            Self::OneWay(group) => !holds(group, from) || holds(group, to),
            Self::Bridge(one, other) => {
                holds(one, from) && holds(one, to) || holds(other, from) && holds(other, to)
            }
        }
    }
}

/// All directed links.
#[derive(Debug)]
pub struct Net {
    /// Temporary obstacles.
    pub obstacles: Obstacles,
    /// A node whose messages take longer than others', and by how much.
    pub lag: Option<(usize, u64)>,
    cut: Option<Cut>,
    connections: BTreeMap<(usize, usize), u64>,
    connections_made: u64,
    last_arrival: BTreeMap<(usize, usize), u64>,
}

impl Net {
    /// Nobody is connected.
    pub fn new() -> Self {
        Self {
            obstacles: Obstacles::default(),
            lag: None,
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

    /// Ends a partition.
    pub fn heal(&mut self) {
        self.cut = None;
    }

    /// The partition, if there is one.
    pub fn current_cut(&self) -> Option<Cut> {
        self.cut
    }

    /// Whether messages get from one to the other.
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        self.cut.is_none_or(|cut| cut.reaches(from, to))
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

    /// When a message sent now arrives: never, once or twice. The same random numbers are drawn in
    /// every case.
    pub fn arrivals(
        &mut self,
        rng: &mut Rng,
        (faults, instances): (&Faults, &mut Instances),
        now: u64,
        link: (usize, usize),
        label: Label,
    ) -> Vec<Arrival> {
        let mut arrivals = Vec::with_capacity(1);
        let lag = self.lag.filter(|(node, _)| *node == link.0).map_or(0, |(_, lag)| lag);
        let delay = 100 + lag + rng.exponential(faults.delay);
        let (is_lost, is_doubled) = (rng.chance(faults.loss), rng.chance(faults.duplicate));
        let later = if is_doubled { rng.exponential(faults.delay * 4) } else { 0 };
        let is_open = self.reaches(link.0, link.1) && !self.obstacles.takes(link, now, label);
        if !is_open || is_lost && instances.strikes(Class::Loss) {
            return arrivals;
        }
        let mut at = self.obstacles.held_until(link, now, now + delay);
        let last = self.last_arrival.entry(link).or_default();
        if !faults.reorder {
            at = at.max(*last + 1);
        }
        *last = at;
        arrivals.push(Arrival { at, passes_cache: false });
        if is_doubled && instances.strikes(Class::Duplicate) {
            arrivals.push(Arrival { at: at + later, passes_cache: faults.late_duplicates });
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
