//! Masternodes stop and restart.
use crate::{
    net::{Net, Node},
    room::Room,
    wait::{eventually, stays},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A chain without a block for this long has halted: more than two block intervals and all
/// timeouts.
const STILL: Duration = Duration::from_secs(5);

#[test]
fn with_two_of_four_masternodes_the_chain_halts_says_why_and_resumes_by_itself() {
    let net = Net::five(Room::one());
    net.wallet(&["new", "bob"]).ok();

    net.kill("val3");
    let with_three: Vec<u64> = (0..5).map(|_| finality_ms(&net.pay_and_wait("bob", "1"))).collect();
    println!("with three of four masternodes payments are final after {with_three:?} ms");
    for node in [net.node("val0"), net.node("full0")] {
        assert_says_who_was_silent(&net, node, "val3");
    }

    net.kill("val2");
    let killed = Instant::now();
    let left = [net.node("val0"), net.node("val1"), net.node("full0")];
    let reason = format!("halted at height {}: 2/4 weight online", settled_height(&left) + 1);
    for node in left {
        assert_says_why(&net, node, &reason);
        assert_says_whose_votes_are_missing(&net, node, ["val2", "val3"]);
    }
    println!("the halt is told after {} ms: {reason}", killed.elapsed().as_millis());

    let sent = net.wallet(&["send", "--from", "alice", "--to", "bob", "7", "--yes"]).json();
    for node in left {
        eventually(&format!("the payment at {}", node.name), || {
            let state = state_of(node, &sent["txid"]);
            (state == "pending").then_some(()).ok_or(state)
        });
    }
    let heights = left.map(Node::height);
    stays(STILL, || {
        assert_eq!(left.map(Node::height), heights);
        for node in left {
            assert_eq!(state_of(node, &sent["txid"]), "pending", "{}", node.name);
        }
    });

    let back = Instant::now();
    net.testnet(&["start", "val2"]).ok();
    let resumed = [&left[..], &[net.node("val2")]].concat();
    for node in &resumed {
        eventually(&format!("the payment is final at {}", node.name), || {
            let state = state_of(node, &sent["txid"]);
            (state == "final").then_some(()).ok_or(state)
        });
    }
    println!(
        "one returns and the payment is final everywhere after {} ms",
        back.elapsed().as_millis()
    );
    for node in left {
        node.logs("resumed at height");
    }
    for node in &resumed {
        eventually(&format!("{} is ready", node.name), || match node.client.get("/readyz") {
            Ok((200, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
    net.command(&["health", "--node", "val2"]).ok();
    net.testnet(&["start", "val3"]).ok();
    let tip = net.node("val0").height();
    net.node("val3").reaches(tip);
    net.assert_one_chain(1);
    net.assert_sound();
}

/// The height at which these nodes halt: a block decided before the last kill may still arrive.
fn settled_height(nodes: &[&Node]) -> u64 {
    eventually("the chain halts", || {
        let infos: Vec<Value> =
            nodes.iter().map(|node| node.call("getconsensusinfo", json!([]))).collect();
        let halted = infos.iter().all(|info| info["halted"].is_string());
        let same = infos.iter().all(|info| info["final_height"] == infos[0]["final_height"]);
        let height = infos[0]["final_height"].as_u64().unwrap();
        let ages: Vec<&Value> = infos.iter().map(|info| &info["height_age_ms"]).collect();
        (halted && same).then_some(height).ok_or_else(|| format!("height {height}, ages {ages:?}"))
    })
}

/// RPC, readiness, status, health and log each name what is missing.
fn assert_says_why(net: &Net, node: &Node, reason: &str) {
    let missing: Vec<String> = ["val2", "val3"]
        .iter()
        .map(|name| net.entry(name)["consensus_key"].as_str().unwrap()[..8].to_owned())
        .collect();
    let assert_whole = |text: &str, names: &[String]| {
        assert!(text.contains(reason), "no `{reason}` in: {text}");
        for name in names {
            assert!(text.contains(name), "no {name} in: {text}");
        }
    };
    let info: Value = node.call("getconsensusinfo", json!([]));
    assert_whole(info["halted"].as_str().unwrap(), &missing);
    assert_eq!((&info["online_weight"], &info["total_weight"]), (&json!(2), &json!(4)));
    assert_eq!(info["stopped"], Value::Null, "a halted chain has not stopped the engine");
    assert_eq!(node.figure("timecoin_consensus_halted"), 1);
    assert_eq!(node.figure("timecoin_consensus_stopped"), 0);
    let (status, text) = node.client.get("/readyz").unwrap();
    assert_eq!(status, 503);
    assert_whole(&text, &missing);
    let health = net.command(&["health", "--node", &node.name]).refused(10, &["is not ready"]);
    assert_whole(&health, &missing);
    let status = net.command(&["status", "--json", "--node", &node.name]).json();
    assert_whole(status["halted"].as_str().unwrap(), &["val2".into(), "val3".into()]);
    let line = node.logs(reason);
    assert!(line.contains(" WARN "), "{line}");
    assert_whole(&line, &missing);
}

/// An absent masternode costs a round when it is its turn: list, metrics and log say so and name
/// it.
fn assert_says_who_was_silent(net: &Net, node: &Node, away: &str) {
    let words = format!("no proposal came from masternode {} in time", index_of(net, node, away));
    eventually(&format!("`{words}` at {}", node.name), || {
        let info: Value = node.call("getconsensusinfo", json!([]));
        // An observer casts no votes: it reports the next round instead.
        let words = if info["masternode"].is_null() { "decided nothing" } else { &words };
        let troubles = info["troubles"].as_array().unwrap();
        let says = |trouble: &Value| trouble["what"].as_str().unwrap().contains(words);
        troubles.iter().any(says).then_some(()).ok_or_else(|| format!("{troubles:?}"))
    });
    if node.name == "full0" {
        node.logs("decided nothing");
        let rounds = "timecoin_consensus_rounds_total{reason=\"undecided\"}";
        assert!(node.figure(rounds) > 0);
    } else {
        node.logs(&words);
        let votes =
            "timecoin_consensus_nil_votes_total{kind=\"prevote\",reason=\"proposer_silent\"}";
        assert!(node.figure(votes) > 0);
    }
}

/// The report of what a node waits for names the masternodes that must vote.
fn assert_says_whose_votes_are_missing(net: &Net, node: &Node, away: [&str; 2]) {
    let mut missing = away.map(|name| index_of(net, node, name));
    missing.sort_unstable();
    let words = format!("of masternodes {}, {}: 2/4 weight has voted", missing[0], missing[1]);
    eventually(&format!("`{words}` at {}", node.name), || {
        let info: Value = node.call("getconsensusinfo", json!([]));
        let waits = info["waiting_for"].as_str().unwrap();
        waits.contains(&words).then_some(()).ok_or_else(|| waits.to_owned())
    });
}

/// The index of a masternode in the set.
fn index_of(net: &Net, node: &Node, name: &str) -> u64 {
    let info: Value = node.call("getconsensusinfo", json!([]));
    let key = net.entry(name)["consensus_key"].clone();
    let members = info["masternodes"].as_array().unwrap();
    members.iter().find(|member| member["key"] == key).unwrap()["index"].as_u64().unwrap()
}

fn state_of(node: &Node, txid: &Value) -> String {
    let finality: Value = node.call("getfinality", json!([txid]));
    finality["state"].as_str().unwrap().to_owned()
}

fn finality_ms(sent: &Value) -> u64 {
    sent["final"]["finality_ms"].as_u64().unwrap()
}
