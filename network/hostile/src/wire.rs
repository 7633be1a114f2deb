//! Gossipsub messages and requests as bytes.

use crate::plan::Payload;

/// The number of a message, and the bytes that it has.
pub(crate) fn payload(payload: &Payload, number: u64) -> Vec<u8> {
    match payload {
        Payload::Raw(bytes) => noise(number, *bytes),
        Payload::Random(bytes) => enveloped(&noise(number, *bytes)),
        Payload::Same(bytes) => enveloped(&noise(0, *bytes)),
        Payload::Template { bytes, vary } => {
            let mut bytes = bytes.clone();
            if let Some(place) = bytes.get_mut(*vary..).and_then(|rest| rest.first_chunk_mut()) {
                *place = number.to_le_bytes();
            }
            enveloped(&bytes)
        }
    }
}

/// The envelope of a payload that is not compressed.
fn enveloped(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut bytes = vec![1, 0, 0, 0];
    bytes.extend(length.to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// A request in its envelope and frame.
pub(crate) fn request(payload: &[u8]) -> Vec<u8> {
    let body = enveloped(payload);
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut frame = length.to_be_bytes().to_vec();
    frame.extend(body);
    frame
}

/// A message of gossipsub in its frame.
pub(crate) fn rpc(topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = field(2, payload);
    message.extend(field(4, topic.as_bytes()));
    let rpc = field(2, &message);
    let mut frame = varint(rpc.len());
    frame.extend(rpc);
    frame
}

/// A length-delimited field of protobuf.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(varint(bytes.len()));
    field.extend(bytes);
    field
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

/// Bytes that do not compress, different for each seed.
pub fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend(state.to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_protocol() {
        assert_eq!(rpc("t", b"ab"), b"\x09\x12\x07\x12\x02ab\x22\x01t");
        assert_eq!(varint(300), [0xac, 0x02]);
        assert_eq!(request(b""), [0, 0, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(payload(&Payload::Same(3), 1), payload(&Payload::Same(3), 2));
        let template = Payload::Template { bytes: vec![9; 10], vary: 1 };
        assert_eq!(payload(&template, 7)[8..], [9, 7, 0, 0, 0, 0, 0, 0, 0, 9]);
        assert_ne!(noise(1, 64), noise(2, 64));
        assert_eq!(noise(1, 13).len(), 13);
    }
}
