//! The record of what was signed comes back as it was, or not at all.
use crate::fixture::{Fixture, record};
use redb::ReadableTable as _;
use std::path::Path;
use timecoin_chain::engine::Recovered;
use timecoin_store::{SAFETY_FILE, Store, StoreError, StoreOptions};

const SAFETY: redb::TableDefinition<&str, &[u8]> = redb::TableDefinition::new("safety");

fn open(dir: &Path, fixture: &Fixture) -> Store {
    Store::open(dir, &fixture.chain, StoreOptions::default()).unwrap()
}

/// Changes the closed file behind the store's back.
fn tamper(dir: &Path, change: impl FnOnce(&mut redb::Table<&'static str, &'static [u8]>)) {
    let database = redb::Database::open(dir.join(SAFETY_FILE)).unwrap();
    let txn = database.begin_write().unwrap();
    change(&mut txn.open_table(SAFETY).unwrap());
    txn.commit().unwrap();
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
    for (record, given, stored) in [
        (&record(&fixture.chain, 1, 0, None), None, None),
        (&with_block, Some(&block), Some(&block)),
        (&same_polka, None, Some(&block)),
        (&without, None, None),
    ] {
        open(dir.path(), &fixture).persist_safety(record, given).unwrap();
        let recovered = Recovered { record: record.clone(), block: stored.cloned() };
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
    store.persist_safety(&before, None).unwrap();
    let polka = record(&fixture.chain, 1, 1, Some(&block));
    for given in [None, Some(&other)] {
        let error = store.persist_safety(&polka, given).unwrap_err();
        let stored = given.map(|other| other.hash());
        let wanted = block.hash();
        assert!(
            matches!(&error, StoreError::SafetyBlock { wanted: w, stored: s, .. }
                if (*w, *s) == (wanted, stored)),
            "{error}"
        );
        let recovered = Recovered { record: before.clone(), block: None };
        assert_eq!(store.load_safety().unwrap(), Some(recovered), "nothing was written");
    }
    store.persist_safety(&polka, Some(&block)).unwrap();
    let error = store.persist_safety(&record(&fixture.chain, 2, 0, Some(&other)), None);
    assert!(matches!(error, Err(StoreError::SafetyBlock { .. })));
    store.persist_safety(&record(&fixture.chain, 2, 0, None), None).unwrap();
    let forgotten = store.persist_safety(&polka, None);
    assert!(matches!(forgotten, Err(StoreError::SafetyBlock { stored: None, .. })));
}

#[test]
fn what_does_not_read_back_stops_the_node() {
    type Change = fn(&mut redb::Table<&'static str, &'static [u8]>);
    let cases: [(Change, &str); 4] = [
        (
            |table| {
                let mut bytes = table.get("record").unwrap().unwrap().value().to_vec();
                *bytes.last_mut().unwrap() ^= 1;
                table.insert("record", bytes.as_slice()).unwrap();
            },
            "cannot be read: its bytes do not match their hash",
        ),
        (|table| drop(table.remove("record").unwrap()), "cannot be read: the record is missing"),
        (|table| drop(table.remove("block").unwrap()), "but the block beside it is missing"),
        (
            |table| drop(table.insert("block", [1, 2, 3].as_slice()).unwrap()),
            "cannot be read: the block beside it: malformed encoding",
        ),
    ];
    for (change, text) in cases {
        let dir = tempfile::tempdir().unwrap();
        let fixture = Fixture::new(3);
        let block = fixture.block(vec![]);
        let polka = record(&fixture.chain, 1, 0, Some(&block));
        open(dir.path(), &fixture).persist_safety(&polka, Some(&block)).unwrap();
        tamper(dir.path(), change);
        let error = open(dir.path(), &fixture).load_safety().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
        assert!(error.contains(SAFETY_FILE) && error.contains("Next: "), "{error}");
    }
}

#[test]
fn a_ledger_whose_record_is_gone_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(4);
    drop(open(dir.path(), &fixture));
    for lose in [
        |file: &Path| std::fs::remove_file(file).unwrap(),
        |file: &Path| std::fs::write(file, []).unwrap(),
    ] {
        lose(&dir.path().join(SAFETY_FILE));
        let error = Store::open(dir.path(), &fixture.chain, StoreOptions::default()).unwrap_err();
        assert!(matches!(error, StoreError::SafetyMissing { .. }), "{error}");
    }
}
