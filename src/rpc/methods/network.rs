//! The node among its peers.
use super::mempool::per_thousand;
use crate::{
    genesis_file::network_name,
    rpc::{
        context::{Answer, Context, json},
        params::Params,
        view::{Money, Seconds},
    },
};
use serde::Serialize;
use std::time::UNIX_EPOCH;
use timecoin_network::{Multiaddr, PeerInfo, bootstrap_address};

#[derive(Serialize)]
struct NetworkInfo {
    version: u32,
    subversion: String,
    protocolversion: u32,
    chain: &'static str,
    genesis: String,
    chain_id: String,
    peer_id: String,
    listen: Vec<String>,
    /// Ready to paste into another node's list of nodes to join through.
    bootstrap: Vec<String>,
    masternode: Option<u16>,
    connections: usize,
    connections_in: usize,
    connections_out: usize,
    localrelay: bool,
    networkactive: bool,
    timeoffset: i64,
    relayfee: Money,
    incrementalrelayfee: Money,
    warnings: Vec<String>,
}

pub(in crate::rpc) async fn info(context: &Context, _: Params<'_>) -> Answer {
    let (node, chain) = (&context.node, &context.node.chain);
    let peers = node.network.peers();
    let inbound = peers.iter().filter(|peer| peer.inbound).count();
    let me = node.network.local_peer_id();
    let listen = node.network.listen_addresses();
    let relay = per_thousand(chain.params().min_relay_fee);
    let status = node.status();
    json(&NetworkInfo {
        version: version_number(),
        subversion: format!("/timecoin:{}/", env!("CARGO_PKG_VERSION")),
        protocolversion: 1,
        chain: network_name(context.network()),
        genesis: chain.hash.to_string(),
        chain_id: chain.id().to_string(),
        peer_id: me.to_string(),
        bootstrap: texts(listen.iter().map(|address| bootstrap_address(address, me))),
        listen: texts(listen),
        masternode: status.me,
        connections: peers.len(),
        connections_in: inbound,
        connections_out: peers.len() - inbound,
        localrelay: true,
        networkactive: true,
        timeoffset: 0,
        relayfee: relay,
        incrementalrelayfee: relay,
        warnings: status.halted.iter().cloned().chain(status.stall_reason()).collect(),
    })
}

/// Major, minor and patch with two digits each, as Bitcoin Core counts.
fn version_number() -> u32 {
    let parts = [
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
    ];
    parts.iter().fold(0, |number, part| number * 100 + part.parse::<u32>().unwrap_or_default())
}

fn texts(addresses: impl IntoIterator<Item = Multiaddr>) -> Vec<String> {
    addresses.into_iter().map(|address| address.to_string()).collect()
}

#[derive(Serialize)]
struct PeerView {
    id: usize,
    peer: String,
    addr: String,
    inbound: bool,
    conntime: u64,
    pingtime: Option<Seconds>,
    subver: String,
    protocol: String,
    listen: Vec<String>,
    mesh: Vec<&'static str>,
    bytesrecv: u64,
    bytessent: u64,
}

impl PeerView {
    fn new(id: usize, peer: &PeerInfo) -> Self {
        let since = peer.connected_since.duration_since(UNIX_EPOCH);
        Self {
            id,
            peer: peer.peer.to_string(),
            addr: peer.address.to_string(),
            inbound: peer.inbound,
            conntime: since.map(|since| since.as_secs()).unwrap_or_default(),
            pingtime: peer.rtt.map(|rtt| Seconds(rtt.as_micros())),
            subver: peer.agent.clone(),
            protocol: peer.protocol_version.clone(),
            listen: texts(peer.listen.iter().cloned()),
            mesh: peer.mesh.iter().map(|topic| topic.name()).collect(),
            bytesrecv: peer.bytes_in,
            bytessent: peer.bytes_out,
        }
    }
}

pub(in crate::rpc) async fn peers(context: &Context, _: Params<'_>) -> Answer {
    let peers = context.node.network.peers();
    let views: Vec<PeerView> =
        peers.iter().enumerate().map(|(id, peer)| PeerView::new(id, peer)).collect();
    json(&views)
}

pub(in crate::rpc) async fn connection_count(context: &Context, _: Params<'_>) -> Answer {
    json(&context.node.network.peers().len())
}
