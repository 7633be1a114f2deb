//! The mesh: its traffic, its limits, and the address book.
use super::ask::ask;
use serde::{Deserialize, Serialize};

ask! {
    GetMeshBook("getmeshbook") -> BookView;
    GetMeshInfo("getmeshinfo") -> MeshInfo;
    GetNetTotals("getnettotals") -> NetTotals;
    GetNodeAddresses("getnodeaddresses") -> Vec<NodeAddress>;
}

/// Asks for the address book.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetMeshBook {
    /// How many entries at most; nothing is 1,000, which is the maximum.
    #[serde(default)]
    pub count: Option<u64>,
    /// Only this peer id.
    #[serde(default)]
    pub peer: Option<String>,
}

/// Asks for the state of the mesh.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetMeshInfo {}

/// Asks for the bytes received and sent since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetNetTotals {}

/// Asks for addresses of known nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetNodeAddresses {
    /// How many at most; nothing is 1, and 0 is 1,000, which is the maximum.
    #[serde(default)]
    pub count: Option<u64>,
    /// Only of this network: `ipv4` or `ipv6`.
    #[serde(default)]
    pub network: Option<String>,
}

/// `getnettotals`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetTotals {
    /// Bytes received.
    pub totalbytesrecv: u64,
    /// Bytes sent.
    pub totalbytessent: u64,
    /// The time, in milliseconds since 1970-01-01 UTC.
    pub timemillis: u64,
    /// The limit of uploads.
    pub uploadtarget: UploadTarget,
}

/// The limit of uploads: blocks for syncing peers in each second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadTarget {
    /// Always 1: seconds.
    pub timeframe: u64,
    /// Bytes in that time on average; 0 is no limit.
    pub target: u64,
    /// Whether it delays answers now.
    pub target_reached: bool,
    /// Whether blocks are sent now.
    pub serve_historical_blocks: bool,
}

/// An entry of `getnodeaddresses`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeAddress {
    /// When it was last connected or learned of, in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// Always 1: every node serves blocks.
    pub services: u64,
    /// The IP address.
    pub address: String,
    /// The port.
    pub port: u16,
    /// `ipv4` or `ipv6`.
    pub network: String,
}

/// `getmeshbook`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookView {
    /// All of it in numbers.
    pub counts: BookCountsView,
    /// Nodes of the configuration first, then those that were connected once.
    pub entries: Vec<BookEntryView>,
}

/// The address book in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookCountsView {
    /// Peers that were connected once.
    pub tried: u64,
    /// All others.
    pub new: u64,
    /// Peers of the configuration.
    pub bootstrap: u64,
    /// Netgroups.
    pub netgroups: u64,
    /// The largest of them.
    pub largest: Vec<NetgroupView>,
}

/// A netgroup of the address book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetgroupView {
    /// A /16, or an IPv6 /32.
    pub netgroup: String,
    /// Its peers.
    pub peers: u64,
}

/// A peer of the address book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookEntryView {
    /// Its identity.
    pub peer: String,
    /// Where it may be dialled.
    pub addresses: Vec<BookAddressView>,
    /// The netgroup of its first public address.
    pub netgroup: Option<String>,
    /// `tried` if it was connected once, else `new`.
    pub state: String,
    /// Whether it is connected now.
    pub connected: bool,
    /// Whether it is in the configuration.
    pub bootstrap: bool,
    /// Whether the next start dials it first.
    pub anchor: bool,
    /// Failed dials in a row.
    pub failures: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
    /// When it was last connected or learned of, in seconds since 1970-01-01 UTC.
    pub time: u64,
    /// Milliseconds until it may be dialled; none while it is connected.
    pub next_dial_ms: Option<u64>,
}

/// An address of a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookAddressView {
    /// The multiaddress.
    pub address: String,
    /// Whether it is configured or was proved to be the peer's.
    pub proved: bool,
}

/// `getmeshinfo`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshInfo {
    /// Addresses announced to others besides those this node listens on.
    pub external: Vec<String>,
    /// Peers that always find a place.
    pub reserved: Vec<String>,
    /// Connections and their limits.
    pub connections: ConnectionsView,
    /// Gossip by topic.
    pub topics: Vec<TopicView>,
    /// The gossip instances.
    pub lanes: Vec<LaneView>,
    /// Requests by protocol.
    pub protocols: Vec<ProtocolView>,
    /// The address book in numbers.
    pub book: BookCountsView,
    /// Bans in force.
    pub bans: u64,
    /// Who was turned away, by reason.
    pub refusals: Vec<RefusalView>,
    /// Peers that did not take their messages in time.
    pub slow: SlowView,
    /// The last departures, the latest last.
    pub recent: Vec<DepartureView>,
    /// How late the loop of the network was last, in milliseconds.
    pub loop_lag_ms: u64,
    /// The greatest lag since the start.
    pub loop_lag_max_ms: u64,
    /// Memory of the process in bytes; 0 if it is not known.
    pub memory: u64,
    /// Above this strangers are not admitted; 0 is no limit.
    pub memory_max: u64,
    /// Open files and sockets, if the system tells.
    pub open_files: Option<u64>,
    /// Their limit, if the system tells.
    pub open_files_max: Option<u64>,
}

/// Connections and their limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionsView {
    /// Those that others opened.
    pub inbound: u64,
    /// Their limit.
    pub inbound_max: u64,
    /// Those that this node opened, dials included.
    pub outbound: u64,
    /// Their limit.
    pub outbound_max: u64,
    /// How many of them this node tries to have.
    pub outbound_target: u64,
    /// Their netgroups; private addresses have none.
    pub outbound_netgroups: u64,
    /// Inbound handshakes in progress.
    pub pending: u64,
    /// Their limit.
    pub pending_max: u64,
    /// Inbound peers that left for another one since the start.
    pub evicted: u64,
}

/// Gossip of one topic since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicView {
    /// The topic.
    pub topic: String,
    /// Peers with which its messages are exchanged directly, now.
    pub mesh: u64,
    /// Messages of this node.
    pub published: u64,
    /// Messages handed to the node.
    pub received: u64,
    /// Those that it accepted and forwarded.
    pub accepted: u64,
    /// Those that it ignored.
    pub ignored: u64,
    /// Those that it rejected, and malformed ones.
    pub rejected: u64,
    /// Messages that had come before.
    pub duplicates: u64,
    /// Messages over their sender's quota.
    pub over_quota: u64,
    /// Messages dropped because this node was behind.
    pub dropped: u64,
    /// Bytes received, duplicates included.
    pub bytesrecv: u64,
}

/// A gossip instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneView {
    /// `fast` for consensus, or `bulk`.
    pub lane: String,
    /// The peers that take part in it.
    pub peers: u64,
}

/// Requests of one protocol since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolView {
    /// The protocol.
    pub protocol: String,
    /// Requests of peers handed to the node.
    pub received: u64,
    /// Requests of this node.
    pub sent: u64,
    /// Those that failed.
    pub failed: u64,
    /// Peers' requests answered with "busy".
    pub busy: u64,
    /// Bytes received.
    pub bytesrecv: u64,
    /// Bytes sent.
    pub bytessent: u64,
}

/// How often somebody was turned away for a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalView {
    /// The reason.
    pub reason: String,
    /// The reason in words.
    pub text: String,
    /// How often since the start.
    pub count: u64,
    /// Seconds since the last time.
    pub seconds_ago: Option<u64>,
}

/// Peers that did not take their messages in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowView {
    /// How often since the start.
    pub count: u64,
    /// The last one.
    pub peer: Option<String>,
    /// Seconds since then.
    pub seconds_ago: Option<u64>,
}

/// A peer that disconnected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepartureView {
    /// Its identity.
    pub peer: String,
    /// Why: what this node decided, or what the connection reported.
    pub reason: String,
    /// When, in seconds since 1970-01-01 UTC.
    pub time: u64,
}
