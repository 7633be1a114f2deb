//! The node and its peers.
use super::mempool::per_thousand;
use crate::{
    api::{
        AddNode, BanView, ClearBanned, Code, DisconnectNode, GetConnectionCount, GetNetworkInfo,
        GetPeerInfo, ListBanned, NetworkInfo, PeerView, Seconds, SetBan,
    },
    genesis_file::network_name,
    rpc::{
        context::{Context, Serve},
        error::RpcError,
    },
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use timecoin_network::{
    Ban, Multiaddr, NetworkStats, Party, PeerInfo, Why, bootstrap_address, parse_address,
};

/// How long a ban lasts if nothing else is asked for, as in Bitcoin Core.
const BAN_TIME: Duration = Duration::from_secs(86_400);

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
            protocolversion: node.network.version_max().into(),
            chain: network_name(context.network()).into(),
            genesis: chain.hash.to_string(),
            chain_id: chain.id().to_string(),
            peer_id: me.to_string(),
            bootstrap: texts(listen.iter().map(|address| bootstrap_address(address, me))),
            listen: texts(listen),
            reachability: node.network.reachability().to_string(),
            masternode: status.me,
            connections: peers.len() as u64,
            connections_in: inbound as u64,
            connections_out: (peers.len() - inbound) as u64,
            localrelay: true,
            networkactive: true,
            timeoffset: status.clock_ahead_ms.map_or(0, |ahead| -ahead / 1_000),
            relayfee: relay,
            incrementalrelayfee: relay,
            warnings: status
                .stopped
                .iter()
                .cloned()
                .chain(status.halt_reason())
                .chain(too_old(&node.network.stats()))
                .collect(),
        })
    }
}

/// What an operator is told when the rest of the network has moved on.
fn too_old(stats: &NetworkStats) -> Option<String> {
    let peers = stats.refused(Why::Newer);
    (peers > 0).then(|| {
        format!("this node is too old: {peers} times a peer that it dialled spoke only newer protocol versions; install a newer release (the data stays as it is)")
    })
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
    let features = peer.features.unwrap_or_default();
    let since = peer.connected_since.duration_since(UNIX_EPOCH);
    let micros = |rtt: std::time::Duration| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
    PeerView {
        id,
        peer: peer.peer.to_string(),
        addr: peer.address.to_string(),
        inbound: peer.inbound,
        connection_type: if peer.inbound { "inbound" } else { "outbound-full-relay" }.into(),
        transport: timecoin_network::transport(&peer.address).into(),
        netgroup: timecoin_network::netgroup(&peer.address),
        conntime: since.map(|since| since.as_secs()).unwrap_or_default(),
        pingtime: peer.rtt.map(|rtt| Seconds(micros(rtt))),
        subver: peer.agent.clone(),
        protocol: peer.protocol_version.clone(),
        version: peer.version,
        services: features.to_string(),
        servicesnames: features.names().into_iter().map(str::to_owned).collect(),
        listen: texts(peer.listen.iter().cloned()),
        mesh: peer.mesh.iter().map(|topic| topic.name().to_owned()).collect(),
        has_place: peer.has_place,
        score: peer.score,
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

impl Serve for AddNode {
    async fn serve(self, context: &Context) -> Result<(), RpcError> {
        if self.command != "onetry" {
            let text =
                format!("{:?} is not supported; use onetry, or network.bootstrap", self.command);
            return Err(RpcError::new(Code::InvalidParameter, text));
        }
        let address = parse_address(&self.node)
            .map_err(|error| RpcError::new(Code::InvalidParameter, error))?;
        let dialled = context.node.network.dial(address).await;
        dialled.map(drop).map_err(|error| RpcError::new(Code::NotConnected, error))
    }
}

impl Serve for DisconnectNode {
    async fn serve(self, context: &Context) -> Result<(), RpcError> {
        let network = &context.node.network;
        let is_meant = |peer: &&PeerInfo| {
            peer.peer.to_string() == self.address || peer.address.to_string() == self.address
        };
        let peer = network.peers().iter().find(is_meant).map(|peer| peer.peer);
        let is_gone = match peer {
            Some(peer) => network.disconnect(peer).await,
            None => false,
        };
        let text = || format!("{} is not connected; getpeerinfo lists the peers", self.address);
        if is_gone { Ok(()) } else { Err(RpcError::new(Code::NotConnected, text())) }
    }
}

impl Serve for SetBan {
    async fn serve(self, context: &Context) -> Result<(), RpcError> {
        let refuse = |text: String| Err(RpcError::new(Code::InvalidSubnet, text));
        let party: Party = match self.subnet.parse() {
            Ok(party) => party,
            Err(text) => return refuse(text),
        };
        let network = &context.node.network;
        match self.command.as_str() {
            "add" if network.bans().await.iter().any(|ban| ban.party == party) => {
                let text = format!("{party} is banned already; lift the ban first");
                Err(RpcError::new(Code::AlreadyAdded, text))
            }
            "add" => {
                let time = self.bantime.filter(|seconds| *seconds > 0);
                let time = time.map_or(BAN_TIME, Duration::from_secs);
                network.ban(party, "banned by the operator".into(), time).await;
                Ok(())
            }
            "remove" if network.unban(party).await => Ok(()),
            "remove" => refuse(format!("{party} is not banned; listbanned lists the bans")),
            other => refuse(format!("{other:?} is neither add nor remove")),
        }
    }
}

impl Serve for ListBanned {
    async fn serve(self, context: &Context) -> Result<Vec<BanView>, RpcError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let bans = context.node.network.bans().await;
        let view = |ban: Ban| BanView {
            address: ban.party.to_string(),
            banned_until: (now + ban.remaining).as_secs(),
            time_remaining: ban.remaining.as_secs(),
            reason: ban.reason,
            times: ban.times,
        };
        Ok(bans.into_iter().map(view).collect())
    }
}

impl Serve for ClearBanned {
    async fn serve(self, context: &Context) -> Result<(), RpcError> {
        let network = &context.node.network;
        for ban in network.bans().await {
            network.unban(ban.party).await;
        }
        Ok(())
    }
}
