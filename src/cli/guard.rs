//! The safety record of a consensus key: every key begins with one.
use super::error::CliError;
use std::path::Path;
use timecoin_chain::{crypto::PublicKey, engine::SafetyRecord, genesis::GenesisHash};
use timecoin_store::{SafetyFile, StoreError};

/// Writes the first record of a new key, where there is none yet. A key without one is a key whose
/// record is lost.
pub(super) fn begin(
    data_dir: &Path,
    genesis: &GenesisHash,
    key: PublicKey,
) -> Result<(), CliError> {
    let file = SafetyFile::open(data_dir, genesis)?;
    if file.load()?.is_none() {
        file.replace(&SafetyRecord::first(key))?;
    }
    Ok(())
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let (code, text) = (crate::node::exit_code_of(&error), error.to_string());
        let (what, next) = text.split_once(". Next: ").unwrap_or((&text, "ls -l"));
        Self::with_code(code, what).next(next)
    }
}
