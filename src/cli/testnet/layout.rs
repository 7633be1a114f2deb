//! Which file of a local network is where.
use crate::rpc_client::cookie_in;
use std::path::{Path, PathBuf};

/// The directory of a local network.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(in crate::cli) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(in crate::cli) fn root(&self) -> &Path {
        &self.root
    }

    /// Which nodes there are.
    pub(in crate::cli) fn state(&self) -> PathBuf {
        self.root.join("testnet.json")
    }

    pub(in crate::cli) fn genesis(&self) -> PathBuf {
        self.root.join("genesis.json")
    }

    pub(in crate::cli) fn wallets(&self) -> PathBuf {
        self.root.join("wallets")
    }

    /// The directory of a node.
    pub(super) fn node(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn config(&self, name: &str) -> PathBuf {
        self.node(name).join("config.toml")
    }

    pub(super) fn node_key(&self, name: &str) -> PathBuf {
        self.node(name).join("node.key")
    }

    pub(super) fn consensus_key(&self, name: &str) -> PathBuf {
        self.node(name).join("consensus.key")
    }

    /// Its database.
    pub(super) fn data(&self, name: &str) -> PathBuf {
        self.node(name).join("data")
    }

    /// Its standard output and error.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.node(name).join("node.log")
    }

    pub(in crate::cli) fn cookie(&self, name: &str) -> PathBuf {
        cookie_in(&self.data(name))
    }

    /// `--dir DIR` for commands that are shown; nothing for the default.
    pub(in crate::cli) fn dir_flag(&self) -> String {
        self.flag("--dir")
    }

    /// `--net DIR` for commands that are shown; nothing for the default.
    pub(super) fn net_flag(&self) -> String {
        self.flag("--net")
    }

    fn flag(&self, name: &str) -> String {
        match self.root == Path::new(super::DEFAULT_NET) {
            true => String::new(),
            false => format!(" {name} {}", self.root.display()),
        }
    }
}
