//! Which network, and which of its nodes.
use crate::{
    devnet::network::{DEFAULT_NET, Layout, TestnetState, create::Plan},
    terminal::CliError,
};
use clap::Args;
use std::path::PathBuf;
use timecoin_chain::limits::{GENESIS_OUTPUTS_MAX, MASTERNODES_MAX};

/// Where the first node listens by default.
const BASE_PORT: u16 = 21_000;
const VALIDATORS: u16 = 4;
const FULL: u16 = 1;
const ALLOC_OUTPUTS: u64 = 10;

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

/// The shape and parameters of a new network.
#[derive(Debug, Args)]
pub(crate) struct ShapeArgs {
    /// Masternodes of a new network [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=MASTERNODES_MAX as i64))]
    pub(super) validators: Option<u16>,
    /// Nodes of a new network that do not vote [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=100))]
    pub(super) full: Option<u16>,
    /// First port: node i uses P + 10 i for other nodes and the next one for RPC [default: 21000]
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u16).range(1_024..))]
    pub(super) base_port: Option<u16>,
    /// Time between empty blocks of a new network [default: 2000]
    #[arg(long, value_name = "MS", hide_short_help = true)]
    block_interval_ms: Option<u64>,
    /// Least time between blocks of a new network [default: 100]
    #[arg(long, value_name = "MS", hide_short_help = true)]
    min_spacing_ms: Option<u64>,
    /// Coins in which the wallet `alice` of a new network has its money [default: 10]
    #[arg(long, value_name = "N", hide_short_help = true,
          value_parser = clap::value_parser!(u64).range(1..GENESIS_OUTPUTS_MAX))]
    alloc_outputs: Option<u64>,
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

impl ShapeArgs {
    pub(super) fn plan(&self) -> Plan {
        Plan {
            validators: self.validators.unwrap_or(VALIDATORS),
            full: self.full.unwrap_or(FULL),
            base_port: self.base_port.unwrap_or(BASE_PORT),
            block_interval_ms: self.block_interval_ms,
            min_spacing_ms: self.min_spacing_ms,
            alloc_outputs: self.alloc_outputs.unwrap_or(ALLOC_OUTPUTS),
        }
    }

    /// Whether it names a parameter of the chain.
    pub(super) fn sets_parameters(&self) -> bool {
        self.block_interval_ms.is_some()
            || self.min_spacing_ms.is_some()
            || self.alloc_outputs.is_some()
    }
}

impl NetArgs {
    pub(super) fn load(&self) -> Result<(Layout, TestnetState), CliError> {
        let layout = Layout::new(&self.dir);
        let state = TestnetState::load(&layout)?;
        Ok((layout, state))
    }
}
