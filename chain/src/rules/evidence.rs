//! Rules of evidence: which pairs of signed statements prove an offence.
//!
//! Invariant: verified evidence never names an honest masternode. Its guard signs one message for
//! each slot, and prevotes against its lock only on a polka no earlier than the lock.
use super::{VoteError, commit::vote_check};
use crate::{
    crypto::{SignatureCheck, SignatureScheme, Verified},
    types::{Evidence, GenesisHash, MasternodeSet, ProposalStatement, Round, Vote, is_amnesia},
};

/// Why evidence proves nothing. The fault of its sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message names its fields")]
pub enum EvidenceError {
    #[error("the two are not of one slot of one masternode, or say the same")]
    NoConflict,
    #[error("the two are in the wrong order")]
    WrongOrder,
    #[error("the prevote does not break the lock of the precommit")]
    NoAmnesia,
    #[error("masternode {proposer} does not propose in this round, {expected} does")]
    WrongProposer { proposer: u16, expected: u16 },
    #[error("proposal: valid round {valid_round} is not before round {round}")]
    ValidRoundNotEarlier { valid_round: Round, round: Round },
    #[error("vote: {0}")]
    Vote(#[from] VoteError),
    #[error("a signature is not valid")]
    BadSignature,
}

/// Verifies evidence against the set that votes on its height.
pub fn verify_evidence(
    scheme: &dyn SignatureScheme,
    genesis: &GenesisHash,
    set: &MasternodeSet,
    evidence: Evidence,
) -> Result<Verified<Evidence>, EvidenceError> {
    check_conflict(&evidence)?;
    check_order(&evidence)?;
    let checks = match &evidence {
        Evidence::Votes(one, other) | Evidence::Amnesia { precommit: one, prevote: other } => {
            [vote_check(genesis, set, one)?, vote_check(genesis, set, other)?]
        }
        Evidence::Proposals(one, other) => {
            [proposal_check(genesis, set, one)?, proposal_check(genesis, set, other)?]
        }
    };
    if !scheme.all_valid(&checks) {
        return Err(EvidenceError::BadSignature);
    }
    Ok(Verified::checked(evidence))
}

fn check_conflict(evidence: &Evidence) -> Result<(), EvidenceError> {
    match evidence {
        Evidence::Votes(one, other) if !one.conflicts_with(other) => Err(EvidenceError::NoConflict),
        Evidence::Proposals(one, other) if !one.conflicts_with(other) => {
            Err(EvidenceError::NoConflict)
        }
        Evidence::Amnesia { precommit, prevote } if !is_amnesia(precommit, prevote) => {
            Err(EvidenceError::NoAmnesia)
        }
        _ => Ok(()),
    }
}

/// One offence has one encoding: otherwise it could be gossiped twice.
fn check_order(evidence: &Evidence) -> Result<(), EvidenceError> {
    let value = |vote: &Vote| (vote.block, vote.valid_round);
    let is_ordered = match evidence {
        Evidence::Votes(one, other) => value(one) < value(other),
        Evidence::Proposals(one, other) => one.value() < other.value(),
        Evidence::Amnesia { .. } => true,
    };
    if is_ordered { Ok(()) } else { Err(EvidenceError::WrongOrder) }
}

fn proposal_check(
    genesis: &GenesisHash,
    set: &MasternodeSet,
    statement: &ProposalStatement,
) -> Result<SignatureCheck, EvidenceError> {
    let (proposer, expected) =
        (statement.proposer, set.proposer(statement.height, statement.round));
    if proposer != expected {
        return Err(EvidenceError::WrongProposer { proposer, expected });
    }
    let round = statement.round;
    if let Some(valid_round) = statement.valid_round.filter(|valid_round| *valid_round >= round) {
        return Err(EvidenceError::ValidRoundNotEarlier { valid_round, round });
    }
    let key = set.get(proposer).expect("the rotation names members only").key;
    let message = statement.signing_message(genesis);
    Ok(SignatureCheck { key, message, signature: statement.signature })
}
