//! Opening: whose files they are, and what is written into new ones.
//!
//! A file is first looked at without changing it, then opened, then looked at again: the first look
//! cannot read a file that a crash left, the second can. The safety file is made durable before the
//! ledger, so a ledger without one has lost it.
//!
//! Never repairs what it does not understand.
use crate::{
    LEDGER_FILE, PID_FILE, SAFETY_FILE, Store, StoreOptions, commit,
    error::{Fault, StoreError},
    file::{CommitMode, DatabaseFile},
    tables::{self, META, META_ADDRESS_INDEX, META_GENESIS, META_SCHEMA, SCHEMA},
};
use redb::{
    Builder, ReadTransaction, ReadableDatabase as _, ReadableTable as _, StorageBackend,
    TableError, WriteTransaction, backends::FileBackend,
};
use std::{
    fs::{self, File},
    path::Path,
};
use timecoin_chain::{
    codec,
    genesis::{Chain, GenesisHash},
    ledger::genesis_delta,
    types::Coin,
};

/// Pages of the safety file kept in memory: the record and its block.
const SAFETY_CACHE_BYTES: usize = 8 * 1024 * 1024;
/// Rows of the address index that are sorted at a time when it is built.
const INDEX_ROWS_AT_A_TIME: usize = 1_000_000;

impl Store {
    /// Opens the store in a directory, or creates both, the directory for its owner only. On the
    /// first open the genesis coins are written.
    pub fn open(dir: &Path, chain: &Chain, options: StoreOptions) -> Result<Self, StoreError> {
        create_directory(dir)?;
        let mut store = open_files(dir, chain, options).map_err(|error| with_pid(dir, error))?;
        let pid_file = dir.join(PID_FILE);
        fs::write(&pid_file, std::process::id().to_string())
            .map_err(|error| StoreError::io("write", &pid_file, error))?;
        store.pid_file = Some(pid_file);
        Ok(store)
    }

    /// Opens a store over backends that are not files, for tests of the disk's faults.
    #[doc(hidden)]
    pub fn over_backends(
        ledger: impl StorageBackend,
        safety: impl StorageBackend,
        chain: &Chain,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        let ledger = open_ledger(ledger, Path::new(LEDGER_FILE), options)?;
        let safety = open_safety(safety, Path::new(SAFETY_FILE))?;
        Self::assemble(ledger, safety, chain, options)
    }

    fn assemble(
        ledger: DatabaseFile,
        safety: DatabaseFile,
        chain: &Chain,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        let ledger_is_new = ledger.read(|txn| is_new(txn, ledger.path(), &chain.hash))?;
        let safety_is_new = safety.read(|txn| is_new(txn, safety.path(), &chain.hash))?;
        if safety_is_new && !ledger_is_new {
            let (ledger, safety) = (ledger.path().to_owned(), safety.path().to_owned());
            return Err(StoreError::SafetyMissing { ledger, safety });
        }
        if safety_is_new {
            safety.write(|txn| write_identity(txn, &chain.hash))?;
        }
        let (genesis, address_index) = (chain.hash, options.address_index);
        let store = Self { ledger, safety, genesis, address_index, pid_file: None };
        match ledger_is_new {
            true => store.write_genesis(chain)?,
            false => store.switch_address_index()?,
        }
        Ok(store)
    }

    fn write_genesis(&self, chain: &Chain) -> Result<(), StoreError> {
        let delta = genesis_delta(chain);
        self.ledger.write(|txn| {
            write_identity(txn, &chain.hash)?;
            if self.address_index {
                txn.open_table(META)?.insert(META_ADDRESS_INDEX, [].as_slice())?;
            }
            commit::write_delta(txn, &delta, self.address_index)?;
            Ok(())
        })
    }

    /// Builds or drops the address index where the last run had it otherwise.
    fn switch_address_index(&self) -> Result<(), StoreError> {
        let is_there =
            self.ledger.read(|txn| Ok(txn.open_table(META)?.get(META_ADDRESS_INDEX)?.is_some()))?;
        if is_there == self.address_index {
            return Ok(());
        }
        self.ledger.write(|txn| {
            let mut meta = txn.open_table(META)?;
            if self.address_index {
                build_address_index(txn)?;
                meta.insert(META_ADDRESS_INDEX, [].as_slice())?;
            } else {
                txn.delete_table(tables::LOCKS)?;
                meta.remove(META_ADDRESS_INDEX)?;
            }
            Ok(())
        })
    }
}

fn open_files(dir: &Path, chain: &Chain, options: StoreOptions) -> Result<Store, StoreError> {
    let (ledger_path, safety_path) = (dir.join(LEDGER_FILE), dir.join(SAFETY_FILE));
    look_at(&ledger_path, &chain.hash)?;
    look_at(&safety_path, &chain.hash)?;
    let ledger = open_ledger(file_backend(&ledger_path)?, &ledger_path, options)?;
    let safety = open_safety(file_backend(&safety_path)?, &safety_path)?;
    // Both names are durable before either file holds a row.
    sync_directory(dir)?;
    Store::assemble(ledger, safety, chain, options)
}

fn open_ledger(
    backend: impl StorageBackend,
    path: &Path,
    options: StoreOptions,
) -> Result<DatabaseFile, StoreError> {
    DatabaseFile::open(backend, path, CommitMode::TwoPhase, options.cache_bytes)
}

fn open_safety(backend: impl StorageBackend, path: &Path) -> Result<DatabaseFile, StoreError> {
    // The file is small, and the record has a hash of its own.
    DatabaseFile::open(backend, path, CommitMode::OnePhase, SAFETY_CACHE_BYTES)
}

/// Refuses a file of another chain or a later schema without changing a byte of it. What cannot be
/// read like this is left to the real open, which repairs or reports it.
fn look_at(path: &Path, genesis: &GenesisHash) -> Result<(), StoreError> {
    if fs::metadata(path).map_or(true, |metadata| metadata.len() == 0) {
        return Ok(());
    }
    let database = match Builder::new().set_cache_size(1024 * 1024).open_read_only(path) {
        Ok(database) => database,
        Err(error @ redb::DatabaseError::DatabaseAlreadyOpen) => {
            return Err(StoreError::redb(path, error.into()));
        }
        Err(_) => return Ok(()),
    };
    let identity = database.begin_read().map_err(Fault::from);
    let identity = identity.and_then(|txn| is_new(&txn, path, genesis));
    identity.map(|_| ()).map_err(|fault| fault.in_file(path))
}

/// Whether nothing was ever committed to the file. An error if what was is not ours.
fn is_new(txn: &ReadTransaction, path: &Path, genesis: &GenesisHash) -> Result<bool, Fault> {
    let meta = match txn.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    let found = u32::from_le_bytes(identity(&meta, META_SCHEMA)?);
    if found > SCHEMA {
        let (file, supported) = (path.to_owned(), SCHEMA);
        return Err(StoreError::NewerSchema { file, found, supported }.into());
    }
    let found = GenesisHash(identity(&meta, META_GENESIS)?);
    if found != *genesis {
        let (file, expected) = (path.to_owned(), *genesis);
        return Err(StoreError::OtherGenesis { file, found, expected }.into());
    }
    Ok(false)
}

fn identity<const N: usize>(
    meta: &redb::ReadOnlyTable<&'static str, &'static [u8]>,
    key: &'static str,
) -> Result<[u8; N], Fault> {
    let missing = || Fault::corrupt("meta", key, "the row is missing");
    let bytes = meta.get(key)?.ok_or_else(missing)?;
    let wrong = |_| Fault::corrupt("meta", key, format!("the row has not {N} bytes"));
    bytes.value().try_into().map_err(wrong)
}

fn write_identity(txn: &WriteTransaction, genesis: &GenesisHash) -> Result<(), Fault> {
    let mut meta = txn.open_table(META)?;
    meta.insert(META_SCHEMA, SCHEMA.to_le_bytes().as_slice())?;
    meta.insert(META_GENESIS, genesis.0.as_slice())?;
    Ok(())
}

fn build_address_index(txn: &WriteTransaction) -> Result<(), Fault> {
    let coins = txn.open_table(tables::COINS)?;
    let mut locks = txn.open_table(tables::LOCKS)?;
    let mut rows = Vec::new();
    for row in coins.iter()? {
        let (position, bytes) = row?;
        let position = position.value();
        let coin: Coin = codec::decode(bytes.value()).map_err(Fault::decode("coins", position))?;
        rows.push(commit::lock_key(&coin.output.lock, position));
        if rows.len() == INDEX_ROWS_AT_A_TIME {
            commit::insert_lock_keys(&mut locks, &mut rows)?;
        }
    }
    commit::insert_lock_keys(&mut locks, &mut rows)
}

fn create_directory(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|error| StoreError::io("create", dir, error))?;
    dir.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_directory)
}

/// Makes the names in a directory durable: a synced file whose name is lost is lost.
fn sync_directory(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| StoreError::io("sync the directory", dir, error))
}

fn file_backend(path: &Path) -> Result<FileBackend, StoreError> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.map_err(|error| StoreError::io("open", path, error))?;
    FileBackend::new(file).map_err(|error| StoreError::redb(path, error.into()))
}

fn with_pid(dir: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::AlreadyOpen { file, .. } => {
            let text = fs::read_to_string(dir.join(PID_FILE)).ok();
            StoreError::AlreadyOpen { file, pid: text.and_then(|pid| pid.trim().parse().ok()) }
        }
        other => other,
    }
}
