//! A disk in memory that forgets and fails: what was not synced may be lost in any part, and the
//! operation at which it fails is chosen.
use crate::fixture::Source;
use redb::StorageBackend;
use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

/// What the disk was asked to do since it last synced.
#[derive(Debug, Clone)]
enum Pending {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Debug, Default)]
struct State {
    /// What a reader sees.
    live: Vec<u8>,
    /// What survives for certain.
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

/// How the operation at which the disk fails goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Power is lost: nothing works from here on.
    PowerLoss,
    /// One error, then all is well again. A failed sync forgets what it should have written, as
    /// Linux does: syncing again does not bring it back.
    OneError(io::ErrorKind),
}

/// Counts the operations that change any of its disks and fails one of them.
#[derive(Debug)]
pub(crate) struct Fuse {
    done: AtomicU64,
    fails_at: u64,
    failure: Failure,
}

impl Fuse {
    pub(crate) fn new(fails_at: u64, failure: Failure) -> Arc<Self> {
        Arc::new(Self { done: AtomicU64::new(0), fails_at, failure })
    }

    /// Operations so far.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    fn burn(&self) -> io::Result<()> {
        let number = self.done.fetch_add(1, Ordering::SeqCst);
        match self.failure {
            Failure::PowerLoss if number >= self.fails_at => Err(io::Error::other("power lost")),
            Failure::OneError(kind) if number == self.fails_at => Err(kind.into()),
            _ => Ok(()),
        }
    }
}

/// One disk. Clones are the same disk.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    state: Arc<Mutex<State>>,
    fuse: Arc<Fuse>,
}

impl Disk {
    /// A disk that holds these bytes, all durable.
    pub(crate) fn holding(bytes: Vec<u8>, fuse: &Arc<Fuse>) -> Self {
        let state = State { live: bytes.clone(), durable: bytes, pending: vec![] };
        Self { state: Arc::new(Mutex::new(state)), fuse: Arc::clone(fuse) }
    }

    /// What is found after power was lost now: all that was synced, and of the rest either a prefix,
    /// or a random part in sectors of 512 bytes.
    pub(crate) fn after_crash(&self, source: &mut Source) -> Vec<u8> {
        let state = self.state.lock().unwrap();
        let mut image = state.durable.clone();
        let whole = source.index(state.pending.len() + 1);
        let in_order = source.flip();
        for (index, pending) in state.pending.iter().enumerate() {
            let kept = if in_order { index < whole } else { source.flip() };
            match pending {
                Pending::Length(length) if kept => image.resize(*length, 0),
                Pending::Write(offset, data) if kept && in_order => put(&mut image, *offset, data),
                Pending::Write(offset, data) if !in_order => {
                    for (sector, part) in data.chunks(512).enumerate() {
                        if kept || source.below(4) == 0 {
                            put(&mut image, offset + 512 * sector, part);
                        }
                    }
                }
                _ => {}
            }
        }
        image
    }
}

/// Writes what lies within the file: bytes beyond its end are lost with its length.
fn put(image: &mut [u8], offset: usize, data: &[u8]) {
    let end = image.len().min(offset + data.len());
    if offset < end {
        image[offset..end].copy_from_slice(&data[..end - offset]);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state.lock().unwrap().live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let bytes = state.live.get(offset..offset + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.fuse.burn()?;
        let mut state = self.state.lock().unwrap();
        let length = usize::try_from(length).unwrap();
        state.live.resize(length, 0);
        state.pending.push(Pending::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let burnt = self.fuse.burn();
        let mut state = self.state.lock().unwrap();
        match (&burnt, self.fuse.failure) {
            (Ok(()), _) => {
                let State { durable, pending, .. } = &mut *state;
                for pending in pending.drain(..) {
                    match pending {
                        Pending::Length(length) => durable.resize(length, 0),
                        Pending::Write(offset, data) => put(durable, offset, &data),
                    }
                }
            }
            (Err(_), Failure::OneError(_)) => {
                state.pending.retain(|pending| matches!(pending, Pending::Length(_)));
            }
            (Err(_), Failure::PowerLoss) => {}
        }
        burnt
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let burnt = self.fuse.burn();
        let mut state = self.state.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        if burnt.is_ok() {
            put(&mut state.live, offset, data);
        }
        // A write that failed may have reached the disk in part.
        state.pending.push(Pending::Write(offset, data.to_vec()));
        burnt
    }
}
