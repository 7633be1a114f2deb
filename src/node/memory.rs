//! What the network remembers over restarts, in `network.json` of the data directory: known peers
//! and bans.
//!
//! Never a reason not to start: without the file a node joins through its bootstrap nodes.
use crate::durable;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use timecoin_network::Saved;
use tokio::sync::watch;

const FILE: &str = "network.json";
const MODE: u32 = 0o600;

/// Reads what the last run left; nothing if that is impossible.
pub(super) fn load(data_dir: &Path) -> Saved {
    let path = data_dir.join(FILE);
    let read = std::fs::read(&path);
    let saved = match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Saved::default(),
        Err(error) => Err(error.to_string()),
        Ok(bytes) => Saved::from_bytes(&bytes).map_err(|error| error.to_string()),
    };
    saved.unwrap_or_else(|error| {
        tracing::warn!(
            path = %path.display(),
            "known peers and bans cannot be read: {error}; starting without them, and replacing the file"
        );
        Saved::default()
    })
}

/// Writes each state of the network's memory until the network has ended.
pub(super) async fn keep(data_dir: PathBuf, mut saved: watch::Receiver<Arc<Saved>>) {
    let path = data_dir.join(FILE);
    let mut has_failed = false;
    while saved.changed().await.is_ok() {
        let (state, to) = (saved.borrow_and_update().clone(), path.clone());
        let write = move || durable::replace(&to, &state.to_bytes(), MODE);
        let written = tokio::task::spawn_blocking(write).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Err(error) = &written
            && !has_failed
        {
            tracing::warn!(path = %path.display(), "known peers and bans cannot be written: {error}");
        }
        has_failed = written.is_err();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_loaded_and_a_broken_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()), Saved::default());
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        assert_eq!(load(dir.path()), Saved::default());
        let (sender, receiver) = watch::channel(Arc::new(Saved::default()));
        let state = br#"{"version":1,"peers":[],"bans":[{"party":"9.9.9.9/32","reason":"noise","until":9,"times":1}]}"#;
        let state = Saved::from_bytes(state).unwrap();
        sender.send_replace(Arc::new(state.clone()));
        drop(sender);
        keep(dir.path().to_owned(), receiver).await;
        assert_eq!(load(dir.path()), state);
    }
}
