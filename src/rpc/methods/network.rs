//! The node and its peers.
use super::mempool::per_thousand;
use crate::{
    api::{GetConnectionCount, GetNetworkInfo, GetPeerInfo, NetworkInfo, PeerView, Seconds},
    genesis_file::network_name,
    rpc::{
        context::{Context, Serve},
        error::RpcError,
    },
};
use std::time::UNIX_EPOCH;
use timecoin_network::{Multiaddr, PeerInfo, bootstrap_address};

impl Serve for GetNetworkInfo {
    async fn serve(self, context: &Context) -> Result<NetworkInfo, RpcError> {
        let (node, chain) = (&context.node, &context.node.chain);
        let peers = node.network.peers();
        let inbound = peers.iter().filter(|peer| peer.inbound).count();
        let me = node.network.local_peer_id();
        let listen = node.network.listen_addresses();
        let relay = per_thousand(chain.params().min_relay_fee);
        let status = node.status();
        Ok(NetworkInfo {
            version: version_number(),
            subversion: format!("/timecoin:{}/", env!("CARGO_PKG_VERSION")),
            protocolversion: 1,
            chain: network_name(context.network()).into(),
            genesis: chain.hash.to_string(),
            chain_id: chain.id().to_string(),
            peer_id: me.to_string(),
            bootstrap: texts(listen.iter().map(|address| bootstrap_address(address, me))),
            listen: texts(listen),
            masternode: status.me,
            connections: peers.len() as u64,
            connections_in: inbound as u64,
            connections_out: (peers.len() - inbound) as u64,
            localrelay: true,
            networkactive: true,
            timeoffset: 0,
            relayfee: relay,
            incrementalrelayfee: relay,
            warnings: status.halted.iter().cloned().chain(status.stall_reason()).collect(),
        })
    }
}

/// Major, minor and patch with two digits each, as Bitcoin Core counts.
fn version_number() -> u64 {
    let parts = [
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
    ];
    parts.iter().fold(0, |number, part| number * 100 + part.parse::<u64>().unwrap_or_default())
}

fn texts(addresses: impl IntoIterator<Item = Multiaddr>) -> Vec<String> {
    addresses.into_iter().map(|address| address.to_string()).collect()
}

fn peer_view(id: u64, peer: &PeerInfo) -> PeerView {
    let since = peer.connected_since.duration_since(UNIX_EPOCH);
    let micros = |rtt: std::time::Duration| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
    PeerView {
        id,
        peer: peer.peer.to_string(),
        addr: peer.address.to_string(),
        inbound: peer.inbound,
        conntime: since.map(|since| since.as_secs()).unwrap_or_default(),
        pingtime: peer.rtt.map(|rtt| Seconds(micros(rtt))),
        subver: peer.agent.clone(),
        protocol: peer.protocol_version.clone(),
        listen: texts(peer.listen.iter().cloned()),
        mesh: peer.mesh.iter().map(|topic| topic.name().to_owned()).collect(),
        bytesrecv: peer.bytes_in,
        bytessent: peer.bytes_out,
    }
}

impl Serve for GetPeerInfo {
    async fn serve(self, context: &Context) -> Result<Vec<PeerView>, RpcError> {
        let peers = context.node.network.peers();
        Ok((0..).zip(&peers).map(|(id, peer)| peer_view(id, peer)).collect())
    }
}

impl Serve for GetConnectionCount {
    async fn serve(self, context: &Context) -> Result<u64, RpcError> {
        Ok(context.node.network.peers().len() as u64)
    }
}
