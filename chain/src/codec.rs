//! Canonical bytes of everything that is hashed, signed, stored or sent.
//!
//! The only file that names bincode: version 2.0.1, little-endian, fixed-width integers. Decoding
//! has four gates, in order: the length cap of the type, a memory limit, no trailing bytes, and a
//! re-encoding that equals the input. The last one holds by construction, because each value has
//! only one encoding (no varints, no maps, no floats, no strings).
//!
//! Invariant: `decode(encode(x)) == x`, and `encode(decode(b)) == b` for every accepted `b`.
use crate::limits::STORED_BYTES_MAX;
use bincode::config;
use serde::{Serialize, de::DeserializeOwned};

/// A type with one canonical encoding and a maximum size.
pub trait Canonical: Serialize + DeserializeOwned {
    /// Longest accepted encoding in bytes.
    const BYTES_MAX: usize;
}

/// Why bytes do not decode to a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes are longer than the type allows.
    #[error("{bytes} bytes exceed the {max} allowed")]
    TooLong {
        /// Length received.
        bytes: usize,
        /// Length allowed.
        max: usize,
    },
    /// The bytes are not an encoding of the type.
    #[error("malformed encoding: {reason}")]
    Malformed {
        /// What the decoder reported.
        reason: String,
    },
    /// Bytes are left after the decoded value.
    #[error("{trailing} trailing bytes after the value")]
    Trailing {
        /// Number of bytes left.
        trailing: usize,
    },
}

const LIMIT: usize = 8 * STORED_BYTES_MAX;

fn settings() -> impl config::Config {
    config::standard().with_little_endian().with_fixed_int_encoding().with_limit::<LIMIT>()
}

/// The canonical bytes of a value.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Most values are a few hundred bytes. Growing the buffer from empty cost a tenth of a node's
    // CPU time.
    let mut bytes = Vec::with_capacity(512);
    bincode::serde::encode_into_std_write(value, &mut bytes, settings())
        .expect("chain types hold only integers, arrays, vectors and enums, which always encode");
    bytes
}

/// Decodes a value from exactly these bytes.
pub fn decode<T: Canonical>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > T::BYTES_MAX {
        return Err(CodecError::TooLong { bytes: bytes.len(), max: T::BYTES_MAX });
    }
    let (value, used) = bincode::serde::decode_from_slice(bytes, settings())
        .map_err(|error| CodecError::Malformed { reason: error.to_string() })?;
    if used != bytes.len() {
        return Err(CodecError::Trailing { trailing: bytes.len() - used });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        number: u32,
        list: Vec<u64>,
        option: Option<u8>,
    }
    impl Canonical for Sample {
        const BYTES_MAX: usize = 64;
    }

    fn sample() -> Sample {
        Sample { number: 7, list: vec![1, 2], option: Some(3) }
    }

    #[test]
    fn a_value_survives_the_round_trip() {
        assert_eq!(decode::<Sample>(&encode(&sample())), Ok(sample()));
    }

    #[test]
    fn every_truncation_is_malformed() {
        let bytes = encode(&sample());
        for cut in 0..bytes.len() {
            assert!(matches!(decode::<Sample>(&bytes[..cut]), Err(CodecError::Malformed { .. })));
        }
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut bytes = encode(&sample());
        bytes.push(0);
        assert_eq!(decode::<Sample>(&bytes), Err(CodecError::Trailing { trailing: 1 }));
    }

    #[test]
    fn the_length_cap_comes_before_the_decoder() {
        assert_eq!(decode::<Sample>(&[0; 65]), Err(CodecError::TooLong { bytes: 65, max: 64 }));
    }

    #[test]
    fn a_huge_length_prefix_is_refused_without_allocation() {
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(decode::<Sample>(&bytes), Err(CodecError::Malformed { .. })));
        let mut bytes = vec![0; 4];
        bytes.extend_from_slice(&(1_u64 << 40).to_le_bytes());
        assert!(matches!(decode::<Sample>(&bytes), Err(CodecError::Malformed { .. })));
    }

    #[test]
    fn an_option_tag_has_two_values() {
        let mut bytes = encode(&Sample { number: 0, list: vec![], option: Some(9) });
        let tag = bytes.len() - 2;
        bytes[tag] = 2;
        assert!(matches!(decode::<Sample>(&bytes), Err(CodecError::Malformed { .. })));
    }
}
