//! Opens the files: verifies that they belong to this chain, and initializes new ones.
//!
//! One process at a time: the lock on `node.pid` is held as long as the store is open.
//!
//! A file is first inspected without changing it, then opened, then inspected again: after a crash
//! the first inspection may fail to read it, but the second can. A new file gets its name once
//! all of it is durable, so a crash never leaves an incomplete one. A safety file that the node
//! itself had to create holds no record: the creator of a key writes its first record
//! (`safety.rs`).
//!
//! Never repairs what it does not recognize.
use crate::{
    LEDGER_FILE, PID_FILE, SAFETY_FILE, Store, StoreOptions, address_index, commit,
    error::{Fault, StoreError},
    file::{CommitMode, DatabaseFile},
    tables::{self, META, META_ADDRESS_INDEX, META_GENESIS, META_SCHEMA, SCHEMA},
};
use redb::{
    Builder, ReadTransaction, ReadableDatabase as _, ReadableTable as _, StorageBackend,
    TableError, WriteTransaction, backends::FileBackend,
};
use std::{
    fs::{self, File, TryLockError},
    io::Write as _,
    path::{Path, PathBuf},
};
use timecoin_chain::{
    codec,
    genesis::{Chain, GenesisHash},
    ledger::genesis_delta,
    types::Coin,
};

/// Pages of the safety file kept in memory: the record and its block.
const SAFETY_CACHE_BYTES: usize = 8 * 1024 * 1024;
/// Rows of the address index sorted at a time while it is built.
const INDEX_ROWS_AT_A_TIME: usize = 1_000_000;

impl Store {
    /// Opens the store in a directory, or creates the directory, for its owner only, and the store.
    /// The first open writes the genesis coins.
    pub fn open(dir: &Path, chain: &Chain, options: StoreOptions) -> Result<Self, StoreError> {
        create_directory(dir)?;
        let lock = lock_directory(dir)?;
        let (ledger_path, safety_path) = (dir.join(LEDGER_FILE), dir.join(SAFETY_FILE));
        look_at(&ledger_path, &chain.hash)?;
        look_at(&safety_path, &chain.hash)?;
        let ledger = open_ledger(file_backend(&ledger_path)?, &ledger_path, options)?;
        let safety = open_safety(file_backend(&safety_path)?, &safety_path)?;
        let store = Self::assemble(ledger, safety, chain, options)?;
        for path in [&safety_path, &ledger_path] {
            name_new_file(dir, path)?;
        }
        Ok(Self { _lock: Some(lock), ..store })
    }

    /// Opens a store over backends that are not files, to test disk faults.
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
        identify(&safety, &chain.hash)?;
        let (genesis, address_index) = (chain.hash, options.address_index);
        let store = Self { ledger, safety, genesis, address_index, _lock: None };
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
            // A table exists only after it is opened for writing; readers expect all of them.
            txn.open_table(tables::BLOCKS)?;
            txn.open_table(tables::CERTIFICATES)?;
            txn.open_table(tables::HEIGHTS)?;
            Ok(())
        })
    }

    /// Builds or drops the address index if the last run had the other setting.
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

/// The safety file of a directory alone, and the lock on the directory.
pub(crate) fn open_safety_alone(
    dir: &Path,
    genesis: &GenesisHash,
) -> Result<(DatabaseFile, File), StoreError> {
    create_directory(dir)?;
    let lock = lock_directory(dir)?;
    let path = dir.join(SAFETY_FILE);
    look_at(&path, genesis)?;
    let file = open_safety(file_backend(&path)?, &path)?;
    identify(&file, genesis)?;
    name_new_file(dir, &path)?;
    Ok((file, lock))
}

/// Writes the identity of a new file.
fn identify(file: &DatabaseFile, genesis: &GenesisHash) -> Result<(), StoreError> {
    match file.read(|txn| is_new(txn, file.path(), genesis))? {
        true => file.write(|txn| write_identity(txn, genesis)),
        false => Ok(()),
    }
}

fn open_ledger(
    backend: impl StorageBackend,
    path: &Path,
    options: StoreOptions,
) -> Result<DatabaseFile, StoreError> {
    DatabaseFile::open(backend, path, CommitMode::TwoPhase, options.cache_bytes)
}

fn open_safety(backend: impl StorageBackend, path: &Path) -> Result<DatabaseFile, StoreError> {
    // The file is small, and the record has its own hash.
    DatabaseFile::open(backend, path, CommitMode::OnePhase, SAFETY_CACHE_BYTES)
}

/// Refuses a file of another chain or a later schema without changing a byte of it. A file that
/// cannot be read this way is left to the actual open, which repairs or reports it.
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

/// Whether the file is empty. Returns an error if its contents belong to another chain or schema.
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
    if found < SCHEMA {
        let (file, supported) = (path.to_owned(), SCHEMA);
        return Err(StoreError::OlderSchema { file, found, supported }.into());
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
        rows.push(address_index::key(&coin.output.lock, position));
        if rows.len() == INDEX_ROWS_AT_A_TIME {
            address_index::insert(&mut locks, &mut rows)?;
        }
    }
    address_index::insert(&mut locks, &mut rows)
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

/// Makes the names in a directory durable: a synced file is lost if its name is lost.
fn sync_directory(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| StoreError::io("sync the directory", dir, error))
}

/// The file, or a new one without its final name.
fn file_backend(path: &Path) -> Result<FileBackend, StoreError> {
    let mut options = File::options();
    options.read(true).write(true);
    let file = if path.exists() {
        options.open(path)
    } else {
        // A leftover of a crash is incomplete.
        options.create(true).truncate(true).open(unnamed(path))
    };
    let file = file.map_err(|error| StoreError::io("open", path, error))?;
    FileBackend::new(file).map_err(|error| StoreError::redb(path, error.into()))
}

/// Gives a new file, now complete and durable, its name.
fn name_new_file(dir: &Path, path: &Path) -> Result<(), StoreError> {
    if path.exists() {
        return Ok(());
    }
    fs::rename(unnamed(path), path).map_err(|error| StoreError::io("create", path, error))?;
    sync_directory(dir)
}

fn unnamed(path: &Path) -> PathBuf {
    path.with_extension("redb.new")
}

/// Locks the directory for this process. The lock is released when the file closes, also when the
/// process is killed; the process id in it is informational.
fn lock_directory(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(PID_FILE);
    let failed = |error| StoreError::io("lock", &path, error);
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = fs::read_to_string(&path).ok().and_then(|pid| pid.trim().parse().ok());
            return Err(StoreError::AlreadyOpen { path: dir.to_owned(), pid });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let pid = std::process::id().to_string();
    let written = file.set_len(0).and_then(|()| file.write_all(pid.as_bytes()));
    written.map_err(failed).map(|()| file)
}
