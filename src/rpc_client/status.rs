//! The status of a node, from four calls.
use super::{RpcClient, RpcClientError};
use crate::api::{GetBlockchainInfo, GetConsensusInfo, GetMempoolInfo, GetNetworkInfo};
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// A node at one moment.
#[derive(Debug, Serialize)]
pub struct NodeStatus {
    /// `main`, `test` or `dev`.
    pub network: String,
    /// The hash of the genesis.
    pub genesis: String,
    /// The last final height.
    pub height: u64,
    /// Milliseconds since the last block was proposed.
    pub block_age_ms: u64,
    /// The round of the height in progress.
    pub round: u64,
    /// Masternodes whose votes of that round are known.
    pub masternodes_voting: usize,
    /// All masternodes.
    pub masternodes: usize,
    /// Connected peers.
    pub peers: u64,
    /// Transactions in the mempool.
    pub mempool_transactions: u64,
    /// Their encoded bytes.
    pub mempool_bytes: u64,
    /// Whether the node fetches blocks.
    pub syncing: bool,
    /// The greatest height that a peer reported.
    pub sync_target: u64,
    /// Whether the node's key signs: yes, no, listening, observing or stopped.
    pub signing: String,
    /// Why, in words.
    pub signing_reason: String,
    /// Why the chain is halted, if it is: too little weight is online.
    pub halted: Option<String>,
    /// Why the engine stopped for good, if it did.
    pub stopped: Option<String>,
}

impl NodeStatus {
    /// Calls four methods.
    pub fn ask(client: &RpcClient) -> Result<Self, RpcClientError> {
        let chain = client.ask(&GetBlockchainInfo {})?;
        let consensus = client.ask(&GetConsensusInfo {})?;
        let network = client.ask(&GetNetworkInfo {})?;
        let mempool = client.ask(&GetMempoolInfo {})?;
        Ok(Self {
            network: chain.chain,
            genesis: chain.genesis,
            height: chain.blocks,
            block_age_ms: now_ms().saturating_sub(chain.time_ms),
            round: consensus.round,
            masternodes_voting: consensus.voting(),
            masternodes: consensus.masternodes.len(),
            peers: network.connections,
            mempool_transactions: mempool.size,
            mempool_bytes: mempool.bytes,
            syncing: consensus.syncing,
            sync_target: consensus.sync_target,
            signing: consensus.signing,
            signing_reason: consensus.signing_reason,
            halted: consensus.halted,
            stopped: consensus.stopped,
        })
    }

    /// `100 %`, or the height and the target.
    pub fn sync(&self) -> String {
        if !self.syncing || self.sync_target == 0 {
            return "100 %".into();
        }
        let percent = u128::from(self.height) * 100 / u128::from(self.sync_target);
        format!("{percent} % of {}", self.sync_target)
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
