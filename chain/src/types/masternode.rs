//! The ordered, weighted set of voting masternodes, its quorum and its proposers.
//!
//! Invariant: nothing lowers the quorum. It is `3 * weight > 2 * total`, in 128 bits.
use super::{Height, Lock, Round};
use crate::{
    crypto::{PublicKey, hash_of},
    limits::{MASTERNODE_WEIGHT_MAX, MASTERNODES_MAX},
};
use serde::{Deserialize, Serialize};

/// One voter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masternode {
    /// The key that signs its votes and proposals.
    pub key: PublicKey,
    /// Its weight: 1, 10 or 100 by tier.
    pub weight: u64,
    /// Where its rewards are paid.
    pub payout: Lock,
}

/// Why a list of masternodes is not a valid set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// None, or too many.
    #[error("{count} masternodes, between 1 and {max} are allowed")]
    Count {
        /// How many.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
    /// Zero weight, or too much.
    #[error("masternode {index} has weight {weight}, between 1 and {max} is allowed")]
    Weight {
        /// Which.
        index: usize,
        /// Its weight.
        weight: u64,
        /// The most allowed.
        max: u64,
    },
    /// Keys repeat or are not in ascending order.
    #[error("masternode {index} is not in strictly ascending order of key")]
    Order {
        /// The first that is out of order.
        index: usize,
    },
}

/// The voters of an epoch, by strictly ascending key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasternodeSet {
    members: Vec<Masternode>,
    total: u64,
    hash: [u8; 32],
    rotation: Vec<u16>,
}

impl MasternodeSet {
    /// Checks the members and prepares the rotation of proposers.
    pub fn new(members: Vec<Masternode>) -> Result<Self, SetError> {
        if members.is_empty() || members.len() > MASTERNODES_MAX {
            return Err(SetError::Count { count: members.len(), max: MASTERNODES_MAX });
        }
        for (index, member) in members.iter().enumerate() {
            if member.weight == 0 || member.weight > MASTERNODE_WEIGHT_MAX {
                let (weight, max) = (member.weight, MASTERNODE_WEIGHT_MAX);
                return Err(SetError::Weight { index, weight, max });
            }
            if index > 0 && members[index - 1].key >= member.key {
                return Err(SetError::Order { index });
            }
        }
        let total = members.iter().map(|member| member.weight).sum();
        let hash = hash_of("tc/set", &members);
        let rotation = rotation(&members, total);
        Ok(Self { members, total, hash, rotation })
    }

    /// The members in order.
    pub fn members(&self) -> &[Masternode] {
        &self.members
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Always false: a set has at least one member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// One member by index.
    pub fn get(&self, index: u16) -> Option<&Masternode> {
        self.members.get(usize::from(index))
    }

    /// The index of the member with this key.
    pub fn index_of(&self, key: &PublicKey) -> Option<u16> {
        let found = self.members.binary_search_by_key(key, |member| member.key).ok()?;
        u16::try_from(found).ok()
    }

    /// The total weight of all members.
    pub fn total_weight(&self) -> u64 {
        self.total
    }

    /// The weight of these members; an unknown index weighs nothing. Indices must be distinct.
    pub fn weight_of(&self, indices: impl IntoIterator<Item = u16>) -> u64 {
        indices.into_iter().filter_map(|index| self.get(index)).map(|member| member.weight).sum()
    }

    /// Whether a weight is more than two thirds of the total: enough for a certificate.
    pub fn is_quorum(&self, weight: u64) -> bool {
        let (three_of_it, two_of_all) = (3 * u128::from(weight), 2 * u128::from(self.total));
        three_of_it > two_of_all
    }

    /// Whether a weight is more than one third of the total: it includes at least one honest
    /// member.
    pub fn is_honest_part(&self, weight: u64) -> bool {
        3 * u128::from(weight) > u128::from(self.total)
    }

    /// The proposer: the next member in the rotation for each height and each round.
    pub fn proposer(&self, height: Height, round: Round) -> u16 {
        let turns = self.rotation.len() as u64;
        let turn = (height.0 % turns + u64::from(round.0) % turns) % turns;
        self.rotation[usize::try_from(turn).expect("a rotation is at most 10,000 turns long")]
    }

    /// The hash of the set, as headers carry it.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }
}

/// One cycle of smooth weighted round-robin: in every turn each member gains its weight, the member
/// with the highest balance proposes and pays the total; ties go to the lowest index.
///
/// In any run of consecutive turns as long as a cycle, each member proposes exactly as often as its
/// weight divided by the greatest common divisor of all weights. Counted from the start of a cycle,
/// no member is a whole turn ahead of its share, and none of `n` members is more than
/// `1/2 + 1/3 + ... + 1/n` turns behind (4.2 for 100). The reason: a turn adds one to the total
/// lag, and the member furthest behind takes it. So the average lag of any `k` members never
/// exceeds that of some `k + 1` members before the turn plus `1/(k + 1)`, and the lag of all `n`
/// together is never positive.
fn rotation(members: &[Masternode], total: u64) -> Vec<u16> {
    let divisor = members.iter().fold(total, |divisor, member| gcd(divisor, member.weight));
    let mut credits = vec![0_i64; members.len()];
    let signed = |weight: u64| i64::try_from(weight / divisor).expect("weights are at most 100");
    (0..total / divisor)
        .map(|_| {
            for (credit, member) in credits.iter_mut().zip(members) {
                *credit += signed(member.weight);
            }
            let richest = (0..credits.len())
                .rev()
                .max_by_key(|&index| credits[index])
                .expect("a set has at least one member");
            credits[richest] -= signed(total);
            u16::try_from(richest).expect("a set has at most MASTERNODES_MAX members")
        })
        .collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(weights: &[u64]) -> MasternodeSet {
        let members = weights.iter().enumerate().map(|(index, &weight)| {
            let mut key = [0; 32];
            key[0] = u8::try_from(index).expect("few");
            Masternode { key: PublicKey(key), weight, payout: Lock::Key(PublicKey(key)) }
        });
        MasternodeSet::new(members.collect()).expect("valid set")
    }

    #[test]
    fn exactly_two_thirds_is_not_a_quorum() {
        let three = set(&[1, 1, 1]);
        assert!(!three.is_quorum(2));
        assert!(three.is_quorum(3));
        let four = set(&[1, 1, 1, 1]);
        assert!(four.is_quorum(3));
        assert!(!four.is_quorum(2));
        assert!(!four.is_honest_part(1));
        assert!(four.is_honest_part(2));
    }

    #[test]
    fn two_quorums_share_more_than_a_third_for_every_total() {
        for total in 1..=300_u64 {
            let quorum = (0..=total).find(|w| 3 * w > 2 * total).expect("all of it is a quorum");
            assert!(3 * (2 * quorum - total) > total, "total {total}");
        }
    }

    #[test]
    fn turns_are_in_proportion_and_evenly_spread() {
        let set = set(&[1, 2, 5]);
        let turns: Vec<u16> = (0..8).map(|h| set.proposer(Height(h), Round(0))).collect();
        for (index, weight) in [(0, 1), (1, 2), (2, 5)] {
            assert_eq!(turns.iter().filter(|&&turn| turn == index).count(), weight);
        }
        assert!(!turns.windows(4).any(|four| four.iter().all(|&turn| turn == 2)), "{turns:?}");
    }

    /// Sets of every size and kind of weights, the same in every run.
    fn many_sets() -> Vec<Vec<u64>> {
        let hundred = |tier: fn(usize) -> usize| (0..100).map(|n| [1, 10, 100][tier(n)]).collect();
        let mut sets: Vec<Vec<u64>> = vec![
            hundred(|n| n % 3),
            hundred(|n| n / 34),
            hundred(|n| 2 - n / 34),
            hundred(|n| usize::from(n == 99) * 2),
            vec![100; 100],
            (1..=100).collect(),
        ];
        let mut state = 1_u64;
        let mut below = move |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % bound
        };
        for number in 0..300 {
            let most = [2, 5, 10, 100][number % 4];
            let weight = |below: &mut dyn FnMut(u64) -> u64| match number % 3 {
                0 => [1, 10, 100][usize::try_from(below(3)).expect("three")],
                1 => 1 + below(most),
                _ => 6 * (1 + below(16)),
            };
            sets.push((0..=below(24)).map(|_| weight(&mut below)).collect());
        }
        sets
    }

    #[test]
    fn in_every_window_of_one_cycle_each_member_proposes_exactly_its_share() {
        for weights in many_sets() {
            let set = set(&weights);
            let divisor = weights.iter().fold(0, |divisor, &weight| gcd(divisor, weight));
            let cycle = weights.iter().sum::<u64>() / divisor;
            let at = |turn| usize::from(set.proposer(Height(turn), Round(0)));
            let shares: Vec<u64> = weights.iter().map(|weight| weight / divisor).collect();
            let mut counts = vec![0; weights.len()];
            (0..cycle).for_each(|turn| counts[at(turn)] += 1);
            assert_eq!(counts, shares, "{weights:?}");
            for first in 0..cycle {
                let (gone, come) = (at(first), at(first + cycle));
                counts[gone] -= 1;
                counts[come] += 1;
                let are_right = [gone, come].iter().all(|&who| counts[who] == shares[who]);
                assert!(are_right, "{weights:?} from {}", first + 1);
            }
        }
    }

    #[test]
    fn nobody_is_a_turn_ahead_or_more_than_a_few_behind() {
        let mut worst = 0;
        for weights in many_sets() {
            let set = set(&weights);
            let total: i64 = weights.iter().sum::<u64>().cast_signed();
            let members = i64::try_from(weights.len()).expect("few");
            // In millionths of a turn.
            let most: i64 = (2..=members).map(|n| 1_000_000 / n + 1).sum();
            let mut behind = vec![0; weights.len()];
            for turn in 0..set.rotation.len() {
                for (behind, weight) in behind.iter_mut().zip(&weights) {
                    *behind += 1_000_000 * weight.cast_signed();
                }
                let proposer = set.proposer(Height(turn as u64), Round(0));
                behind[usize::from(proposer)] -= 1_000_000 * total;
                for behind in &behind {
                    assert!(*behind > -1_000_000 * total, "{weights:?} ahead at turn {turn}");
                    assert!(*behind <= most * total, "{weights:?} behind at turn {turn}");
                    worst = worst.max(behind / total);
                }
            }
        }
        assert!(worst > 1_000_000, "one turn would do as a bound");
    }

    #[test]
    fn a_new_round_has_another_proposer() {
        let set = set(&[1, 1, 1, 1]);
        let first: Vec<u16> = (0..4).map(|r| set.proposer(Height(9), Round(r))).collect();
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3]);
        assert_eq!(
            set.proposer(Height(u64::MAX), Round(u32::MAX)),
            set.proposer(Height(3), Round(3))
        );
    }

    #[test]
    fn a_list_that_is_not_a_set_is_refused() {
        let node = |key: u8, weight| Masternode {
            key: PublicKey([key; 32]),
            weight,
            payout: Lock::Key(PublicKey([key; 32])),
        };
        assert!(matches!(MasternodeSet::new(vec![]), Err(SetError::Count { .. })));
        assert!(matches!(MasternodeSet::new(vec![node(1, 0)]), Err(SetError::Weight { .. })));
        assert!(matches!(MasternodeSet::new(vec![node(1, 101)]), Err(SetError::Weight { .. })));
        let twice = vec![node(1, 1), node(1, 1)];
        assert_eq!(MasternodeSet::new(twice), Err(SetError::Order { index: 1 }));
    }
}
