//! The mesh: its traffic, its limits, and the address book.
use crate::{
    api::{
        BookAddressView, BookCountsView, BookEntryView, BookView, Code, ConnectionsView,
        DepartureView, GetMeshBook, GetMeshInfo, GetNetTotals, GetNodeAddresses, LaneView,
        MeshInfo, NetTotals, NetgroupView, NodeAddress, ProtocolView, RefusalView, SlowView,
        TopicView, UploadTarget,
    },
    metrics::process::Process,
    rpc::{
        context::{Context, Serve},
        error::RpcError,
    },
};
use std::{
    net::IpAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use timecoin_network::{
    BookCounts, BookEntry, Departure, Mesh, NetworkStats, Occupancy, PeerId, Protocol, Refused,
    Topic, ip_and_port,
};

/// Entries of the address book in one answer.
const ENTRIES_MAX: usize = 1_000;

impl Serve for GetNodeAddresses {
    async fn serve(self, context: &Context) -> Result<Vec<NodeAddress>, RpcError> {
        if let Some(network) = self.network.as_deref().filter(|n| !["ipv4", "ipv6"].contains(n)) {
            let text = format!("Network not recognized: {network}; use ipv4 or ipv6");
            return Err(RpcError::new(Code::InvalidParameter, text));
        }
        let count = match self.count {
            None => 1,
            Some(0) => ENTRIES_MAX,
            Some(count) => size(count).min(ENTRIES_MAX),
        };
        let book = context.node.network.book(None, ENTRIES_MAX).await;
        let wanted = self.network.as_deref();
        let addresses = book.entries.iter().flat_map(node_addresses);
        let addresses = addresses.filter(|node| wanted.is_none_or(|wanted| node.network == wanted));
        Ok(addresses.take(count).collect())
    }
}

/// The addresses of a peer that Bitcoin Core has a shape for.
fn node_addresses(entry: &BookEntry) -> impl Iterator<Item = NodeAddress> {
    let time = seen(entry.seen);
    let sockets = entry.addresses.iter().filter_map(|(address, _)| ip_and_port(address));
    sockets.map(move |(ip, port)| NodeAddress {
        time,
        services: 1,
        address: ip.to_string(),
        port,
        network: match ip {
            IpAddr::V4(_) => "ipv4".into(),
            IpAddr::V6(_) => "ipv6".into(),
        },
    })
}

impl Serve for GetMeshBook {
    const IS_LARGE: bool = true;

    async fn serve(self, context: &Context) -> Result<BookView, RpcError> {
        let only: Option<PeerId> = match self.peer {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                let text = format!("{text:?} is not a peer id; getmeshbook lists those known");
                RpcError::new(Code::InvalidParameter, text)
            })?),
        };
        let count = self.count.map_or(ENTRIES_MAX, size);
        let book = context.node.network.book(only, count).await;
        let entries = book.entries.iter().map(entry_view).collect();
        Ok(BookView { counts: counts_view(&book.counts), entries })
    }
}

fn entry_view(entry: &BookEntry) -> BookEntryView {
    let addresses = entry
        .addresses
        .iter()
        .map(|(address, proved)| BookAddressView { address: address.to_string(), proved: *proved });
    BookEntryView {
        peer: entry.peer.to_string(),
        addresses: addresses.collect(),
        netgroup: entry.netgroup.clone(),
        state: if entry.tried { "tried" } else { "new" }.into(),
        connected: entry.connected,
        bootstrap: entry.bootstrap,
        anchor: entry.anchor,
        failures: entry.failures,
        last_error: entry.last_error.clone(),
        time: seen(entry.seen),
        next_dial_ms: entry.next_dial.map(millis),
    }
}

fn counts_view(counts: &BookCounts) -> BookCountsView {
    let largest = counts
        .largest
        .iter()
        .map(|(netgroup, peers)| NetgroupView { netgroup: netgroup.clone(), peers: *peers as u64 });
    BookCountsView {
        tried: counts.tried as u64,
        new: counts.new as u64,
        bootstrap: counts.bootstrap as u64,
        netgroups: counts.netgroups as u64,
        largest: largest.collect(),
    }
}

impl Serve for GetNetTotals {
    async fn serve(self, context: &Context) -> Result<NetTotals, RpcError> {
        let mesh = mesh(context).await?;
        let stats = context.node.network.stats();
        Ok(NetTotals {
            totalbytesrecv: stats.bytes_read,
            totalbytessent: stats.bytes_written,
            timemillis: millis(now()),
            uploadtarget: UploadTarget {
                timeframe: 1,
                target: mesh.upload_bytes,
                target_reached: mesh.upload_is_spent,
                serve_historical_blocks: !mesh.upload_is_spent,
            },
        })
    }
}

impl Serve for GetMeshInfo {
    async fn serve(self, context: &Context) -> Result<MeshInfo, RpcError> {
        let mesh = mesh(context).await?;
        let stats = context.node.network.stats();
        let process = Process::read();
        Ok(MeshInfo {
            external: mesh.external.iter().map(ToString::to_string).collect(),
            reserved: mesh.occupancy.reserved.iter().map(ToString::to_string).collect(),
            connections: connections_view(&mesh, &stats),
            topics: mesh
                .degrees
                .iter()
                .map(|(topic, mesh)| topic_view(*topic, *mesh, &stats))
                .collect(),
            lanes: mesh
                .lanes
                .iter()
                .map(|(lane, peers)| LaneView { lane: (*lane).into(), peers: *peers as u64 })
                .collect(),
            protocols: Protocol::ALL.map(|protocol| protocol_view(protocol, &stats)).to_vec(),
            book: counts_view(&mesh.book),
            bans: mesh.bans as u64,
            refusals: mesh.refusals.iter().map(refusal_view).collect(),
            slow: SlowView {
                count: stats.slow_peer,
                peer: mesh.slow.map(|slow| slow.peer.to_string()),
                seconds_ago: mesh.slow.map(|slow| slow.last.as_secs()),
            },
            recent: mesh.departures.iter().map(departure_view).collect(),
            loop_lag_ms: stats.loop_lag_ms_gauge,
            loop_lag_max_ms: stats.loop_lag_ms_max_gauge,
            memory: mesh.memory_bytes,
            memory_max: mesh.memory_bytes_max,
            open_files: process.map(|process| process.open_fds),
            open_files_max: process.and_then(|process| process.open_fds_max),
        })
    }
}

async fn mesh(context: &Context) -> Result<Mesh, RpcError> {
    let stopping = || RpcError::new(Code::Misc, "the network has stopped; the node is stopping");
    context.node.network.mesh().await.ok_or_else(stopping)
}

fn connections_view(mesh: &Mesh, stats: &NetworkStats) -> ConnectionsView {
    let Occupancy { inbound, outbound, pending, limits, .. } = &mesh.occupancy;
    ConnectionsView {
        inbound: *inbound as u64,
        inbound_max: limits.inbound_max.into(),
        outbound: *outbound as u64,
        outbound_max: limits.outbound_max.into(),
        outbound_target: limits.outbound_target.into(),
        outbound_netgroups: mesh.outbound_netgroups as u64,
        pending: *pending as u64,
        pending_max: limits.pending_max.into(),
        evicted: stats.evicted,
    }
}

fn topic_view(topic: Topic, mesh: usize, stats: &NetworkStats) -> TopicView {
    let counts = stats.topic(topic);
    TopicView {
        topic: topic.name().into(),
        mesh: mesh as u64,
        published: counts.published,
        received: counts.received,
        accepted: counts.accepted,
        ignored: counts.ignored,
        rejected: counts.rejected + counts.malformed,
        duplicates: counts.duplicates,
        over_quota: counts.over_quota,
        dropped: counts.dropped,
        bytesrecv: counts.bytes_in,
    }
}

fn protocol_view(protocol: Protocol, stats: &NetworkStats) -> ProtocolView {
    let counts = stats.protocol(protocol);
    ProtocolView {
        protocol: protocol.name().into(),
        received: counts.received,
        sent: counts.sent,
        failed: counts.failed,
        busy: counts.busy + counts.over_quota,
        bytesrecv: counts.bytes_in,
        bytessent: counts.bytes_out,
    }
}

fn refusal_view(refused: &Refused) -> RefusalView {
    RefusalView {
        reason: refused.why.name().into(),
        text: refused.why.text().into(),
        count: refused.count,
        seconds_ago: refused.last.map(|last| last.as_secs()),
    }
}

fn departure_view(departure: &Departure) -> DepartureView {
    let time = departure.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    DepartureView {
        peer: departure.peer.to_string(),
        reason: departure.reason.clone(),
        time: time.as_secs(),
    }
}

fn size(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The time so long ago, in seconds since 1970-01-01 UTC.
fn seen(ago: Duration) -> u64 {
    now().saturating_sub(ago).as_secs()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn entry(addresses: &[&str]) -> BookEntry {
        BookEntry {
            peer: PeerId::random(),
            addresses: addresses.iter().map(|text| (text.parse().unwrap(), true)).collect(),
            netgroup: None,
            tried: true,
            connected: false,
            bootstrap: false,
            anchor: false,
            failures: 0,
            last_error: None,
            seen: Duration::from_secs(100),
            next_dial: None,
        }
    }

    #[test]
    fn addresses_without_an_ip_have_no_shape_in_bitcoin_core() {
        let entry =
            entry(&["/ip4/9.8.7.6/tcp/5", "/dns4/example.org/tcp/1", "/ip6/2600::1/udp/7/quic-v1"]);
        let nodes: Vec<NodeAddress> = node_addresses(&entry).collect();
        let shown: Vec<(&str, u16, &str)> = nodes
            .iter()
            .map(|node| (node.address.as_str(), node.port, node.network.as_str()))
            .collect();
        assert_eq!(shown, [("9.8.7.6", 5, "ipv4"), ("2600::1", 7, "ipv6")]);
        assert!(nodes.iter().all(|node| now().as_secs().abs_diff(node.time) >= 99));
    }

    #[test]
    fn malformed_messages_count_as_rejected_and_quotas_as_busy() {
        let mut stats = NetworkStats::default();
        let votes = &mut stats.topics[Topic::Votes.index()];
        (votes.rejected, votes.malformed, votes.bytes_in) = (2, 3, 100);
        let blocks = &mut stats.protocols[Protocol::Blocks.index()];
        (blocks.busy, blocks.over_quota, blocks.bytes_in, blocks.bytes_out) = (1, 4, 10, 1_000);
        assert_eq!(topic_view(Topic::Votes, 4, &stats).rejected, 5);
        assert_eq!(topic_view(Topic::Votes, 4, &stats).mesh, 4);
        assert_eq!(protocol_view(Protocol::Blocks, &stats).busy, 5);
    }
}
