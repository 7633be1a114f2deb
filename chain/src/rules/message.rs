//! Rules of a consensus message of any kind: its signatures and its form.
use super::{
    EvidenceError, VoteError, verify_certificate, verify_evidence, verify_proposal,
    verify_round_certificate, verify_vote,
};
use crate::{
    crypto::{SignatureScheme, Verified},
    genesis::GenesisHash,
    types::{
        Certificate, ConsensusMessage, Evidence, MasternodeSet, Proposal, RoundCertificate, Vote,
    },
};

/// Why a consensus message is rejected. The fault of its sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A vote, a certificate or a proposal breaks a rule.
    #[error(transparent)]
    Vote(#[from] VoteError),
    /// Evidence breaks a rule.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

/// Verifies a consensus message against the set that votes on its height.
pub fn verify_message(
    scheme: &dyn SignatureScheme,
    genesis: &GenesisHash,
    set: &MasternodeSet,
    message: ConsensusMessage,
) -> Result<Verified<ConsensusMessage>, MessageError> {
    Ok(match message {
        ConsensusMessage::Vote(vote) => verify_vote(scheme, genesis, set, vote)?.into(),
        ConsensusMessage::Proposal(proposal) => {
            verify_proposal(scheme, genesis, set, *proposal)?.into()
        }
        ConsensusMessage::Certificate(certificate) => {
            verify_certificate(scheme, genesis, set, certificate)?.into()
        }
        ConsensusMessage::Round(certificate) => {
            verify_round_certificate(scheme, genesis, set, certificate)?.into()
        }
        ConsensusMessage::Evidence(evidence) => {
            verify_evidence(scheme, genesis, set, evidence)?.into()
        }
    })
}

impl Verified<ConsensusMessage> {
    /// The polka or commit certificate, if it is one.
    pub fn certificate(&self) -> Option<Verified<Certificate>> {
        match &**self {
            ConsensusMessage::Certificate(certificate) => {
                Some(Verified::checked(certificate.clone()))
            }
            _ => None,
        }
    }
}

impl From<Verified<Vote>> for Verified<ConsensusMessage> {
    fn from(vote: Verified<Vote>) -> Self {
        vote.map(ConsensusMessage::Vote)
    }
}

impl From<Verified<Proposal>> for Verified<ConsensusMessage> {
    fn from(proposal: Verified<Proposal>) -> Self {
        proposal.map(|proposal| ConsensusMessage::Proposal(Box::new(proposal)))
    }
}

impl From<Verified<Certificate>> for Verified<ConsensusMessage> {
    fn from(certificate: Verified<Certificate>) -> Self {
        certificate.map(ConsensusMessage::Certificate)
    }
}

impl From<Verified<RoundCertificate>> for Verified<ConsensusMessage> {
    fn from(certificate: Verified<RoundCertificate>) -> Self {
        certificate.map(ConsensusMessage::Round)
    }
}

impl From<Verified<Evidence>> for Verified<ConsensusMessage> {
    fn from(evidence: Verified<Evidence>) -> Self {
        evidence.map(ConsensusMessage::Evidence)
    }
}
