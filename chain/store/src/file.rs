//! One database file: the only place that begins and ends transactions.
//!
//! Every read is one read transaction and every write one durable write transaction: a write that
//! returned is on the disk, and no write is ever applied in part.
use crate::{
    counters::{Counters, micros},
    error::{Fault, StoreError},
};
use redb::{
    BackendError, Builder, Database, Durability, ReadTransaction, ReadableDatabase as _,
    StorageBackend, WriteTransaction,
};
use std::{
    io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

/// How a write reaches the disk.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CommitMode {
    /// Two syncs, and the free-page map saved with each commit: opening after a crash does not scan
    /// the file, and no page content can make an incomplete commit look complete.
    TwoPhase,
    /// One sync. Opening after a crash scans the file, which must be small, and readers must not
    /// rely on the file's weak checksums against chosen content.
    OnePhase,
}

/// An open database and its path.
pub(crate) struct DatabaseFile {
    database: Database,
    path: PathBuf,
    mode: CommitMode,
    counters: Arc<Counters>,
}

impl DatabaseFile {
    /// Opens the database, or creates it in an empty backend.
    pub(crate) fn open(
        backend: impl StorageBackend,
        path: &Path,
        mode: CommitMode,
        cache_bytes: usize,
    ) -> Result<Self, StoreError> {
        let counters = Arc::new(Counters::default());
        let bytes =
            backend.len().map_err(|error| StoreError::io("read the length of", path, error))?;
        counters.bytes_on_disk.store(bytes, Ordering::Relaxed);
        let backend = Counted { backend, counters: Arc::clone(&counters) };
        let database = Builder::new()
            .set_cache_size(cache_bytes)
            .create_with_backend(backend)
            .map_err(|error| StoreError::redb(path, error.into()))?;
        Ok(Self { database, path: path.to_owned(), mode, counters })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Reads from one consistent state.
    pub(crate) fn read<T>(
        &self,
        answer: impl FnOnce(&ReadTransaction) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let begun = self.database.begin_read().map_err(Fault::from);
        begun.and_then(|txn| answer(&txn)).map_err(|fault| fault.in_file(&self.path))
    }

    /// Applies all changes or none. Durable when it returns.
    pub(crate) fn write(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<(), Fault>,
    ) -> Result<(), StoreError> {
        self.try_write(change).map_err(|fault| fault.in_file(&self.path))
    }

    fn try_write(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut txn = self.database.begin_write()?;
        txn.set_durability(Durability::Immediate)?;
        if matches!(self.mode, CommitMode::TwoPhase) {
            txn.set_two_phase_commit(true);
            txn.set_quick_repair(true);
        }
        change(&txn)?; // Dropped on failure: the transaction is rolled back.
        Ok(txn.commit()?)
    }
}

/// A backend that counts the bytes written through it.
#[derive(Debug)]
struct Counted<B> {
    backend: B,
    counters: Arc<Counters>,
}

impl<B: StorageBackend> StorageBackend for Counted<B> {
    fn len(&self) -> io::Result<u64> {
        self.backend.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.backend.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.backend.set_len(len)?;
        self.counters.bytes_on_disk.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.counters.flushes.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let done = self.backend.sync_data();
        self.counters.sync_micros.observe(micros(began));
        done
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.counters.bytes_flushed.fetch_add(data.len() as u64, Ordering::Relaxed);
        self.backend.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.backend.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.backend.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.query_lock_range(start, end)
    }
}
