//! The safety record: what this node signed and locked, durable before a signature leaves.
//!
//! One record and the block of its valid polka, replaced by each write. The record is stored with a
//! hash over its bytes, so a page that the disk lost or mixed up is never taken for a record.
//!
//! Never forgets silently: what does not read back, or does not fit together, is an error that stops
//! the node, because signing without the record could sign twice.
use crate::{
    Store,
    error::{Fault, StoreError},
    tables::{SAFETY, SAFETY_BLOCK, SAFETY_BLOCK_HASH, SAFETY_RECORD},
};
use redb::{ReadableTable as _, Table, TableError};
use timecoin_chain::{
    codec,
    crypto::hash,
    engine::{Recovered, SafetyRecord},
    types::{Block, BlockHash},
};

impl Store {
    /// Makes a record durable before it returns, with the block of its valid polka where that is
    /// not stored already. Refuses a record whose polka names neither this block nor the stored one.
    pub fn persist_safety(
        &self,
        record: &SafetyRecord,
        block: Option<&Block>,
    ) -> Result<(), StoreError> {
        let record_bytes = seal(codec::encode(record));
        let block = block.map(|block| (block.hash(), codec::encode(block)));
        let block_bytes = block.as_ref().map_or(0, |(_, bytes)| 32 + bytes.len());
        self.safety.write(|txn| {
            let mut table = txn.open_table(SAFETY)?;
            if let Some((hash, bytes)) = &block {
                table.insert(SAFETY_BLOCK_HASH, hash.0.as_slice())?;
                table.insert(SAFETY_BLOCK, bytes.as_slice())?;
            }
            let stored = stored_hash(&table)?;
            match valid_block(record) {
                Some(wanted) if stored != Some(wanted) => return Err(self.conflict(wanted, stored)),
                None if stored.is_some() => {
                    table.remove(SAFETY_BLOCK_HASH)?;
                    table.remove(SAFETY_BLOCK)?;
                }
                _ => {}
            }
            table.insert(SAFETY_RECORD, record_bytes.as_slice())?;
            Ok(())
        })?;
        self.safety.counters().wrote(record_bytes.len() + block_bytes);
        Ok(())
    }

    /// The last record made durable, or nothing if this node never signed.
    pub fn load_safety(&self) -> Result<Option<Recovered>, StoreError> {
        let unreadable = |reason: String| {
            Fault::from(StoreError::SafetyUnreadable {
                file: self.safety.path().to_owned(),
                reason,
            })
        };
        self.safety.read(|txn| {
            let table = match txn.open_table(SAFETY) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let sealed = table.get(SAFETY_RECORD)?;
            let sealed = sealed.ok_or_else(|| unreadable("the record is missing".to_owned()))?;
            let bytes = unseal(sealed.value())
                .ok_or_else(|| unreadable("its bytes do not match their hash".to_owned()))?;
            let record: SafetyRecord =
                codec::decode(bytes).map_err(|error| unreadable(error.to_string()))?;
            let Some(wanted) = valid_block(&record) else {
                return Ok(Some(Recovered { record, block: None }));
            };
            let Some(bytes) = table.get(SAFETY_BLOCK)? else {
                return Err(self.conflict(wanted, None));
            };
            let block: Block = codec::decode(bytes.value())
                .map_err(|error| unreadable(format!("the block beside it: {error}")))?;
            match block.hash() {
                hash if hash == wanted => Ok(Some(Recovered { record, block: Some(block) })),
                hash => Err(self.conflict(wanted, Some(hash))),
            }
        })
    }

    fn conflict(&self, wanted: BlockHash, stored: Option<BlockHash>) -> Fault {
        StoreError::SafetyBlock { file: self.safety.path().to_owned(), wanted, stored }.into()
    }
}

/// The block that a restarted node must have to keep its lock.
fn valid_block(record: &SafetyRecord) -> Option<BlockHash> {
    record.valid.as_ref().and_then(|polka| polka.block)
}

fn stored_hash(table: &Table<&'static str, &'static [u8]>) -> Result<Option<BlockHash>, Fault> {
    let Some(bytes) = table.get(SAFETY_BLOCK_HASH)? else { return Ok(None) };
    let wrong = |_| Fault::corrupt("safety", SAFETY_BLOCK_HASH, "the row has not 32 bytes");
    Ok(Some(BlockHash(bytes.value().try_into().map_err(wrong)?)))
}

/// A hash over the bytes, then the bytes.
fn seal(bytes: Vec<u8>) -> Vec<u8> {
    let mut sealed = hash("tc/safety", &[&bytes]).to_vec();
    sealed.extend(bytes);
    sealed
}

/// The bytes, if the hash before them is theirs.
fn unseal(sealed: &[u8]) -> Option<&[u8]> {
    let (digest, bytes) = sealed.split_first_chunk::<32>()?;
    (hash("tc/safety", &[bytes]) == *digest).then_some(bytes)
}
