//! The chain that a seed runs: its genesis, keys and accounts.
use crate::{faults::Faults, rng::Rng, scheme::Signatures};
use std::sync::Arc;
use timecoin_chain::{
    crypto::{SignatureScheme, Signer},
    genesis::{Allocation, Chain, Genesis, Network, Params, Timeout},
    types::{Amount, Lock, Masternode, Millis, Timestamp},
};

/// When the chain begins, on a perfect wall clock.
pub const GENESIS_MS: u64 = 1_800_000_000_000;
/// Keys that own the first coins.
pub const ACCOUNTS: u8 = 4;
/// Coins of each.
const COINS_EACH: u64 = 6;
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
        let members = (0_u8..)
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
        let allocations = accounts
            .iter()
            .map(|account| Allocation {
                lock: Lock::Key(account.public_key()),
                value: Amount::from_time(100),
                outputs: COINS_EACH,
            })
            .collect();
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
        }
    }
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
