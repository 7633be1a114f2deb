//! Ed25519 keys and signatures as bytes, and the signer that holds a secret.
use crate::crypto::hash::id;
use ed25519_dalek::Signer as _;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

id! {
    /// An ed25519 public key, 32 bytes as sent. Not every value is a point; the signature rule decides.
    PublicKey
}

/// An ed25519 signature: the point R, then the scalar s (RFC 8032).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signature {
    #[serde(with = "crate::crypto::words")]
    r: [u8; 32],
    #[serde(with = "crate::crypto::words")]
    s: [u8; 32],
}

impl Signature {
    /// From R ‖ s.
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let (mut r, mut s) = ([0; 32], [0; 32]);
        r.copy_from_slice(&bytes[..32]);
        s.copy_from_slice(&bytes[32..]);
        Self { r, s }
    }

    /// R ‖ s.
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&self.r);
        bytes[32..].copy_from_slice(&self.s);
        bytes
    }

    /// The encoded point R.
    pub fn r(&self) -> &[u8; 32] {
        &self.r
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signature({})", hex::encode(&self.r[..4]))
    }
}

/// Something that signs with one key. The engine holds one; the simulator has its own.
pub trait Signer: Send + Sync {
    /// The key that verifies what this signs.
    fn public_key(&self) -> PublicKey;
    /// Signs a 32-byte message. Deterministic.
    fn sign(&self, message: &[u8; 32]) -> Signature;
}

/// An ed25519 secret, erased from memory when dropped.
#[derive(Clone)]
pub struct SecretKey(ed25519_dalek::SigningKey);

impl SecretKey {
    /// From 32 secret bytes, which must come from a cryptographic source of randomness.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(bytes))
    }

    /// The 32 secret bytes.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

impl Signer for SecretKey {
    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8; 32]) -> Signature {
        Signature::from_bytes(&self.0.sign(message).to_bytes())
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(public {:?})", self.public_key())
    }
}
