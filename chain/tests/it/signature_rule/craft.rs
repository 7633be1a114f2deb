//! Signatures made for the tests: honest ones, ones with a changed part, and the edge cases.
use super::*;
use crate::fixture::secret;
use curve25519_dalek::EdwardsPoint;
use sha2::{Digest, Sha512};
use timecoin_chain::crypto::{Signature, Signer};

/// An ordinary signature; the same number gives the same one.
pub(super) fn honest(number: u64) -> SignatureCheck {
    let message: [u8; 32] = Source::new(number).one();
    let secret = secret(message[0]);
    SignatureCheck { key: secret.public_key(), message, signature: secret.sign(&message) }
}

/// A signature whose key and R have parts of small order; the cofactored equation holds.
pub(super) fn craft(
    a: Scalar,
    key_torsion: EdwardsPoint,
    r: Scalar,
    r_torsion: EdwardsPoint,
    message: [u8; 32],
) -> SignatureCheck {
    let key = (a * B + key_torsion).compress().0;
    let r_point = (r * B + r_torsion).compress().0;
    let s = r + challenge(&r_point, &key, &message) * a;
    check(key, message, r_point, s.to_bytes())
}

pub(super) fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8; 32]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

pub(super) fn scalar(seed: u64) -> Scalar {
    Scalar::from_bytes_mod_order(Source::new(seed).one())
}

pub(super) fn scalar_of(check: &SignatureCheck) -> Scalar {
    Scalar::from_bytes_mod_order(s_of(check))
}

pub(super) fn check(key: [u8; 32], message: [u8; 32], r: [u8; 32], s: [u8; 32]) -> SignatureCheck {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&r);
    signature[32..].copy_from_slice(&s);
    SignatureCheck { key: PublicKey(key), message, signature: Signature::from_bytes(&signature) }
}

pub(super) fn with_r(of: &SignatureCheck, r: [u8; 32]) -> SignatureCheck {
    check(of.key.0, of.message, r, s_of(of))
}

pub(super) fn with_s(of: &SignatureCheck, s: [u8; 32]) -> SignatureCheck {
    check(of.key.0, of.message, *of.signature.r(), s)
}

pub(super) fn s_of(check: &SignatureCheck) -> [u8; 32] {
    let mut s = [0; 32];
    s.copy_from_slice(&check.signature.to_bytes()[32..]);
    s
}

pub(super) fn group_order() -> [u8; 32] {
    let mut one = [0; 32];
    one[0] = 1;
    add(&(-Scalar::ONE).to_bytes(), &one)
}

/// The sum of two little-endian numbers, without reduction.
pub(super) fn add(a: &[u8; 32], b: &[u8; 32]) -> [u8; 32] {
    let mut sum = [0; 32];
    let mut carry = 0;
    for (byte, (a, b)) in sum.iter_mut().zip(a.iter().zip(b)) {
        let [low, high] = (u16::from(*a) + u16::from(*b) + carry).to_le_bytes();
        *byte = low;
        carry = u16::from(high);
    }
    assert_eq!(carry, 0);
    sum
}

/// The 14 byte strings that decode to the eight points of small order when encodings are not
/// required to be canonical (ZIP-215).
pub(super) fn small_order_encodings() -> Vec<[u8; 32]> {
    let mut encodings: Vec<[u8; 32]> = EIGHT_TORSION.iter().map(|p| p.compress().0).collect();
    for low in [0xec, 0xed, 0xee_u8] {
        for high in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, high);
            encodings.push(bytes);
        }
    }
    let mut one_with_sign = [0; 32];
    (one_with_sign[0], one_with_sign[31]) = (1, 0x80);
    encodings.push(one_with_sign);
    encodings.sort_unstable();
    encodings.dedup();
    encodings
}

/// By compressing the point again, where the rule compares bytes.
pub(super) fn is_canonical(bytes: &[u8; 32]) -> bool {
    let point = curve25519_dalek::edwards::CompressedEdwardsY(*bytes).decompress();
    point.is_some_and(|point| point.compress().0 == *bytes)
}

pub(super) fn speccheck() -> Vec<SignatureCheck> {
    include_str!("../../vectors/speccheck.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let parts: Vec<Vec<u8>> =
                line.split(' ').map(|part| hex::decode(part).unwrap()).collect();
            SignatureCheck {
                message: parts[0][..].try_into().unwrap(),
                key: PublicKey(parts[1][..].try_into().unwrap()),
                signature: Signature::from_bytes(parts[2][..].try_into().unwrap()),
            }
        })
        .collect()
}
