//! A network in which most nodes are not connected with each other.
use timecoin_sim::{
    coverage::Met,
    scale::Scale,
    traffic::{Count, NodeTraffic},
    world,
};

fn scale() -> Scale {
    Scale {
        masternodes: 20,
        observers: 40,
        heights: 12,
        degree: 6,
        delay: 20_000,
        churn: false,
        partition: false,
    }
}

fn sum(counts: impl Iterator<Item = Count>) -> (u64, u64) {
    counts.fold((0, 0), |sum, count| (sum.0 + count.messages, sum.1 + count.bytes))
}

#[test]
fn a_sparse_network_decides_and_what_is_sent_is_received() {
    let outcome = world::run(1, &scale().options());
    assert_eq!(outcome.violation, None);
    let traffic = outcome.traffic.expect("it was asked for");
    assert!(traffic.commit_times.len() >= 12 * 60 / 2, "{}", traffic.commit_times.len());
    let sent = sum(traffic.nodes.iter().flat_map(|node: &NodeTraffic| node.sent));
    let received = sum(traffic.nodes.iter().flat_map(|node| node.received));
    assert_eq!(sent, received);
    assert!(sent.1 > sent.0 && sent.0 > 0);
}

#[test]
fn a_sparse_network_survives_churn_and_partitions() {
    let scale = Scale { churn: true, partition: true, ..scale() };
    let outcome = world::run(2, &scale.options());
    assert_eq!(outcome.violation, None);
    assert_eq!(scale.never_happened(&outcome), [""; 0]);
    assert!(outcome.coverage.count(Met::PartitionHealed) > 0);
    let traffic = outcome.traffic.expect("it was asked for");
    assert!(traffic.crashes > 0 && traffic.synced > 0);
}

#[test]
fn faults_that_were_asked_for_and_never_came_are_told() {
    let calm = world::run(1, &scale().options());
    assert_eq!(scale().never_happened(&calm), [""; 0]);
    for (churn, partition) in [(true, false), (false, true), (true, true)] {
        let asked = Scale { churn, partition, ..scale() };
        let missing = usize::from(churn) + usize::from(partition);
        assert_eq!(asked.never_happened(&calm).len(), missing);
    }
}

#[test]
fn counting_changes_nothing() {
    let options = Scale { churn: true, ..scale() }.options();
    let counted = world::run(3, &options);
    let uncounted = world::run(3, &world::Options { counts_traffic: false, ..options });
    assert_eq!(counted.hash, uncounted.hash);
    assert_eq!(uncounted.traffic, None);
}
