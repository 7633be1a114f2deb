//! The table of all keys: the only place that knows their names, defaults and descriptions.

/// How a value is written in the environment and on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Text,
    /// As in TOML: a number or a boolean.
    Literal,
    /// A TOML array, or texts with commas between.
    List,
}

/// One key.
#[derive(Debug)]
pub(super) struct Field {
    /// With its section: `rpc.listen`.
    pub(super) key: &'static str,
    pub(super) form: Form,
    /// As TOML; empty where there is none.
    pub(super) default: &'static str,
    /// An example for a default that is computed or missing.
    pub(super) example: &'static str,
    /// One line for people.
    pub(super) about: &'static str,
}

/// The field with this key.
pub(super) fn find(key: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.key == key)
}

const fn field(
    key: &'static str,
    form: Form,
    default: &'static str,
    example: &'static str,
    about: &'static str,
) -> Field {
    Field { key, form, default, example, about }
}

/// All keys, in the order of the file.
pub(super) const FIELDS: &[Field] = &[
    field(
        "data_dir",
        Form::Text,
        "\"data\"",
        "",
        "Directory of the database, the safety record and the RPC cookie.",
    ),
    field(
        "genesis",
        Form::Text,
        "\"genesis.json\"",
        "",
        "Genesis file. Its hash is the identity of the chain.",
    ),
    field(
        "network.listen",
        Form::List,
        "[]",
        "[\"/ip4/0.0.0.0/tcp/24000\"]",
        "Multiaddresses to listen on. Default: TCP and QUIC on all of IPv4 and IPv6, port 24000 (main), 24100 (test) or 24200 (dev).",
    ),
    field(
        "network.external",
        Form::List,
        "[]",
        "",
        "Multiaddresses at which others reach this node; needed behind NAT and in containers.",
    ),
    field(
        "network.bootstrap",
        Form::List,
        "[]",
        "",
        "Nodes to join through, each ending in /p2p/<peer id>.",
    ),
    field(
        "network.allow_private",
        Form::Literal,
        "false",
        "",
        "Whether loopback and private addresses are used: for local networks and containers.",
    ),
    field(
        "network.reserved",
        Form::List,
        "[]",
        "[\"12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2\"]",
        "Peer ids that always find a place here and are never disconnected for another peer.",
    ),
    field(
        "network.only",
        Form::List,
        "[]",
        "[\"12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2\"]",
        "Peer ids of a private network: no others are admitted or dialled. Empty: everybody is.",
    ),
    field(
        "network.private_peers",
        Form::List,
        "[]",
        "[\"12D3KooWBmAwcd4PJNJvfV89HwE48nwkRmAgo8Vy3uQEyNNHBox2\"]",
        "Peer ids behind this node, for a sentry: they always find a place, and nobody else hears of them.",
    ),
    field(
        "network.quic",
        Form::Literal,
        "true",
        "",
        "Whether QUIC (UDP) is spoken besides TCP. It is dialled where TCP fails.",
    ),
    field(
        "network.autonat",
        Form::Literal,
        "true",
        "",
        "Whether peers dial this node back to find out if others reach it, and it does the same for them.",
    ),
    field(
        "network.upnp",
        Form::Literal,
        "true",
        "",
        "Whether the router is asked to forward the ports (UPnP).",
    ),
    field(
        "network.mdns",
        Form::Literal,
        "false",
        "",
        "Whether nodes of the local network are found by multicast; needs allow_private.",
    ),
    field(
        "network.version_max",
        Form::Literal,
        "2",
        "",
        "The newest protocol version to speak, 1 or 2; lower it only to go back after an upgrade.",
    ),
    field("rpc.enabled", Form::Literal, "true", "", "Whether the JSON-RPC server runs."),
    field(
        "rpc.listen",
        Form::Text,
        "",
        "\"127.0.0.1:24001\"",
        "Where it listens. Default: 127.0.0.1 on port 24001 (main), 24101 (test) or 24201 (dev).",
    ),
    field(
        "rpc.allowed_hosts",
        Form::List,
        "[]",
        "[\"node.example.org\"]",
        "Names under which clients may reach it, besides localhost and IP addresses.",
    ),
    field(
        "keys.node_key",
        Form::Text,
        "\"node.key\"",
        "",
        "Key file of the identity in the network.",
    ),
    field(
        "keys.consensus_key",
        Form::Text,
        "",
        "\"consensus.key\"",
        "Key file that signs votes. Set it on one node only: two nodes with one key vote twice.",
    ),
    field(
        "keys.begin_record",
        Form::Literal,
        "false",
        "",
        "Dev networks only: begin a new safety record where the data directory has none. Otherwise a key without its record signs nothing.",
    ),
    field(
        "store.address_index",
        Form::Literal,
        "true",
        "",
        "Whether coins can be found by address, which wallets need.",
    ),
    field("store.cache_mb", Form::Literal, "64", "", "Memory for the database in MiB."),
    field(
        "mempool.bytes_mb",
        Form::Literal,
        "300",
        "",
        "Maximum size of encoded waiting transactions in MiB.",
    ),
    field(
        "mempool.transactions",
        Form::Literal,
        "100000",
        "",
        "Maximum number of waiting transactions.",
    ),
    field(
        "log.filter",
        Form::Text,
        "\"info\"",
        "",
        "Which log lines are written: info, or info,timecoin=debug. libp2p logs errors only unless it is named.",
    ),
    field(
        "log.format",
        Form::Text,
        "\"human\"",
        "",
        "human, or json: one object per line, with height, round, peer and txid as fields.",
    ),
    field(
        "log.file",
        Form::Text,
        "",
        "\"node.log\"",
        "File of the log. Default: standard output. SIGHUP opens it again.",
    ),
    field(
        "log.file_mib",
        Form::Literal,
        "100",
        "",
        "Size in MiB at which that file is renamed to node.log.1; 0: never.",
    ),
    field("log.files", Form::Literal, "5", "", "Number of renamed log files that are kept."),
    field("limits.peers", Form::Literal, "50", "", "Maximum number of connected peers, 1 to 1000."),
    field(
        "limits.inbound",
        Form::Literal,
        "",
        "32",
        "Maximum number of inbound peers. Default: 16 of 25 peers.",
    ),
    field(
        "limits.outbound",
        Form::Literal,
        "",
        "18",
        "Maximum number of outbound peers, dials included. Default: 9 of 25 peers.",
    ),
    field(
        "limits.per_host",
        Form::Literal,
        "3",
        "",
        "Inbound connections from one IPv4 address or IPv6 /64; private addresses have no limit.",
    ),
    field("limits.per_near", Form::Literal, "6", "", "The same from one /24, or IPv6 /48."),
    field("limits.per_group", Form::Literal, "12", "", "The same from one /16, or IPv6 /32."),
    field(
        "limits.upload_kib",
        Form::Literal,
        "0",
        "",
        "KiB of blocks sent to syncing peers in a second on average; 0: no limit.",
    ),
    field(
        "limits.memory_mib",
        Form::Literal,
        "",
        "2048",
        "Memory of the process in MiB above which only reserved peers are admitted; 0: no limit. Default: 80 % of what the machine or its control group gives; none but on Linux.",
    ),
];

/// The most similar known key, if one is similar.
pub(super) fn near(key: &str) -> Option<&'static str> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    FIELDS
        .iter()
        .map(|field| {
            let whole = strsim::levenshtein(key, field.key);
            // A key in the wrong section is as good a guess as one mistyped letter.
            let misplaced = if last(key) == last(field.key) { 1 } else { usize::MAX };
            (whole.min(misplaced), field.key)
        })
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, key)| key)
}
