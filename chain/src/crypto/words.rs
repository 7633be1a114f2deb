//! Serde for 32 bytes as two little-endian words, for `#[serde(with)]`.
//!
//! The canonical bytes are those of the array, which serde would handle byte by byte.
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const WORD: usize = size_of::<u128>();

pub(crate) fn serialize<S: Serializer>(
    bytes: &[u8; 2 * WORD],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let word = |from: usize| {
        let mut word = [0; WORD];
        word.copy_from_slice(&bytes[from..from + WORD]);
        u128::from_le_bytes(word)
    };
    (word(0), word(WORD)).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<[u8; 2 * WORD], D::Error> {
    let (first, second) = <(u128, u128)>::deserialize(deserializer)?;
    let mut bytes = [0; 2 * WORD];
    bytes[..WORD].copy_from_slice(&first.to_le_bytes());
    bytes[WORD..].copy_from_slice(&second.to_le_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use crate::{codec, crypto::Signature};

    #[test]
    fn the_canonical_bytes_are_those_of_the_array() {
        let bytes: [u8; 64] = std::array::from_fn(|index| u8::try_from(index).unwrap_or(0));
        assert_eq!(codec::encode(&Signature::from_bytes(&bytes)), bytes);
    }
}
