//! SHA-256 with a domain tag, so that data of different kinds never has the same hash.
use crate::codec;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// SHA-256 over the tag's length, the tag, then the parts in order.
///
/// Parts are concatenated without lengths: only the last may vary in length.
pub fn hash(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update([u8::try_from(tag.len()).expect("tags are short literals")]);
    hasher.update(tag.as_bytes());
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The tagged hash of a value's canonical bytes.
pub fn hash_of<T: Serialize>(tag: &str, value: &T) -> [u8; 32] {
    hash(tag, &[&codec::encode(value)])
}

/// Declares a 32-byte identifier type that prints as hexadecimal.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
        pub struct $name(#[serde(with = "crate::crypto::words")] pub [u8; 32]);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), &hex::encode(&self.0[..4]))
            }
        }
        impl std::str::FromStr for $name {
            type Err = hex::FromHexError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes)?;
                Ok(Self(bytes))
            }
        }
    };
}
pub(crate) use id;
