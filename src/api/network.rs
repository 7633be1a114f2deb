//! The node and its peers.
use super::{
    ask::ask,
    number::{JsonAmount, Seconds},
};
use serde::{Deserialize, Serialize};

ask! {
    AddNode("addnode") -> ();
    ClearBanned("clearbanned") -> ();
    DisconnectNode("disconnectnode") -> ();
    GetConnectionCount("getconnectioncount") -> u64;
    GetNetworkInfo("getnetworkinfo") -> NetworkInfo;
    GetPeerInfo("getpeerinfo") -> Vec<PeerView>;
    ListBanned("listbanned") -> Vec<BanView>;
    SetBan("setban") -> ();
}

/// Connects to a node once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddNode {
    /// A multiaddress that ends with `/p2p/` and the peer id.
    pub node: String,
    /// `onetry`.
    pub command: String,
}

/// Lifts all bans.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearBanned {}

/// Closes the connections of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisconnectNode {
    /// A peer id, or the `addr` of `getpeerinfo`.
    pub address: String,
}

/// Asks for the bans in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListBanned {}

/// Bans a peer or a host, or lifts a ban.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetBan {
    /// A peer id or an IP address.
    pub subnet: String,
    /// `add` or `remove`.
    pub command: String,
    /// Seconds; 0 or nothing is a day.
    #[serde(default)]
    pub bantime: Option<u64>,
}

/// An entry of `listbanned`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanView {
    /// A peer id, an IPv4 address with `/32` or an IPv6 /64.
    pub address: String,
    /// The end, in seconds since 1970-01-01 UTC.
    pub banned_until: u64,
    /// Seconds until then.
    pub time_remaining: u64,
    /// Why.
    pub reason: String,
    /// How often it was banned.
    pub times: u32,
}

/// Asks how many peers are connected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetConnectionCount {}

/// Asks for this node's identity, addresses and connections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetNetworkInfo {}

/// Asks for the connected peers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPeerInfo {}

/// `getnetworkinfo`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInfo {
    /// Major, minor and patch with two digits each.
    pub version: u64,
    /// The program and its version.
    pub subversion: String,
    /// The version of the protocol.
    pub protocolversion: u64,
    /// `main`, `test` or `dev`.
    pub chain: String,
    /// The hash of the genesis.
    pub genesis: String,
    /// Its first bytes.
    pub chain_id: String,
    /// The node's identity.
    pub peer_id: String,
    /// Multiaddresses on which it listens.
    pub listen: Vec<String>,
    /// The same with the identity: the `bootstrap` of other nodes.
    pub bootstrap: Vec<String>,
    /// Whether others can reach it: `unknown`, `reachable`, or `behind NAT: only outbound connections`.
    pub reachability: String,
    /// Index of this node, if it is a masternode.
    pub masternode: Option<u16>,
    /// Connected peers.
    pub connections: u64,
    /// Those that dialled this node.
    pub connections_in: u64,
    /// Those that this node dialled.
    pub connections_out: u64,
    /// Always true: it gossips transactions.
    pub localrelay: bool,
    /// Always true.
    pub networkactive: bool,
    /// Always 0: the clock is never corrected by peers.
    pub timeoffset: i64,
    /// The lowest fee that is relayed, for 1,000 bytes.
    pub relayfee: JsonAmount,
    /// The additional fee that a replacement pays, for 1,000 bytes.
    pub incrementalrelayfee: JsonAmount,
    /// What an operator must know.
    pub warnings: Vec<String>,
}

/// An entry of `getpeerinfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// Its place in the list.
    pub id: u64,
    /// Its identity.
    pub peer: String,
    /// Its address.
    pub addr: String,
    /// Whether it dialled.
    pub inbound: bool,
    /// `inbound`, or `outbound-full-relay` as Bitcoin Core calls what this node dialled.
    pub connection_type: String,
    /// `tcp`, `quic` or `relayed`.
    pub transport: String,
    /// The netgroup of its address: a /16, or an IPv6 /32. None for a name.
    pub netgroup: Option<String>,
    /// Since when it is connected, in seconds since 1970-01-01 UTC.
    pub conntime: u64,
    /// The round trip.
    pub pingtime: Option<Seconds>,
    /// Its program.
    pub subver: String,
    /// Its protocol.
    pub protocol: String,
    /// The newest protocol version that both speak.
    pub version: u32,
    /// What it offers, 64 bits in hexadecimal; zero until it has said so.
    pub services: String,
    /// The bits with a name: `NETWORK` serves every block.
    pub servicesnames: Vec<String>,
    /// Where it says it listens.
    pub listen: Vec<String>,
    /// The topics in whose mesh it is.
    pub mesh: Vec<String>,
    /// Whether a place is kept for it: a masternode's node, or a reserved one.
    pub has_place: bool,
    /// Its standing, from -100 to 100.
    pub score: i32,
    /// Bytes received from it.
    pub bytesrecv: u64,
    /// Bytes sent to it.
    pub bytessent: u64,
}
