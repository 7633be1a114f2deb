//! The record of what was signed comes back as it was, or not at all.
use crate::fixture::{Fixture, certificate, record};
use redb::ReadableTable as _;
use std::path::Path;
use timecoin_chain::{
    codec,
    crypto::PublicKey,
    engine::{Recovered, SafetyRecord},
    types::{Block, Round, VoteKind},
};
use timecoin_store::{SAFETY_FILE, SafetyFile, Store, StoreError, StoreOptions};

const SAFETY: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("safety");
const BLOCKS: redb::TableDefinition<&[u8; 32], &[u8]> = redb::TableDefinition::new("safety-blocks");

fn open(dir: &Path, fixture: &Fixture) -> Store {
    Store::open(dir, &fixture.chain, StoreOptions::default()).unwrap()
}

/// Changes the closed file behind the store's back.
fn tamper(dir: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = redb::Database::open(dir.join(SAFETY_FILE)).unwrap();
    let txn = database.begin_write().unwrap();
    change(&txn);
    txn.commit().unwrap();
}

/// Puts other bytes in the place of each block.
fn replace_blocks(txn: &redb::WriteTransaction, bytes: &[u8]) {
    let mut table = txn.open_table(BLOCKS).unwrap();
    let hashes: Vec<[u8; 32]> = table.iter().unwrap().map(|row| *row.unwrap().0.value()).collect();
    for hash in hashes {
        table.insert(&hash, bytes).unwrap();
    }
}

#[test]
fn a_record_survives_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(1);
    let block = fixture.block(vec![]);
    assert_eq!(open(dir.path(), &fixture).load_safety().unwrap(), None);
    let with_block = record(&fixture.chain, 1, 0, Some(&block));
    let mut same_polka = with_block.clone();
    same_polka.prevote = None;
    let without = record(&fixture.chain, 2, 0, None);
    let mut with_parent = without.clone();
    with_parent.parent = Some(certificate(&fixture.chain, VoteKind::Precommit, Round(0), &block));
    for (record, given, stored) in [
        (&record(&fixture.chain, 1, 0, None), &[][..], &[][..]),
        (&with_block, &[&block], &[&block]),
        (&same_polka, &[], &[&block]),
        (&with_parent, &[], &[&block]),
        (&without, &[], &[]),
    ] {
        open(dir.path(), &fixture).persist_safety(record, given).unwrap();
        let blocks = stored.iter().map(|block| (*block).clone()).collect();
        let recovered = Recovered { record: record.clone(), blocks };
        assert_eq!(open(dir.path(), &fixture).load_safety().unwrap(), Some(recovered));
    }
}

#[test]
fn a_polka_without_its_block_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::new(2);
    let block = fixture.next().block;
    let other = fixture.next().block;
    let store = open(dir.path(), &fixture);
    let before = record(&fixture.chain, 1, 0, None);
    store.persist_safety(&before, &[]).unwrap();
    let polka = record(&fixture.chain, 1, 1, Some(&block));
    let is_refused = |result: Result<(), StoreError>, missing: &Block| {
        let error = result.unwrap_err();
        let missing = missing.hash();
        assert!(
            matches!(&error, StoreError::SafetyBlock { wanted, .. } if *wanted == missing),
            "{error}"
        );
    };
    for given in [&[][..], &[&other]] {
        is_refused(store.persist_safety(&polka, given), &block);
        let recovered = Recovered { record: before.clone(), blocks: vec![] };
        assert_eq!(store.load_safety().unwrap(), Some(recovered), "nothing was written");
    }
    store.persist_safety(&polka, &[&block]).unwrap();
    is_refused(store.persist_safety(&record(&fixture.chain, 2, 0, Some(&other)), &[]), &other);
    store.persist_safety(&record(&fixture.chain, 2, 0, None), &[]).unwrap();
    is_refused(store.persist_safety(&polka, &[]), &block);
}

#[test]
fn what_does_not_read_back_stops_the_node() {
    type Change = fn(&redb::WriteTransaction);
    let cases: [(Change, &str); 5] = [
        (
            |txn| {
                let mut table = txn.open_table(SAFETY).unwrap();
                let mut bytes = table.get("record").unwrap().unwrap().value().to_vec();
                *bytes.last_mut().unwrap() ^= 1;
                table.insert("record", bytes.as_slice()).unwrap();
            },
            "cannot be read: its bytes do not match their hash",
        ),
        (
            |txn| drop(txn.open_table(SAFETY).unwrap().remove("record").unwrap()),
            "cannot be read: the record is missing",
        ),
        (
            |txn| txn.open_table(BLOCKS).unwrap().retain(|_, _| false).unwrap(),
            "which is missing beside it",
        ),
        (
            |txn| replace_blocks(txn, &[1, 2, 3]),
            "cannot be read: a block beside it: malformed encoding",
        ),
        (
            |txn| {
                let mut other = Fixture::new(5);
                other.next();
                replace_blocks(txn, &codec::encode(&other.next().block));
            },
            "beside it is another",
        ),
    ];
    for (change, text) in cases {
        let dir = tempfile::tempdir().unwrap();
        let fixture = Fixture::new(3);
        let block = fixture.block(vec![]);
        let polka = record(&fixture.chain, 1, 0, Some(&block));
        open(dir.path(), &fixture).persist_safety(&polka, &[&block]).unwrap();
        tamper(dir.path(), change);
        let error = open(dir.path(), &fixture).load_safety().unwrap_err();
        let said = error.to_string();
        assert!(said.contains(text) && said.contains(SAFETY_FILE), "{said}");
        assert!(!error.next().is_empty(), "{said}");
    }
}

#[test]
fn a_record_that_is_gone_is_not_mistaken_for_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(4);
    let first = SafetyRecord::first(PublicKey([1; 32]));
    for lose in [
        |file: &Path| std::fs::remove_file(file).unwrap(),
        |file: &Path| std::fs::write(file, []).unwrap(),
    ] {
        SafetyFile::open(dir.path(), &fixture.chain.hash).unwrap().replace(&first, &[]).unwrap();
        let recovered = open(dir.path(), &fixture).load_safety().unwrap().unwrap();
        assert_eq!(recovered, Recovered { record: first.clone(), blocks: vec![] });
        lose(&dir.path().join(SAFETY_FILE));
        assert_eq!(open(dir.path(), &fixture).load_safety().unwrap(), None);
    }
}
