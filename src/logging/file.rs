//! A log file that is renamed when it is full: `node.log`, `node.log.1` (newer) to `node.log.N` (older).
//!
//! Never deletes a file with another name. A line is never split between two files.
use std::{
    fmt::Display,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// An open log file.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// The file is renamed before it exceeds this; 0: never.
    bytes_max: u64,
    /// Renamed files that are kept.
    kept: u32,
}

impl RotatingFile {
    /// Opens a file to append to it.
    pub(super) fn open(path: &Path, bytes_max: u64, kept: u32) -> io::Result<Self> {
        let (file, bytes) = append(path)?;
        // A pipe or a device is never renamed.
        let bytes_max = if file.metadata()?.is_file() { bytes_max } else { 0 };
        Ok(Self { path: path.to_owned(), file, bytes, bytes_max, kept })
    }

    /// Opens the path again. On an error the open file stays.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.bytes) = append(&self.path)?;
        Ok(())
    }

    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let is_full = self.bytes_max > 0 && self.bytes > 0 && self.bytes + length > self.bytes_max;
        if is_full && self.rotate().is_err() {
            // The open file goes on; the next attempt is as many bytes away again.
            self.bytes = 0;
        }
        let length_before = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(line) {
            // On a full disk the beginning of the line may be there.
            let _ = self.file.set_len(length_before);
            return Err(error);
        }
        self.bytes += length;
        Ok(())
    }

    /// Opens the new file first: without it nothing is renamed.
    fn rotate(&mut self) -> io::Result<()> {
        let next = self.named("new");
        let (file, bytes) = append(&next)?;
        for number in (1..self.kept).rev() {
            rename(&self.named(number), &self.named(number + 1))?;
        }
        if self.kept > 0 {
            rename(&self.path, &self.named(1))?;
        }
        fs::rename(&next, &self.path)?;
        (self.file, self.bytes) = (file, bytes);
        Ok(())
    }

    fn named(&self, end: impl Display) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{end}"));
        path.into()
    }
}

fn append(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).mode(0o640).open(path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

/// A file that does not exist need not be renamed.
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_full_file_is_renamed_and_the_oldest_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.log");
        let mut file = RotatingFile::open(&path, 10, 2).unwrap();
        for line in ["one---\n", "two---\n", "three-\n", "4\n", "longer than the limit\n"] {
            file.write(line.as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("node.log"), "longer than the limit\n");
        assert_eq!(read("node.log.1"), "three-\n4\n");
        assert_eq!(read("node.log.2"), "two---\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn where_no_file_can_be_made_the_open_one_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.log");
        let mut file = RotatingFile::open(&path, 10, 2).unwrap();
        file.write(b"one---\n").unwrap();
        // A directory in the place of the next file.
        fs::create_dir(dir.path().join("node.log.new")).unwrap();
        file.write(b"two---\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one---\ntwo---\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing was renamed");
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("node.log"), dir.path().join("moved"));
        let mut file = RotatingFile::open(&path, 0, 0).unwrap();
        file.write(b"one\n").unwrap();
        fs::rename(&path, &moved).unwrap();
        file.write(b"two\n").unwrap();
        file.reopen().unwrap();
        file.write(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(&moved).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
        fs::remove_dir_all(dir.path()).unwrap();
        assert!(file.reopen().is_err());
        file.write(b"to the open file\n").unwrap();
    }
}
