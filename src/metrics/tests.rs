//! What a scrape shows.
use super::{process::Process, *};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use timecoin_chain::{
    engine::{NilWhy, RoundWhy},
    types::{BlockHash, Height, Round},
};
use timecoin_network::Sample;

fn snapshot() -> Snapshot {
    let sample = |name, label, value| Sample { name, help: "What it counts", label, value };
    Snapshot {
        status: Arc::new(crate::rpc::tests::status()),
        peers: 3,
        inbound: 1,
        network: vec![
            sample("gossip_received", Some(("topic", "votes")), 7),
            sample("slow_peer", None, 2),
            sample("refused", Some(("reason", "full")), 6),
            sample("gossip_received", Some(("topic", "proposals")), 5),
            sample("requests_sent", Some(("protocol", "blocks")), 4),
            sample("loop_lag_ms_gauge", None, 9),
            sample("peers_gauge", None, 3),
        ],
        store: Some(StoreStats { bytes_on_disk: 4_096, coins: Some(8), ..StoreStats::default() }),
        disk: Some(Disk { free_bytes: 7_000, size_bytes: 9_000 }),
        process: None,
        uptime: Duration::from_millis(1_500),
        lost_lines: [6, 2],
    }
}

fn metrics() -> Metrics {
    Metrics::new(PathBuf::from("/"), 4, Arc::default())
}

/// A scrape in classic text that holds every metric.
fn whole() -> String {
    let metrics = metrics();
    metrics.on_call("getblock", 0, Duration::from_millis(3));
    metrics.on_report(&round(1, 0, 0));
    metrics.on_report(&Report::Nil {
        height: Height(1),
        round: Round(1),
        kind: VoteKind::Prevote,
        why: NilWhy::ProposerSilent { proposer: 2 },
    });
    metrics.on_report(&Report::Refused {
        height: Height(1),
        round: Round(1),
        refusal: Refusal::Conflict,
    });
    let network = timecoin_network::NetworkStats::default().samples();
    metrics.encode(Snapshot { network, process: Process::read(), ..snapshot() }, Form::Classic)
}

fn round(height: u64, round: u32, proposer: u16) -> Report {
    let why = RoundWhy::Undecided { nil: vec![1], silent: vec![2] };
    Report::Round { height: Height(height), round: Round(round), why, proposer }
}

fn committed(took: u64, missed: Vec<u16>, synced: bool) -> Report {
    Report::Final {
        height: Height(12),
        round: Round(0),
        block: BlockHash([0; 32]),
        proposer: 1,
        transactions: 5,
        weight: 3,
        total: 4,
        took: Millis(took),
        missed,
        synced,
    }
}

#[test]
fn reports_become_figures() {
    let metrics = metrics();
    metrics.on_report(&committed(87, vec![3], false));
    metrics.on_report(&committed(4, vec![], false));
    metrics.on_report(&committed(9, vec![0, 1], true));
    for (height, number, proposer) in [(1, 0, 2), (1, 1, 0), (2, 0, 1), (2, 2, 3)] {
        metrics.on_report(&round(height, number, proposer));
    }
    metrics.on_report(&Report::Nil {
        height: Height(1),
        round: Round(1),
        kind: VoteKind::Prevote,
        why: NilWhy::ProposerSilent { proposer: 2 },
    });
    metrics.on_call("getblock", 0, Duration::from_millis(2));
    metrics.on_call("getblock", -5, Duration::from_millis(30));
    let text = metrics.encode(snapshot(), Form::OpenMetrics);
    for line in [
        concat!(
            "timecoin_build_info{version=\"0.1.0\",commit=\"",
            env!("TIMECOIN_COMMIT"),
            "\"} 1"
        ),
        "timecoin_chain_blocks_total 3",
        "timecoin_chain_synced_blocks_total 1",
        "timecoin_chain_transactions_total 15",
        "timecoin_consensus_finality_seconds_count 2",
        "timecoin_consensus_finality_seconds_bucket{le=\"0.005\"} 1",
        "timecoin_consensus_finality_seconds_bucket{le=\"0.075\"} 1",
        "timecoin_consensus_finality_seconds_bucket{le=\"0.1\"} 2",
        "timecoin_consensus_missed_votes_total{masternode=\"3\"} 1",
        "timecoin_consensus_missed_votes_total{masternode=\"0\"} 0",
        "timecoin_consensus_lost_turns_total{masternode=\"2\"} 1",
        "timecoin_consensus_lost_turns_total{masternode=\"1\"} 1",
        "timecoin_consensus_lost_turns_total{masternode=\"0\"} 0",
        "timecoin_consensus_rounds_total{reason=\"undecided\"} 4",
        "timecoin_chain_block_interval_seconds_count 1",
        "timecoin_rpc_request_seconds_bucket{le=\"0.0025\",method=\"getblock\"} 1",
        "timecoin_rpc_request_seconds_count{method=\"getblock\"} 2",
        "timecoin_consensus_nil_votes_total{kind=\"prevote\",reason=\"proposer_silent\"} 1",
        "timecoin_rpc_requests_total{method=\"getblock\",code=\"0\"} 1",
        "timecoin_rpc_requests_total{method=\"getblock\",code=\"-5\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_scrape_shows_the_node() {
    let text = metrics().encode(snapshot(), Form::OpenMetrics);
    for line in [
        "timecoin_chain_height 11",
        "timecoin_chain_last_block_timestamp_seconds 5.0",
        "timecoin_consensus_round 0",
        "timecoin_consensus_online_weight 2",
        "timecoin_consensus_total_weight 4",
        "timecoin_consensus_is_masternode 1",
        "timecoin_consensus_halted 0",
        "timecoin_net_peers 3",
        "timecoin_net_inbound_peers 1",
        "timecoin_net_gossip_received_total{topic=\"votes\"} 7",
        "timecoin_net_gossip_received_total{topic=\"proposals\"} 5",
        "timecoin_net_requests_sent_total{protocol=\"blocks\"} 4",
        "timecoin_net_slow_peer_total 2",
        "timecoin_net_refused_total{reason=\"full\"} 6",
        "# HELP timecoin_net_refused What it counts",
        "timecoin_net_loop_lag_seconds 0.009",
        "timecoin_masternode_info{masternode=\"0\",key=\"00000000\",own=\"yes\"} 1",
        "timecoin_masternode_silent_seconds{masternode=\"0\",key=\"00000000\"} 0.0",
        "timecoin_masternode_silent_seconds{masternode=\"1\",key=\"01010101\"} 0.01",
        "timecoin_masternode_silent_seconds{masternode=\"3\",key=\"03030303\"} 1.5",
        "timecoin_clock_ahead_seconds -0.04",
        "timecoin_mempool_rejected_total{reason=\"min relay fee not met\"} 2",
        "timecoin_disk_free_bytes 7000",
        "timecoin_store_commit_seconds_bucket{le=\"+Inf\"} 0",
        "timecoin_mempool_transactions 3",
        "timecoin_mempool_bytes 600",
        "timecoin_store_bytes 4096",
        "timecoin_chain_coins 8",
        "timecoin_uptime_seconds 1.5",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn a_scrape_and_the_list_name_the_same_metrics_with_the_same_words() {
    let text = whole();
    let mut help = BTreeMap::new();
    let mut kinds = BTreeMap::new();
    let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, words)) = line.strip_prefix("# HELP ").and_then(|l| l.split_once(' ')) {
            assert_eq!(help.insert(name, words), None, "{name} is described twice");
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' '))
        {
            kinds.insert(name, kind);
        } else if let Some((name, rest)) = line.split_once('{') {
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .unwrap_or(name);
            let (inner, _) = rest.rsplit_once('}').expect("labels end");
            let keys =
                inner.split("\",").filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
            labels.insert(name.into(), keys.filter(|key| key != "le").collect());
        }
    }
    let rows = list();
    let listed: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(help.keys().copied().collect::<Vec<_>>(), listed);
    for row in &rows {
        assert_eq!((help[&*row.name], kinds[&*row.name]), (row.help, row.kind), "{}", row.name);
        let found = labels.remove(&row.name).unwrap_or_default();
        assert_eq!(found, row.labels, "labels of {}", row.name);
    }
}

#[test]
fn the_list_keeps_the_conventions_of_prometheus() {
    for Row { name, kind, help, .. } in list() {
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        let is_ours = name.starts_with("timecoin_") || name.starts_with("process_");
        let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(is_ours && is_plain, "{name}");
        for part in ["_ms", "_millis", "_kb", "_gauge", "_bytes_in", "_bytes_out"] {
            assert!(!name.contains(part), "{name} is not in base units");
        }
        assert!(help.len() > 8 && !help.ends_with('.') && !help.contains('|'), "{name}: {help}");
    }
}

#[test]
fn the_document_holds_the_list() {
    let document = include_str!("../../docs/metrics.md");
    assert!(
        document.contains(&markdown()),
        "put the table that `timecoin metrics list --markdown` prints into docs/metrics.md"
    );
}
