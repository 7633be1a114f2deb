//! The node's state at a scrape.
use super::{catalog as c, disk::Disk, process::Process, writer::Writer};
use crate::{
    logging::{Losses, levels},
    node::NodeHandle,
};
use std::{fmt, sync::Arc, time::Duration};
use timecoin_chain::engine::{EngineStatus, MasternodeStatus, Signing};
use timecoin_network::Sample;
use timecoin_store::StoreStats;

/// Digits of a masternode's key in a label.
const KEY_DIGITS: usize = 8;

/// Figures that are read, not counted.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) status: Arc<EngineStatus>,
    pub(super) peers: usize,
    pub(super) inbound: usize,
    pub(super) network: Vec<Sample>,
    pub(super) store: Option<StoreStats>,
    pub(super) disk: Option<Disk>,
    pub(super) process: Option<Process>,
    pub(super) uptime: Duration,
    /// Log lines that found the queue full, and that could not be written.
    pub(super) lost_lines: [u64; 2],
}

impl Snapshot {
    pub(super) fn new(
        node: &NodeHandle,
        store: Option<StoreStats>,
        disk: Option<Disk>,
        log: &Losses,
    ) -> Self {
        let peers = node.network.peers();
        Self {
            status: node.status(),
            inbound: peers.iter().filter(|peer| peer.inbound).count(),
            peers: peers.len(),
            network: node.network.stats().samples(),
            store,
            disk,
            process: Process::read(),
            uptime: node.started.elapsed(),
            lost_lines: [log.queue(), log.write()],
        }
    }

    pub(super) fn encode(&self, out: &mut Writer<'_, '_>) -> fmt::Result {
        self.chain(out)?;
        self.consensus(out)?;
        self.masternodes(out)?;
        out.gauge(&c::PEERS, self.peers)?;
        out.gauge(&c::INBOUND_PEERS, self.inbound)?;
        out.network(&self.network)?;
        self.store(out)?;
        self.process(out)
    }

    fn chain(&self, out: &mut Writer<'_, '_>) -> fmt::Result {
        let status = &self.status;
        out.gauge(&c::CHAIN_HEIGHT, status.durable.0)?;
        out.gauge(&c::LAST_BLOCK, Duration::from_millis(status.timestamp.0).as_secs_f64())?;
        out.gauge(&c::SYNC_TARGET, status.sync_target.max(status.durable).0)?;
        out.gauge(&c::MEMPOOL_TRANSACTIONS, status.mempool_transactions)?;
        out.gauge(&c::MEMPOOL_BYTES, status.mempool_bytes)?;
        let rejected = status.mempool_rejected.iter();
        out.each(&c::MEMPOOL_REJECTED, rejected.map(|(why, n)| ([("reason", *why)], *n)))
    }

    fn consensus(&self, out: &mut Writer<'_, '_>) -> fmt::Result {
        let status = &self.status;
        out.gauge(&c::HEIGHT, status.deciding.0)?;
        out.gauge(&c::ROUND, status.round.0)?;
        out.gauge(&c::HEIGHT_AGE, Duration::from_millis(status.height_age.0).as_secs_f64())?;
        out.gauge(&c::MASTERNODES, status.masternodes.len())?;
        out.gauge(&c::ONLINE_WEIGHT, status.online_weight)?;
        out.gauge(&c::TOTAL_WEIGHT, status.total_weight)?;
        let (held, books) = (status.held, status.held.books);
        out.gauge(&c::HELD_ROUNDS, books.rounds)?;
        out.gauge(&c::HELD_VOTES, books.votes)?;
        out.gauge(&c::HELD_CERTIFICATES, books.certificates)?;
        out.gauge(&c::HELD_PROPOSALS, books.proposals)?;
        out.gauge(&c::HELD_LATER, held.later)?;
        out.gauge(&c::HELD_CANDIDATES, held.candidates)?;
        out.flag(&c::IS_MASTERNODE, status.me.is_some())?;
        out.flag(&c::SIGNING, status.signing == Signing::Yes)?;
        let is_elsewhere = matches!(status.signing, Signing::Observing { own_key: Some(_) });
        out.flag(&c::KEY_ELSEWHERE, is_elsewhere)?;
        out.flag(&c::HALTED, status.halted)?;
        out.flag(&c::STOPPED, status.stopped.is_some())?;
        // Until a proposal of another came nothing is known, which is no difference.
        let ahead = i32::try_from(status.clock_ahead_ms.unwrap_or_default());
        out.gauge(&c::CLOCK_AHEAD, f64::from(ahead.unwrap_or(i32::MAX)) / 1_000.0)
    }

    fn masternodes(&self, out: &mut Writer<'_, '_>) -> fmt::Result {
        let status = &self.status;
        let of = |node: &MasternodeStatus| {
            let mut key = node.key.to_string();
            key.truncate(KEY_DIGITS);
            [("masternode", node.index.to_string()), ("key", key)]
        };
        let is_own = |node: &MasternodeStatus| status.me == Some(node.index);
        let silent = |node: &MasternodeStatus| match (is_own(node), node.silent_for) {
            (true, _) => 0.0,
            (_, Some(silent)) => Duration::from_millis(silent.0).as_secs_f64(),
            (_, None) => self.uptime.as_secs_f64(),
        };
        let online = |node: &MasternodeStatus| u64::from(node.online);
        let all = || status.masternodes.iter();
        let named = |node: &MasternodeStatus| {
            let [index, key] = of(node);
            let own = if is_own(node) { "yes" } else { "no" };
            [index, key, ("own", own.to_owned())]
        };
        out.info(&c::MASTERNODE, all().map(named))?;
        out.each(&c::MASTERNODE_SILENT, all().map(|node| (of(node), silent(node))))?;
        out.each(&c::MASTERNODE_ONLINE, all().map(|node| (of(node), online(node))))?;
        out.each(&c::MASTERNODE_WEIGHT, all().map(|node| (of(node), node.weight)))
    }

    fn store(&self, out: &mut Writer<'_, '_>) -> fmt::Result {
        if let Some(disk) = self.disk {
            out.gauge(&c::DISK_FREE, disk.free_bytes)?;
            out.gauge(&c::DISK_SIZE, disk.size_bytes)?;
        }
        let Some(store) = &self.store else { return Ok(()) };
        out.gauge(&c::STORE_BYTES, store.bytes_on_disk)?;
        if let Some(coins) = store.coins {
            out.gauge(&c::COINS, coins)?;
        }
        out.buckets(&c::BLOCK_SIZE, &store.block_bytes, 1.0)?;
        out.buckets(&c::STORE_COMMIT, &store.commit_micros, 1e6)?;
        out.buckets(&c::STORE_SYNC, &store.sync_micros, 1e6)?;
        out.counter(&c::STORE_COMMITS, store.commits)?;
        out.counter(&c::STORE_SAFETY_WRITES, store.safety_writes)?;
        out.counter(&c::STORE_WRITTEN, store.bytes_written)?;
        out.counter(&c::STORE_FLUSHED, store.bytes_flushed)
    }

    fn process(&self, out: &mut Writer<'_, '_>) -> fmt::Result {
        let version = [("version", env!("CARGO_PKG_VERSION")), ("commit", env!("TIMECOIN_COMMIT"))];
        out.info(&c::BUILD, [version])?;
        out.gauge(&c::UPTIME, self.uptime.as_secs_f64())?;
        let lines = levels::counts().map(|(level, count)| ([("level", level)], count));
        out.each(&c::LOG_MESSAGES, lines)?;
        let lost = ["queue", "write"].into_iter().zip(self.lost_lines);
        out.each(&c::LOG_LOST, lost.map(|(reason, count)| ([("reason", reason)], count)))?;
        let Some(process) = self.process else { return Ok(()) };
        out.gauge(&c::PROCESS_MEMORY, process.resident_bytes)?;
        out.gauge(&c::PROCESS_FDS, process.open_fds)?;
        if let Some(files_max) = process.open_fds_max {
            out.gauge(&c::PROCESS_FDS_MAX, files_max)?;
        }
        out.gauge(&c::PROCESS_START, process.started)?;
        out.counter(&c::PROCESS_CPU, process.cpu_seconds)
    }
}
