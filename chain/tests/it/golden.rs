//! Frozen bytes: what is hashed, signed, stored and sent may not change by accident.
//!
//! `golden.txt` has one value of every encoded type with its hashes, and the state of a small chain;
//! `conformance.txt` has a hash over thousands of generated values of every type.
mod consensus;
mod ledger;
mod transactions;

use crate::{
    fixture::{COIN, Fixture, hash_lock, key, two_of_three},
    generate::{Source, each_canonical_type},
};
use consensus::{blocks, consensus, requests};
use ledger::{genesis, ledger};
use sha2::{Digest, Sha256};
use std::{
    fmt::{Debug, Write},
    path::PathBuf,
};
use timecoin_chain::{
    codec::{Canonical, decode, encode},
    crypto::{LtHash, PublicKey, Signature, hash},
    genesis::{Allocation, Chain, ChainId, Genesis, GenesisHash, Network, Params, Timeout},
    ledger::LedgerState,
    types::*,
};
use transactions::transactions;

const BLESS: &str = "TIMECOIN_BLESS";

#[test]
fn the_bytes_of_every_type_are_frozen() {
    let mut lines = Lines::default();
    transactions(&mut lines);
    blocks(&mut lines);
    consensus(&mut lines);
    requests(&mut lines);
    genesis(&mut lines);
    ledger(&mut lines);
    lines.compare("golden.txt");
}

#[test]
fn the_bytes_of_thousands_of_generated_values_are_frozen() {
    const VALUES: u64 = 2_000;
    let mut lines = Lines::default();
    macro_rules! hash_every_type {
        ($($name:ident,)*) => {$(
            let mut hasher = Sha256::new();
            for seed in 0..VALUES {
                let bytes = encode(&Source::new(seed).one::<$name>());
                hasher.update((bytes.len() as u64).to_le_bytes());
                hasher.update(bytes);
            }
            lines.hash(concat!(stringify!($name), ".2000"), &hasher.finalize().into());
        )*};
    }
    each_canonical_type!(hash_every_type);
    lines.compare("conformance.txt");
}

/// The text of a file of vectors: a name and hexadecimal bytes on each line.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        writeln!(self.0, "{name} {}", hex::encode(bytes)).unwrap();
    }

    fn hash(&mut self, name: &str, hash: &[u8; 32]) {
        self.bytes(name, hash);
    }

    /// The encoding of a value, which must also decode to it.
    fn value<T: Canonical + PartialEq + Debug>(&mut self, name: &str, value: &T) {
        let bytes = encode(value);
        assert_eq!(decode::<T>(&bytes).as_ref(), Ok(value), "{name}");
        self.bytes(name, &bytes);
    }

    fn compare(&self, file: &str) {
        let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "vectors", file].iter().collect();
        if is_blessed() {
            std::fs::write(&path, &self.0).unwrap();
        }
        let frozen = std::fs::read_to_string(&path).unwrap_or_default();
        let (mut now, mut then) = (self.0.lines(), frozen.lines());
        loop {
            match (now.next(), then.next()) {
                (None, None) => return,
                (now, then) => assert_eq!(
                    now, then,
                    "\ntests/vectors/{file} differs: left is what the code gives, right is frozen. \
                     Nodes that differ here split the chain. A difference is a decision and needs an \
                     ADR; with it, write the file again with {BLESS}=1"
                ),
            }
        }
    }
}

/// Whether the files are to be written again.
#[allow(clippy::disallowed_methods, reason = "a switch of the test, not a parameter of the chain")]
fn is_blessed() -> bool {
    std::env::var(BLESS).is_ok_and(|value| value == "1")
}

/// Bytes that show when they are exchanged or reversed: they ascend from the first.
fn bytes<const N: usize>(first: u8) -> [u8; N] {
    let mut next = first;
    [(); N].map(|()| {
        next = next.wrapping_add(1);
        next.wrapping_sub(1)
    })
}

fn public(first: u8) -> PublicKey {
    PublicKey(bytes(first))
}

fn signature(first: u8) -> Signature {
    Signature::from_bytes(&bytes(first))
}
