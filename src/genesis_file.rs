//! The genesis as a human-readable file: JSON with names and units.
//!
//! The chain's identity is the hash of the canonical bytes, not of this text: spaces and the order of
//! masternodes do not matter. Unknown fields are refused, and a `hash` in the file must be right.
use crate::durable;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use timecoin_chain::{
    address::{AddressError, address_of_lock, parse_address},
    crypto::PublicKey,
    genesis::{Allocation, Chain, Genesis, GenesisError, Network, Params, Timeout},
    limits::BLOCK_BYTES_MAX,
    types::{Amount, Lock, Masternode, Millis, Timestamp},
};

/// Bytes of the longest file that is read.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why a genesis file is invalid.
#[derive(Debug, thiserror::Error)]
pub enum GenesisFileError {
    /// The system refused.
    #[error("genesis {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file is longer than any genesis.
    #[error("genesis {} has {bytes} bytes, at most {FILE_BYTES_MAX} are read", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// Not JSON, a field is missing, or one is unknown.
    #[error("genesis {}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        reason: String,
    },
    /// One field's text cannot be read.
    #[error("genesis field {field}: {reason}")]
    Field {
        /// Which.
        field: String,
        /// Why.
        reason: String,
    },
    /// The genesis breaks a rule.
    #[error("genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// The hash in the file is not the hash of its content.
    #[error("the genesis has hash {found}, but its file says {written}")]
    Hash {
        /// The hash of the content.
        found: String,
        /// The hash in the file.
        written: String,
    },
    /// A lock that no address can express.
    #[error("genesis field {field} has a lock that no address names")]
    NoAddress {
        /// Which.
        field: &'static str,
    },
}

/// Reads and checks a genesis file.
pub fn load(path: &Path) -> Result<Genesis, GenesisFileError> {
    Ok(load_chain(path)?.genesis)
}

/// Reads and checks a genesis file, with the data derived from it.
pub fn load_chain(path: &Path) -> Result<Chain, GenesisFileError> {
    let io = |error| GenesisFileError::Io { path: path.into(), error };
    let bytes = fs::metadata(path).map_err(io)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(GenesisFileError::TooLong { path: path.into(), bytes });
    }
    let text = fs::read_to_string(path).map_err(io)?;
    parse(&text).map_err(|error| match error {
        GenesisFileError::Syntax { reason, .. } => {
            GenesisFileError::Syntax { path: path.into(), reason }
        }
        other => other,
    })
}

/// Reads and checks the text of a genesis file.
pub fn parse(text: &str) -> Result<Chain, GenesisFileError> {
    let file: File = serde_json::from_str(text).map_err(|error| GenesisFileError::Syntax {
        path: PathBuf::new(),
        reason: error.to_string(),
    })?;
    let written = file.hash.clone();
    let chain = Chain::new(file.into_genesis()?)?;
    match written {
        Some(written) if written != chain.hash.to_string() => {
            Err(GenesisFileError::Hash { found: chain.hash.to_string(), written })
        }
        _ => Ok(chain),
    }
}

/// The text of a genesis file, with the hash in it.
pub fn render(chain: &Chain) -> Result<String, GenesisFileError> {
    let file = File::from_chain(chain)?;
    let text = serde_json::to_string_pretty(&file).map_err(|error| GenesisFileError::Field {
        field: "genesis".into(),
        reason: error.to_string(),
    })?;
    Ok(text + "\n")
}

/// Writes a new genesis file. Never overwrites.
pub fn create(path: &Path, chain: &Chain) -> Result<(), GenesisFileError> {
    durable::create(path, render(chain)?.as_bytes(), 0o644)
        .map_err(|error| GenesisFileError::Io { path: path.into(), error })
}

/// The parameters of local networks.
pub fn devnet_params(treasury: Lock) -> Params {
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
        block_bytes_max: BLOCK_BYTES_MAX as u64,
        min_relay_fee: 1,
        issuance_per_day: Amount::from_time(14_400),
        treasury,
    }
}

/// The name of a kind of network in files and on the command line.
pub fn network_name(network: Network) -> &'static str {
    match network {
        Network::Main => "main",
        Network::Test => "test",
        Network::Dev => "dev",
    }
}

/// The kind of network with this name.
pub fn network_by_name(name: &str) -> Option<Network> {
    [Network::Main, Network::Test, Network::Dev]
        .into_iter()
        .find(|&network| network_name(network) == name)
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    network: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    time_ms: u64,
    params: FileParams,
    treasury: String,
    masternodes: Vec<FileMasternode>,
    allocations: Vec<FileAllocation>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileParams {
    block_interval_ms: u64,
    min_block_spacing_ms: u64,
    propose_timeout_ms: u64,
    propose_timeout_step_ms: u64,
    vote_timeout_ms: u64,
    vote_timeout_step_ms: u64,
    timeout_max_ms: u64,
    clock_drift_max_ms: u64,
    epoch_blocks: u64,
    evidence_age_blocks: u64,
    block_bytes_max: u64,
    min_relay_fee_units_per_byte: u64,
    /// TIME with eight decimals, as text.
    issuance_per_day: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMasternode {
    key: String,
    weight: u64,
    payout: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileAllocation {
    address: String,
    /// TIME in each output, as text.
    amount: String,
    outputs: u64,
}

impl File {
    fn into_genesis(self) -> Result<Genesis, GenesisFileError> {
        let network = network_by_name(&self.network)
            .ok_or_else(|| field("network", "must be main, test or dev"))?;
        let address = |name: String, text: &str| {
            parse_address(network, text).map_err(|error: AddressError| field(name, error))
        };
        let mut masternodes = Vec::with_capacity(self.masternodes.len());
        for (index, node) in self.masternodes.iter().enumerate() {
            let key: PublicKey =
                node.key.parse().map_err(|e| field(format!("masternodes[{index}].key"), e))?;
            let payout = address(format!("masternodes[{index}].payout"), &node.payout)?;
            masternodes.push(Masternode { key, weight: node.weight, payout });
        }
        masternodes.sort_by_key(|node| node.key);
        let mut allocations = Vec::with_capacity(self.allocations.len());
        for (index, allocation) in self.allocations.iter().enumerate() {
            let lock = address(format!("allocations[{index}].address"), &allocation.address)?;
            let value = amount(format!("allocations[{index}].amount"), &allocation.amount)?;
            allocations.push(Allocation { lock, value, outputs: allocation.outputs });
        }
        let treasury = address("treasury".into(), &self.treasury)?;
        let params = self.params.into_params(treasury)?;
        let time = Timestamp(self.time_ms);
        Ok(Genesis { network, time, params, masternodes, allocations })
    }

    fn from_chain(chain: &Chain) -> Result<Self, GenesisFileError> {
        let genesis = &chain.genesis;
        let address = |field, lock: &Lock| {
            address_of_lock(genesis.network, lock).ok_or(GenesisFileError::NoAddress { field })
        };
        let masternodes = genesis.masternodes.iter().map(|node| {
            let payout = address("masternodes.payout", &node.payout)?;
            Ok(FileMasternode { key: node.key.to_string(), weight: node.weight, payout })
        });
        let allocations = genesis.allocations.iter().map(|allocation| {
            Ok(FileAllocation {
                address: address("allocations.address", &allocation.lock)?,
                amount: allocation.value.to_string(),
                outputs: allocation.outputs,
            })
        });
        Ok(Self {
            network: network_name(genesis.network).into(),
            hash: Some(chain.hash.to_string()),
            time_ms: genesis.time.0,
            params: FileParams::from_params(&genesis.params),
            treasury: address("treasury", &genesis.params.treasury)?,
            masternodes: masternodes.collect::<Result<_, GenesisFileError>>()?,
            allocations: allocations.collect::<Result<_, GenesisFileError>>()?,
        })
    }
}

impl FileParams {
    fn into_params(self, treasury: Lock) -> Result<Params, GenesisFileError> {
        let timeout = |base, step| Timeout { base: Millis(base), step: Millis(step) };
        Ok(Params {
            block_interval: Millis(self.block_interval_ms),
            min_block_spacing: Millis(self.min_block_spacing_ms),
            propose_timeout: timeout(self.propose_timeout_ms, self.propose_timeout_step_ms),
            vote_timeout: timeout(self.vote_timeout_ms, self.vote_timeout_step_ms),
            timeout_max: Millis(self.timeout_max_ms),
            clock_drift_max: Millis(self.clock_drift_max_ms),
            epoch_blocks: self.epoch_blocks,
            evidence_age_blocks: self.evidence_age_blocks,
            block_bytes_max: self.block_bytes_max,
            min_relay_fee: self.min_relay_fee_units_per_byte,
            issuance_per_day: amount("params.issuance_per_day", &self.issuance_per_day)?,
            treasury,
        })
    }

    fn from_params(params: &Params) -> Self {
        Self {
            block_interval_ms: params.block_interval.0,
            min_block_spacing_ms: params.min_block_spacing.0,
            propose_timeout_ms: params.propose_timeout.base.0,
            propose_timeout_step_ms: params.propose_timeout.step.0,
            vote_timeout_ms: params.vote_timeout.base.0,
            vote_timeout_step_ms: params.vote_timeout.step.0,
            timeout_max_ms: params.timeout_max.0,
            clock_drift_max_ms: params.clock_drift_max.0,
            epoch_blocks: params.epoch_blocks,
            evidence_age_blocks: params.evidence_age_blocks,
            block_bytes_max: params.block_bytes_max,
            min_relay_fee_units_per_byte: params.min_relay_fee,
            issuance_per_day: params.issuance_per_day.to_string(),
        }
    }
}

fn amount(name: impl Into<String>, text: &str) -> Result<Amount, GenesisFileError> {
    text.parse().map_err(|error: timecoin_chain::types::AmountError| field(name, error))
}

fn field(name: impl Into<String>, reason: impl ToString) -> GenesisFileError {
    GenesisFileError::Field { field: name.into(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn chain() -> Chain {
        let lock = |byte| Lock::Key(PublicKey([byte; 32]));
        let node =
            |byte| Masternode { key: PublicKey([byte; 32]), weight: 10, payout: lock(byte + 100) };
        Chain::new(Genesis {
            network: Network::Dev,
            time: Timestamp(1_700_000_000_123),
            params: devnet_params(lock(9)),
            masternodes: vec![node(1), node(2), node(3)],
            allocations: vec![Allocation { lock: lock(5), value: Amount(12_345), outputs: 7 }],
        })
        .unwrap()
    }

    #[test]
    fn a_genesis_survives_the_round_trip_through_text() {
        let chain = chain();
        let text = render(&chain).unwrap();
        let read = parse(&text).unwrap();
        assert_eq!(read.genesis, chain.genesis);
        assert_eq!(read.hash, chain.hash);
        assert!(text.contains(&format!("\"hash\": \"{}\"", chain.hash)), "{text}");
        assert!(text.contains("\"amount\": \"0.00012345\""), "{text}");
    }

    #[test]
    fn the_order_of_masternodes_in_the_text_does_not_matter() {
        let mut file = File::from_chain(&chain()).unwrap();
        file.masternodes.reverse();
        let text = serde_json::to_string(&file).unwrap();
        assert_eq!(parse(&text).unwrap().hash, chain().hash);
    }

    #[test]
    fn every_mistake_is_named() {
        let text = render(&chain()).unwrap();
        let cases = [
            ("\"epoch_blocks\": 10", "\"epoch_blocks\": 10, \"epock\": 1", "epock"),
            ("\"epoch_blocks\": 10", "\"epoch_blocks\": 11", "its file says"),
            ("\"epoch_blocks\": 10", "\"epoch_blocks\": 0", "epoch_blocks"),
            ("\"network\": \"dev\"", "\"network\": \"mainnet\"", "network"),
            ("\"network\": \"dev\"", "\"network\": \"main\"", "another network"),
            ("0.00012345", "0.000123456", "allocations[0].amount"),
            ("\"time_ms\"", "\"time\"", "time"),
        ];
        for (from, to, expected) in cases {
            let error = parse(&text.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error} lacks {expected}");
        }
    }
}
