//! Finds the nodes of a local network.
use super::{
    layout::Layout,
    processes::is_running,
    state::{NodeEntry, TestnetState},
};
use crate::{
    rpc_client::RpcClient,
    terminal::{CliError, Exit},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// A client of one node.
pub(crate) fn client(layout: &Layout, node: &NodeEntry) -> RpcClient {
    RpcClient::new(address(node), Some(layout.cookie(&node.name)))
}

/// The same with another limit for a call.
pub(crate) fn patient_client(layout: &Layout, node: &NodeEntry, within: Duration) -> RpcClient {
    RpcClient::patient(address(node), Some(layout.cookie(&node.name)), within)
}

fn address(node: &NodeEntry) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, node.rpc))
}

impl TestnetState {
    /// The node with this name, or the first that runs.
    pub(crate) fn pick(&self, layout: &Layout, name: Option<&str>) -> Result<&NodeEntry, CliError> {
        let found = match name {
            Some(name) => self.find(name),
            None => self.nodes.iter().find(|node| is_running(layout, node)),
        };
        if let Some(node) = found {
            return Ok(node);
        }
        let root = layout.root().display();
        Err(match name {
            Some(name) => {
                let names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
                CliError::new(Exit::Usage, format!("{root} has no node `{name}`"))
                    .why(format!("it has {}", names.join(", ")))
            }
            None => CliError::new(Exit::Unreachable, format!("no node of {root} runs"))
                .next(format!("timecoin testnet up{}", layout.dir_flag())),
        })
    }
}
