//! The signature rule, single and batched.
//!
//! A signature (R, s) of a message under a key A is valid when s is below the group order, A and R
//! are canonical encodings of points, A is not of small order, and the cofactored equation
//! `[8][s]B = [8]R + [8][k]A` holds (k is SHA-512 over the bytes as sent). This is ZIP-215 with a
//! byte check in front, so single and batch verification give the same result.
//!
//! Invariant: the result for one signature never depends on the others in its batch.
use super::{PublicKey, Signature};
use ed25519_zebra::{VerificationKeyBytes, batch};
use std::convert::Infallible;

/// One signature to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureCheck {
    /// The key that should have signed.
    pub key: PublicKey,
    /// The 32-byte message.
    pub message: [u8; 32],
    /// The received signature.
    pub signature: Signature,
}

/// Signatures verified in one batch: large enough to be efficient, small enough to stop early at a
/// bad one.
pub const SIGNATURE_BATCH: usize = 128;

/// A way to verify signatures: ed25519 in the node, an ideal oracle in the simulator.
pub trait SignatureScheme: Send + Sync {
    /// Whether all are valid.
    fn all_valid(&self, checks: &[SignatureCheck]) -> bool;

    /// The result for each signature, the same as from single verification. A batch that fails is
    /// verified one by one: a sender of only bad signatures costs three times as much as an honest
    /// one, not ten times.
    fn each_valid(&self, checks: &[SignatureCheck]) -> Vec<bool> {
        let mut answers = Vec::with_capacity(checks.len());
        for batch in checks.chunks(SIGNATURE_BATCH) {
            if self.all_valid(batch) {
                answers.resize(answers.len() + batch.len(), true);
            } else {
                answers
                    .extend(batch.iter().map(|check| self.all_valid(std::slice::from_ref(check))));
            }
        }
        answers
    }

    /// The index of the first invalid signature. Verifies no batch after the one that holds it.
    ///
    /// The result is meaningless once [`Self::is_cancelled`] is true.
    fn first_invalid(&self, checks: &[SignatureCheck]) -> Option<usize> {
        let mut batches = checks.chunks(SIGNATURE_BATCH).enumerate();
        batches.find_map(|(number, batch)| {
            if self.is_cancelled() {
                return Some(number * SIGNATURE_BATCH);
            }
            Some(number * SIGNATURE_BATCH + self.first_invalid_of_batch(batch)?)
        })
    }

    /// [`Self::first_invalid`] for one batch, by bisection: a bad batch costs twice as much as a
    /// good one.
    fn first_invalid_of_batch(&self, batch: &[SignatureCheck]) -> Option<usize> {
        if self.all_valid(batch) {
            return None;
        }
        // Invariant: all before `first` are valid, and at least one from `first` to `end` is not.
        let (mut first, mut end) = (0, batch.len());
        while end - first > 1 {
            let middle = first + (end - first) / 2;
            match self.all_valid(&batch[first..middle]) {
                true => first = middle,
                false => end = middle,
            }
        }
        Some(first)
    }

    /// Whether the result is no longer needed. Set by the shell that runs the work.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// The ed25519 scheme of the node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ed25519;

impl SignatureScheme for Ed25519 {
    fn all_valid(&self, checks: &[SignatureCheck]) -> bool {
        if !checks.iter().all(has_canonical_points) {
            return false;
        }
        if let [check] = checks {
            return item(check).verify_single().is_ok();
        }
        let mut verifier = batch::Verifier::new();
        for check in checks {
            verifier.queue(item(check));
        }
        verifier.verify(Coefficients::of(checks)).is_ok()
    }
}

fn item(check: &SignatureCheck) -> batch::Item {
    let signature = ed25519_zebra::Signature::from_bytes(&check.signature.to_bytes());
    batch::Item::from((VerificationKeyBytes::from(check.key.0), signature, &check.message[..]))
}

/// Batch coefficients derived from the batch itself: the core has no source of randomness, and a
/// forger would have to find a batch whose own hash cancels its errors (Fiat-Shamir).
struct Coefficients(blake3::OutputReader);

impl Coefficients {
    fn of(checks: &[SignatureCheck]) -> Self {
        let mut transcript = blake3::Hasher::new_derive_key("timecoin 2026 batch coefficients");
        for check in checks {
            transcript.update(&check.key.0);
            transcript.update(&check.message);
            transcript.update(&check.signature.to_bytes());
        }
        Self(transcript.finalize_xof())
    }
}

impl rand_core::TryRng for Coefficients {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}
impl rand_core::TryCryptoRng for Coefficients {}

fn has_canonical_points(check: &SignatureCheck) -> bool {
    is_canonical(&check.key.0) && !is_small_order(&check.key.0) && is_canonical(check.signature.r())
}

/// Whether the bytes, if they encode a point, are its canonical encoding: y is below
/// p = 2^255 - 19, and the sign bit is clear if x is zero (y = 1 and y = -1).
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let mut y = *bytes;
    y[31] &= 0x7f;
    let y_is_reduced =
        !(y[31] == 0x7f && y[1..31].iter().all(|&byte| byte == 0xff) && y[0] >= 0xed);
    let sign = bytes[31] & 0x80 != 0;
    let x_is_zero = y == ONE || y == MINUS_ONE;
    y_is_reduced && !(sign && x_is_zero)
}

fn is_small_order(bytes: &[u8; 32]) -> bool {
    let mut y = *bytes;
    y[31] &= 0x7f;
    SMALL_ORDER_Y.contains(&y)
}

const ZERO: [u8; 32] = [0; 32];
const ONE: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};
const MINUS_ONE: [u8; 32] = {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xec;
    bytes[31] = 0x7f;
    bytes
};
/// The y coordinates of the eight points whose order divides eight; two of them have order eight.
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    ZERO,
    ONE,
    MINUS_ONE,
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::Rng as _;

    /// An attacker who knows the coefficients before choosing part of a signature can forge two
    /// that cancel.
    #[test]
    fn the_coefficients_depend_on_every_part_of_every_signature() {
        let check = |byte: u8| SignatureCheck {
            key: PublicKey([byte; 32]),
            message: [byte; 32],
            signature: Signature::from_bytes(&[byte; 64]),
        };
        let batch = [check(1), check(2), check(3)];
        let first = |checks: &[SignatureCheck]| Coefficients::of(checks).next_u64();
        for at in 0..batch.len() {
            let mut changed = [batch; 4];
            changed[0][at].key.0[31] ^= 1;
            changed[1][at].message[31] ^= 1;
            for (which, byte) in [(2, 31), (3, 63)] {
                let mut signature = batch[at].signature.to_bytes();
                signature[byte] ^= 1;
                changed[which][at].signature = Signature::from_bytes(&signature);
            }
            for batch_changed in &changed {
                assert_ne!(first(batch_changed), first(&batch), "{batch_changed:?}");
            }
        }
        assert_ne!(first(&batch[..2]), first(&batch));
        assert_eq!(first(&batch), first(&batch));
    }
}
