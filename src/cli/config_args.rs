//! A node's configuration flags, shared by `start` and every command about that node.
use crate::config::{ConfigError, NodeConfig};
use clap::Args;
use std::{fmt, path::PathBuf};

/// A configuration file and its overrides. Displays as the flags to type.
#[derive(Debug, Clone, Args)]
pub(super) struct ConfigArgs {
    /// The configuration file. Keys can be overridden: a flag wins over TIMECOIN_SECTION__KEY, which wins over the
    /// file.
    #[arg(long, env = "TIMECOIN_CONFIG", value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Directory of the database.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Any other key, such as --set limits.peers=20. May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    set: Vec<(String, String)>,
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as section.key=value")?;
    Ok((key.into(), value.into()))
}

impl ConfigArgs {
    /// Resolves the configuration, with more flags that win over `--set`.
    pub(super) fn load(
        &self,
        more: impl IntoIterator<Item = (String, String)>,
    ) -> Result<NodeConfig, ConfigError> {
        let data_dir = self.data_dir.iter().map(|dir| ("data_dir".to_owned(), dir.clone()));
        let flags: Vec<_> = self.set.iter().cloned().chain(data_dir).chain(more).collect();
        NodeConfig::load(&self.config, &flags)
    }
}

impl fmt::Display for ConfigArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--config {}", self.config.display())?;
        if let Some(dir) = &self.data_dir {
            write!(f, " --data-dir {dir}")?;
        }
        self.set.iter().try_for_each(|(key, value)| write!(f, " --set {key}={value}"))
    }
}
