//! The address index: the coins of each lock. One row per coin, written and removed with the coin.
use crate::{
    error::Fault,
    tables::{LOCK_KEY, LOCKS},
};
use redb::WriteTransaction;
use timecoin_chain::{
    crypto::hash_of,
    ledger::{BlockDelta, PositionedCoin},
    types::Lock,
};

/// Removes the rows of spent coins and inserts those of created coins. Returns the bytes inserted.
pub(crate) fn write(txn: &WriteTransaction, delta: &BlockDelta) -> Result<usize, Fault> {
    let keys = |coins: &[PositionedCoin]| {
        coins.iter().map(|coin| key(&coin.coin.output.lock, coin.position)).collect()
    };
    let (mut spent, mut created): (Vec<_>, Vec<_>) = (keys(&delta.spent), keys(&delta.created));
    let mut locks = txn.open_table(LOCKS)?;
    spent.sort_unstable();
    for key in &spent {
        locks.remove(key)?;
    }
    let written = created.len() * LOCK_KEY;
    insert(&mut locks, &mut created)?;
    Ok(written)
}

/// Inserts rows of the address index in order and empties the list.
pub(crate) fn insert(
    locks: &mut redb::Table<&'static [u8; LOCK_KEY], ()>,
    keys: &mut Vec<[u8; LOCK_KEY]>,
) -> Result<(), Fault> {
    keys.sort_unstable();
    for key in keys.drain(..) {
        locks.insert(&key, ())?;
    }
    Ok(())
}

/// The row of a coin in the address index.
pub(crate) fn key(lock: &Lock, position: u64) -> [u8; LOCK_KEY] {
    let mut key = [0; LOCK_KEY];
    key[..32].copy_from_slice(&hash_of("tc/lock-index", lock));
    key[32..].copy_from_slice(&position.to_be_bytes());
    key
}
