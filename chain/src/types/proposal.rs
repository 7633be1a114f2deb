//! A proposal: a block in compact form. It carries transaction ids; bodies come from the mempool.
use super::{
    Block, BlockHash, Certificate, Evidence, GenesisHash, Header, Height, ProposalStatement, Round,
    WTxId,
};
use crate::{codec::Canonical, crypto::Signature, limits::PROPOSAL_BYTES_MAX};
use serde::{Deserialize, Serialize};

/// What the proposer of a round sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The round it is for; its height is the header's.
    pub round: Round,
    /// For a re-proposed block: the round of its polka.
    pub valid_round: Option<Round>,
    /// The block's header.
    pub header: Header,
    /// The block's transactions in order, by id with witnesses.
    pub transactions: Vec<WTxId>,
    /// The certificate of the block's parent.
    pub last_commit: Option<Certificate>,
    /// The block's evidence.
    pub evidence: Vec<Evidence>,
    /// With a valid round: the polka itself, so that the receiver need not have seen it.
    pub polka: Option<Certificate>,
    /// The signature of the round's proposer over [`Proposal::message`].
    pub signature: Signature,
}

impl Canonical for Proposal {
    const BYTES_MAX: usize = PROPOSAL_BYTES_MAX;
}

impl Proposal {
    /// The message that a proposal signs.
    pub fn message(
        genesis: &GenesisHash,
        height: Height,
        round: Round,
        valid_round: Option<Round>,
        block: BlockHash,
    ) -> [u8; 32] {
        ProposalStatement::message(genesis, height, round, valid_round, block)
    }

    /// The height it is for.
    pub fn height(&self) -> Height {
        self.header.height
    }

    /// The block it proposes.
    pub fn block_hash(&self) -> BlockHash {
        self.header.hash()
    }

    /// The signed content, as a statement of the round's proposer.
    pub fn statement(&self, proposer: u16) -> ProposalStatement {
        ProposalStatement {
            height: self.height(),
            round: self.round,
            valid_round: self.valid_round,
            block: self.block_hash(),
            proposer,
            signature: self.signature,
        }
    }

    /// The compact form of a block.
    pub fn of_block(
        block: &Block,
        transactions: Vec<WTxId>,
        round: Round,
        polka: Option<Certificate>,
        signature: Signature,
    ) -> Self {
        Self {
            round,
            valid_round: polka.as_ref().map(|polka| polka.round),
            header: block.header.clone(),
            transactions,
            last_commit: block.last_commit.clone(),
            evidence: block.evidence.clone(),
            polka,
            signature,
        }
    }
}
