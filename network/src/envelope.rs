//! The envelope around every payload: `[version u8][flags u8][attempt u8][reserved u8][raw_len u32 le][body]`.
//!
//! Flag bit 0 says the body is one lz4 block. `attempt` lets a sender repeat a payload on purpose:
//! it is part of the hashed message, so the duplicate cache does not drop the repeat.
//!
//! Invariants: nothing is allocated before the declared length is checked against the limit, at
//! most 32 times the received bytes are allocated, and a decoded payload has exactly the declared
//! length. The encoding is not canonical (the same payload may travel compressed or not), so code
//! that detects repeats must compare payloads.

use bytes::Bytes;

/// Bytes in front of the body.
pub(crate) const HEADER_BYTES: usize = 8;
const VERSION: u8 = 1;
const FLAG_LZ4: u8 = 1;
const COMPRESS_FROM_BYTES: usize = 1024;
const EXPANSION_MAX: usize = 32;

/// Why an envelope was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Shorter than its header.
    #[error("{bytes} bytes are shorter than the {HEADER_BYTES} byte header")]
    Short {
        /// Received bytes.
        bytes: usize,
    },
    /// A version this node does not speak.
    #[error("envelope version {0} is unknown")]
    Version(u8),
    /// A flag this node does not know.
    #[error("envelope flags {0:#04x} are unknown")]
    Flags(u8),
    /// The reserved byte is not zero.
    #[error("the reserved byte is {0}, not 0")]
    Reserved(u8),
    /// The received body exceeds the limit of its topic or protocol.
    #[error("body of {bytes} bytes exceeds the limit of {limit}")]
    WireTooLarge {
        /// Received body bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The declared payload exceeds the limit of its topic or protocol.
    #[error("declared payload of {bytes} bytes exceeds the limit of {limit}")]
    RawTooLarge {
        /// Declared payload bytes.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The declared payload is implausibly large for the received bytes.
    #[error(
        "declared payload of {raw} bytes is more than {EXPANSION_MAX} times the {wire} received"
    )]
    Expansion {
        /// Declared payload bytes.
        raw: usize,
        /// Received body bytes.
        wire: usize,
    },
    /// Declared and actual length of the payload differ.
    #[error("declared payload of {declared} bytes is {actual} bytes long")]
    Length {
        /// Declared payload bytes.
        declared: usize,
        /// Actual bytes.
        actual: usize,
    },
    /// The body is not an lz4 block of the declared length.
    #[error("the body is not an lz4 block of the declared length")]
    Lz4,
}

/// Wraps `payload`. The caller has checked it against its limit, which is far below `u32::MAX`.
pub(crate) fn encode(payload: &[u8], attempt: u8, compressible: bool) -> Vec<u8> {
    if compressible && payload.len() >= COMPRESS_FROM_BYTES {
        let packed = lz4_flex::block::compress(payload);
        let saves_a_tenth = packed.len() <= payload.len() - payload.len() / 10;
        // The receiver refuses payloads that expand too much, so they travel uncompressed.
        if saves_a_tenth && payload.len() <= packed.len().saturating_mul(EXPANSION_MAX) {
            return assemble(FLAG_LZ4, attempt, payload.len(), &packed);
        }
    }
    assemble(0, attempt, payload.len(), payload)
}

fn assemble(flags: u8, attempt: u8, raw_bytes: usize, body: &[u8]) -> Vec<u8> {
    let raw_bytes = u32::try_from(raw_bytes).expect("callers cap payloads far below 4 GiB");
    let mut wire = Vec::with_capacity(HEADER_BYTES + body.len());
    wire.extend_from_slice(&[VERSION, flags, attempt, 0]);
    wire.extend_from_slice(&raw_bytes.to_le_bytes());
    wire.extend_from_slice(body);
    wire
}

/// Unwraps one envelope whose body and payload may have at most `limit` bytes. Each call allocates a fresh buffer.
pub(crate) fn decode(wire: &[u8], limit: usize) -> Result<Bytes, EnvelopeError> {
    let (is_packed, raw, body) = split(wire, limit)?;
    if is_packed { unpack(raw, body) } else { stored(raw, body) }
}

/// Whether the header of an envelope is one that [`decode`] takes. Looks at no byte of the body.
pub(crate) fn check_header(wire: &[u8], limit: usize) -> Result<(), EnvelopeError> {
    split(wire, limit).map(|_| ())
}

/// Whether the body is packed, the declared length of the payload, and the body.
fn split(wire: &[u8], limit: usize) -> Result<(bool, usize, &[u8]), EnvelopeError> {
    let (header, body) = wire
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or(EnvelopeError::Short { bytes: wire.len() })?;
    let [version, flags, _attempt, reserved, length @ ..] = *header;
    if version != VERSION {
        return Err(EnvelopeError::Version(version));
    }
    if flags & !FLAG_LZ4 != 0 {
        return Err(EnvelopeError::Flags(flags));
    }
    if reserved != 0 {
        return Err(EnvelopeError::Reserved(reserved));
    }
    let raw = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    check_lengths(raw, body.len(), limit)?;
    Ok((flags & FLAG_LZ4 != 0, raw, body))
}

/// The payload length that an envelope declares.
pub(crate) fn unpacked_bytes(wire: &[u8]) -> usize {
    let header = wire.first_chunk::<HEADER_BYTES>();
    header.map_or(0, |[_, _, _, _, length @ ..]| {
        usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX)
    })
}

fn check_lengths(raw: usize, wire: usize, limit: usize) -> Result<(), EnvelopeError> {
    if wire > limit {
        return Err(EnvelopeError::WireTooLarge { bytes: wire, limit });
    }
    if raw > limit {
        return Err(EnvelopeError::RawTooLarge { bytes: raw, limit });
    }
    if raw > wire.saturating_mul(EXPANSION_MAX) {
        return Err(EnvelopeError::Expansion { raw, wire });
    }
    Ok(())
}

fn stored(raw: usize, body: &[u8]) -> Result<Bytes, EnvelopeError> {
    if raw != body.len() {
        return Err(EnvelopeError::Length { declared: raw, actual: body.len() });
    }
    Ok(Bytes::copy_from_slice(body))
}

fn unpack(raw: usize, body: &[u8]) -> Result<Bytes, EnvelopeError> {
    let mut payload = vec![0; raw];
    let written =
        lz4_flex::block::decompress_into(body, &mut payload).map_err(|_| EnvelopeError::Lz4)?;
    if written != raw {
        return Err(EnvelopeError::Length { declared: raw, actual: written });
    }
    Ok(Bytes::from(payload))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const LIMIT: usize = 64 * 1024;

    fn noise(bytes: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        (0..bytes)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            })
            .collect()
    }

    fn text(bytes: usize) -> Vec<u8> {
        // Compresses well, but less than 32 times.
        noise(bytes / 8 + 1).into_iter().flat_map(|byte| [byte; 8]).take(bytes).collect()
    }

    #[test]
    fn what_goes_in_comes_out() {
        for payload in [vec![], vec![7], noise(1023), noise(LIMIT), text(LIMIT), vec![0; LIMIT]] {
            for compressible in [false, true] {
                let wire = encode(&payload, 3, compressible);
                assert_eq!(wire[2], 3);
                assert_eq!(decode(&wire, LIMIT).unwrap(), payload);
            }
        }
    }

    #[test]
    fn only_what_shrinks_and_may_shrink_is_compressed() {
        let cases = [
            (text(4096), true, FLAG_LZ4),
            (text(4096), false, 0),
            (text(1000), true, 0),
            (noise(4096), true, 0),
            (vec![0; LIMIT], true, 0),
        ];
        for (payload, compressible, flags) in cases {
            assert_eq!(encode(&payload, 0, compressible)[1], flags);
        }
    }

    #[test]
    fn the_unpacked_length_is_known_before_unpacking() {
        assert_eq!(unpacked_bytes(&encode(&text(4096), 0, true)), 4096);
        assert_eq!(unpacked_bytes(&encode(b"vote", 0, true)), 4);
        assert_eq!(unpacked_bytes(b"short"), 0);
    }

    #[test]
    fn every_attempt_is_another_message() {
        assert_ne!(encode(b"vote", 0, false), encode(b"vote", 1, false));
    }

    #[test]
    fn malformed_envelopes_are_named() {
        let declared = |flags: u8, raw: u32, body: &[u8]| {
            let mut wire = vec![VERSION, flags, 0, 0];
            wire.extend_from_slice(&raw.to_le_bytes());
            wire.extend_from_slice(body);
            wire
        };
        let mut extra = encode(&text(4096), 0, true);
        extra.push(0);
        let mut cut = encode(&text(4096), 0, true);
        cut.truncate(cut.len() - 1);
        let cases = [
            (vec![1; 7], EnvelopeError::Short { bytes: 7 }),
            (vec![2, 0, 0, 0, 0, 0, 0, 0], EnvelopeError::Version(2)),
            (vec![1, 2, 0, 0, 0, 0, 0, 0], EnvelopeError::Flags(2)),
            (vec![1, 0, 0, 9, 0, 0, 0, 0], EnvelopeError::Reserved(9)),
            (
                declared(0, 1, &noise(LIMIT + 1)),
                EnvelopeError::WireTooLarge { bytes: LIMIT + 1, limit: LIMIT },
            ),
            (
                declared(FLAG_LZ4, u32::MAX, &[0; 16]),
                EnvelopeError::RawTooLarge { bytes: 4_294_967_295, limit: LIMIT },
            ),
            (
                declared(FLAG_LZ4, 16 * 32 + 1, &[0; 16]),
                EnvelopeError::Expansion { raw: 513, wire: 16 },
            ),
            (declared(0, 3, b"four"), EnvelopeError::Length { declared: 3, actual: 4 }),
            (declared(0, 5, b"four"), EnvelopeError::Length { declared: 5, actual: 4 }),
            (declared(FLAG_LZ4, 100, &[0xff; 16]), EnvelopeError::Lz4),
            (extra, EnvelopeError::Lz4),
            (cut, EnvelopeError::Lz4),
        ];
        for (wire, error) in cases {
            assert_eq!(decode(&wire, LIMIT), Err(error));
        }
    }

    #[test]
    fn a_block_shorter_than_declared_is_refused() {
        let payload = text(4096);
        let mut wire = encode(&payload, 0, true);
        wire[4..8].copy_from_slice(&4097_u32.to_le_bytes());
        assert_eq!(
            decode(&wire, LIMIT),
            Err(EnvelopeError::Length { declared: 4097, actual: 4096 })
        );
    }

    #[test]
    fn the_bytes_are_frozen() {
        assert_eq!(encode(b"vote", 2, true), b"\x01\x00\x02\x00\x04\x00\x00\x00vote");
    }
}
