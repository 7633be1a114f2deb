//! The signature rule on its edges, and the proof that a batch never changes an answer.
mod craft;

use crate::generate::Source;
use craft::{
    add, challenge, check, craft, group_order, honest, is_canonical, s_of, scalar, scalar_of,
    small_order_encodings, speccheck, with_r, with_s,
};
use curve25519_dalek::{
    Scalar,
    constants::{ED25519_BASEPOINT_POINT as B, EIGHT_TORSION},
};
use ed25519_dalek::VerifyingKey;
use ed25519_zebra::VerificationKey;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use timecoin_chain::crypto::{
    Ed25519, PublicKey, SIGNATURE_BATCH, SignatureCheck, SignatureScheme,
};

#[test]
fn the_speccheck_cases_are_judged_as_specified() {
    // Case numbers 0 to 11; V is valid. The other two columns prove that the vectors are the
    // published ones: they are the rows of Dalek and ZIP-215 in the table of the paper's authors.
    const OURS: &str = "--VVVV------";
    const ZIP_215: &str = "VVVVVV---VVV";
    const DALEK: &str = "VVVV-------V";
    let letter = |valid| if valid { 'V' } else { '-' };
    let cases = speccheck();
    assert_eq!(cases.len(), 12);
    let column = |judge: fn(&SignatureCheck) -> bool| -> String {
        cases.iter().map(|case| letter(judge(case))).collect()
    };
    assert_eq!(column(zip_215), ZIP_215);
    assert_eq!(column(dalek), DALEK);
    assert_eq!(column(alone), OURS);
    for (number, case) in cases.iter().enumerate() {
        assert_batches_agree(case, &format!("case {number}"));
    }
}

#[test]
fn no_entry_of_the_zip_215_matrix_is_valid_because_every_key_is_of_small_order() {
    let encodings = small_order_encodings();
    assert_eq!(encodings.len(), 14);
    let mut entries = 0;
    for key in &encodings {
        for r in &encodings {
            let entry = check(*key, *b"Zcash, as in ZIP-215, 32 bytes!!", *r, [0; 32]);
            assert!(zip_215(&entry), "the entry is not of the matrix: {entry:?}");
            assert!(!alone(&entry), "{entry:?}");
            assert_batches_agree(&entry, "matrix");
            entries += 1;
        }
    }
    assert_eq!(entries, 196);
}

#[test]
fn r_of_small_order_is_valid_in_its_one_canonical_encoding_only() {
    let a = scalar(7);
    let mut valid = 0;
    for r in small_order_encodings() {
        let key = (a * B).compress().0;
        let message = [0x33; 32];
        let entry = check(key, message, r, (challenge(&r, &key, &message) * a).to_bytes());
        assert!(zip_215(&entry), "the equation does not hold: {entry:?}");
        assert_eq!(alone(&entry), is_canonical(&r), "{entry:?}");
        assert_batches_agree(&entry, "small R");
        valid += usize::from(alone(&entry));
    }
    assert_eq!(valid, 8);
}

#[test]
fn keys_and_r_of_mixed_order_are_valid() {
    for key_torsion in EIGHT_TORSION {
        for r_torsion in EIGHT_TORSION {
            let entry = craft(scalar(1), key_torsion, scalar(2), r_torsion, [0x44; 32]);
            assert!(alone(&entry), "{entry:?}");
            assert_batches_agree(&entry, "mixed order");
        }
    }
}

#[test]
fn a_key_that_is_no_canonical_point_is_refused() {
    let (mut judged, mut points) = (0, 0);
    // Every y from p to 2^255 - 1 with both signs: all encodings with a y that is not reduced.
    for low in 0xed..=0xff_u8 {
        for high in [0x7f, 0xff] {
            let mut key = [0xff; 32];
            (key[0], key[31]) = (low, high);
            points += usize::from(VerificationKey::try_from(key).is_ok());
            for r in small_order_encodings() {
                let entry = check(key, [0x55; 32], r, [0; 32]);
                assert!(!alone(&entry), "{entry:?}");
                assert_batches_agree(&entry, "key beyond p");
                judged += 1;
            }
        }
    }
    assert_eq!((judged, points), (19 * 2 * 14, 24));
}

#[test]
fn a_key_or_r_that_is_no_point_at_all_is_refused() {
    let no_point = (2..).map(|y| [y; 32]).find(|y| VerificationKey::try_from(*y).is_err()).unwrap();
    let honest = honest(1);
    let wrong_key = SignatureCheck { key: PublicKey(no_point), ..honest };
    let wrong_r = with_r(&honest, no_point);
    for entry in [wrong_key, wrong_r] {
        assert!(!alone(&entry));
        assert_batches_agree(&entry, "no point");
    }
}

#[test]
fn s_must_be_below_the_group_order() {
    let honest = honest(1);
    let s = s_of(&honest);
    let order = group_order();
    let mut twice = honest;
    for times in 1..=7 {
        twice = with_s(&twice, add(&s_of(&twice), &order));
        assert!(!alone(&twice), "s + {times}l");
        assert_batches_agree(&twice, "s above the order");
    }
    for bit in 253..256 {
        let mut high = s;
        high[bit / 8] |= 1 << (bit % 8);
        let entry = with_s(&honest, high);
        assert!(!alone(&entry), "bit {bit}");
        assert_batches_agree(&entry, "high bit of s");
    }
}

#[test]
fn errors_that_cancel_under_equal_coefficients_do_not_cancel_in_a_batch() {
    let (one, two) = (honest(1), honest(2));
    let raised = with_s(&one, (scalar_of(&one) + Scalar::ONE).to_bytes());
    let lowered = with_s(&two, (scalar_of(&two) - Scalar::ONE).to_bytes());
    assert!(!Ed25519.all_valid(&[raised, lowered]));
    assert_eq!(Ed25519.each_valid(&[raised, one, lowered]), [false, true, false]);
    // The same key, and the same message under two keys.
    let again = SignatureCheck { message: two.message, ..one };
    assert_eq!(
        Ed25519.each_valid(&[one, again, one, raised, one]),
        [true, false, true, false, true]
    );
}

#[test]
fn the_empty_batch_is_valid_and_has_no_answers() {
    assert!(Ed25519.all_valid(&[]));
    assert!(Ed25519.each_valid(&[]).is_empty());
}

#[test]
fn one_signature_repeated_is_judged_each_time() {
    let (good, bad) = (honest(1), with_s(&honest(1), [3; 32]));
    assert!(Ed25519.all_valid(&[good; 40]));
    assert_eq!(Ed25519.each_valid(&[bad; 40]), [false; 40]);
}

/// Counts what it is asked, and takes no number of checks for granted.
#[derive(Default)]
struct Counting {
    checked: AtomicUsize,
    cancelled_after: Option<usize>,
}

impl SignatureScheme for Counting {
    fn all_valid(&self, checks: &[SignatureCheck]) -> bool {
        self.checked.fetch_add(checks.len(), Ordering::Relaxed);
        checks.iter().all(|check| check.message != [0; 32])
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled_after.is_some_and(|after| self.checked.load(Ordering::Relaxed) >= after)
    }
}

#[test]
fn the_first_bad_signature_ends_the_judgement_of_a_block() {
    let good = honest(1);
    let bad = SignatureCheck { message: [0; 32], ..good };
    for at in [0, 1, 127, 128, 300, 1_000, 1_279] {
        let mut checks = vec![good; 1_280];
        checks[at] = bad;
        checks[1_279] = bad;
        let counting = Counting::default();
        assert_eq!(counting.first_invalid(&checks), Some(at));
        let checked = counting.checked.into_inner();
        let batches = at / SIGNATURE_BATCH + 2;
        assert!(checked <= batches * SIGNATURE_BATCH, "{at}: {checked}");
    }
    assert_eq!(Counting::default().first_invalid(&[good; 1_280]), None);
}

#[test]
fn a_flood_of_bad_signatures_is_checked_at_most_twice() {
    let bad = SignatureCheck { message: [0; 32], ..honest(1) };
    let counting = Counting::default();
    assert_eq!(counting.each_valid(&[bad; 1_000]), [false; 1_000]);
    assert_eq!(counting.checked.into_inner(), 2_000);
}

#[test]
fn a_judgement_that_nobody_waits_for_ends_with_its_batch() {
    let counting = Counting { cancelled_after: Some(200), ..Counting::default() };
    let _meaningless = counting.first_invalid(&[honest(1); 1_280]);
    assert_eq!(counting.checked.into_inner(), 2 * SIGNATURE_BATCH);
}

#[test]
fn every_edge_case_that_is_valid_is_valid_together_with_all_others() {
    let mut valid: Vec<SignatureCheck> = speccheck().into_iter().filter(alone).collect();
    for torsion in EIGHT_TORSION {
        valid.push(craft(scalar(3), torsion, scalar(4), -torsion, [0x66; 32]));
        valid.push(craft(scalar(3), torsion, Scalar::ZERO, torsion, [0x67; 32]));
    }
    valid.retain(alone);
    assert_eq!(valid.len(), 4 + 16);
    for turn in 0..valid.len() {
        valid.rotate_left(1);
        assert!(Ed25519.all_valid(&valid), "turn {turn}");
        assert!(Ed25519.all_valid(&valid[..=turn]), "first {turn}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn each_answer_in_a_batch_is_the_answer_alone(
        kinds in proptest::collection::vec((any::<u64>(), 0..12_u8), 0..40),
    ) {
        let checks: Vec<_> = kinds.iter().map(|&(seed, kind)| entry(seed, kind)).collect();
        let alone: Vec<bool> = checks.iter().map(alone).collect();
        prop_assert_eq!(Ed25519.each_valid(&checks), alone.clone());
        prop_assert_eq!(Ed25519.first_invalid(&checks), alone.iter().position(|valid| !valid));
        prop_assert_eq!(Ed25519.all_valid(&checks), alone.iter().all(|valid| *valid));
    }

    #[test]
    fn ordinary_signatures_are_judged_like_verify_strict(seed: u64, kind in 0..6_u8) {
        let entry = entry(seed, kind);
        prop_assert_eq!(alone(&entry), dalek_strict(&entry));
        prop_assert_eq!(alone(&entry), kind == 0);
    }
}

/// A signature of a kind: 0 is honest, up to 5 one part is wrong, above it is an edge case.
fn entry(seed: u64, kind: u8) -> SignatureCheck {
    let mut source = Source::new(seed);
    let honest = honest(source.next());
    let bit = |bytes: &[u8; 32], source: &mut Source| {
        let mut bytes = *bytes;
        bytes[source.index(32)] ^= 1 << source.below(8);
        bytes
    };
    match kind {
        0 => honest,
        1 => SignatureCheck { message: bit(&honest.message, &mut source), ..honest },
        2 => SignatureCheck { key: PublicKey(bit(&honest.key.0, &mut source)), ..honest },
        3 => with_r(&honest, bit(honest.signature.r(), &mut source)),
        4 => with_s(&honest, bit(&s_of(&honest), &mut source)),
        5 => with_s(&honest, add(&s_of(&honest), &group_order())),
        6 => speccheck()[source.index(12)],
        7 => {
            let (key, r) = (small(&mut source), small(&mut source));
            check(key, source.one(), r, [0; 32])
        }
        8 => with_r(&honest, small(&mut source)),
        _ => {
            let (a, r) = (scalar(source.next()), scalar(source.next()));
            let (first, second) = (source.index(8), source.index(8));
            craft(a, EIGHT_TORSION[first], r, EIGHT_TORSION[second], source.one())
        }
    }
}

fn small(source: &mut Source) -> [u8; 32] {
    small_order_encodings()[source.index(14)]
}

/// Puts a signature among honest ones, at every position of batches of several sizes and more than
/// once, and compares with its answer alone.
fn assert_batches_agree(entry: &SignatureCheck, what: &str) {
    let valid = alone(entry);
    assert_eq!(Ed25519.each_valid(&[*entry]), [valid], "{what}");
    for (size, turn) in [(1, 0_u64), (2, 1), (4, 2)] {
        let companions: Vec<_> = (0..size).map(|number| honest(100 * turn + number)).collect();
        for position in 0..=companions.len() {
            let mut batch = companions.clone();
            batch.insert(position, *entry);
            let mut answers = vec![true; batch.len()];
            answers[position] = valid;
            assert_eq!(Ed25519.all_valid(&batch), valid, "{what}, {position} of {size}");
            assert_eq!(Ed25519.each_valid(&batch), answers, "{what}, {position} of {size}");
        }
        let twice = [&[*entry], &companions[..], &[*entry]].concat();
        assert_eq!(Ed25519.all_valid(&twice), valid, "{what}, twice");
    }
}

fn alone(check: &SignatureCheck) -> bool {
    Ed25519.all_valid(&[*check])
}

fn zip_215(check: &SignatureCheck) -> bool {
    let signature = ed25519_zebra::Signature::from_bytes(&check.signature.to_bytes());
    VerificationKey::try_from(check.key.0)
        .is_ok_and(|key| key.verify(&signature, &check.message).is_ok())
}

fn dalek(check: &SignatureCheck) -> bool {
    use ed25519_dalek::Verifier;
    let signature = ed25519_dalek::Signature::from_bytes(&check.signature.to_bytes());
    VerifyingKey::from_bytes(&check.key.0)
        .is_ok_and(|key| key.verify(&check.message, &signature).is_ok())
}

fn dalek_strict(check: &SignatureCheck) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(&check.signature.to_bytes());
    VerifyingKey::from_bytes(&check.key.0)
        .is_ok_and(|key| key.verify_strict(&check.message, &signature).is_ok())
}
