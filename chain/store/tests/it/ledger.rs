//! What was committed is what is read.
use crate::fixture::{Committed, Fixture, OWNERS, Source, by_position, lock, stranger};
use timecoin_chain::{
    codec,
    ledger::{LedgerView as _, PositionedCoin, genesis_delta},
    types::{BlockHash, Height, Lock, OutPoint, TxId},
};
use timecoin_store::{Store, StoreError, StoreOptions, TxPlace};

fn commit(store: &Store, committed: &Committed) {
    store.commit(&committed.block, &committed.certificate, &committed.delta).unwrap();
}

/// Every coin is there by outpoint, every spent one is not, and the count is right.
pub(crate) fn assert_same_coins(store: &Store, committed: &[Committed], coins: &[PositionedCoin]) {
    for coin in coins {
        assert_eq!(store.coin(&coin.coin.outpoint).unwrap().as_ref(), Some(coin));
    }
    for spent in committed.iter().flat_map(|committed| &committed.delta.spent) {
        assert_eq!(store.coin(&spent.coin.outpoint).unwrap(), None);
    }
    assert_eq!(store.stats().coins, Some(coins.len() as u64));
}

#[test]
fn the_view_equals_the_model_after_every_block() {
    for seed in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let mut fixture = Fixture::new(seed);
        let store = Store::open(dir.path(), &fixture.chain, StoreOptions::default()).unwrap();
        let blocks = fixture.grow(25);
        for (index, committed) in blocks.iter().enumerate() {
            commit(&store, committed);
            let coins = by_position(&committed.view);
            assert_same_coins(&store, &blocks[..=index], &coins);
            assert_eq!(store.state().unwrap(), committed.delta.state, "seed {seed}");
            let certificate = store.tip_certificate().unwrap();
            assert_eq!(certificate.as_ref(), Some(&committed.certificate));
        }
        let checked = store.check().unwrap();
        assert_eq!((checked.height, checked.coins), (Height(25), fixture.coins().len() as u64));
    }
}

#[test]
fn outputs_of_the_next_transaction_are_not_mine() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(1);
    let store = Store::open(dir.path(), &fixture.chain, StoreOptions::default()).unwrap();
    let first = genesis_delta(&fixture.chain).transactions[0].txid;
    for (vout, is_there) in [(0, true), (5, true), (6, false), (u16::MAX, false)] {
        let coin = store.coin(&OutPoint { txid: first, vout }).unwrap();
        assert_eq!(coin.is_some(), is_there, "output {vout}");
    }
    assert_eq!(store.coin(&OutPoint { txid: TxId([9; 32]), vout: 0 }).unwrap(), None);
}

#[test]
fn a_reopened_store_has_the_same_state() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::new(2);
    let blocks = fixture.grow(9);
    for committed in &blocks {
        let store = Store::open(dir.path(), &fixture.chain, StoreOptions::default()).unwrap();
        commit(&store, committed);
    }
    let store = Store::open(dir.path(), &fixture.chain, StoreOptions::default()).unwrap();
    assert_eq!(store.state().unwrap(), fixture.state);
    assert_eq!(store.tip_certificate().unwrap(), fixture.commit);
    assert_same_coins(&store, &blocks, &fixture.coins());
}

#[test]
fn genesis_is_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(3);
    let hash = BlockHash(fixture.chain.hash.0);
    for _ in 0..2 {
        let store = Store::open(dir.path(), &fixture.chain, StoreOptions::default()).unwrap();
        assert_eq!(store.state().unwrap(), fixture.state);
        assert_eq!(store.tip_certificate().unwrap(), None);
        assert_eq!(store.block(Height::GENESIS).unwrap(), None);
        assert_eq!(store.hash_at(Height::GENESIS).unwrap(), Some(hash));
        assert_eq!(store.height_of(&hash).unwrap(), Some(Height::GENESIS));
        assert_same_coins(&store, &[], &fixture.coins());
    }
}

#[test]
fn blocks_are_found_by_height_by_hash_and_by_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::new(4);
    let store = Store::open(dir.path(), &fixture.chain, StoreOptions::default()).unwrap();
    let blocks = fixture.grow(12);
    for committed in &blocks {
        commit(&store, committed);
    }
    for Committed { block, certificate, delta, .. } in &blocks {
        let height = delta.height;
        assert_eq!(store.block(height).unwrap(), Some((block.clone(), certificate.clone())));
        assert_eq!(store.certificate(height).unwrap().as_ref(), Some(certificate));
        assert_eq!(store.hash_at(height).unwrap(), Some(block.hash()));
        assert_eq!(store.height_of(&block.hash()).unwrap(), Some(height));
        for record in &delta.transactions {
            let (index, first_position) = (record.index, record.first_position);
            let place = TxPlace { height, index, first_position };
            assert_eq!(store.transaction(&record.txid).unwrap(), Some(place));
        }
    }
    let rewards = blocks.iter().flat_map(|committed| &committed.delta.transactions);
    assert_eq!(rewards.filter(|record| record.index.is_none()).count(), 4);
    assert_eq!(store.block(Height(13)).unwrap(), None);
    assert_eq!(store.hash_at(Height(13)).unwrap(), None);
    assert_eq!(store.height_of(&BlockHash([1; 32])).unwrap(), None);
    assert_eq!(store.transaction(&TxId([1; 32])).unwrap(), None);
}

#[test]
fn a_range_of_blocks_stops_at_its_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::new(5);
    let store = Store::open(dir.path(), &fixture.chain, StoreOptions::default()).unwrap();
    let blocks = fixture.grow(8);
    for committed in &blocks {
        commit(&store, committed);
    }
    let bytes: Vec<usize> = blocks
        .iter()
        .map(|one| codec::encode(&one.block).len() + codec::encode(&one.certificate).len())
        .collect();
    let three = bytes[1] + bytes[2] + bytes[3];
    for (from, count, bytes_max, expected) in [
        (1, 8, usize::MAX, 1..=8),
        (1, u32::MAX, usize::MAX, 1..=8),
        (2, 3, usize::MAX, 2..=4),
        (2, 7, three, 2..=4),
        (2, 7, three - 1, 2..=3),
        (2, 7, 0, 2..=2),
        (8, 5, usize::MAX, 8..=8),
    ] {
        let found = store.blocks(Height(from), count, bytes_max).unwrap();
        let heights: Vec<u64> = found.iter().map(|(block, _)| block.header.height.0).collect();
        assert_eq!(heights, expected.collect::<Vec<_>>(), "{from} {count} {bytes_max}");
    }
    for (from, count) in [(0, 5), (9, 5), (u64::MAX, 5), (1, 0)] {
        assert_eq!(store.blocks(Height(from), count, usize::MAX).unwrap(), []);
    }
}

#[test]
fn coins_of_a_lock_come_in_pages_by_position() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::new(6);
    let store = Store::open(dir.path(), &fixture.chain, StoreOptions::default()).unwrap();
    for committed in &fixture.grow(15) {
        commit(&store, committed);
    }
    let mut source = Source::new(6);
    for owner in 1..=OWNERS {
        let expected = owned(&fixture, &lock(owner));
        let mut found: Vec<PositionedCoin> = vec![];
        loop {
            let after = found.last().map(|coin| coin.position);
            let limit = 1 + source.index(4);
            let page = store.coins_of(&lock(owner), after, limit).unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found, expected);
    }
    assert_eq!(store.coins_of(&stranger(), None, 10).unwrap(), []);
    assert_eq!(store.coins_of(&lock(1), Some(u64::MAX), 10).unwrap(), []);
}

#[test]
fn the_address_index_can_be_switched() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::new(7);
    let blocks = fixture.grow(12);
    for (index, committed) in blocks.iter().enumerate() {
        let address_index = (index / 3) % 2 == 0;
        let options = StoreOptions { address_index, ..StoreOptions::default() };
        let store = Store::open(dir.path(), &fixture.chain, options).unwrap();
        commit(&store, committed);
        let found = store.coins_of(&lock(1), None, usize::MAX);
        assert_eq!(matches!(found, Err(StoreError::NoAddressIndex)), !address_index);
        if let Err(error) = found {
            assert!(error.next().starts_with("set `address_index = true`"), "{}", error.next());
        }
        store.check().unwrap();
    }
    let store = Store::open(dir.path(), &fixture.chain, StoreOptions::default()).unwrap();
    for owner in 1..=OWNERS {
        let found = store.coins_of(&lock(owner), None, usize::MAX).unwrap();
        assert_eq!(found, owned(&fixture, &lock(owner)));
    }
}

fn owned(fixture: &Fixture, lock: &Lock) -> Vec<PositionedCoin> {
    fixture.coins().into_iter().filter(|coin| coin.coin.output.lock == *lock).collect()
}

#[test]
fn only_the_next_block_is_committed() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::new(8);
    let store = Store::open(dir.path(), &fixture.chain, StoreOptions::default()).unwrap();
    let blocks = fixture.grow(3);
    let [one, two, three] = &blocks[..] else { panic!("three were made") };
    commit(&store, one);
    let mut other_parent = two.clone();
    other_parent.block.header.parent = BlockHash([1; 32]);
    let mut other_state = two.clone();
    other_state.delta.state.height = Height(9);
    let with = |committed: &Committed, certificate: &Committed| Committed {
        certificate: certificate.certificate.clone(),
        ..committed.clone()
    };
    let other_block = Committed { block: one.block.clone(), ..two.clone() };
    for (offered, reason) in [
        (one.clone(), "its height is not the next one"),
        (three.clone(), "its height is not the next one"),
        (other_parent, "its parent is another block"),
        (other_block, "its parent is another block"),
        (with(two, one), "the certificate is not a commit of this block"),
        (other_state, "the state is of another block"),
    ] {
        let error = store.commit(&offered.block, &offered.certificate, &offered.delta);
        let error = error.unwrap_err();
        assert!(matches!(&error, StoreError::NotNext { reason: r, .. } if *r == reason), "{error}");
        assert_eq!(store.state().unwrap(), one.delta.state);
    }
    let error = store.commit(&three.block, &three.certificate, &three.delta).unwrap_err();
    assert_eq!(
        error.to_string(),
        "block 3 cannot be committed after block 1: its height is not the next one. This is a bug \
         in the node; nothing was written"
    );
    assert_eq!(error.next(), "start the node again and report this message");
    commit(&store, two);
    assert_eq!(store.stats().commits, 2);
}

#[test]
fn a_delta_that_does_not_fit_the_coins_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = Fixture::new(9);
    let store = Store::open(dir.path(), &fixture.chain, StoreOptions::default()).unwrap();
    let genesis = fixture.coins();
    let one = fixture.next();
    let mut spends_twice = one.clone();
    let missing = PositionedCoin { position: 999, coin: genesis[0].coin.clone() };
    spends_twice.delta.spent = vec![genesis[0].clone(), missing];
    let mut creates_again = one.clone();
    creates_again.delta.created = vec![genesis[3].clone()];
    for offered in [spends_twice, creates_again] {
        let error = store.commit(&offered.block, &offered.certificate, &offered.delta);
        assert!(matches!(error, Err(StoreError::Corrupt { table: "coins", .. })), "{error:?}");
        assert_same_coins(&store, &[], &genesis);
    }
    commit(&store, &one);
    store.check().unwrap();
}
