//! Blocks. A block's hash is the hash of its header, and the header commits to everything else.
use super::{BlockHash, Certificate, ChainId, Evidence, Height, Timestamp, Transaction, WTxId};
use crate::{
    codec::Canonical,
    crypto::{hash, hash_of, merkle_root},
    limits::BLOCK_BYTES_MAX,
};
use serde::{Deserialize, Serialize};

/// The header of a block. Votes name its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Format version, 1.
    pub version: u16,
    /// The chain it belongs to.
    pub chain: ChainId,
    /// The block's height.
    pub height: Height,
    /// The parent block; for height 1 the genesis hash.
    pub parent: BlockHash,
    /// The proposer's clock: strictly after the parent's.
    pub timestamp: Timestamp,
    /// Masternode index of the block's first proposer. A re-proposal keeps it.
    pub proposer: u16,
    /// The ledger's state root after the parent block.
    #[serde(with = "crate::crypto::words")]
    pub state_root: [u8; 32],
    /// The masternode set that votes on this block.
    #[serde(with = "crate::crypto::words")]
    pub masternodes: [u8; 32],
    /// Merkle root of the transaction ids.
    #[serde(with = "crate::crypto::words")]
    pub transactions_root: [u8; 32],
    /// Merkle root of the witness transaction ids.
    #[serde(with = "crate::crypto::words")]
    pub witnesses_root: [u8; 32],
    /// Hash of the parent's commit certificate.
    #[serde(with = "crate::crypto::words")]
    pub last_commit: [u8; 32],
    /// Hash of the evidence list.
    #[serde(with = "crate::crypto::words")]
    pub evidence: [u8; 32],
}

impl Header {
    /// The version that this program writes and accepts.
    pub const VERSION: u16 = 1;

    /// The block's hash.
    pub fn hash(&self) -> BlockHash {
        BlockHash(hash_of("tc/block", self))
    }
}

/// A header with its body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// Transactions in order: a parent comes before its child.
    pub transactions: Vec<Transaction>,
    /// The certificate that made the parent final; none at height 1.
    pub last_commit: Option<Certificate>,
    /// Proofs of offences, by ascending offender.
    pub evidence: Vec<Evidence>,
}

impl Canonical for Block {
    const BYTES_MAX: usize = BLOCK_BYTES_MAX;
}

impl Block {
    /// The block's hash.
    pub fn hash(&self) -> BlockHash {
        self.header.hash()
    }

    /// The root over the transaction ids.
    pub fn transactions_root(transactions: &[Transaction]) -> [u8; 32] {
        let ids: Vec<[u8; 32]> = transactions.iter().map(|tx| tx.txid().0).collect();
        merkle_root(&ids)
    }

    /// The root over witness transaction ids.
    pub fn witnesses_root<'a>(ids: impl IntoIterator<Item = &'a WTxId>) -> [u8; 32] {
        merkle_root(ids.into_iter().map(|id| &id.0))
    }

    /// The hash of the parent's certificate, or of its absence.
    pub fn last_commit_hash(last_commit: Option<&Certificate>) -> [u8; 32] {
        last_commit.map_or_else(|| hash("tc/nocommit", &[]), |commit| hash_of("tc/commit", commit))
    }

    /// The hash of an evidence list.
    pub fn evidence_hash(evidence: &[Evidence]) -> [u8; 32] {
        hash_of("tc/evidence", &evidence)
    }
}
