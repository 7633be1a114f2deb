//! The paths of a local network's files.
use crate::rpc_client::cookie_in;
use std::path::{Path, PathBuf};

/// The local network that is used if none is named.
pub(crate) const DEFAULT_NET: &str = "testnet";

/// The directory of a local network.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Which nodes there are.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("testnet.json")
    }

    /// What runs it, if it is a network of containers.
    pub(crate) fn compose(&self) -> PathBuf {
        self.root.join("compose.yml")
    }

    pub(crate) fn genesis(&self) -> PathBuf {
        self.root.join("genesis.json")
    }

    pub(crate) fn wallets(&self) -> PathBuf {
        self.root.join("wallets")
    }

    /// The directory of a node.
    pub(crate) fn node(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn config(&self, name: &str) -> PathBuf {
        self.node(name).join("config.toml")
    }

    pub(crate) fn node_key(&self, name: &str) -> PathBuf {
        self.node(name).join("node.key")
    }

    pub(crate) fn consensus_key(&self, name: &str) -> PathBuf {
        self.node(name).join("consensus.key")
    }

    /// Its database.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.node(name).join("data")
    }

    /// Its standard output and error.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.node(name).join("node.log")
    }

    pub(crate) fn cookie(&self, name: &str) -> PathBuf {
        cookie_in(&self.data(name))
    }

    /// `--dir DIR` for commands that are printed; empty for the default.
    pub(crate) fn dir_flag(&self) -> String {
        self.flag("--dir")
    }

    /// `--net DIR` for commands that are printed; empty for the default.
    pub(crate) fn net_flag(&self) -> String {
        self.flag("--net")
    }

    fn flag(&self, name: &str) -> String {
        match self.root == Path::new(DEFAULT_NET) {
            true => String::new(),
            false => format!(" {name} {}", self.root.display()),
        }
    }
}
