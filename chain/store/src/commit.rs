//! Writes a final block: one durable transaction with everything that it changes.
//!
//! Rows of a table are written in key order. Never decides what a block changes, but refuses a
//! delta that does not fit what is stored: a spent coin must exist, and a created coin must be new.
use crate::{
    Store, address_index,
    counters::micros,
    error::{Fault, StoreError},
    read,
    tables::{BLOCKS, CERTIFICATES, COINS, HEIGHTS, META, META_STATE, NO_INDEX, TRANSACTIONS},
};
use redb::{CursorError, WriteTransaction};
use std::{ops::Bound, time::Instant};
use timecoin_chain::{
    codec,
    ledger::{BlockDelta, LedgerState, PositionedCoin},
    types::{Block, Certificate},
};

impl Store {
    /// Makes a final block durable with all its changes. Refuses a delta that does not lead from
    /// the last durable block to this one.
    pub fn commit(
        &self,
        block: &Block,
        certificate: &Certificate,
        delta: &BlockDelta,
    ) -> Result<(), StoreError> {
        let began = Instant::now();
        let (block_bytes, certificate_bytes) = (codec::encode(block), codec::encode(certificate));
        let mut written = 0;
        self.ledger.write(|txn| {
            let tip = read::state_for_update(txn)?;
            check_next(&tip, block, certificate, delta)?;
            written = write_delta(txn, delta, self.address_index)?;
            let height = delta.height.0;
            txn.open_table(BLOCKS)?.insert(height, block_bytes.as_slice())?;
            txn.open_table(CERTIFICATES)?.insert(height, certificate_bytes.as_slice())?;
            Ok(())
        })?;
        let counters = self.ledger.counters();
        counters.wrote(written + block_bytes.len() + certificate_bytes.len() + 16);
        counters.block_bytes.observe(block_bytes.len() as u64);
        counters.commit_micros.observe(micros(began));
        Ok(())
    }
}

fn check_next(
    tip: &LedgerState,
    block: &Block,
    certificate: &Certificate,
    delta: &BlockDelta,
) -> Result<(), StoreError> {
    let (height, hash) = (delta.height, delta.block);
    let checks = [
        (height.previous() == Some(tip.height), "its height is not the next one"),
        (block.header.parent == tip.block, "its parent is another block"),
        (block.header.height == height && block.hash() == hash, "the delta is of another block"),
        (
            certificate.is_commit() && certificate.block == Some(hash),
            "the certificate is not a commit of this block",
        ),
        (certificate.height == height, "the certificate is for another height"),
        (
            delta.state.height == height && delta.state.block == hash,
            "the state is of another block",
        ),
    ];
    match checks.into_iter().find(|(holds, _)| !holds) {
        Some((_, reason)) => Err(StoreError::NotNext { tip: tip.height, offered: height, reason }),
        None => Ok(()),
    }
}

/// Writes the changes of a block or of the genesis. Returns the bytes of the rows.
pub(crate) fn write_delta(
    txn: &WriteTransaction,
    delta: &BlockDelta,
    with_address_index: bool,
) -> Result<usize, Fault> {
    let mut written = write_coins(txn, delta)? + write_transactions(txn, delta)?;
    if with_address_index {
        written += address_index::write(txn, delta)?;
    }
    txn.open_table(HEIGHTS)?.insert(&delta.block.0, delta.height.0)?;
    let state = codec::encode(&delta.state);
    txn.open_table(META)?.insert(META_STATE, state.as_slice())?;
    Ok(written + 40 + META_STATE.len() + state.len())
}

fn write_coins(txn: &WriteTransaction, delta: &BlockDelta) -> Result<usize, Fault> {
    let mut coins = txn.open_table(COINS)?;
    for PositionedCoin { position, coin } in &delta.spent {
        if coins.remove(position)?.is_none() {
            let reason =
                format!("block {} spends {}, which is missing", delta.height, coin.outpoint);
            return Err(Fault::corrupt("coins", position, reason));
        }
    }
    let mut written = 0;
    let mut end = coins.upper_bound_mut(Bound::<u64>::Unbounded)?;
    for PositionedCoin { position, coin } in &delta.created {
        let bytes = codec::encode(coin);
        end.insert_before(position, bytes.as_slice()).map_err(|error| match error {
            CursorError::UnorderedKey => Fault::corrupt("coins", position, "not a new position"),
            error => error.into(),
        })?;
        written += 8 + bytes.len();
    }
    end.close()?;
    Ok(written)
}

fn write_transactions(txn: &WriteTransaction, delta: &BlockDelta) -> Result<usize, Fault> {
    let mut records: Vec<_> = delta.transactions.iter().collect();
    records.sort_unstable_by_key(|record| record.txid);
    let mut transactions = txn.open_table(TRANSACTIONS)?;
    for record in &records {
        let index = record.index.unwrap_or(NO_INDEX);
        transactions.insert(&record.txid.0, (record.first_position, delta.height.0, index))?;
    }
    Ok(records.len() * 52)
}
