//! What is measured, and on which nodes.
use crate::rpc_client::RpcClient;
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// How payments are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// No payments: measures the cost of empty blocks.
    Idle,
    /// An open loop: this many per second, whether or not the network keeps up.
    Rate(u64),
    /// A closed loop: as many as become final, with a bounded number in flight.
    Maximum {
        /// Payments sent and not yet final.
        outstanding: usize,
    },
}

/// One measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// How payments are sent.
    pub load: Load,
    /// Load before the window.
    pub warmup: Duration,
    /// The window that is measured.
    pub window: Duration,
    /// Masternodes among the nodes.
    pub validators: usize,
}

impl Plan {
    /// The maximum number of payments it needs; `maximum` for the closed loop.
    pub fn payments(&self, maximum: usize) -> usize {
        match self.load {
            Load::Idle => 0,
            Load::Rate(rate) => {
                let seconds = (self.warmup + self.window).as_secs();
                usize::try_from(rate.saturating_mul(seconds)).unwrap_or(usize::MAX)
            }
            Load::Maximum { .. } => maximum,
        }
    }
}

/// A running node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is called.
    pub name: String,
    /// Its process.
    pub pid: u32,
    /// Its JSON-RPC server.
    pub rpc: SocketAddr,
    /// The file with its credentials.
    pub cookie: PathBuf,
}

impl Node {
    /// A client with a connection of its own.
    pub fn client(&self) -> RpcClient {
        RpcClient::new(self.rpc, Some(self.cookie.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_due_payment_has_a_coin() {
        let seconds = Duration::from_secs;
        let plan = |load| Plan { load, warmup: seconds(5), window: seconds(30), validators: 4 };
        assert_eq!(plan(Load::Idle).payments(9), 0);
        assert_eq!(plan(Load::Rate(50)).payments(9), 1_750);
        assert_eq!(plan(Load::Maximum { outstanding: 1 }).payments(9), 9);
    }
}
