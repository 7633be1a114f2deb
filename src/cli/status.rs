//! `timecoin status`: one screen about a running node.
use super::{
    error::CliError,
    output::{self, count, span},
    target::{NodeArgs, Place},
    testnet::name_keys,
};
use crate::rpc_client::{ChainInfo, ConsensusInfo, MempoolInfo, NetworkInfo, RpcClient};
use clap::Args;
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A node at one moment.
#[derive(Debug, Serialize)]
pub(super) struct NodeStatus {
    pub(super) network: String,
    pub(super) genesis: String,
    pub(super) height: u64,
    pub(super) block_age_ms: u64,
    pub(super) round: u64,
    pub(super) masternodes_voting: usize,
    pub(super) masternodes: usize,
    pub(super) peers: u64,
    pub(super) mempool_transactions: u64,
    pub(super) mempool_bytes: u64,
    pub(super) syncing: bool,
    pub(super) sync_target: u64,
    /// Whether the node's key signs: yes, no, listening, observing or stopped.
    pub(super) signing: String,
    pub(super) signing_reason: String,
    pub(super) halted: Option<String>,
}

impl NodeStatus {
    pub(super) fn ask(client: &RpcClient) -> Result<Self, CliError> {
        let chain: ChainInfo = client.call("getblockchaininfo", &[(); 0])?;
        let consensus: ConsensusInfo = client.call("getconsensusinfo", &[(); 0])?;
        let network: NetworkInfo = client.call("getnetworkinfo", &[(); 0])?;
        let mempool: MempoolInfo = client.call("getmempoolinfo", &[(); 0])?;
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
            halted: consensus.halted.or(consensus.stall_reason),
        })
    }

    /// `100 %`, or how far and to where.
    pub(super) fn sync(&self) -> String {
        if !self.syncing || self.sync_target == 0 {
            return "100 %".into();
        }
        let percent = u128::from(self.height) * 100 / u128::from(self.sync_target);
        format!("{percent} % of {}", self.sync_target)
    }
}

pub(super) fn run(args: &StatusArgs) -> Result<(), CliError> {
    let target = args.node.find()?;
    let mut status = NodeStatus::ask(&target.client)?;
    if let Place::Net(_, state) = args.node.place()? {
        status.halted = status.halted.map(|reason| name_keys(reason, &state));
    }
    if args.json {
        return output::json(&status);
    }
    output::line(format_args!(
        "{}   {} network, genesis {}",
        target.name,
        status.network,
        output::short_id(&status.genesis)
    ));
    output::line(format_args!(
        "height {}   final {} ago   round {}   masternodes {}/{} voting   {}   mempool {}   sync {}",
        status.height,
        span(status.block_age_ms),
        status.round,
        status.masternodes_voting,
        status.masternodes,
        count(usize::try_from(status.peers).unwrap_or(usize::MAX), "peer"),
        count(usize::try_from(status.mempool_transactions).unwrap_or(usize::MAX), "transaction"),
        status.sync(),
    ));
    if !matches!(status.signing.as_str(), "yes" | "no") {
        output::line(format_args!("signing: {}", status.signing_reason));
    }
    if let Some(reason) = status.halted {
        output::line(reason);
    }
    Ok(())
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
