//! Signed peer records: how nodes tell each other who can be dialled where.
//!
//! Each record is signed by the peer it names (libp2p RFC 0002 and 0003), so a peer that forwards it
//! cannot change an address. On the wire a list is `[length u16 be][bytes]` for each item.
//!
//! Never decides what is dialled: `discovery.rs` does.

use bytes::Bytes;
use libp2p::{
    Multiaddr, PeerId,
    core::{PeerRecord, SignedEnvelope},
};

/// Records in one answer.
pub(crate) const RECORDS_MAX: usize = 100;
/// Peers that one request may name.
pub(crate) const WANTED_MAX: usize = 32;
/// Bytes of one record.
pub(crate) const RECORD_BYTES_MAX: usize = 1_024;
/// Bytes of a peer id in a list.
const PEER_BYTES_MAX: usize = 64;
pub(crate) const REQUEST_BYTES_MAX: usize = WANTED_MAX * (2 + PEER_BYTES_MAX);
pub(crate) const RESPONSE_BYTES_MAX: usize = RECORDS_MAX * (2 + RECORD_BYTES_MAX);

/// A record whose signature holds.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) peer: PeerId,
    /// Grows with each record of a peer.
    pub(crate) seq: u64,
    pub(crate) addresses: Vec<Multiaddr>,
    /// The signed envelope, to be passed on.
    pub(crate) bytes: Bytes,
}

impl Record {
    /// Verifies a record; none if it is not signed by the peer it names, or too long to be passed on.
    pub(crate) fn verify(envelope: SignedEnvelope) -> Option<Self> {
        let bytes = Bytes::from(envelope.clone().into_protobuf_encoding());
        let record = PeerRecord::from_signed_envelope(envelope).ok()?;
        (bytes.len() <= RECORD_BYTES_MAX).then(|| Record {
            peer: record.peer_id(),
            seq: record.seq(),
            addresses: record.addresses().to_vec(),
            bytes,
        })
    }
}

impl Record {
    /// Reads a record that was saved as hexadecimal, and verifies it.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let bytes = hex::decode(text).ok()?;
        Record::verify(SignedEnvelope::from_protobuf_encoding(&bytes).ok()?)
    }
}

pub(crate) fn encode_wanted(peers: &[PeerId]) -> Bytes {
    encode(peers.iter().take(WANTED_MAX).map(|peer| peer.to_bytes()))
}

/// The peers that a request names; none if it is malformed.
pub(crate) fn decode_wanted(bytes: &[u8]) -> Option<Vec<PeerId>> {
    let items = decode(bytes, WANTED_MAX)?;
    items.into_iter().map(|item| PeerId::from_bytes(item).ok()).collect()
}

pub(crate) fn encode_records(records: impl Iterator<Item = Bytes>) -> Bytes {
    encode(records.take(RECORDS_MAX))
}

/// The records of an answer; none if it is malformed or holds a record that is not signed.
pub(crate) fn decode_records(bytes: &[u8]) -> Option<Vec<Record>> {
    let items = decode(bytes, RECORDS_MAX)?;
    let verify = |item: &[u8]| Record::verify(SignedEnvelope::from_protobuf_encoding(item).ok()?);
    items.into_iter().map(verify).collect()
}

fn encode<Item: AsRef<[u8]>>(items: impl Iterator<Item = Item>) -> Bytes {
    let mut bytes = Vec::new();
    for item in items {
        let item = item.as_ref();
        let Ok(length) = u16::try_from(item.len()) else { continue };
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(item);
    }
    bytes.into()
}

fn decode(mut bytes: &[u8], max: usize) -> Option<Vec<&[u8]>> {
    let mut items = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (item, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        if items.len() == max {
            return None;
        }
        items.push(item);
        bytes = rest;
    }
    bytes.is_empty().then_some(items)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use libp2p::identity::Keypair;

    use super::*;

    fn envelope(keypair: &Keypair) -> SignedEnvelope {
        let address = "/ip4/9.9.9.9/tcp/1".parse().unwrap();
        PeerRecord::new(keypair, vec![address]).unwrap().into_signed_envelope()
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let keypair = Keypair::generate_ed25519();
        let record = Record::verify(envelope(&keypair)).unwrap();
        let records = decode_records(&encode_records([record.bytes.clone()].into_iter())).unwrap();
        assert_eq!(records[0].peer, keypair.public().to_peer_id());
        assert_eq!(records[0].addresses, record.addresses);
        let peers: Vec<PeerId> = (0..WANTED_MAX + 5).map(|_| PeerId::random()).collect();
        assert_eq!(decode_wanted(&encode_wanted(&peers)).unwrap(), peers[..WANTED_MAX]);
    }

    #[test]
    fn forged_and_malformed_lists_are_refused() {
        let keypair = Keypair::generate_ed25519();
        let good = encode_records([Record::verify(envelope(&keypair)).unwrap().bytes].into_iter());
        for index in 2..good.len() {
            let mut forged = good.to_vec();
            forged[index] ^= 1;
            let same = decode_records(&forged).is_some_and(|records| {
                records[0].addresses != decode_records(&good).unwrap()[0].addresses
            });
            assert!(!same, "byte {index} changes an address and the signature still holds");
        }
        for cut in 1..good.len() {
            assert!(decode_records(&good[..cut]).is_none(), "{cut}");
        }
        let many = encode(std::iter::repeat_n([0; 1], RECORDS_MAX + 1));
        assert!(decode(&many, RECORDS_MAX).is_none());
    }
}
