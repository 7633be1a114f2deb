//! Hashes, keys, signatures and the one rule that accepts a signature.
//!
//! Never generates randomness: keys are made from secret bytes that the caller supplies.
mod batch;
mod hash;
mod keys;
mod lthash;
mod merkle;
mod verified;
pub(crate) mod words;

pub use batch::{Ed25519, SIGNATURE_BATCH, SignatureCheck, SignatureScheme};
pub(crate) use hash::id;
pub use hash::{hash, hash_of};
pub use keys::{PublicKey, SecretKey, Signature, Signer};
pub use lthash::LtHash;
pub use merkle::merkle_root;
pub use verified::Verified;
