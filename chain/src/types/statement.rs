//! What a proposer signs: a proposal without its block. Two of them in one round are evidence.
use super::{BlockHash, GenesisHash, Height, Round};
use crate::{
    codec,
    crypto::{Signature, hash},
};
use serde::{Deserialize, Serialize};

/// What the signature of a proposal covers, without the block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalStatement {
    /// The height.
    pub height: Height,
    /// The round.
    pub round: Round,
    /// For a re-proposed block: the round of its polka.
    pub valid_round: Option<Round>,
    /// The block.
    pub block: BlockHash,
    /// Masternode index of the round's proposer.
    pub proposer: u16,
    /// Signature over [`ProposalStatement::message`].
    pub signature: Signature,
}

impl ProposalStatement {
    /// The message that a proposal with these fields signs.
    pub fn message(
        genesis: &GenesisHash,
        height: Height,
        round: Round,
        valid_round: Option<Round>,
        block: BlockHash,
    ) -> [u8; 32] {
        hash("tc/proposal", &[&genesis.0, &codec::encode(&(height, round, valid_round, block))])
    }

    /// The message that it signs.
    pub fn signing_message(&self, genesis: &GenesisHash) -> [u8; 32] {
        Self::message(genesis, self.height, self.round, self.valid_round, self.block)
    }

    /// Whether both are for one round and propose different values.
    pub fn conflicts_with(&self, other: &Self) -> bool {
        (self.height, self.round, self.proposer) == (other.height, other.round, other.proposer)
            && self.value() != other.value()
    }

    /// The value in the slot.
    pub(crate) fn value(&self) -> (BlockHash, Option<Round>) {
        (self.block, self.valid_round)
    }
}
