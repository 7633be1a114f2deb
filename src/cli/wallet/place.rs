//! Where a wallet command works: which node it asks, and in which directory wallets are.
use crate::{cli::target::NodeArgs, terminal::CliError};
use clap::Args;
use std::path::PathBuf;

/// The node to ask, and the directory of wallets.
#[derive(Debug, Args)]
pub(super) struct PlaceArgs {
    #[command(flatten)]
    pub(super) node: NodeArgs,
    /// Directory of wallet files [default: `wallets` in the network's directory]
    #[arg(long, value_name = "DIR", global = true)]
    wallets: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl PlaceArgs {
    /// The file of a wallet.
    pub(super) fn file(&self, name: &str) -> Result<PathBuf, CliError> {
        Ok(crate::wallet::path_of(&self.directory()?, name)?)
    }

    /// The same place as flags for commands that are printed.
    pub(super) fn flag(&self) -> String {
        let wallets = self.wallets.iter().map(|dir| format!(" --wallets {}", dir.display()));
        std::iter::once(self.node.flag()).chain(wallets).collect()
    }

    pub(super) fn directory(&self) -> Result<PathBuf, CliError> {
        match &self.wallets {
            Some(directory) => Ok(directory.clone()),
            None => self.node.wallets(),
        }
    }
}
