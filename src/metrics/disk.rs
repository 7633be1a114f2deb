//! Space on the file system of the data directory.
use nix::sys::statvfs::statvfs;
use std::path::Path;

/// A file system at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disk {
    /// Left for this node.
    pub(crate) free_bytes: u64,
    /// In all.
    pub(crate) size_bytes: u64,
}

impl Disk {
    /// Asks the system. A disk that hangs lets the caller wait.
    pub(crate) fn read(directory: &Path) -> Option<Self> {
        let found = statvfs(directory).ok()?;
        let bytes = |blocks: nix::libc::fsblkcnt_t| blocks.saturating_mul(found.fragment_size());
        Some(Self {
            free_bytes: bytes(found.blocks_available()),
            size_bytes: bytes(found.blocks()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_on_a_disk() {
        let disk = Disk::read(Path::new("/")).expect("there is a root");
        assert!(disk.free_bytes <= disk.size_bytes && disk.size_bytes > 0, "{disk:?}");
        assert_eq!(Disk::read(Path::new("/no/such/directory")), None);
    }
}
