//! `testnet.json`: which nodes a local network has, their ports, and the processes that were started.
//!
//! A process id in it may have been reused by another process: `processes` checks it before each signal.
use super::layout::Layout;
use crate::{
    durable,
    terminal::{CliError, Exit},
};
use serde::{Deserialize, Serialize};
use std::{fs, io};

const VERSION: u32 = 1;

/// A local network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestnetState {
    version: u32,
    /// The hash of its genesis.
    pub(crate) genesis: String,
    /// The first port.
    pub(crate) base_port: u16,
    /// Its nodes, masternodes first.
    pub(crate) nodes: Vec<NodeEntry>,
}

/// A node of a local network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeEntry {
    /// Its name and its directory.
    pub(crate) name: String,
    /// Its key in the genesis, if it is a masternode.
    pub(crate) consensus_key: Option<String>,
    /// Its identity in the network.
    pub(crate) peer_id: String,
    /// Its port for other nodes.
    pub(crate) p2p: u16,
    /// Its port for JSON-RPC.
    pub(crate) rpc: u16,
    /// The process started last.
    pub(crate) pid: Option<u32>,
}

impl TestnetState {
    pub(crate) fn new(genesis: String, base_port: u16, nodes: Vec<NodeEntry>) -> Self {
        Self { version: VERSION, genesis, base_port, nodes }
    }

    pub(crate) fn load(layout: &Layout) -> Result<Self, CliError> {
        let path = layout.state();
        let failed =
            |reason: String| CliError::new(Exit::Failure, format!("{}: {reason}", path.display()));
        let text = fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if layout.compose().exists() => {
                let file = layout.compose();
                let what = format!("{} is a network of containers", layout.root().display());
                CliError::new(Exit::Usage, what)
                    .next(format!("docker compose -f {} ps", file.display()))
            }
            io::ErrorKind::NotFound => {
                let what = format!("there is no local network in {}", layout.root().display());
                CliError::new(Exit::Usage, what)
                    .next(format!("timecoin testnet up{}", layout.dir_flag()))
            }
            _ => failed(error.to_string()),
        })?;
        let state: Self = serde_json::from_slice(&text).map_err(|error| {
            failed(error.to_string()).next("delete the directory and start again")
        })?;
        match state.version {
            VERSION => Ok(state),
            other => Err(failed(format!("version {other} is not known to this program"))),
        }
    }

    pub(crate) fn save(&self, layout: &Layout) -> Result<(), CliError> {
        let path = layout.state();
        let failed = |error: &dyn std::fmt::Display| {
            CliError::new(Exit::Failure, format!("{}: {error}", path.display()))
        };
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| failed(&error))?;
        text.push(b'\n');
        durable::replace(&path, &text, 0o644).map_err(|error| failed(&error))
    }

    /// The node with a name.
    pub(crate) fn find(&self, name: &str) -> Option<&NodeEntry> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// The node with a name, to change it.
    pub(crate) fn named(&mut self, name: &str) -> Result<&mut NodeEntry, CliError> {
        let names: Vec<String> = self.nodes.iter().map(|node| node.name.clone()).collect();
        self.nodes.iter_mut().find(|node| node.name == name).ok_or_else(|| {
            CliError::new(Exit::Usage, format!("there is no node `{name}`"))
                .why(format!("there are {}", names.join(", ")))
        })
    }

    /// Names of masternodes by their index in the genesis: the order of keys.
    pub(crate) fn masternodes(&self) -> Vec<&str> {
        let mut found: Vec<(&str, &str)> = self
            .nodes
            .iter()
            .filter_map(|node| Some((node.consensus_key.as_deref()?, node.name.as_str())))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, name)| name).collect()
    }

    /// The reason with names in place of the keys that it shows shortened.
    pub(crate) fn name_keys(&self, mut text: String) -> String {
        for (index, name) in self.masternodes().into_iter().enumerate() {
            let key = self.find(name).and_then(|node| node.consensus_key.as_deref());
            if let Some(start) = key.and_then(|key| key.get(..8)) {
                text = text.replace(&format!("masternode {index} ({start})"), name);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn entry(name: &str, key: Option<&str>) -> NodeEntry {
        NodeEntry {
            name: name.into(),
            consensus_key: key.map(str::to_owned),
            peer_id: "12D3".into(),
            p2p: 21_000,
            rpc: 21_001,
            pid: None,
        }
    }

    #[test]
    fn the_file_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let missing = TestnetState::load(&layout).unwrap_err();
        assert!(missing.to_string().contains("timecoin testnet up --dir"), "{missing}");
        let nodes =
            vec![entry("val0", Some("bb")), entry("val1", Some("aa")), entry("full0", None)];
        let mut state = TestnetState::new("7f".into(), 21_000, nodes);
        state.save(&layout).unwrap();
        assert_eq!(TestnetState::load(&layout).unwrap(), state);
        state.named("val1").unwrap().pid = Some(7);
        state.save(&layout).unwrap();
        assert_eq!(TestnetState::load(&layout).unwrap().find("val1").unwrap().pid, Some(7));
        assert_eq!(state.masternodes(), ["val1", "val0"]);
        assert!(state.named("val9").is_err());
    }

    #[test]
    fn a_network_of_containers_is_not_one_of_processes() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        fs::write(layout.compose(), "").unwrap();
        let error = TestnetState::load(&layout).unwrap_err().to_string();
        assert!(error.contains("next: docker compose -f"), "{error}");
    }

    #[test]
    fn a_file_of_another_version_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let state = TestnetState { version: 2, ..TestnetState::new("7f".into(), 1, vec![]) };
        state.save(&layout).unwrap();
        assert!(TestnetState::load(&layout).unwrap_err().to_string().contains("version 2"));
    }

    #[test]
    fn a_halt_is_told_with_names() {
        let nodes = vec![entry("val0", Some("bbbbbbbbcc")), entry("val1", Some("aaaaaaaadd"))];
        let state = TestnetState::new("7f".into(), 1, nodes);
        let text = "missing: masternode 0 (aaaaaaaa), masternode 1 (bbbbbbbb)".to_owned();
        assert_eq!(state.name_keys(text), "missing: val1, val0");
    }
}
