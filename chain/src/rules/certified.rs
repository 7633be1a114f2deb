//! A final block with its proof, verified once.
//!
//! Invariant: the body of a `CertifiedBlock` is the one that its header commits to, and a verified
//! commit certificate names it. Code that holds one verifies neither again.
use super::{RuleError, VoteError, check_commitments, verify_certificate};
use crate::{
    crypto::SignatureScheme,
    genesis::GenesisHash,
    types::{Block, Certificate, Height, MasternodeSet},
};
use std::sync::Arc;

/// A final block. Cloning it copies two pointers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedBlock {
    block: Arc<Block>,
    certificate: Arc<Certificate>,
}

/// Why a block and a certificate are not a final block. The fault of their sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertifyError {
    /// It is a polka, or a commit certificate of another block.
    #[error("the certificate is not a commit certificate of this block")]
    OtherBlock,
    /// The certificate is not valid.
    #[error("the certificate proves nothing: {0}")]
    Certificate(#[from] VoteError),
    /// The certificate names the header, but the body does not match it.
    #[error("the body does not match the header: {0}")]
    Body(#[from] RuleError),
}

impl CertifiedBlock {
    /// Verifies that this certificate makes this block final. The certificate comes first: without
    /// a valid one a sender cannot make this node hash a body.
    pub fn verify(
        scheme: &dyn SignatureScheme,
        genesis: &GenesisHash,
        set: &MasternodeSet,
        block: Block,
        certificate: Certificate,
    ) -> Result<Self, CertifyError> {
        let named = (certificate.height, certificate.block);
        if !certificate.is_commit() || named != (block.header.height, Some(block.hash())) {
            return Err(CertifyError::OtherBlock);
        }
        let certificate = verify_certificate(scheme, genesis, set, certificate)?.into_inner();
        check_commitments(&block)?;
        Ok(Self { block: Arc::new(block), certificate: Arc::new(certificate) })
    }

    /// The block.
    pub fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// The certificate that made it final.
    pub fn certificate(&self) -> &Arc<Certificate> {
        &self.certificate
    }

    /// Its height.
    pub fn height(&self) -> Height {
        self.certificate.height
    }
}
