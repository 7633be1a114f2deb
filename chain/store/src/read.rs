//! Reads. Each query runs in one read transaction and sees the state after one block, regardless of
//! concurrent commits.
//!
//! Never returns a value that does not decode, and never caches a decoded value.
use crate::{
    Store, address_index,
    error::{Fault, StoreError},
    tables::{
        BLOCKS, CERTIFICATES, COINS, HEIGHTS, LOCK_KEY, LOCKS, META, META_STATE, NO_INDEX,
        TRANSACTIONS,
    },
};
use redb::{ReadTransaction, ReadableTable, WriteTransaction};
use timecoin_chain::{
    codec::{self, Canonical},
    ledger::{LedgerState, LedgerView, PositionedCoin, ViewError},
    types::{Block, BlockHash, Certificate, Coin, Height, Lock, OutPoint, TxId},
};

/// Where a transaction is in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxPlace {
    /// The height of its block; 0 for genesis.
    pub height: Height,
    /// Its index in the block; none for rewards and genesis outputs.
    pub index: Option<u32>,
    /// The position of its first output; the others follow in order.
    pub first_position: u64,
}

impl LedgerView for Store {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<PositionedCoin>, ViewError> {
        Ok(self.ledger.read(|txn| coin(txn, outpoint))?)
    }

    fn certificate(&self, height: Height) -> Result<Option<Certificate>, ViewError> {
        Ok(Self::certificate(self, height)?)
    }
}

impl Store {
    /// The state after the last durable block.
    pub fn state(&self) -> Result<LedgerState, StoreError> {
        self.ledger.read(state)
    }

    /// The certificate of the last durable block; none at genesis.
    pub fn tip_certificate(&self) -> Result<Option<Certificate>, StoreError> {
        self.ledger.read(|txn| {
            let table = txn.open_table(CERTIFICATES)?;
            let Some((height, bytes)) = table.last()? else { return Ok(None) };
            decoded("certificates", height.value(), bytes.value()).map(Some)
        })
    }

    /// A block with the certificate that made it final.
    pub fn block(&self, height: Height) -> Result<Option<(Block, Certificate)>, StoreError> {
        Ok(self.blocks(height, 1, 0)?.into_iter().find(|(block, _)| block.header.height == height))
    }

    /// Consecutive blocks from a height on, limited by their number and by the bytes of blocks and
    /// certificates, except that the first is returned whatever its size.
    pub fn blocks(
        &self,
        from: Height,
        count: u32,
        bytes_max: usize,
    ) -> Result<Vec<(Block, Certificate)>, StoreError> {
        self.ledger.read(|txn| {
            let blocks = txn.open_table(BLOCKS)?;
            let certificates = txn.open_table(CERTIFICATES)?;
            let (mut found, mut bytes) = (Vec::new(), 0_usize);
            for height in from.0..from.0.saturating_add(u64::from(count)) {
                let Some(block) = blocks.get(height)? else { break };
                let missing = || Fault::corrupt("certificates", height, "the row is missing");
                let certificate = certificates.get(height)?.ok_or_else(missing)?;
                bytes = bytes.saturating_add(block.value().len() + certificate.value().len());
                if bytes > bytes_max && !found.is_empty() {
                    break;
                }
                let block = decoded("blocks", height, block.value())?;
                let certificate = decoded("certificates", height, certificate.value())?;
                found.push((block, certificate));
            }
            Ok(found)
        })
    }

    /// The certificate that made a height final.
    pub fn certificate(&self, height: Height) -> Result<Option<Certificate>, StoreError> {
        self.ledger.read(|txn| {
            let table = txn.open_table(CERTIFICATES)?;
            let Some(bytes) = table.get(height.0)? else { return Ok(None) };
            decoded("certificates", height.0, bytes.value()).map(Some)
        })
    }

    /// The hash of the block at a height; at 0 the genesis hash.
    pub fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, StoreError> {
        if height == Height::GENESIS {
            return Ok(Some(BlockHash(self.genesis.0)));
        }
        Ok(self.certificate(height)?.and_then(|certificate| certificate.block))
    }

    /// The height of a block; 0 for the genesis hash.
    pub fn height_of(&self, hash: &BlockHash) -> Result<Option<Height>, StoreError> {
        self.ledger.read(|txn| {
            let height = txn.open_table(HEIGHTS)?.get(&hash.0)?;
            Ok(height.map(|height| Height(height.value())))
        })
    }

    /// Where a transaction is in the chain, if it is final.
    pub fn transaction(&self, txid: &TxId) -> Result<Option<TxPlace>, StoreError> {
        self.ledger.read(|txn| place(txn, txid))
    }

    /// Unspent coins with this lock, by ascending position: at most `limit`, starting after the
    /// position `after` if it is given.
    pub fn coins_of(
        &self,
        lock: &Lock,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<PositionedCoin>, StoreError> {
        if !self.address_index {
            return Err(StoreError::NoAddressIndex);
        }
        let first = match after {
            None => 0,
            Some(u64::MAX) => return Ok(Vec::new()),
            Some(position) => position + 1,
        };
        let (first, last) = (address_index::key(lock, first), address_index::key(lock, u64::MAX));
        self.ledger.read(|txn| {
            let locks = txn.open_table(LOCKS)?;
            let coins = txn.open_table(COINS)?;
            let rows = locks.range::<&[u8; LOCK_KEY]>(&first..=&last)?.take(limit);
            rows.map(|row| {
                let (key, _) = row?;
                let mut position = [0; 8];
                position.copy_from_slice(&key.value()[32..]);
                let position = u64::from_be_bytes(position);
                let missing = || Fault::corrupt("coins", position, "an indexed coin is missing");
                let bytes = coins.get(position)?.ok_or_else(missing)?;
                Ok(PositionedCoin { position, coin: decoded("coins", position, bytes.value())? })
            })
            .collect()
        })
    }
}

/// The state before a write.
pub(crate) fn state_for_update(txn: &WriteTransaction) -> Result<LedgerState, Fault> {
    state_in(&txn.open_table(META)?)
}

pub(crate) fn state(txn: &ReadTransaction) -> Result<LedgerState, Fault> {
    state_in(&txn.open_table(META)?)
}

fn state_in(meta: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<LedgerState, Fault> {
    let missing = || Fault::corrupt("meta", META_STATE, "the row is missing");
    let bytes = meta.get(META_STATE)?.ok_or_else(missing)?;
    decoded("meta", META_STATE, bytes.value())
}

fn place(txn: &ReadTransaction, txid: &TxId) -> Result<Option<TxPlace>, Fault> {
    let row = txn.open_table(TRANSACTIONS)?.get(&txid.0)?;
    Ok(row.map(|row| {
        let (first_position, height, index) = row.value();
        let index = Some(index).filter(|&index| index != NO_INDEX);
        TxPlace { height: Height(height), index, first_position }
    }))
}

pub(crate) fn coin(
    txn: &ReadTransaction,
    outpoint: &OutPoint,
) -> Result<Option<PositionedCoin>, Fault> {
    let Some(place) = place(txn, &outpoint.txid)? else { return Ok(None) };
    let position = place.first_position.saturating_add(u64::from(outpoint.vout));
    let Some(bytes) = txn.open_table(COINS)?.get(position)? else { return Ok(None) };
    let coin: Coin = decoded("coins", position, bytes.value())?;
    // After the transaction's outputs come those of the next transaction.
    Ok((coin.outpoint == *outpoint).then_some(PositionedCoin { position, coin }))
}

fn decoded<T: Canonical>(
    table: &'static str,
    key: impl ToString,
    bytes: &[u8],
) -> Result<T, Fault> {
    codec::decode(bytes).map_err(Fault::decode(table, key))
}
