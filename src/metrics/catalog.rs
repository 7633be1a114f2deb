//! Every metric with its type, labels and help: what a scrape says of it, and what `docs/metrics.md` lists.
//!
//! The network names its own counters (`timecoin_network::Sample`); `of_network` gives them the same form.
use timecoin_network::Sample;

/// A kind of metric as Prometheus names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only grows, until a restart.
    Counter,
    /// It may fall.
    Gauge,
    /// Observations by size.
    Histogram,
    /// Always 1: its labels are what it says.
    Info,
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metric {
    /// The name of its samples; of a histogram without `_bucket`, `_sum` and `_count`.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
    /// A sentence without its full stop.
    pub(crate) help: &'static str,
}

impl Metric {
    /// The name in OpenMetrics, which leaves out what follows from the type.
    pub(crate) fn family(&self) -> &'static str {
        let end = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        self.name.strip_suffix(end).unwrap_or(self.name)
    }

    /// The base unit that its name ends with, if it has one.
    pub(crate) fn unit(name: &str) -> Option<&'static str> {
        let name = name.strip_suffix("_total").unwrap_or(name);
        ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(&format!("_{unit}")))
    }
}

impl Kind {
    /// As in a `# TYPE` line of the classic text, which knows no info.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge | Self::Info => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

macro_rules! metrics {
    ($($name:ident = $kind:ident $text:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(crate) const $name: Metric = Metric {
            name: $text,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        };)*
        /// All but the network's.
        pub(crate) const OWN: &[Metric] = &[$($name),*];
    };
}

metrics! {
    BUILD = Info "timecoin_build_info" ["version", "commit"]
        "The running program: its version and the commit it was built from";
    UPTIME = Gauge "timecoin_uptime_seconds" [] "Time since the node began";

    CHAIN_HEIGHT = Gauge "timecoin_chain_height" [] "The last final height";
    LAST_BLOCK = Gauge "timecoin_chain_last_block_timestamp_seconds" []
        "The timestamp of the last final block, since 1970";
    BLOCKS = Counter "timecoin_chain_blocks_total" [] "Blocks that became final here";
    SYNCED_BLOCKS = Counter "timecoin_chain_synced_blocks_total" []
        "Blocks that became final here and came by sync";
    TRANSACTIONS = Counter "timecoin_chain_transactions_total" [] "Transactions of final blocks";
    BLOCK_INTERVAL = Histogram "timecoin_chain_block_interval_seconds" []
        "Time between two blocks that became final here, synced ones left out";
    BLOCK_SIZE = Histogram "timecoin_chain_block_size_bytes" [] "Length of final blocks";
    COINS = Gauge "timecoin_chain_coins" [] "Unspent outputs";

    HEIGHT = Gauge "timecoin_consensus_height" [] "The height being decided";
    ROUND = Gauge "timecoin_consensus_round" [] "The round of the height being decided";
    HEIGHT_AGE = Gauge "timecoin_consensus_height_age_seconds" []
        "Time since the height being decided began";
    MASTERNODES = Gauge "timecoin_consensus_masternodes" [] "Masternodes in the set";
    ONLINE_WEIGHT = Gauge "timecoin_consensus_online_weight" []
        "Weight of the masternodes heard of late";
    TOTAL_WEIGHT = Gauge "timecoin_consensus_total_weight" [] "Weight of all masternodes";
    IS_MASTERNODE = Gauge "timecoin_consensus_is_masternode" []
        "Whether this node's key is in the set of masternodes";
    SIGNING = Gauge "timecoin_consensus_signing" []
        "Whether this node's key signs; not while it has no safety record";
    KEY_ELSEWHERE = Gauge "timecoin_consensus_key_elsewhere" []
        "Whether this node's key was seen to sign although this node does not: it may run on another host";
    HALTED = Gauge "timecoin_consensus_halted" []
        "Whether the chain is halted: votes are overdue because too little weight is online";
    STOPPED = Gauge "timecoin_consensus_stopped" []
        "Whether the engine stopped for good: something contradicts itself";
    CLOCK_AHEAD = Gauge "timecoin_clock_ahead_seconds" []
        "How far this clock is ahead of the other masternodes' clocks, the median by weight; below zero it is behind";
    FINALITY = Histogram "timecoin_consensus_finality_seconds" []
        "Time from a proposal seen here to its block durable here";
    PROPOSALS = Counter "timecoin_consensus_proposals_total" [] "Blocks proposed by this node";
    INVALID_BLOCKS = Counter "timecoin_consensus_invalid_blocks_total" []
        "Proposed blocks that break a rule";
    CLOCK_SKEWS = Counter "timecoin_consensus_clock_skews_total" []
        "Proposals whose timestamp is too far ahead of this clock";
    CLOCK_WARNINGS = Counter "timecoin_consensus_clock_ahead_total" []
        "Times this clock was too far ahead of the clocks of more than a third of the weight";
    EVIDENCE = Counter "timecoin_consensus_evidence_total" []
        "Masternodes proven to have broken the rules";
    ROUNDS = Counter "timecoin_consensus_rounds_total" ["reason"] "Rounds begun, by why";
    NIL_VOTES = Counter "timecoin_consensus_nil_votes_total" ["kind", "reason"]
        "Votes of this node for no block, by why";
    MISSED_VOTES = Counter "timecoin_consensus_missed_votes_total" ["masternode"]
        "Final blocks whose parent's certificate lacks a masternode's precommit";
    LOST_TURNS = Counter "timecoin_consensus_lost_turns_total" ["masternode"]
        "Rounds that decided nothing, by their proposer";
    REFUSED_SIGNATURES = Counter "timecoin_consensus_refused_signatures_total" ["reason"]
        "Signatures that this node refused itself, by why";
    HELD_ROUNDS = Gauge "timecoin_consensus_held_rounds" []
        "Rounds of which messages are in memory; bounded by the set";
    HELD_VOTES = Gauge "timecoin_consensus_held_votes" []
        "Votes in memory; bounded by the set";
    HELD_CERTIFICATES = Gauge "timecoin_consensus_held_certificates" []
        "Certificates in memory; bounded by the set";
    HELD_PROPOSALS = Gauge "timecoin_consensus_held_proposals" []
        "Proposals in memory; bounded by the set";
    HELD_LATER = Gauge "timecoin_consensus_held_for_later" []
        "Messages of the next height in memory; bounded by the set";
    HELD_CANDIDATES = Gauge "timecoin_consensus_held_candidates" []
        "Blocks in memory that may be decided; bounded by the set";

    MASTERNODE = Info "timecoin_masternode_info" ["masternode", "key", "own"]
        "A masternode: its index, the first eight digits of its key, and whether it is this node";
    MASTERNODE_SILENT = Gauge "timecoin_masternode_silent_seconds" ["masternode", "key"]
        "Time since a vote or proposal of a masternode was heard, or since the start if none was; 0 for this node";
    MASTERNODE_ONLINE = Gauge "timecoin_masternode_online" ["masternode", "key"]
        "Whether a masternode was heard of late";
    MASTERNODE_WEIGHT = Gauge "timecoin_masternode_weight" ["masternode", "key"]
        "The weight of a masternode";

    SYNC_TARGET = Gauge "timecoin_sync_target_height" [] "The greatest height proven final";
    BEHIND = Counter "timecoin_sync_behind_total" [] "Times a peer proved a later height";
    MEMPOOL_TRANSACTIONS = Gauge "timecoin_mempool_transactions" [] "Waiting transactions";
    MEMPOOL_BYTES = Gauge "timecoin_mempool_bytes" [] "Bytes of waiting transactions";
    MEMPOOL_REJECTED = Counter "timecoin_mempool_rejected_total" ["reason"]
        "Transactions not taken into the mempool, by why";

    PEERS = Gauge "timecoin_net_peers" [] "Connected peers";
    INBOUND_PEERS = Gauge "timecoin_net_inbound_peers" [] "Connected peers that dialled";

    STORE_BYTES = Gauge "timecoin_store_bytes" [] "Length of the database files";
    STORE_COMMITS = Counter "timecoin_store_commits_total" [] "Blocks written";
    STORE_COMMIT = Histogram "timecoin_store_commit_seconds" []
        "Time to write a block until it is durable";
    STORE_SAFETY_WRITES = Counter "timecoin_store_safety_writes_total" []
        "Safety records written";
    STORE_SYNC = Histogram "timecoin_store_sync_seconds" []
        "Time that the disk took to make written pages durable, each time";
    STORE_WRITTEN = Counter "timecoin_store_written_bytes_total" [] "Bytes of rows written";
    STORE_FLUSHED = Counter "timecoin_store_flushed_bytes_total" [] "Bytes of pages written";
    DISK_FREE = Gauge "timecoin_disk_free_bytes" []
        "Space left for this node on the file system of its data directory";
    DISK_SIZE = Gauge "timecoin_disk_size_bytes" []
        "Size of the file system of the data directory";

    RPC_REQUESTS = Counter "timecoin_rpc_requests_total" ["method", "code"]
        "Calls by method and error code; 0 is success";
    RPC_SECONDS = Histogram "timecoin_rpc_request_seconds" ["method"]
        "Time to answer a call, by method";
    LOG_MESSAGES = Counter "timecoin_log_messages_total" ["level"] "Log lines, by level";
    LOG_LOST = Counter "timecoin_log_lost_lines_total" ["reason"]
        "Log lines that were lost: the queue was full, or they could not be written";

    PROCESS_MEMORY = Gauge "process_resident_memory_bytes" [] "Memory in use";
    PROCESS_CPU = Counter "process_cpu_seconds_total" [] "Processor time, user and system";
    PROCESS_FDS = Gauge "process_open_fds" [] "Open files and sockets";
    PROCESS_FDS_MAX = Gauge "process_max_fds" [] "How many open files and sockets there may be";
    PROCESS_START = Gauge "process_start_time_seconds" [] "When the process began, since 1970";
}

/// The metric of a sample of the network; none where this crate has one of its own.
pub(crate) fn of_network(sample: &Sample) -> Option<NetworkMetric> {
    let (kind, plain) = match sample.name.strip_suffix("_gauge") {
        Some(plain) => (Kind::Gauge, plain),
        None => (Kind::Counter, sample.name),
    };
    if plain == "peers" {
        return None;
    }
    let (plain, scale) = match plain.strip_suffix("_ms") {
        Some(plain) => (format!("{plain}_seconds"), Some(1_000.0)),
        None => (plain.to_owned(), None),
    };
    let family = format!("timecoin_net_{plain}");
    let label = sample.label.map(|(key, _)| key);
    Some(NetworkMetric { family, kind, label, scale, help: sample.help })
}

/// A metric of the network.
pub(crate) struct NetworkMetric {
    /// The name without `_total`.
    pub(crate) family: String,
    pub(crate) kind: Kind,
    pub(crate) label: Option<&'static str>,
    /// What the value is divided by to get the base unit, if it is not in it.
    pub(crate) scale: Option<f64>,
    pub(crate) help: &'static str,
}

impl NetworkMetric {
    /// The name of its samples.
    pub(crate) fn name(&self) -> String {
        match self.kind {
            Kind::Counter => format!("{}_total", self.family),
            _ => self.family.clone(),
        }
    }
}
