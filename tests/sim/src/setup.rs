//! The chain that a seed runs: its genesis, keys and accounts.
use crate::{faults::Faults, rng::Rng, scheme::Signatures};
use std::sync::Arc;
use timecoin_chain::{
    crypto::{SignatureScheme, Signer},
    genesis::{Allocation, Chain, Genesis, Network, Params, Timeout},
    types::{Amount, Height, Lock, Masternode, Millis, NodeKey, Round, Timestamp},
};

/// When the chain begins, on a perfect wall clock.
pub const GENESIS_MS: u64 = 1_800_000_000_000;
/// Keys that own the first coins.
pub const ACCOUNTS: u8 = 4;
/// Coins of each.
const COINS_EACH: u64 = 6;
/// Signatures that each coin of the hoard takes.
const HOARDERS: u8 = 16;
/// Coins of the hoard: more signatures than a node verifies for a block that nobody backs.
const HOARD: u64 = 240;
const FIRST_HOARDER: u8 = 110;
const FIRST_ACCOUNT: u8 = 200;
const FIRST_PAYOUT: u8 = 150;
const TREASURY: u8 = 149;

/// Everything that stays the same while a seed runs.
pub struct Setup {
    /// The chain.
    pub chain: Arc<Chain>,
    /// How signatures are checked.
    pub scheme: Arc<dyn SignatureScheme>,
    /// The masternodes' signers, by index in the set.
    pub masternodes: Vec<Arc<dyn Signer>>,
    /// The accounts' signers.
    pub accounts: Vec<Arc<dyn Signer>>,
    /// The signers of the hoard; all must sign to spend it.
    pub hoarders: Vec<Arc<dyn Signer>>,
    turns: Vec<u16>,
    presences: bool,
}

impl Setup {
    /// The chain of a seed.
    pub fn draw(rng: &mut Rng, faults: &Faults, masternodes: u8) -> Self {
        let signatures = match faults.real_signatures {
            true => Signatures::Real,
            false => Signatures::Ideal,
        };
        let mut signers: Vec<_> = (1..=masternodes).map(|n| signatures.signer(n)).collect();
        signers.sort_by_key(|signer| signer.public_key());
        let lock = |number| Lock::Key(signatures.signer(number).public_key());
        let members: Vec<Masternode> = (0_u8..)
            .zip(&signers)
            .map(|(index, signer)| Masternode {
                key: signer.public_key(),
                weight: match (faults.skewed_weights, faults.uneven_weights) {
                    (true, _) => [1, 10, 100][usize::from(index % 3)],
                    (_, true) => rng.between(6, 9),
                    (false, false) => 1,
                },
                payout: lock(FIRST_PAYOUT + index % ACCOUNTS),
            })
            .collect();
        let accounts: Vec<_> =
            (0..ACCOUNTS).map(|n| signatures.signer(FIRST_ACCOUNT + n)).collect();
        let hoarders = match faults.bad_blocks {
            true => hoarders(signatures),
            false => Vec::new(),
        };
        let mut allocations: Vec<_> = accounts
            .iter()
            .map(|account| Allocation {
                lock: Lock::Key(account.public_key()),
                value: Amount::from_time(100),
                outputs: COINS_EACH,
            })
            .collect();
        if faults.bad_blocks {
            let (lock, value) = (hoard(&hoarders), Amount::from_time(1));
            allocations.push(Allocation { lock, value, outputs: HOARD });
        }
        let weights: Vec<u64> = members.iter().map(|member| member.weight).collect();
        let turns = turns(&weights);
        let genesis = Genesis {
            network: Network::Dev,
            time: Timestamp(GENESIS_MS),
            params: params(lock(TREASURY)),
            masternodes: members,
            allocations,
        };
        Self {
            chain: Arc::new(Chain::new(genesis).expect("the simulator's genesis keeps the rules")),
            scheme: signatures.scheme(),
            masternodes: signers,
            accounts,
            hoarders,
            turns,
            presences: faults.presences,
        }
    }

    /// The node of a masternode, as others know it, if masternodes say so on this chain.
    pub fn node_of(&self, signer: Option<&dyn Signer>) -> Option<NodeKey> {
        signer.filter(|_| self.presences).map(|signer| NodeKey(signer.public_key().0))
    }

    /// The lock of the hoard.
    pub fn hoard(&self) -> Lock {
        hoard(&self.hoarders)
    }

    /// The proposer, computed independently: the oracle uses this and not the chain.
    pub fn proposer(&self, height: Height, round: Round) -> u16 {
        let turn = (u128::from(height.0) + u128::from(round.0)) % self.turns.len() as u128;
        self.turns[usize::try_from(turn).expect("an index of a list")]
    }
}

fn hoarders(signatures: Signatures) -> Vec<Arc<dyn Signer>> {
    let mut hoarders: Vec<_> =
        (0..HOARDERS).map(|n| signatures.signer(FIRST_HOARDER + n)).collect();
    hoarders.sort_by_key(|signer| signer.public_key());
    hoarders
}

fn hoard(hoarders: &[Arc<dyn Signer>]) -> Lock {
    let keys = hoarders.iter().map(|signer| signer.public_key()).collect();
    Lock::Multi { threshold: HOARDERS, keys }
}

/// Smooth weighted round-robin, turn by turn, for as many turns as the sum of all weights.
fn turns(weights: &[u64]) -> Vec<u16> {
    let all = weights.iter().sum::<u64>().cast_signed();
    let mut credit = vec![0_i64; weights.len()];
    let mut turns = Vec::new();
    while turns.len() < usize::try_from(all).expect("a small sum") {
        let mut next = 0;
        for (member, weight) in weights.iter().enumerate() {
            credit[member] += weight.cast_signed();
            if credit[member] > credit[next] {
                next = member;
            }
        }
        credit[next] -= all;
        turns.push(u16::try_from(next).expect("at most 100 members"));
    }
    turns
}

/// The devnet's parameters.
fn params(treasury: Lock) -> Params {
    let timeout = Timeout { base: Millis(500), step: Millis(250) };
    Params {
        block_interval: Millis(2_000),
        min_block_spacing: Millis(100),
        propose_timeout: timeout,
        vote_timeout: timeout,
        timeout_max: Millis(60_000),
        clock_drift_max: Millis(10_000),
        epoch_blocks: 10,
        evidence_age_blocks: 100,
        block_bytes_max: 4 * 1024 * 1024,
        min_relay_fee: 1,
        issuance_per_day: Amount::from_time(14_400),
        treasury,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_turns_told_twice_are_the_same() {
        let mut rng = Rng::new(1);
        let even = Faults::none();
        let uneven = Faults { uneven_weights: true, ..Faults::none() };
        let skewed = Faults { skewed_weights: true, ..Faults::none() };
        for (faults, masternodes) in [(even, 7), (uneven, 10), (skewed, 100)] {
            let setup = Setup::draw(&mut rng, &faults, masternodes);
            let set = &setup.chain.masternodes;
            let far = [u64::MAX - 1, u64::MAX].into_iter();
            for height in (0..2 * set.total_weight()).chain(far).map(Height) {
                for round in [0, 1, u32::MAX].map(Round) {
                    assert_eq!(setup.proposer(height, round), set.proposer(height, round));
                }
            }
        }
    }
}
