//! The ideal signature scheme: a tag that only the signer can make, because nothing else in the
//! simulator makes tags. A hundred times cheaper than ed25519.
use sha2::{Digest, Sha256};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use timecoin_chain::crypto::{
    Ed25519, PublicKey, SecretKey, Signature, SignatureCheck, SignatureScheme, Signer,
};

/// Which scheme a seed uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signatures {
    /// Tags.
    Ideal,
    /// Ed25519, as in the node.
    Real,
}

impl Signatures {
    /// The checker.
    pub fn scheme(self) -> Arc<dyn SignatureScheme> {
        match self {
            Self::Ideal => Arc::new(Ideal),
            Self::Real => Arc::new(Ed25519),
        }
    }

    /// The signer with this number.
    pub fn signer(self, number: u8) -> Arc<dyn Signer> {
        match self {
            Self::Ideal => Arc::new(IdealSigner(PublicKey(Sha256::digest([number]).into()))),
            Self::Real => Arc::new(SecretKey::from_bytes(&[number; 32])),
        }
    }
}

/// A scheme that counts the signatures it checks: what a piece of work costs, whatever its own estimate.
pub struct Counted<'a> {
    scheme: &'a dyn SignatureScheme,
    checked: AtomicU64,
}

impl<'a> Counted<'a> {
    /// Counts what this scheme checks.
    pub fn new(scheme: &'a dyn SignatureScheme) -> Self {
        Self { scheme, checked: AtomicU64::new(0) }
    }

    /// Signatures checked so far.
    pub fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }
}

impl SignatureScheme for Counted<'_> {
    fn all_valid(&self, checks: &[SignatureCheck]) -> bool {
        self.checked.fetch_add(checks.len() as u64, Ordering::Relaxed);
        self.scheme.all_valid(checks)
    }
}

struct Ideal;

impl SignatureScheme for Ideal {
    fn all_valid(&self, checks: &[SignatureCheck]) -> bool {
        checks.iter().all(|check| check.signature == tag(&check.key, &check.message))
    }
}

struct IdealSigner(PublicKey);

impl Signer for IdealSigner {
    fn public_key(&self) -> PublicKey {
        self.0
    }

    fn sign(&self, message: &[u8; 32]) -> Signature {
        tag(&self.0, message)
    }
}

fn tag(key: &PublicKey, message: &[u8; 32]) -> Signature {
    let digest: [u8; 32] =
        Sha256::new().chain_update(key.0).chain_update(message).finalize().into();
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&digest);
    bytes[32..].copy_from_slice(&digest);
    Signature::from_bytes(&bytes)
}
