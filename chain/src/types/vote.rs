//! Votes.
use super::{BlockHash, GenesisHash, Height, Round};
use crate::{
    codec::{self, Canonical},
    crypto::{Signature, hash},
    limits::VOTE_BYTES_MAX,
};
use serde::{Deserialize, Serialize};

/// The two kinds of vote (arXiv 1807.04938).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum VoteKind {
    /// First: this proposal is acceptable.
    Prevote,
    /// Second: more than two thirds found it acceptable.
    Precommit,
}

/// One vote of one masternode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Prevote or precommit.
    pub kind: VoteKind,
    /// The height voted on.
    pub height: Height,
    /// The round voted in.
    pub round: Round,
    /// The block, or nil.
    pub block: Option<BlockHash>,
    /// In a prevote for a re-proposed block, the round of its polka; otherwise none.
    pub valid_round: Option<Round>,
    /// Index of the voter in the masternode set.
    pub signer: u16,
    /// Signature over [`Vote::message`].
    pub signature: Signature,
}

impl Canonical for Vote {
    const BYTES_MAX: usize = VOTE_BYTES_MAX;
}

impl Vote {
    /// The message that a vote with these fields signs.
    pub fn message(
        genesis: &GenesisHash,
        kind: VoteKind,
        height: Height,
        round: Round,
        block: Option<BlockHash>,
        valid_round: Option<Round>,
    ) -> [u8; 32] {
        hash("tc/vote", &[&genesis.0, &codec::encode(&(kind, height, round, block, valid_round))])
    }

    /// The message that this vote signs.
    pub fn signing_message(&self, genesis: &GenesisHash) -> [u8; 32] {
        Self::message(genesis, self.kind, self.height, self.round, self.block, self.valid_round)
    }

    /// Whether both are in one slot of one voter and differ.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        (self.kind, self.height, self.round, self.signer)
            == (other.kind, other.height, other.round, other.signer)
            && (self.block, self.valid_round) != (other.block, other.valid_round)
    }
}
