//! What a scrape shows.
use super::*;
use std::{sync::Arc, time::Duration};
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
        process: None,
        uptime: Duration::from_millis(1_500),
        lost_lines: [6, 2],
    }
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
    let metrics = Metrics::default();
    metrics.on_report(&committed(87, vec![3], false));
    metrics.on_report(&committed(4, vec![], false));
    metrics.on_report(&committed(9, vec![0, 1], true));
    metrics.on_report(&Report::Round {
        height: Height(1),
        round: Round(1),
        why: RoundWhy::Undecided { nil: vec![1], silent: vec![2] },
        proposer: 0,
    });
    metrics.on_report(&Report::Nil {
        height: Height(1),
        round: Round(1),
        kind: VoteKind::Prevote,
        why: NilWhy::ProposerSilent { proposer: 2 },
    });
    metrics.on_call("getblock", 0);
    metrics.on_call("getblock", -5);
    let text = metrics.encode(snapshot());
    for line in [
        "timecoin_build_info{version=\"0.1.0\"} 1",
        "timecoin_chain_blocks_total 3",
        "timecoin_chain_synced_blocks_total 1",
        "timecoin_chain_transactions_total 15",
        "timecoin_consensus_finality_seconds_count 2",
        "timecoin_consensus_finality_seconds_bucket{le=\"0.005\"} 1",
        "timecoin_consensus_finality_seconds_bucket{le=\"0.075\"} 1",
        "timecoin_consensus_finality_seconds_bucket{le=\"0.1\"} 2",
        "timecoin_consensus_missed_votes_total{masternode=\"3\"} 1",
        "timecoin_consensus_rounds_total{reason=\"undecided\"} 1",
        "timecoin_consensus_nil_votes_total{kind=\"prevote\",reason=\"proposer_silent\"} 1",
        "timecoin_rpc_requests_total{method=\"getblock\",code=\"0\"} 1",
        "timecoin_rpc_requests_total{method=\"getblock\",code=\"-5\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("masternode=\"0\""), "{text}");
}

#[test]
fn a_scrape_shows_the_node() {
    let text = Metrics::default().encode(snapshot());
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
        "timecoin_net_loop_lag_ms 9",
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
fn every_name_is_described_once() {
    let text = Metrics::default().encode(snapshot());
    let mut names: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "{text}");
}
