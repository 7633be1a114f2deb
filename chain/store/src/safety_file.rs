//! The safety file alone, without the ledger: to create, move or show a key's record.
//!
//! Locks the directory as a node does, so it cannot run at the same time as one.
use crate::{
    error::StoreError,
    file::DatabaseFile,
    open::open_safety_alone,
    safety::{self, seal},
    tables::{SAFETY, SAFETY_BLOCKS, SAFETY_RECORD},
};
use std::{fs::File, path::Path};
use timecoin_chain::{
    codec,
    engine::{Recovered, SafetyRecord},
    genesis::GenesisHash,
    types::Block,
};

/// An open safety file.
pub struct SafetyFile {
    file: DatabaseFile,
    /// Released last.
    _lock: File,
}

impl std::fmt::Debug for SafetyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SafetyFile").field("file", &self.file.path()).finish_non_exhaustive()
    }
}

impl SafetyFile {
    /// Opens the safety file of a data directory, or creates one that holds no record.
    pub fn open(dir: &Path, genesis: &GenesisHash) -> Result<Self, StoreError> {
        let (file, lock) = open_safety_alone(dir, genesis)?;
        Ok(Self { file, _lock: lock })
    }

    /// The record, if there is one.
    pub fn load(&self) -> Result<Option<Recovered>, StoreError> {
        safety::load(&self.file)
    }

    /// Replaces the stored record and its blocks. Durable when it returns.
    pub fn replace(&self, record: &SafetyRecord, blocks: &[Block]) -> Result<(), StoreError> {
        self.file.write(|txn| {
            let mut table = txn.open_table(SAFETY_BLOCKS)?;
            table.retain(|_, _| false)?;
            for wanted in record.blocks() {
                let block = blocks.iter().find(|block| block.hash() == wanted);
                let block = block.ok_or_else(|| safety::lacks(self.file.path(), wanted))?;
                table.insert(&wanted.0, codec::encode(block).as_slice())?;
            }
            let sealed = seal(codec::encode(record));
            txn.open_table(SAFETY)?.insert(SAFETY_RECORD, sealed.as_slice())?;
            Ok(())
        })
    }
}
