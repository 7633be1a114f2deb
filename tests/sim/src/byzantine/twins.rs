//! Twins: one key on several nodes, each with an unmodified engine and a disk of its own. For some
//! rounds of one height a scenario says which copy reaches which honest node. All reach all in later
//! rounds, and in any round once everything healed: a node that is cut off from a quorum stays in its
//! round until then.
//!
//! Scenarios are enumerated without repetition, up to what only renames: the copies among each other,
//! and honest nodes that propose in none of these rounds. What remains is numbered, so that a part can
//! be drawn without drawing anything twice.
use crate::setup::Setup;
use timecoin_chain::types::{Height, MasternodeSet, Round};

/// The height at which masks apply. Before, all nodes have met.
pub const HEIGHT: Height = Height(3);

/// Copies, as bits: those that reach a node in a round.
type Copies = u8;

/// A height and a round of it.
type Place = (Height, Round);

/// Who reaches whom at [`HEIGHT`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// How many nodes have the key.
    pub copies: u8,
    /// The round in which the key proposes first; the number of rounds where it does in none.
    pub leads: u32,
    /// Whether honest nodes that share no copy do not reach each other either.
    pub cut: bool,
    /// For each honest node, by the round in which it proposes first, the copies it reaches in
    /// each round.
    pub columns: Vec<Vec<Copies>>,
}

/// All scenarios of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    nodes: u32,
    rounds: u32,
    copies: u8,
    /// Columns that one honest node may have.
    columns: u64,
    size: u64,
}

impl Space {
    /// The scenarios of so many masternodes, rounds and copies. None where they cannot be numbered.
    pub fn new(nodes: u8, rounds: u32, copies: u8) -> Option<Self> {
        let nodes = u32::from(nodes);
        let columns = (1_u64 << copies).checked_sub(1)?.checked_pow(rounds)?;
        let classes = u64::from(nodes.min(rounds + 1));
        let size = columns.checked_pow(nodes - 1)?.checked_mul(2 * classes)?;
        Some(Self { nodes, rounds, copies, columns, size })
    }

    /// How many numbers there are; not each stands for a scenario.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The scenario with this number; none where another number stands for the same.
    pub fn get(&self, number: u64) -> Option<Scenario> {
        let (mut rest, mut digits) = (number, Vec::new());
        for _ in 1..self.nodes {
            digits.push(rest % self.columns);
            rest /= self.columns;
        }
        let cut = !rest.is_multiple_of(2);
        let leads = u32::try_from(rest / 2).ok()?;
        let columns: Vec<Vec<Copies>> = digits.iter().map(|digit| self.column(*digit)).collect();
        let scenario = Scenario { copies: self.copies, leads, cut, columns };
        self.is_canonical(&scenario).then_some(scenario)
    }

    /// The numbers of up to `count` scenarios, drawn from the beginning or anywhere.
    pub fn sample(&self, from: u64) -> impl Iterator<Item = u64> + use<> {
        let size = u128::from(self.size);
        // A step that shares no factor with the size comes to every number once.
        let near = (size * 618 / 1_000).max(1);
        let step = (near..).find(|step| gcd(*step, size) == 1).unwrap_or(1);
        let place = move |index: u64| {
            u64::try_from(u128::from(index) * step % size).expect("below a 64-bit size")
        };
        (from..self.size).map(place)
    }

    fn column(&self, mut digit: u64) -> Vec<Copies> {
        let values = (1_u64 << self.copies) - 1;
        (0..self.rounds)
            .map(|_| {
                let value = digit % values + 1;
                digit /= values;
                u8::try_from(value).expect("a few bits")
            })
            .collect()
    }

    /// The least of all that only rename.
    fn is_canonical(&self, scenario: &Scenario) -> bool {
        let leaders = self.leaders(scenario.leads);
        let ordered = |columns: &[Vec<Copies>]| columns[leaders..].is_sorted();
        let renamed = |names: &[u8]| {
            let mut columns: Vec<Vec<Copies>> = scenario
                .columns
                .iter()
                .map(|column| column.iter().map(|copies| rename(*copies, names)).collect())
                .collect();
            columns[leaders..].sort();
            columns
        };
        ordered(&scenario.columns)
            && permutations(self.copies).iter().all(|names| scenario.columns <= renamed(names))
    }

    /// How many honest nodes propose in the rounds of the scenario: they are not like each other.
    fn leaders(&self, leads: u32) -> usize {
        let leaders = self.rounds.min(self.nodes);
        let honest = if leads < self.rounds { leaders.saturating_sub(1) } else { leaders };
        usize::try_from(honest).expect("at most the nodes")
    }
}

/// A scenario with its nodes.
#[derive(Debug, Clone)]
pub struct Masks {
    scenario: Scenario,
    /// The masternode with the key.
    pub key: u16,
    /// The node of each copy.
    pub nodes: Vec<usize>,
    honest: Vec<u16>,
}

impl Masks {
    /// Gives the scenario's parts to the masternodes of a chain.
    pub fn new(setup: &Setup, scenario: Scenario) -> Self {
        let set = &setup.chain.masternodes;
        let order = proposers(set);
        let key = order[usize::try_from(scenario.leads).expect("a few") % order.len()];
        let honest = order.iter().copied().filter(|member| *member != key).collect();
        let first = usize::from(key);
        let nodes = (0..usize::from(scenario.copies))
            .map(|copy| if copy == 0 { first } else { set.len() + copy - 1 })
            .collect();
        Self { scenario, key, nodes, honest }
    }

    /// Whether a message of a round gets from one node to the other.
    pub fn lets_pass(&self, from: usize, to: usize, (height, round): Place) -> bool {
        if height != HEIGHT {
            return true;
        }
        let (one, other) = (self.reach(from, round), self.reach(to, round));
        match (self.copy(from), self.copy(to)) {
            (Some(_), Some(_)) => one.is_none() && other.is_none(),
            (Some(copy), None) => other.is_none_or(|copies| copies & copy != 0),
            (None, Some(copy)) => one.is_none_or(|copies| copies & copy != 0),
            (None, None) => {
                let shares = one.zip(other).is_none_or(|(one, other)| one & other != 0);
                !self.scenario.cut || shares
            }
        }
    }

    /// The bit of a copy.
    fn copy(&self, node: usize) -> Option<Copies> {
        self.nodes.iter().position(|copy| *copy == node).map(|copy| 1 << copy)
    }

    /// The copies that a node reaches; none where the rounds of the scenario are over.
    fn reach(&self, node: usize, round: Round) -> Option<Copies> {
        let column = match self.copy(node) {
            Some(_) => self.scenario.columns.first(),
            None => {
                let place = self.honest.iter().position(|member| usize::from(*member) == node);
                place.and_then(|place| self.scenario.columns.get(place))
            }
        };
        column?.get(usize::try_from(round.0).ok()?).copied()
    }
}

/// The masternodes in the order in which they propose at [`HEIGHT`].
fn proposers(set: &MasternodeSet) -> Vec<u16> {
    let mut order = Vec::new();
    for round in (0..).map(Round) {
        let proposer = set.proposer(HEIGHT, round);
        if order.contains(&proposer) && order.len() == set.len() {
            break;
        }
        if !order.contains(&proposer) {
            order.push(proposer);
        }
    }
    order
}

fn rename(copies: Copies, names: &[u8]) -> Copies {
    let of = |(copy, name): (usize, &u8)| if copies & (1 << copy) != 0 { 1 << name } else { 0 };
    names.iter().enumerate().map(of).fold(0, |renamed, bit| renamed | bit)
}

/// Every order of the first few numbers.
fn permutations(count: u8) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for next in 0..count {
        all = all
            .iter()
            .flat_map(|order: &Vec<u8>| {
                (0..=order.len()).map(move |place| {
                    let mut order = order.clone();
                    order.insert(place, next);
                    order
                })
            })
            .collect();
    }
    all
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn one_round_of_four_nodes_has_exactly_these_scenarios() {
        let space = Space::new(4, 1, 2).expect("a small space");
        let all: Vec<Scenario> = (0..space.size()).filter_map(|n| space.get(n)).collect();
        // Three nodes that lead no round, each with one copy, the other or both: 10 multisets, 2 of
        // which the swap of the copies leaves as they are, so (10 + 2) / 2.
        let twin_leads = all.iter().filter(|s| s.leads == 0 && !s.cut).count();
        assert_eq!(twin_leads, 6);
        // One of three leads: 3 * 6, of which the swap leaves 2 as they are.
        let other_leads = all.iter().filter(|s| s.leads == 1 && !s.cut).count();
        assert_eq!(other_leads, 10);
        assert_eq!(all.len(), 2 * (6 + 10));
    }

    #[test]
    fn a_sample_comes_to_every_number_once() {
        let space = Space::new(4, 2, 2).expect("a small space");
        let numbers: BTreeSet<u64> = space.sample(0).collect();
        assert_eq!(numbers.len() as u64, space.size());
    }

    #[test]
    fn three_copies_have_six_orders() {
        let orders: BTreeSet<Vec<u8>> = permutations(3).into_iter().collect();
        assert_eq!(orders.len(), 6);
        assert_eq!(rename(0b011, &[1, 2, 0]), 0b110);
    }
}
