//! A payment from the first block to every node's ledger.
use crate::{
    net::{Net, amount},
    room::Room,
    wait::eventually,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[test]
fn a_payment_is_final_on_all_five_nodes_and_they_agree_on_the_state() {
    let net = Net::five(Room::one());
    net.wallet(&["new", "bob"]).ok();
    let sent = net.pay_and_wait("bob", "12.5");
    let height = sent["final"]["height"].as_u64().unwrap();
    for node in &net.nodes {
        node.reaches(height);
        let finality: Value = node.call("getfinality", json!([sent["txid"]]));
        assert_eq!(finality["state"], "final", "{}", node.name);
        assert_eq!(finality["height"], height, "{}", node.name);
        let block = finality["blockhash"].as_str().unwrap();
        assert_eq!(block, net.nodes[0].hash_at(height), "{}", node.name);
    }

    let (bob, alice) = (balances(&net, "bob"), balances(&net, "alice"));
    assert_eq!(bob, ["12.50000000"; 5]);
    assert!(alice.iter().all(|balance| *balance == alice[0]), "{alice:?}");
    let spent = amount(&json!("12.5")).checked_add(amount(&sent["fee"])).unwrap();
    let left = amount(&json!("1000000")).checked_sub(spent).unwrap();
    assert_eq!(amount(&json!(alice[0])), left);

    let (at, root) = common_state_root(&net);
    let last = net.assert_one_chain(1);
    println!(
        "final at height {height} after {} ms; state root {} at height {at} and {last} blocks on 5 nodes",
        sent["final"]["finality_ms"],
        &root[..12],
    );
    net.assert_sound();
}

#[test]
fn the_first_block_is_final_within_three_seconds() {
    let net = Net::five(Room::alone());
    let first_block_ms = net.up["first_block_ms"].as_u64().unwrap();
    let ready: Vec<u64> = net.up["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["ready_ms"].as_u64().unwrap())
        .collect();
    println!("nodes answer after {ready:?} ms, first block final after {first_block_ms} ms");
    // Two seconds of them are the interval before an empty block.
    assert!(first_block_ms < 3_000, "{first_block_ms} ms");
    assert_eq!(net.up["height"], 1);
}

fn balances(net: &Net, wallet: &str) -> Vec<String> {
    let views = net.wallet(&["balance", wallet, "--all-nodes"]).json();
    let balance = |view: &Value| view["balance"].as_str().unwrap().to_owned();
    views.as_array().unwrap().iter().map(balance).collect()
}

/// Waits until every node was seen at one height; returns the height and their common root.
fn common_state_root(net: &Net) -> (u64, String) {
    let mut seen: BTreeMap<u64, BTreeMap<String, String>> = BTreeMap::new();
    eventually("a height at which every node was seen", || {
        for node in &net.nodes {
            let info: Value = node.call("getblockchaininfo", json!([]));
            let root = info["state_root"].as_str().unwrap().to_owned();
            let height = info["blocks"].as_u64().unwrap();
            seen.entry(height).or_default().insert(node.name.clone(), root);
        }
        let (height, roots) = seen
            .iter()
            .find(|(_, roots)| roots.len() == net.nodes.len())
            .ok_or_else(|| format!("{seen:?}"))?;
        let root = roots.values().next().unwrap();
        assert!(roots.values().all(|other| other == root), "at height {height}: {roots:?}");
        Ok((*height, root.clone()))
    })
}
