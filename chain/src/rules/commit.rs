//! Rules of votes, proposals and certificates: who signed, and whether their weight suffices.
//!
//! Invariant: a `Verified` certificate has a quorum of distinct members of the set it was verified
//! against, and every one of its signatures is valid.
use crate::{
    crypto::{SignatureCheck, SignatureScheme, Verified},
    limits::{BLOCK_TRANSACTIONS_MAX, OWN_VOTES_MAX},
    types::{
        Attestation, Block, Certificate, GenesisHash, MasternodeSet, Presence, Proposal, Round,
        RoundCertificate, Vote, VoteKind, WTxId,
    },
};

/// Why a consensus message is invalid. The fault of its sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message names its fields")]
pub enum VoteError {
    #[error("signer {signer} is not in the masternode set of {members}")]
    UnknownSigner { signer: u16, members: usize },
    #[error("a signature is not valid")]
    BadSignature,
    #[error("a precommit or nil prevote names a valid round")]
    UnexpectedValidRound,
    #[error("valid round {valid_round} is not before round {round}")]
    ValidRoundNotEarlier { valid_round: Round, round: Round },
    #[error("the bitmap is not of the set's length, or has bits beyond it")]
    BadBitmap,
    #[error("{signatures} signatures for {signers} signers")]
    SignatureCount { signatures: usize, signers: usize },
    #[error("weight {weight} of {total} is not enough")]
    NotEnoughWeight { weight: u64, total: u64 },
    #[error("votes of a round certificate must be of its height and round, by ascending signer")]
    MixedVotes,
    #[error("the proposal does not name the round's proposer")]
    WrongProposer,
    #[error("a re-proposal must carry the polka of its valid round for its block")]
    WrongPolka,
    #[error("the proposal's transactions, last commit or evidence are not those of its header")]
    WrongContents,
    #[error("the proposal names {count} transactions, {max} are allowed")]
    TooManyTransactions { count: usize, max: usize },
    #[error("the proposal names transaction {id} twice")]
    RepeatedTransaction { id: WTxId },
}

/// Verifies one vote against the set that votes on its height.
pub fn verify_vote(
    scheme: &dyn SignatureScheme,
    genesis: &GenesisHash,
    set: &MasternodeSet,
    vote: Vote,
) -> Result<Verified<Vote>, VoteError> {
    let check = vote_check(genesis, set, &vote)?;
    if !scheme.all_valid(&[check]) {
        return Err(VoteError::BadSignature);
    }
    Ok(Verified::checked(vote))
}

/// Verifies many votes in one batch. Each result is the same as from single verification.
pub fn verify_votes(
    scheme: &dyn SignatureScheme,
    genesis: &GenesisHash,
    set: &MasternodeSet,
    votes: Vec<Vote>,
) -> Vec<Result<Verified<Vote>, VoteError>> {
    let checks: Vec<_> = votes.iter().map(|vote| vote_check(genesis, set, vote)).collect();
    let sound: Vec<SignatureCheck> = checks.iter().flatten().copied().collect();
    let mut answers = scheme.each_valid(&sound).into_iter();
    votes
        .into_iter()
        .zip(checks)
        .map(|(vote, check)| {
            check?;
            let valid = answers.next().expect("one answer for each sound vote");
            if valid { Ok(Verified::checked(vote)) } else { Err(VoteError::BadSignature) }
        })
        .collect()
}

/// Verifies a masternode's attestation of the votes that it holds of a key, and those votes.
pub fn verify_attestation(
    scheme: &dyn SignatureScheme,
    genesis: &GenesisHash,
    set: &MasternodeSet,
    attestation: Attestation,
) -> Result<Verified<Attestation>, VoteError> {
    let Attestation { inquiry, height, votes, by, signature } = &attestation;
    if votes.len() > OWN_VOTES_MAX || votes.iter().any(|vote| vote.signer != inquiry.of) {
        return Err(VoteError::WrongContents);
    }
    let message = Attestation::message(genesis, *inquiry, *height, votes);
    let (signer, members) = (*by, set.len());
    let key = set.get(signer).ok_or(VoteError::UnknownSigner { signer, members })?.key;
    let mut checks = vec![SignatureCheck { key, message, signature: *signature }];
    for vote in votes {
        checks.push(vote_check(genesis, set, vote)?);
    }
    if !scheme.all_valid(&checks) {
        return Err(VoteError::BadSignature);
    }
    Ok(Verified::checked(attestation))
}

/// Verifies that the masternode's own key signed its presence. Whether the key is in the set is not looked at.
///
/// # Errors
/// [`VoteError::BadSignature`].
pub fn verify_presence(
    scheme: &dyn SignatureScheme,
    genesis: &GenesisHash,
    presence: Presence,
) -> Result<Verified<Presence>, VoteError> {
    let Presence { masternode: key, node, expires, signature } = presence;
    let message = Presence::message(genesis, node, expires);
    match scheme.all_valid(&[SignatureCheck { key, message, signature }]) {
        true => Ok(Verified::checked(presence)),
        false => Err(VoteError::BadSignature),
    }
}

/// Verifies a polka or commit certificate.
pub fn verify_certificate(
    scheme: &dyn SignatureScheme,
    genesis: &GenesisHash,
    set: &MasternodeSet,
    certificate: Certificate,
) -> Result<Verified<Certificate>, VoteError> {
    check_valid_round(
        certificate.kind,
        certificate.block.is_some(),
        certificate.round,
        certificate.valid_round,
    )?;
    if !certificate.signers.fits(set.len()) {
        return Err(VoteError::BadBitmap);
    }
    let (signatures, signers) = (certificate.signatures.len(), certificate.signers.len());
    if signatures != signers {
        return Err(VoteError::SignatureCount { signatures, signers });
    }
    let (weight, total) = (certificate.weight(set), set.total_weight());
    if !set.is_quorum(weight) {
        return Err(VoteError::NotEnoughWeight { weight, total });
    }
    let message = certificate.signing_message(genesis);
    let checks: Vec<SignatureCheck> = certificate
        .signers
        .iter()
        .zip(&certificate.signatures)
        .filter_map(|(signer, signature)| {
            let key = set.get(signer)?.key;
            Some(SignatureCheck { key, message, signature: *signature })
        })
        .collect();
    if !scheme.all_valid(&checks) {
        return Err(VoteError::BadSignature);
    }
    Ok(Verified::checked(certificate))
}

/// Verifies a round certificate.
pub fn verify_round_certificate(
    scheme: &dyn SignatureScheme,
    genesis: &GenesisHash,
    set: &MasternodeSet,
    certificate: RoundCertificate,
) -> Result<Verified<RoundCertificate>, VoteError> {
    let here = |vote: &Vote| (vote.height, vote.round) == (certificate.height, certificate.round);
    let ascending = certificate.votes.is_sorted_by(|a, b| a.signer < b.signer);
    if !ascending || !certificate.votes.iter().all(here) {
        return Err(VoteError::MixedVotes);
    }
    let (weight, total) =
        (set.weight_of(certificate.votes.iter().map(|vote| vote.signer)), set.total_weight());
    if !set.is_honest_part(weight) {
        return Err(VoteError::NotEnoughWeight { weight, total });
    }
    let checks = certificate
        .votes
        .iter()
        .map(|vote| vote_check(genesis, set, vote))
        .collect::<Result<Vec<_>, _>>()?;
    if !scheme.all_valid(&checks) {
        return Err(VoteError::BadSignature);
    }
    Ok(Verified::checked(certificate))
}

/// Verifies a proposal's signature and, for a re-proposal, its polka. The block is checked when its
/// body is available.
pub fn verify_proposal(
    scheme: &dyn SignatureScheme,
    genesis: &GenesisHash,
    set: &MasternodeSet,
    proposal: Proposal,
) -> Result<Verified<Proposal>, VoteError> {
    let (height, round, block) = (proposal.height(), proposal.round, proposal.block_hash());
    let proposer = set.proposer(height, round);
    let is_fresh = proposal.valid_round.is_none();
    if is_fresh && proposal.header.proposer != proposer {
        return Err(VoteError::WrongProposer);
    }
    check_named_polka(&proposal)?;
    let key = set.get(proposer).expect("the rotation names members only").key;
    let message = Proposal::message(genesis, height, round, proposal.valid_round, block);
    if !scheme.all_valid(&[SignatureCheck { key, message, signature: proposal.signature }]) {
        return Err(VoteError::BadSignature);
    }
    // From here on only a masternode can cause work.
    check_contents(&proposal)?;
    check_transaction_ids(&proposal.transactions)?;
    if let Some(polka) = proposal.polka.clone() {
        verify_certificate(scheme, genesis, set, polka)?;
    }
    Ok(Verified::checked(proposal))
}

fn check_named_polka(proposal: &Proposal) -> Result<(), VoteError> {
    let (polka, valid_round) = match (&proposal.polka, proposal.valid_round) {
        (None, None) => return Ok(()),
        (Some(polka), Some(valid_round)) => (polka, valid_round),
        _ => return Err(VoteError::WrongPolka),
    };
    let round = proposal.round;
    if valid_round >= round {
        return Err(VoteError::ValidRoundNotEarlier { valid_round, round });
    }
    let named = (polka.kind, polka.height, polka.round, polka.block);
    let block = Some(proposal.block_hash());
    if named == (VoteKind::Prevote, proposal.height(), valid_round, block) {
        Ok(())
    } else {
        Err(VoteError::WrongPolka)
    }
}

/// The signature covers the header only: without this check a relaying peer could make others fetch
/// the wrong body for a valid block.
fn check_contents(proposal: &Proposal) -> Result<(), VoteError> {
    let header = &proposal.header;
    let fits = header.witnesses_root == Block::witnesses_root(&proposal.transactions)
        && header.last_commit == Block::last_commit_hash(proposal.last_commit.as_ref())
        && header.evidence == Block::evidence_hash(&proposal.evidence);
    if fits { Ok(()) } else { Err(VoteError::WrongContents) }
}

/// An id is short and its transaction may be large: repeated ids would turn a small message into a
/// block that does not fit in memory.
fn check_transaction_ids(ids: &[WTxId]) -> Result<(), VoteError> {
    let (count, max) = (ids.len(), BLOCK_TRANSACTIONS_MAX);
    if count > max {
        return Err(VoteError::TooManyTransactions { count, max });
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(VoteError::RepeatedTransaction { id: pair[0] }),
        None => Ok(()),
    }
}

pub(super) fn vote_check(
    genesis: &GenesisHash,
    set: &MasternodeSet,
    vote: &Vote,
) -> Result<SignatureCheck, VoteError> {
    check_valid_round(vote.kind, vote.block.is_some(), vote.round, vote.valid_round)?;
    let (signer, members) = (vote.signer, set.len());
    let key = set.get(signer).ok_or(VoteError::UnknownSigner { signer, members })?.key;
    let message = vote.signing_message(genesis);
    Ok(SignatureCheck { key, message, signature: vote.signature })
}

fn check_valid_round(
    kind: VoteKind,
    for_block: bool,
    round: Round,
    valid_round: Option<Round>,
) -> Result<(), VoteError> {
    match valid_round {
        None => Ok(()),
        Some(_) if kind == VoteKind::Precommit || !for_block => {
            Err(VoteError::UnexpectedValidRound)
        }
        Some(valid_round) if valid_round >= round => {
            Err(VoteError::ValidRoundNotEarlier { valid_round, round })
        }
        Some(_) => Ok(()),
    }
}
