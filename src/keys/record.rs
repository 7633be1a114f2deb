//! The safety record with which every consensus key begins.
use std::path::Path;
use timecoin_chain::{crypto::PublicKey, engine::SafetyRecord, genesis::GenesisHash};
use timecoin_store::{SafetyFile, StoreError};

/// Writes the first record of a new key, if there is none. A key without a record has lost it.
pub fn begin_record(
    data_dir: &Path,
    genesis: &GenesisHash,
    key: PublicKey,
) -> Result<(), StoreError> {
    let file = SafetyFile::open(data_dir, genesis)?;
    if file.load()?.is_none() {
        file.replace(&SafetyRecord::first(key), &[])?;
    }
    Ok(())
}
