//! One value, one encoding: round trips, damage of every kind, and a second decoder as the oracle.
use crate::{
    generate::{Generate, Source, each_canonical_type},
    transaction_decoder::decode_transaction,
};
use proptest::prelude::*;
use std::{fmt::Debug, path::Path};
use timecoin_chain::{
    codec::{Canonical, CodecError, decode, encode},
    crypto::{PublicKey, Signature},
    genesis::Genesis,
    ledger::LedgerState,
    types::*,
};

/// What is asked of every type.
trait Value: Canonical + Generate + PartialEq + Debug {}
impl<T: Canonical + Generate + PartialEq + Debug> Value for T {}

macro_rules! test_every_type {
    ($($name:ident,)*) => {
        mod every_type {
            #![allow(non_snake_case, reason = "tests are named after types")]
            use super::*;
            proptest! {
                #![proptest_config(ProptestConfig::with_cases(64))]
                $(
                    #[test]
                    fn $name(seed: u64) {
                        survives_the_round_trip::<$name>(&mut Source::new(seed));
                        is_canonical_under_damage::<$name>(&mut Source::new(seed));
                        is_refused_when_cut_or_continued::<$name>(&mut Source::new(seed));
                    }
                )*
            }
        }

        #[test]
        fn a_huge_length_written_anywhere_is_refused_or_is_no_length() {
            $(survives_huge_lengths::<$name>();)*
        }

        #[test]
        fn every_type_has_a_cap_that_comes_before_decoding() {
            $(is_refused_beyond_its_cap::<$name>();)*
        }

        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}
each_canonical_type!(test_every_type);

/// Kept by one node for itself, never hashed and never sent; tested where it is written.
const LOCAL: &[&str] = &["SafetyRecord"];

#[test]
fn no_type_with_an_encoding_is_left_out_of_these_tests() {
    let mut declared = vec![];
    declarations(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut declared);
    let missing =
        |name: &&String| !TESTED.contains(&name.as_str()) && !LOCAL.contains(&name.as_str());
    assert_eq!(declared.iter().filter(missing).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(declared.len() >= TESTED.len());
}

/// The types that `impl Canonical` names in the files of a directory, but for those of unit tests.
fn declarations(directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            declarations(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| line.strip_prefix("impl Canonical for "));
            found.extend(names.map(|name| name.trim_end_matches([' ', '{', '}']).to_owned()));
        }
    }
}

fn survives_the_round_trip<T: Value>(source: &mut Source) {
    let value: T = source.one();
    let bytes = encode(&value);
    assert!(bytes.len() <= T::BYTES_MAX, "{} bytes", bytes.len());
    assert_eq!(decode::<T>(&bytes), Ok(value));
}

fn is_canonical_under_damage<T: Value>(source: &mut Source) {
    let bytes = encode(&source.one::<T>());
    for _ in 0..16 {
        let mut damaged = bytes.clone();
        for _ in 0..=source.below(3) {
            damage(&mut damaged, source);
        }
        if let Ok(value) = decode::<T>(&damaged) {
            assert_eq!(encode(&value), damaged, "two encodings of {value:?}");
        }
    }
}

/// Flips a bit, or writes, inserts or removes a byte; small values are frequent, as in tags.
fn damage(bytes: &mut Vec<u8>, source: &mut Source) {
    if bytes.is_empty() {
        return;
    }
    let at = source.index(bytes.len());
    let byte = match source.below(2) {
        0 => source.one(),
        _ => source.next().to_le_bytes()[0] % 6,
    };
    match source.below(4) {
        0 => bytes[at] ^= 1 << source.below(8),
        1 => bytes[at] = byte,
        2 => bytes.insert(at, byte),
        _ => _ = bytes.remove(at),
    }
}

fn is_refused_when_cut_or_continued<T: Value>(source: &mut Source) {
    let bytes = encode(&source.one::<T>());
    let cuts: Vec<usize> = match bytes.len() {
        length @ ..=512 => (0..length).collect(),
        length => (0..64).map(|_| source.index(length)).collect(),
    };
    for cut in cuts {
        let error = decode::<T>(&bytes[..cut]);
        assert!(matches!(error, Err(CodecError::Malformed { .. })), "cut at {cut}: {error:?}");
    }
    for trailing in [1, 7] {
        let longer = [&bytes[..], &vec![0; trailing]].concat();
        let expected = match longer.len() > T::BYTES_MAX {
            true => CodecError::TooLong { bytes: longer.len(), max: T::BYTES_MAX },
            false => CodecError::Trailing { trailing },
        };
        assert_eq!(decode::<T>(&longer), Err(expected));
    }
}

/// Writes long lengths over every place in some values. Where a length is there, the decoder must
/// refuse it; where none is, what it reads must be canonical.
fn survives_huge_lengths<T: Value>() {
    for seed in 0..8 {
        let bytes = encode(&Source::new(seed).one::<T>());
        for at in 0..bytes.len().saturating_sub(7).min(600) {
            for length in [u64::MAX, 1 << 63, 1 << 40, 1 << 32, 1 << 24] {
                let mut damaged = bytes.clone();
                damaged[at..at + 8].copy_from_slice(&length.to_le_bytes());
                if let Ok(value) = decode::<T>(&damaged) {
                    assert_eq!(encode(&value), damaged, "two encodings of {value:?}");
                }
            }
        }
    }
}

fn is_refused_beyond_its_cap<T: Value>() {
    let expected = Err(CodecError::TooLong { bytes: T::BYTES_MAX + 1, max: T::BYTES_MAX });
    assert_eq!(decode::<T>(&vec![0; T::BYTES_MAX + 1]), expected);
    let mut padded = encode(&Source::new(1).one::<T>());
    padded.resize(T::BYTES_MAX + 1, 0);
    assert_eq!(decode::<T>(&padded), expected);
    assert!(!matches!(decode::<T>(&vec![0; T::BYTES_MAX]), Err(CodecError::TooLong { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn two_decoders_of_transactions_agree_on_damaged_ones(seed: u64) {
        let mut source = Source::new(seed);
        let mut bytes = encode(&source.one::<Transaction>());
        for _ in 0..24 {
            prop_assert_eq!(decode(&bytes).ok(), decode_transaction(&bytes));
            damage(&mut bytes, &mut source);
        }
    }

    #[test]
    fn two_decoders_of_transactions_agree_on_any_bytes(bytes: Vec<u8>, length in 0..4_u8) {
        prop_assert_eq!(decode(&bytes).ok(), decode_transaction(&bytes));
        // No list is longer than three: more bytes get through to the later fields.
        let mut sparse = vec![0; 6];
        sparse.extend([length, 0, 0, 0, 0, 0, 0, 0]);
        sparse.extend(bytes.iter().map(|byte| byte % 4));
        prop_assert_eq!(decode(&sparse).ok(), decode_transaction(&sparse));
    }
}

#[test]
fn two_decoders_of_transactions_agree_on_every_cut() {
    for seed in 0..32 {
        let bytes = encode(&Source::new(seed).one::<Transaction>());
        for cut in 0..=bytes.len() {
            let hand = decode_transaction(&bytes[..cut]);
            assert_eq!(decode(&bytes[..cut]).ok(), hand);
            assert_eq!(hand.is_some(), cut == bytes.len());
        }
    }
}

#[test]
fn an_unknown_choice_does_not_decode() {
    let key = PublicKey([1; 32]);
    let signature = Signature::from_bytes(&[2; 64]);
    let vote: Vote = Source::new(1).one();
    let with_lock = |lock| {
        let outputs = vec![Output { value: Source::new(1).one(), lock }];
        let body = TxBody { inputs: vec![], outputs, ..Source::new(1).one() };
        encode(&Transaction::new(body, vec![]))
    };
    let with_witness = |witness| {
        let body = TxBody { inputs: vec![], outputs: vec![], ..Source::new(1).one() };
        encode(&Transaction::new(body, vec![witness]))
    };
    // Offsets: version 2, chain 4, two counts of 8, then what the row is about.
    refuses_other_choices::<Transaction>("lock", with_lock(Lock::Key(key)), 2 + 4 + 8 + 8 + 8, 4);
    let later = Lock::Timelock { height: Height(1), key };
    refuses_other_choices::<Transaction>("lock", with_lock(later), 2 + 4 + 8 + 8 + 8, 4);
    let kind = 2 + 4 + 8 + 8 + 8 + 8;
    refuses_other_choices::<Transaction>("kind", with_witness(Witness::Key(signature)), kind, 1);
    let witness = kind + 4 + 8;
    let refund = Witness::Refund(signature);
    refuses_other_choices::<Transaction>("witness", with_witness(refund), witness, 4);
    refuses_other_choices::<Vote>("kind of vote", encode(&vote), 0, 2);
    let evidence = Evidence::Votes(vote.clone(), vote.clone());
    refuses_other_choices::<Evidence>("evidence", encode(&evidence), 0, 3);
    refuses_other_choices::<ConsensusMessage>(
        "message",
        encode(&ConsensusMessage::Vote(vote)),
        0,
        5,
    );
    refuses_other_choices::<Genesis>("network", encode(&Source::new(1).one::<Genesis>()), 0, 3);
}

/// The choice stands at an offset; numbers from `known` on must not decode.
fn refuses_other_choices<T: Value>(what: &str, bytes: Vec<u8>, at: usize, known: u32) {
    let with = |choice: u32| {
        let mut bytes = bytes.clone();
        bytes[at..at + 4].copy_from_slice(&choice.to_le_bytes());
        bytes
    };
    let found = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert!(found < known, "{what}: the offset is not that of a choice");
    assert!(decode::<T>(&bytes).is_ok(), "{what}");
    for unknown in [known, known + 1, 0x100, 0x0100_0000, u32::MAX] {
        let error = decode::<T>(&with(unknown));
        assert!(matches!(error, Err(CodecError::Malformed { .. })), "{what} {unknown}: {error:?}");
    }
}

#[test]
fn an_option_and_a_boolean_have_two_values_each() {
    let nil = Vote { block: None, valid_round: None, ..Source::new(1).one() };
    let block = 4 + 8 + 4;
    for at in [block, block + 1] {
        for tag in 2..=u8::MAX {
            let mut bytes = encode(&nil);
            bytes[at] = tag;
            assert!(matches!(decode::<Vote>(&bytes), Err(CodecError::Malformed { .. })), "{tag}");
        }
    }
    let request = VotesRequest { inquiry: None, ..Source::new(1).one() };
    let len = encode(&request).len();
    for at in [len - 2, len - 1] {
        for value in 2..=u8::MAX {
            let mut bytes = encode(&request);
            bytes[at] = value;
            let error = decode::<VotesRequest>(&bytes);
            assert!(matches!(error, Err(CodecError::Malformed { .. })), "{value}");
        }
    }
}

#[test]
fn a_full_sized_value_of_every_capped_list_still_decodes() {
    // The memory limit of the decoder must never be what decides: the caps are.
    let body = TxBody { inputs: vec![], outputs: vec![], ..Source::new(1).one() };
    let empty = Transaction::new(body, vec![]);
    let count = (TransactionBatch::BYTES_MAX - 8) / encode(&empty).len();
    let batch = TransactionBatch(vec![empty.clone(); count]);
    assert_eq!(decode(&encode(&batch)), Ok(batch));
    let tiny = Witness::Multi(vec![]);
    let count = (Transaction::BYTES_MAX - encode(&empty).len()) / 12;
    let wide = Transaction::new(empty.body.clone(), vec![tiny; count]);
    assert_eq!(decode(&encode(&wide)), Ok(wide.clone()));
    assert_eq!(decode_transaction(&encode(&wide)), Some(wide));
    let mut certificate: Certificate = Source::new(1).one();
    certificate.signatures.resize(100, Signature::from_bytes(&[1; 64]));
    assert_eq!(decode(&encode(&certificate)), Ok(certificate));
}
