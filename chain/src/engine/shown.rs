//! What a peer shows of this node's own signatures.
use crate::types::{
    BlockHash, Certificate, Evidence, Height, Proposal, ProposalStatement, Round, Vote, VoteKind,
};

/// Which message of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Proposal,
    Vote(VoteKind),
}

/// Something that carries a valid signature of this node's key, as a peer showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) kind: Kind,
    pub(super) height: Height,
    pub(super) round: Round,
    pub(super) block: Option<BlockHash>,
    pub(super) valid_round: Option<Round>,
}

impl Shown {
    pub(super) fn vote(vote: &Vote) -> Self {
        let Vote { height, round, block, valid_round, .. } = *vote;
        Self { kind: Kind::Vote(vote.kind), height, round, block, valid_round }
    }

    pub(super) fn proposal(proposal: &Proposal) -> Self {
        Self {
            kind: Kind::Proposal,
            height: proposal.height(),
            round: proposal.round,
            block: Some(proposal.block_hash()),
            valid_round: proposal.valid_round,
        }
    }

    pub(super) fn evidence(evidence: &Evidence) -> [Self; 2] {
        match evidence {
            Evidence::Votes(one, other) | Evidence::Amnesia { precommit: one, prevote: other } => {
                [Self::vote(one), Self::vote(other)]
            }
            Evidence::Proposals(one, other) => [Self::statement(one), Self::statement(other)],
        }
    }

    fn statement(statement: &ProposalStatement) -> Self {
        let ProposalStatement { height, round, valid_round, block, .. } = *statement;
        Self { kind: Kind::Proposal, height, round, block: Some(block), valid_round }
    }

    pub(super) fn certificate(certificate: &Certificate) -> Self {
        let Certificate { height, round, block, valid_round, .. } = *certificate;
        Self { kind: Kind::Vote(certificate.kind), height, round, block, valid_round }
    }
}
