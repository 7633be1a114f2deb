//! The genesis: everything that all nodes of a chain must agree on before the first block.
//!
//! Its hash identifies the chain. Every signature, protocol name and database contains it.
pub use crate::types::{ChainId, GenesisHash};
use crate::{
    codec::Canonical,
    crypto::hash_of,
    limits::{BLOCK_BYTES_MAX, GENESIS_BYTES_MAX, GENESIS_OUTPUTS_MAX},
    types::{Amount, Lock, Masternode, MasternodeSet, Millis, SetError, Timestamp},
};
use serde::{Deserialize, Serialize};

/// Which kind of network a chain is: it decides the address prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Network {
    /// Real money.
    Main,
    /// The public test network.
    Test,
    /// A local or private network.
    Dev,
}

/// A timeout that grows with the round: `base + step * round`, capped at `timeout_max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeout {
    /// The timeout in round 0.
    pub base: Millis,
    /// The increase per round.
    pub step: Millis,
}

/// The parameters of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    /// Block interval when there are no transactions.
    pub block_interval: Millis,
    /// Minimum block spacing.
    pub min_block_spacing: Millis,
    /// How long to wait for a proposal after it is due.
    pub propose_timeout: Timeout,
    /// How long to wait for more votes after more than two thirds have voted.
    pub vote_timeout: Timeout,
    /// The upper limit of every timeout.
    pub timeout_max: Millis,
    /// How far a proposal's timestamp may be ahead of a voter's clock.
    pub clock_drift_max: Millis,
    /// Blocks in an epoch; rewards are paid at its end.
    pub epoch_blocks: u64,
    /// For how many blocks after an offence a block may record its evidence.
    pub evidence_age_blocks: u64,
    /// Maximum bytes of an encoded block.
    pub block_bytes_max: u64,
    /// Minimum fee per byte, in units, for a transaction to be relayed.
    pub min_relay_fee: u64,
    /// New money per day.
    pub issuance_per_day: Amount,
    /// Who receives the treasury's share of the issuance.
    pub treasury: Lock,
}

/// Coins that exist from the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// Who owns them.
    pub lock: Lock,
    /// The value of each.
    pub value: Amount,
    /// How many of that value.
    pub outputs: u64,
}

/// The starting state of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// Which kind of network.
    pub network: Network,
    /// The chain's start time; the first block is later.
    pub time: Timestamp,
    /// Its parameters.
    pub params: Params,
    /// The first masternodes, by strictly ascending key.
    pub masternodes: Vec<Masternode>,
    /// The first coins.
    pub allocations: Vec<Allocation>,
}

impl Canonical for Genesis {
    const BYTES_MAX: usize = GENESIS_BYTES_MAX;
}

/// Why a genesis is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The masternodes do not form a valid set.
    #[error("masternodes: {0}")]
    Masternodes(#[from] SetError),
    /// A parameter is not valid.
    #[error("parameter {name}: {reason}")]
    Parameter {
        /// Which.
        name: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// More genesis outputs than allowed.
    #[error("{outputs} genesis outputs exceed the {max} allowed")]
    Outputs {
        /// How many.
        outputs: u64,
        /// How many are allowed.
        max: u64,
    },
    /// An allocation is empty, or all allocations together overflow.
    #[error("allocation {index} is empty or brings the supply over the limit")]
    Allocation {
        /// Which.
        index: usize,
    },
    /// A lock that no transaction could create, and that may not even fit in a stored coin.
    #[error("lock of {owner} {index} can never be spent: {reason}")]
    Lock {
        /// Which kind: a masternode's payout, an allocation's or the treasury's.
        owner: &'static str,
        /// Its index.
        index: usize,
        /// Why.
        reason: &'static str,
    },
}

/// A valid genesis, with the values derived from it.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The genesis itself.
    pub genesis: Genesis,
    /// Its hash.
    pub hash: GenesisHash,
    /// Its masternodes.
    pub masternodes: MasternodeSet,
    /// The money that exists at the start.
    pub supply: Amount,
}

impl Chain {
    /// Checks a genesis.
    pub fn new(genesis: Genesis) -> Result<Self, GenesisError> {
        check_params(&genesis.params)?;
        let masternodes = MasternodeSet::new(genesis.masternodes.clone())?;
        let supply = check_allocations(&genesis.allocations)?;
        check_locks(&genesis)?;
        let hash = GenesisHash(hash_of("tc/genesis", &genesis));
        Ok(Self { genesis, hash, masternodes, supply })
    }

    /// The chain's parameters.
    pub fn params(&self) -> &Params {
        &self.genesis.params
    }

    /// The short id in transactions and headers.
    pub fn id(&self) -> ChainId {
        self.hash.chain_id()
    }
}

fn check_params(params: &Params) -> Result<(), GenesisError> {
    let checks = [
        (params.min_block_spacing.0 >= 1, "min_block_spacing", "must be at least 1 ms"),
        (
            params.block_interval >= params.min_block_spacing,
            "block_interval",
            "must not be below min_block_spacing",
        ),
        (params.propose_timeout.base.0 >= 1, "propose_timeout", "must be at least 1 ms"),
        (params.vote_timeout.base.0 >= 1, "vote_timeout", "must be at least 1 ms"),
        (
            params.timeout_max >= params.propose_timeout.base
                && params.timeout_max >= params.vote_timeout.base,
            "timeout_max",
            "must not be below a base timeout",
        ),
        (params.epoch_blocks >= 1, "epoch_blocks", "must be at least 1"),
        (params.evidence_age_blocks >= 1, "evidence_age_blocks", "must be at least 1"),
        (
            (256 * 1024..=BLOCK_BYTES_MAX as u64).contains(&params.block_bytes_max),
            "block_bytes_max",
            "must be between 256 KiB and 4 MiB",
        ),
        (
            params.issuance_per_day <= Amount::from_time(1_000_000_000),
            "issuance_per_day",
            "must be at most 1,000,000,000 TIME",
        ),
    ];
    match checks.into_iter().find(|(holds, ..)| !holds) {
        Some((_, name, reason)) => Err(GenesisError::Parameter { name, reason }),
        None => Ok(()),
    }
}

fn check_allocations(allocations: &[Allocation]) -> Result<Amount, GenesisError> {
    let outputs = allocations.iter().fold(0_u64, |sum, a| sum.saturating_add(a.outputs));
    if outputs > GENESIS_OUTPUTS_MAX {
        return Err(GenesisError::Outputs { outputs, max: GENESIS_OUTPUTS_MAX });
    }
    let mut supply = Amount::ZERO;
    for (index, allocation) in allocations.iter().enumerate() {
        supply = allocation
            .value
            .0
            .checked_mul(allocation.outputs)
            .filter(|&value| value > 0)
            .and_then(|value| supply.checked_add(Amount(value)))
            .ok_or(GenesisError::Allocation { index })?;
    }
    Ok(supply)
}

fn check_locks(genesis: &Genesis) -> Result<(), GenesisError> {
    let payouts = genesis.masternodes.iter().map(|node| &node.payout).enumerate();
    let allocations = genesis.allocations.iter().map(|allocation| &allocation.lock).enumerate();
    let treasury = [&genesis.params.treasury].into_iter().enumerate();
    let locks = (payouts.map(|lock| ("masternode", lock)))
        .chain(allocations.map(|lock| ("allocation", lock)))
        .chain(treasury.map(|lock| ("treasury", lock)));
    for (owner, (index, lock)) in locks {
        lock.check().map_err(|reason| GenesisError::Lock { owner, index, reason })?;
    }
    Ok(())
}
