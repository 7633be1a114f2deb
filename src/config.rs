//! The configuration of a node, resolved once at start.
//!
//! Each value comes from the first source that has it: a flag, the environment
//! (`TIMECOIN_SECTION__KEY`), the TOML file, the default. An unknown key is an error in every
//! source. Relative paths in the configuration file are relative to that file, others to the
//! working directory.
mod error;
mod fields;
mod layers;
mod memory;
mod template;
#[cfg(test)]
mod tests;

pub use error::{ConfigError, Origin};
pub use template::render;

use crate::genesis_file;
use layers::Layers;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};
use timecoin_chain::genesis::Network;
use timecoin_network::{Multiaddr, PeerId, PeerLimits, Reach, VERSION_MAX, VERSION_MIN};
use timecoin_store::StoreOptions;

/// The whole configuration of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeConfig {
    /// Directory of the database, the safety record and the RPC cookie.
    pub data_dir: PathBuf,
    /// The genesis file of the chain.
    pub genesis: PathBuf,
    /// The kind of network of the genesis; it decides the default ports.
    pub kind: Network,
    /// Other nodes.
    pub network: NetworkSection,
    /// The JSON-RPC server.
    pub rpc: RpcSection,
    /// Key files.
    pub keys: KeysSection,
    /// The database.
    pub store: StoreSection,
    /// Waiting transactions.
    pub mempool: MempoolSection,
    /// The log.
    pub log: LogSection,
    /// Bounds.
    pub limits: LimitsSection,
}

/// `[network]`
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkSection {
    /// Multiaddresses to listen on.
    pub listen: Vec<Multiaddr>,
    /// Multiaddresses at which others reach this node.
    pub external: Vec<Multiaddr>,
    /// Nodes to join through, each with `/p2p/<peer id>`.
    pub bootstrap: Vec<Multiaddr>,
    /// Whether loopback and private addresses are dialled and passed on.
    pub allow_private: bool,
    /// Peers that always find a place.
    pub reserved: Vec<PeerId>,
    /// The only peers of a private network; empty for a public one.
    pub only: Vec<PeerId>,
    /// Peers behind this node, which nobody else hears of.
    pub private_peers: Vec<PeerId>,
    /// The newest protocol version to speak.
    pub version_max: u32,
    /// How others reach this node besides TCP.
    pub reach: Reach,
}

/// `[rpc]`
#[derive(Debug, Clone, PartialEq)]
pub struct RpcSection {
    /// Whether the server runs.
    pub enabled: bool,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Names under which it is reached, besides `localhost` and IP addresses.
    pub allowed_hosts: Vec<String>,
}

/// `[keys]`
#[derive(Debug, Clone, PartialEq)]
pub struct KeysSection {
    /// The identity in the network.
    pub node_key: PathBuf,
    /// Signs votes; with it the node votes if it is a masternode.
    pub consensus_key: Option<PathBuf>,
    /// Whether it begins a record where there is none; on dev networks only.
    pub begin_record: bool,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq)]
pub struct StoreSection {
    /// Whether coins can be found by address, which wallets need.
    pub address_index: bool,
    /// Memory for the database in MiB.
    pub cache_mb: u64,
}

impl StoreSection {
    /// How the store is opened.
    pub fn options(&self) -> StoreOptions {
        let cache = usize::try_from(self.cache_mb).unwrap_or(usize::MAX);
        StoreOptions {
            address_index: self.address_index,
            cache_bytes: cache.saturating_mul(1024 * 1024),
        }
    }
}

/// `[mempool]`
#[derive(Debug, Clone, PartialEq)]
pub struct MempoolSection {
    /// The maximum size of encoded transactions in MiB.
    pub bytes_mb: usize,
    /// The maximum number of transactions.
    pub transactions: usize,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq)]
pub struct LogSection {
    /// The filter, in the syntax of `tracing-subscriber`: `info`, `info,timecoin=debug`.
    pub filter: String,
    /// The form of the lines.
    pub format: LogFormat,
    /// The file that is written; none is standard output.
    pub file: Option<PathBuf>,
    /// Bytes after which the file is renamed; 0 is never.
    pub file_bytes: u64,
    /// Renamed files that are kept.
    pub files: u32,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq)]
pub struct LimitsSection {
    /// Connections.
    pub peers: PeerLimits,
    /// KiB of blocks sent in a second on average; 0 is no limit.
    pub upload_kib: u64,
    /// Bytes of memory of the process above which strangers are refused; 0 is no limit.
    pub memory_bytes: u64,
}

/// The ports of a kind of network: peers, then RPC.
pub fn default_ports(network: Network) -> (u16, u16) {
    match network {
        Network::Main => (24_000, 24_001),
        Network::Test => (24_100, 24_101),
        Network::Dev => (24_200, 24_201),
    }
}

impl NodeConfig {
    /// Resolves a configuration file with the environment and flags, which are pairs of a key such as
    /// `rpc.listen` and a value.
    pub fn load(file: &Path, flags: &[(String, String)]) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| ConfigError::Read { file: file.into(), error })?;
        let environment = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        Self::resolve(Layers::new(file, &text, environment, flags)?)
    }

    /// The path of the RPC server's cookie.
    pub fn cookie(&self) -> PathBuf {
        self.data_dir.join(".cookie")
    }

    fn resolve(layers: Layers) -> Result<Self, ConfigError> {
        let genesis = layers.path("genesis")?;
        let kind = genesis_file::load(&genesis)?.network;
        let (p2p, rpc) = default_ports(kind);
        let listen = layers.addresses("network.listen")?;
        let reach = Reach {
            quic: layers.get("network.quic")?,
            autonat: layers.get("network.autonat")?,
            upnp: layers.get("network.upnp")?,
            mdns: layers.get("network.mdns")?,
        };
        let listen = if listen.is_empty() { default_listen(p2p, reach.quic)? } else { listen };
        let default_rpc = SocketAddr::from((Ipv4Addr::LOCALHOST, rpc));
        Ok(Self {
            data_dir: layers.path("data_dir")?,
            genesis,
            kind,
            network: NetworkSection {
                listen,
                external: layers.addresses("network.external")?,
                bootstrap: layers.addresses("network.bootstrap")?,
                allow_private: layers.get("network.allow_private")?,
                reserved: layers.peers("network.reserved")?,
                only: layers.peers("network.only")?,
                private_peers: layers.peers("network.private_peers")?,
                version_max: layers
                    .number("network.version_max", u64::from(VERSION_MIN)..=VERSION_MAX.into())?,
                reach,
            },
            rpc: RpcSection {
                enabled: layers.get("rpc.enabled")?,
                listen: layers.optional("rpc.listen")?.unwrap_or(default_rpc),
                allowed_hosts: layers.get("rpc.allowed_hosts")?,
            },
            keys: KeysSection {
                node_key: layers.path("keys.node_key")?,
                consensus_key: layers.optional_path("keys.consensus_key")?,
                begin_record: begin_record(&layers, kind)?,
            },
            store: StoreSection {
                address_index: layers.get("store.address_index")?,
                cache_mb: layers.number("store.cache_mb", 1..=1 << 20)?,
            },
            mempool: MempoolSection {
                bytes_mb: layers.number("mempool.bytes_mb", 1..=1 << 20)?,
                transactions: layers.number("mempool.transactions", 1..=10_000_000)?,
            },
            log: LogSection {
                filter: layers.get("log.filter")?,
                format: layers.get("log.format")?,
                file: layers.optional_path("log.file")?,
                file_bytes: layers.number::<u64>("log.file_mib", 0..=1 << 20)? * 1024 * 1024,
                files: layers.number("log.files", 0..=1_000)?,
            },
            limits: limits(&layers)?,
        })
    }
}

fn begin_record(layers: &Layers, kind: Network) -> Result<bool, ConfigError> {
    const KEY: &str = "keys.begin_record";
    match (layers.get(KEY)?, kind) {
        (true, Network::Main | Network::Test) => Err(layers.wrong(
            KEY,
            "only a dev network may begin a new record for a key that may have signed".into(),
        )),
        (begins, _) => Ok(begins),
    }
}

fn limits(layers: &Layers) -> Result<LimitsSection, ConfigError> {
    let derived = PeerLimits::of(layers.number("limits.peers", 1..=1_000)?);
    let inbound: Option<u32> = layers.optional("limits.inbound")?;
    let outbound: Option<u32> = layers.optional("limits.outbound")?;
    let outbound_max = outbound.unwrap_or(derived.outbound_max);
    let peers = PeerLimits {
        inbound_max: inbound.unwrap_or(derived.inbound_max),
        outbound_max,
        outbound_target: derived.outbound_target.min(outbound_max),
        per_ip_max: layers.number("limits.per_host", 1..=1_000)?,
        per_near_max: layers.number("limits.per_near", 1..=1_000)?,
        per_group_max: layers.number("limits.per_group", 1..=1_000)?,
        ..derived
    };
    let upload_kib = layers.number("limits.upload_kib", 0..=1 << 30)?;
    let memory_bytes = match layers.optional::<u64>("limits.memory_mib")? {
        None => memory::default_limit(),
        Some(_) => layers.number::<u64>("limits.memory_mib", 0..=1 << 30)? * 1024 * 1024,
    };
    Ok(LimitsSection { peers, upload_kib, memory_bytes })
}

/// All of IPv4 and IPv6, over TCP and perhaps QUIC.
fn default_listen(port: u16, quic: bool) -> Result<Vec<Multiaddr>, ConfigError> {
    let mut transports = vec![format!("tcp/{port}")];
    transports.extend(quic.then(|| format!("udp/{port}/quic-v1")));
    let all = ["/ip4/0.0.0.0", "/ip6/::"]
        .iter()
        .flat_map(|host| transports.iter().map(move |transport| format!("{host}/{transport}")));
    let parse = |text: String| {
        timecoin_network::parse_address(&text).map_err(|error| ConfigError::Value {
            key: "network.listen".into(),
            origin: Origin::Default,
            reason: error.to_string(),
        })
    };
    all.map(parse).collect()
}
