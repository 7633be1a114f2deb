//! The node's state at a scrape.
use super::process::Process;
use crate::{logging::Losses, node::NodeHandle};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeGaugeValue, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};
use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};
use timecoin_chain::engine::{EngineStatus, Signing};
use timecoin_network::Sample;
use timecoin_store::StoreStats;

/// Figures that are read, not counted.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) status: Arc<EngineStatus>,
    pub(super) peers: usize,
    pub(super) inbound: usize,
    pub(super) network: Vec<Sample>,
    pub(super) store: Option<StoreStats>,
    pub(super) process: Option<Process>,
    pub(super) uptime: Duration,
    /// Lines of the log that found no room, and that could not be written.
    pub(super) lost_lines: [u64; 2],
}

impl Snapshot {
    pub(super) fn new(node: &NodeHandle, store: Option<StoreStats>, log: &Losses) -> Self {
        let peers = node.network.peers();
        Self {
            status: node.status(),
            inbound: peers.iter().filter(|peer| peer.inbound).count(),
            peers: peers.len(),
            network: node.network.stats().samples(),
            store,
            process: Process::read(),
            uptime: node.started.elapsed(),
            lost_lines: [log.queue(), log.write()],
        }
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Writer(&mut encoder);
        self.chain(&mut out)?;
        self.consensus(&mut out)?;
        self.network(&mut out)?;
        self.store(&mut out)?;
        self.process(&mut out)
    }
}

impl Snapshot {
    fn chain(&self, out: &mut Writer<'_, '_>) -> fmt::Result {
        let status = &self.status;
        out.gauge("timecoin_chain_height", "The last final height", status.durable.0)?;
        out.gauge(
            "timecoin_chain_last_block_timestamp_seconds",
            "The timestamp of the last final block",
            Duration::from_millis(status.timestamp.0).as_secs_f64(),
        )?;
        let target = status.sync_target.max(status.durable);
        out.gauge("timecoin_sync_target_height", "The greatest height proven final", target.0)?;
        let (count, bytes) = (status.mempool_transactions, status.mempool_bytes);
        out.gauge("timecoin_mempool_transactions", "Waiting transactions", count)?;
        out.gauge("timecoin_mempool_bytes", "Bytes of waiting transactions", bytes)
    }

    fn consensus(&self, out: &mut Writer<'_, '_>) -> fmt::Result {
        let status = &self.status;
        let height = status.durable.next().0;
        out.gauge("timecoin_consensus_height", "The height being decided", height)?;
        out.gauge("timecoin_consensus_round", "Its round", status.round.0)?;
        out.gauge(
            "timecoin_consensus_height_age_seconds",
            "Since that height began",
            Duration::from_millis(status.height_age.0).as_secs_f64(),
        )?;
        let members = status.masternodes.len();
        out.gauge("timecoin_consensus_masternodes", "Masternodes in the set", members)?;
        let (online, total) = (status.online_weight, status.total_weight);
        out.gauge("timecoin_consensus_online_weight", "Weight heard recently", online)?;
        out.gauge("timecoin_consensus_total_weight", "Weight of all", total)?;
        let help = "Messages of others in memory; bounded by the set";
        let (held, books) = (status.held, status.held.books);
        out.gauge("timecoin_consensus_held_rounds", help, books.rounds)?;
        out.gauge("timecoin_consensus_held_votes", help, books.votes)?;
        out.gauge("timecoin_consensus_held_certificates", help, books.certificates)?;
        out.gauge("timecoin_consensus_held_proposals", help, books.proposals)?;
        out.gauge("timecoin_consensus_held_for_later", help, held.later)?;
        out.gauge("timecoin_consensus_held_candidates", help, held.candidates)?;
        out.flag(
            "timecoin_consensus_is_masternode",
            "Whether this node votes",
            status.me.is_some(),
        )?;
        out.flag(
            "timecoin_consensus_signing",
            "Whether this node's key signs; not while it has no safety record",
            status.signing == Signing::Yes,
        )?;
        out.flag(
            "timecoin_consensus_halted",
            "Whether votes are overdue because too little weight is online",
            status.halted,
        )?;
        out.flag(
            "timecoin_consensus_stopped",
            "Whether the engine refuses to go on",
            status.stopped.is_some(),
        )
    }

    fn network(&self, out: &mut Writer<'_, '_>) -> fmt::Result {
        out.gauge("timecoin_net_peers", "Connected peers", self.peers)?;
        out.gauge("timecoin_net_inbound_peers", "Connected peers that dialled", self.inbound)?;
        // Samples of one name must be contiguous.
        let mut by_name: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
        for sample in &self.network {
            by_name.entry(sample.name).or_default().push(sample);
        }
        for (name, samples) in by_name {
            out.samples(name, &samples)?;
        }
        Ok(())
    }

    fn store(&self, out: &mut Writer<'_, '_>) -> fmt::Result {
        let Some(store) = self.store else { return Ok(()) };
        out.gauge("timecoin_store_bytes", "Bytes of the database files", store.bytes_on_disk)?;
        if let Some(coins) = store.coins {
            out.gauge("timecoin_chain_coins", "Unspent outputs", coins)?;
        }
        for (name, help, value) in [
            ("timecoin_store_commits", "Blocks written", store.commits),
            ("timecoin_store_safety_writes", "Safety records written", store.safety_writes),
            ("timecoin_store_flushes", "Times the disk was waited for", store.flushes),
            ("timecoin_store_written_bytes", "Bytes of rows written", store.bytes_written),
            ("timecoin_store_flushed_bytes", "Bytes of pages written", store.bytes_flushed),
        ] {
            out.counter(name, help, value)?;
        }
        Ok(())
    }

    fn process(&self, out: &mut Writer<'_, '_>) -> fmt::Result {
        let uptime = self.uptime.as_secs_f64();
        out.gauge("timecoin_uptime_seconds", "Since the node began", uptime)?;
        let help = "Lines of the log that were lost: the queue was full, or writing failed";
        let mut lost = out.metric("timecoin_log_lost_lines", help, MetricType::Counter)?;
        for (reason, count) in ["queue", "write"].into_iter().zip(self.lost_lines) {
            figure(lost.encode_family(&[("reason", reason)])?, MetricType::Counter, count)?;
        }
        let Some(process) = self.process else { return Ok(()) };
        let (memory, files) = (process.resident_bytes, process.open_fds);
        out.gauge("process_resident_memory_bytes", "Memory in use", memory)?;
        out.gauge("process_open_fds", "Open files and sockets", files)?;
        if let Some(files_max) = process.open_fds_max {
            out.gauge("process_max_fds", "How many there may be", files_max)?;
        }
        let help = "Processor time, user and system";
        out.metric("process_cpu_seconds", help, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, f64>(&process.cpu_seconds, None)
    }
}

/// Writes single figures.
struct Writer<'w, 'e>(&'w mut DescriptorEncoder<'e>);

impl Writer<'_, '_> {
    fn metric<'m>(
        &'m mut self,
        name: &'m str,
        help: &str,
        kind: MetricType,
    ) -> Result<MetricEncoder<'m>, fmt::Error> {
        self.0.encode_descriptor(name, help, None, kind)
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result {
        self.metric(name, help, MetricType::Gauge)?.encode_gauge(&value)
    }

    fn flag(&mut self, name: &str, help: &str, value: bool) -> fmt::Result {
        self.gauge(name, help, u32::from(value))
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.metric(name, help, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)
    }

    /// Counters of the network under one name; those named gauges may fall.
    fn samples(&mut self, name: &str, samples: &[&Sample]) -> fmt::Result {
        let (kind, plain) = match name.strip_suffix("_gauge") {
            Some(plain) => (MetricType::Gauge, plain),
            None => (MetricType::Counter, name),
        };
        // The number of peers has a gauge of its own.
        if plain == "peers" {
            return Ok(());
        }
        let name = format!("timecoin_net_{plain}");
        let help = samples.first().map_or("", |sample| sample.help);
        let mut metric = self.metric(&name, help, kind)?;
        for sample in samples {
            match sample.label {
                Some(label) => figure(metric.encode_family(&[label])?, kind, sample.value)?,
                None => return figure(metric, kind, sample.value),
            }
        }
        Ok(())
    }
}

fn figure(mut metric: MetricEncoder<'_>, kind: MetricType, value: u64) -> fmt::Result {
    match kind {
        MetricType::Gauge => metric.encode_gauge(&value),
        _ => metric.encode_counter::<NoLabelSet, _, u64>(&value, None),
    }
}
