//! Which node a command talks to, and where the wallets are.
use crate::{
    config::NodeConfig,
    devnet::network::{DEFAULT_NET, Layout, NodeEntry, TestnetState, client},
    rpc_client::RpcClient,
    terminal::{CliError, Exit},
};
use clap::Args;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Names a node: by a local network, by its configuration or by its address.
#[derive(Debug, Clone, Args)]
pub(super) struct NodeArgs {
    /// Directory of a local network [env: TIMECOIN_NET] [default: ./testnet if it exists]
    #[arg(long, value_name = "DIR", global = true)]
    net: Option<PathBuf>,
    /// One of its nodes, such as val1 [default: the first that runs]
    #[arg(long, value_name = "NAME", global = true)]
    node: Option<String>,
    /// Configuration file of a node on this machine [env: TIMECOIN_CONFIG]
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "net")]
    config: Option<PathBuf>,
    /// Address of a node's RPC server
    #[arg(long, value_name = "ADDRESS", global = true, conflicts_with_all = ["net", "config"])]
    rpc: Option<SocketAddr>,
    /// Its cookie file, with --rpc
    #[arg(long, value_name = "FILE", global = true)]
    cookie: Option<PathBuf>,
}

/// A node to talk to.
#[derive(Debug)]
pub(super) struct Target {
    /// What it is called.
    pub(super) name: String,
    /// How to talk to it.
    pub(super) client: RpcClient,
}

/// Where commands look for nodes.
#[derive(Debug)]
pub(super) enum NodesAt {
    /// A local network.
    Net(Layout, TestnetState),
    /// One node by its configuration.
    Config(PathBuf),
    /// One node by its address.
    Address(SocketAddr),
}

impl NodeArgs {
    /// The node that the flags name.
    pub(super) fn find(&self) -> Result<Target, CliError> {
        match self.place()? {
            NodesAt::Net(layout, state) => {
                let node = state.pick(&layout, self.node.as_deref())?;
                Ok(node_of_net(&layout, node))
            }
            NodesAt::Config(file) => {
                let config = NodeConfig::load(&file, &[])?;
                if !config.rpc.enabled {
                    let what = format!("the node of {} has no RPC server", file.display());
                    return Err(CliError::new(Exit::Config, what)
                        .next(format!("set enabled = true under [rpc] in {}", file.display())));
                }
                let cookie = self.cookie.clone().unwrap_or_else(|| config.cookie());
                let client = RpcClient::new(config.rpc.listen, Some(cookie));
                Ok(Target { name: client.address().to_string(), client })
            }
            NodesAt::Address(address) => {
                let client = RpcClient::new(address, self.cookie.clone());
                Ok(Target { name: address.to_string(), client })
            }
        }
    }

    /// All nodes of a local network, or the one node that the flags name.
    pub(super) fn find_all(&self) -> Result<Vec<Target>, CliError> {
        match self.place()? {
            NodesAt::Net(layout, state) => {
                Ok(state.nodes.iter().map(|node| node_of_net(&layout, node)).collect())
            }
            _ => Ok(vec![self.find()?]),
        }
    }

    /// The same place as a flag for commands that are printed; empty if it was not named.
    pub(super) fn flag(&self) -> String {
        match (&self.net, &self.config, self.rpc) {
            (Some(net), ..) => format!(" --net {}", net.display()),
            (_, Some(file), _) => format!(" --config {}", file.display()),
            (_, _, Some(address)) => format!(" --rpc {address}"),
            _ => String::new(),
        }
    }

    /// The directory of wallets of this place.
    pub(super) fn wallets(&self) -> Result<PathBuf, CliError> {
        Ok(match self.place()? {
            NodesAt::Net(layout, _) => layout.wallets(),
            NodesAt::Config(file) => file.parent().unwrap_or(Path::new("")).join("wallets"),
            NodesAt::Address(_) => PathBuf::from("wallets"),
        })
    }

    /// Where to look: flags first, then the environment, then the working directory.
    pub(super) fn place(&self) -> Result<NodesAt, CliError> {
        if let Some(address) = self.rpc {
            return Ok(NodesAt::Address(address));
        }
        if let Some(file) = &self.config {
            return Ok(NodesAt::Config(file.clone()));
        }
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        if let Some(root) = self.net.clone().or_else(|| variable("TIMECOIN_NET")) {
            return net(&root);
        }
        if let Some(file) = variable("TIMECOIN_CONFIG") {
            return Ok(NodesAt::Config(file));
        }
        let root = Path::new(DEFAULT_NET);
        if Layout::new(root).state().exists() {
            return net(root);
        }
        Err(CliError::new(Exit::Usage, "no node is named")
            .why("there is no ./testnet here, and neither --net, --config nor --rpc is given")
            .next("timecoin testnet up"))
    }
}

fn net(root: &Path) -> Result<NodesAt, CliError> {
    let layout = Layout::new(root);
    let state = TestnetState::load(&layout)?;
    Ok(NodesAt::Net(layout, state))
}

fn node_of_net(layout: &Layout, node: &NodeEntry) -> Target {
    Target { name: node.name.clone(), client: client(layout, node) }
}
