//! Which network, and which of its nodes.
use crate::{
    devnet::network::{DEFAULT_NET, Layout, TestnetState},
    terminal::CliError,
};
use clap::Args;
use std::path::PathBuf;

/// Which network.
#[derive(Debug, Args)]
pub(crate) struct NetArgs {
    /// The network's directory.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_NET)]
    pub(super) dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Which node of which network.
#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// The node, such as val3.
    pub(super) node: String,
    #[command(flatten)]
    pub(super) net: NetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    #[command(flatten)]
    pub(super) net: NetArgs,
    /// How many seconds nodes may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(super) timeout: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ResetArgs {
    #[command(flatten)]
    pub(super) net: NetArgs,
    /// Do not ask.
    #[arg(long, short)]
    pub(super) yes: bool,
}

impl NetArgs {
    pub(super) fn load(&self) -> Result<(Layout, TestnetState), CliError> {
        let layout = Layout::new(&self.dir);
        let state = TestnetState::load(&layout)?;
        Ok((layout, state))
    }
}
