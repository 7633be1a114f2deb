//! The safety record: what this node signed and locked, durable before a signature leaves.
//!
//! One record and the blocks that it names, replaced by each write. The record is stored with a
//! hash over its bytes, so a lost or misplaced page is never taken for a record.
//!
//! Never loses a record silently: a record that does not decode, or whose parts do not match, is an
//! error that stops the node, because signing without the record could sign twice.
use crate::{
    Store,
    error::{Fault, StoreError},
    file::DatabaseFile,
    tables::{SAFETY, SAFETY_BLOCKS, SAFETY_RECORD},
};
use redb::{ReadTransaction, ReadableTable as _, TableError};
use std::path::Path;
use timecoin_chain::{
    codec,
    crypto::hash,
    engine::{Recovered, SafetyRecord},
    types::{Block, BlockHash},
};

impl Store {
    /// Makes a record and the blocks that it names durable before it returns. Blocks written with
    /// the previous record need not be passed again; a record with a missing block is refused.
    pub fn persist_safety(
        &self,
        record: &SafetyRecord,
        blocks: &[&Block],
    ) -> Result<(), StoreError> {
        let record_bytes = seal(codec::encode(record));
        let blocks: Vec<_> =
            blocks.iter().map(|block| (block.hash(), codec::encode(*block))).collect();
        let block_bytes: usize = blocks.iter().map(|(_, bytes)| 32 + bytes.len()).sum();
        self.safety.write(|txn| {
            let mut table = txn.open_table(SAFETY_BLOCKS)?;
            for (hash, bytes) in &blocks {
                table.insert(&hash.0, bytes.as_slice())?;
            }
            let named = record.blocks();
            for hash in &named {
                if table.get(&hash.0)?.is_none() {
                    return Err(lacks(self.safety.path(), *hash));
                }
            }
            table.retain(|hash, _| named.contains(&BlockHash(*hash)))?;
            txn.open_table(SAFETY)?.insert(SAFETY_RECORD, record_bytes.as_slice())?;
            Ok(())
        })?;
        self.safety.counters().wrote(record_bytes.len() + block_bytes);
        Ok(())
    }

    /// The last durable record. If there is none, it is lost or this node has no key.
    pub fn load_safety(&self) -> Result<Option<Recovered>, StoreError> {
        load(&self.safety)
    }
}

/// The record of a safety file, if there is one.
pub(crate) fn load(file: &DatabaseFile) -> Result<Option<Recovered>, StoreError> {
    file.read(|txn| read_record(file.path(), txn))
}

fn read_record(file: &Path, txn: &ReadTransaction) -> Result<Option<Recovered>, Fault> {
    let unreadable = |reason: String| {
        Fault::from(StoreError::SafetyUnreadable { file: file.to_owned(), reason })
    };
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
    let table = txn.open_table(SAFETY_BLOCKS)?;
    let mut blocks = Vec::new();
    for wanted in record.blocks() {
        let Some(bytes) = table.get(&wanted.0)? else { return Err(lacks(file, wanted)) };
        let block: Block = codec::decode(bytes.value())
            .map_err(|error| unreadable(format!("a block beside it: {error}")))?;
        if block.hash() != wanted {
            return Err(unreadable(format!("block {wanted} beside it is another")));
        }
        blocks.push(block);
    }
    Ok(Some(Recovered { record, blocks }))
}

pub(crate) fn lacks(file: &Path, wanted: BlockHash) -> Fault {
    StoreError::SafetyBlock { file: file.to_owned(), wanted }.into()
}

/// A hash over the bytes, then the bytes.
pub(crate) fn seal(bytes: Vec<u8>) -> Vec<u8> {
    let mut sealed = hash("tc/safety", &[&bytes]).to_vec();
    sealed.extend(bytes);
    sealed
}

/// The bytes, if the hash before them matches.
fn unseal(sealed: &[u8]) -> Option<&[u8]> {
    let (digest, bytes) = sealed.split_first_chunk::<32>()?;
    (hash("tc/safety", &[bytes]) == *digest).then_some(bytes)
}
