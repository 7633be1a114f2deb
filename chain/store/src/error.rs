//! What can go wrong between the node and its disk. Each text says what happened and why;
//! [`StoreError::next`] says what the operator does next.
//!
//! Each of these is the fault of this node or machine, never a peer's. The node stops on all of
//! them except [`StoreError::NoAddressIndex`].
use std::path::{Path, PathBuf};
use timecoin_chain::{
    codec::CodecError,
    genesis::GenesisHash,
    ledger::ViewError,
    types::{BlockHash, Height},
};

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process, or another part of this one, has the database open.
    #[error(
        "{} is already open{}: only one node may use a data directory",
        .path.display(),
        holder(*.pid)
    )]
    AlreadyOpen {
        /// What is locked: the data directory, or a file in it.
        path: PathBuf,
        /// Who holds it, from the directory's `node.pid`.
        pid: Option<u32>,
    },
    /// A later version of this program wrote the file. Nothing was changed.
    #[error(
        "{} has schema {found}, and this program reads up to schema {supported}: a later version \
         wrote it. Nothing was changed",
        .file.display()
    )]
    NewerSchema {
        /// The file.
        file: PathBuf,
        /// Its schema.
        found: u32,
        /// The latest schema that this program knows.
        supported: u32,
    },
    /// An earlier version wrote the file, and this one does not convert it. Nothing was changed.
    #[error(
        "{} has schema {found}, and this program reads schema {supported} only: an earlier version \
         wrote it. Nothing was changed",
        .file.display()
    )]
    OlderSchema {
        /// The file.
        file: PathBuf,
        /// Its schema.
        found: u32,
        /// The schema that this program knows.
        supported: u32,
    },
    /// The file belongs to another chain. Nothing was changed.
    #[error(
        "{} belongs to the chain with genesis {found}, and the node was started for genesis \
         {expected}. Nothing was changed",
        .file.display()
    )]
    OtherGenesis {
        /// The file.
        file: PathBuf,
        /// The genesis it was made for.
        found: GenesisHash,
        /// The genesis asked for.
        expected: GenesisHash,
    },
    /// A stored row does not decode, or rows contradict each other.
    #[error(
        "{} is damaged: table {table}, key {key}: {reason}. The disk or another program changed \
         it",
        .file.display()
    )]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// The table.
        table: &'static str,
        /// The key of the row.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk that holds the file is full.
    #[error(
        "the disk that holds {} is full: the last write did not complete, all before it is safe",
        .file.display()
    )]
    DiskFull {
        /// The file.
        file: PathBuf,
    },
    /// The operating system returned an error.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// The attempted action.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The database returned an error.
    #[error(
        "the database {} failed: {source}. What was committed before is safe",
        .file.display()
    )]
    Redb {
        /// The file.
        file: PathBuf,
        /// redb's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The block to write does not follow the last one.
    #[error(
        "block {offered} cannot be committed after block {tip}: {reason}. This is a bug in the \
         node; nothing was written"
    )]
    NotNext {
        /// The last durable height.
        tip: Height,
        /// The height offered.
        offered: Height,
        /// What does not fit.
        reason: &'static str,
    },
    /// Coins were requested by owner, but there is no address index.
    #[error("this node keeps no address index")]
    NoAddressIndex,
    /// The safety record does not decode.
    #[error(
        "the safety record in {} cannot be read: {reason}. Signing without it could sign twice \
         and be punished",
        .file.display()
    )]
    SafetyUnreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The safety record names a block that is missing in its file.
    #[error(
        "the safety record in {} names block {wanted}, which is missing beside it: the node could \
         not go on from where it was",
        .file.display()
    )]
    SafetyBlock {
        /// The file.
        file: PathBuf,
        /// The block.
        wanted: BlockHash,
    },
}

impl StoreError {
    /// Whether the disk is full: the only failure that freeing space fixes.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. })
    }

    /// What the operator does next.
    pub fn next(&self) -> String {
        match self {
            Self::AlreadyOpen { pid, .. } => {
                format!("{}, or start this node with another data directory", stop(*pid))
            }
            Self::NewerSchema { .. } => "start that version, or a later one, instead".into(),
            Self::OlderSchema { .. } => "start that version, or begin with an empty data directory; \
                                         a masternode begins with a new key there"
                .into(),
            Self::OtherGenesis { .. } => "start with the genesis file that this data directory was \
                                          made for, or with another data directory"
                .into(),
            Self::Corrupt { file, .. } => format!(
                "check the disk, then `mv {} {}` and start the node: it fetches the chain from its \
                 peers again. Leave safety.redb where it is",
                file.display(),
                aside(file)
            ),
            Self::DiskFull { file } => format!(
                "free some space (`df -h {}` shows the disk), then start the node again",
                file.display()
            ),
            Self::Io { path, .. } => format!(
                "check that the disk works and that the node's user owns this path (`ls -ld {}`), \
                 then start the node again",
                path.display()
            ),
            Self::Redb { .. } => "check the disk (`dmesg` shows its errors) and start the node again; \
                                  if it fails again, restore the file, or if it is ledger.redb move \
                                  it away and let the node fetch the chain again"
                .into(),
            Self::NotNext { .. } => "start the node again and report this message".into(),
            Self::NoAddressIndex => "set `address_index = true` under `[store]` in its configuration \
                                     and start it again (the index is built then), or ask another node"
                .into(),
            Self::SafetyUnreadable { .. } => "check the disk and put the file back from this machine \
                                              as it was when the node stopped; never from an older \
                                              backup. If there is none, do not sign with this key \
                                              again: register a new masternode key"
                .into(),
            Self::SafetyBlock { .. } => "put the file back from this machine as it was when the node \
                                         stopped; never from an older backup. If the file was not \
                                         touched, report this message"
                .into(),
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        if is_full(&source) {
            return Self::DiskFull { file: path.to_owned() };
        }
        Self::Io { action, path: path.to_owned(), source }
    }

    /// Converts an error of redb about a file.
    pub(crate) fn redb(file: &Path, error: redb::Error) -> Self {
        let file = file.to_owned();
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::AlreadyOpen { path: file, pid: None },
            redb::Error::Io(source) if is_full(&source) => Self::DiskFull { file },
            error => Self::Redb { file, source: Box::new(error) },
        }
    }
}

impl From<StoreError> for ViewError {
    fn from(error: StoreError) -> Self {
        Self { reason: error.to_string() }
    }
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| " in another process".to_owned(), |pid| format!(" in process {pid}"))
}

fn stop(pid: Option<u32>) -> String {
    pid.map_or_else(|| "stop that process".to_owned(), |pid| format!("stop it (`kill {pid}`)"))
}

fn aside(file: &Path) -> String {
    format!("{}.damaged", file.display())
}

/// An error inside a transaction, before the file is known.
#[derive(Debug)]
pub(crate) enum Fault {
    Redb(redb::Error),
    Corrupt { table: &'static str, key: String, reason: String },
    Refused(StoreError),
}

impl Fault {
    pub(crate) fn corrupt(table: &'static str, key: impl ToString, reason: impl ToString) -> Self {
        Self::Corrupt { table, key: key.to_string(), reason: reason.to_string() }
    }

    /// Stored bytes that do not decode.
    pub(crate) fn decode(
        table: &'static str,
        key: impl ToString,
    ) -> impl FnOnce(CodecError) -> Self {
        move |error| Self::corrupt(table, key, error)
    }

    pub(crate) fn in_file(self, file: &Path) -> StoreError {
        match self {
            Self::Redb(error) => StoreError::redb(file, error),
            Self::Corrupt { table, key, reason } => {
                StoreError::Corrupt { file: file.to_owned(), table, key, reason }
            }
            Self::Refused(error) => error,
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                Self::Redb(error.into())
            }
        }
    )*};
}
from_redb!(
    StorageError,
    TableError,
    TransactionError,
    CommitError,
    CursorError,
    SetDurabilityError
);
