//! Payments whose node dies: the txid is told, another node is asked, and nothing is paid twice.
use crate::{
    net::{Net, amount},
    room::Room,
    wait::eventually,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const SENT: i32 = 12;

fn balance(net: &Net, wallet: &str) -> Value {
    net.wallet(&["balance", wallet]).json()["balance"].clone()
}

#[test]
fn a_payment_whose_node_dies_is_followed_at_another() {
    let net = Net::five(Room::one());
    net.wallet(&["new", "bob"]).ok();
    let pay = ["send", "--from", "alice", "--to", "bob", "12.5", "--yes", "--wait"];
    // Two of four masternodes stand still: the payment waits while its node dies.
    let asleep = ["val2", "val3"];
    asleep.iter().for_each(|name| net.signal(name, Signal::SIGSTOP));
    let sent = std::thread::scope(|scope| {
        let sent = scope.spawn(|| net.wallet(&[&pay[..], &["--node", "full0"]].concat()));
        eventually("a masternode has the payment", || {
            let known: Vec<String> = net.node("val0").call("getrawmempool", json!([]));
            if known.is_empty() { Err("none".to_owned()) } else { Ok(()) }
        });
        net.kill("full0");
        asleep.iter().for_each(|name| net.signal(name, Signal::SIGCONT));
        sent.join().unwrap()
    });
    let sent = sent.json();
    let txid = sent["txid"].as_str().unwrap();
    assert!(sent["final"]["height"].as_u64().is_some(), "{sent}");
    let finality: Value = net.node("val0").call("getfinality", json!([txid]));
    assert_eq!(finality["state"], "final");
    assert_eq!(balance(&net, "bob"), "12.50000000");
}

#[test]
fn a_payment_that_is_not_known_to_be_final_is_sent_again_and_paid_once() {
    let net = Net::five(Room::one());
    net.wallet(&["new", "bob"]).ok();
    // Two of four masternodes are gone: no block is decided.
    for name in ["val2", "val3"] {
        net.kill(name);
    }
    let pay = ["send", "--from", "alice", "--to", "bob", "12.5", "--yes"];
    let wait = ["--wait", "--timeout", "1"];
    let unknown = net.wallet(&[&pay[..], &wait].concat());
    let view: Value = serde_json::from_str(&unknown.stdout).unwrap();
    let txid = view["txid"].as_str().unwrap().to_owned();
    assert!(view["final"].is_null(), "{view}");
    unknown.refused(SENT, &[&txid, "not final after 1 s", "next: timecoin wallet resend"]);
    let human = net.command(&["wallet", "resend", "--from", "alice", "--timeout", "1"]);
    assert!(human.stdout.contains(&txid), "{human}");
    human.refused(SENT, &["never pays twice"]);

    // It waits, and the command is given once more.
    net.wallet(&pay).refused(SENT, &[&txid, "could pay twice", "next: timecoin wallet resend"]);

    // All lose their mempools: no node knows the payment any more.
    net.testnet(&["down"]).ok();
    net.up_again();
    let again = net.wallet(&pay);
    again.refused(SENT, &[&txid, "could pay twice", "--again", "next: timecoin wallet resend"]);
    let resent = net.wallet(&["resend", "--from", "alice"]).json();
    assert_eq!(resent[0]["txid"], txid);
    assert!(resent[0]["final"]["height"].as_u64().is_some(), "{resent}");
    assert_eq!(balance(&net, "bob"), "12.50000000");

    // Known to be final: the same payment is another one.
    net.wallet(&[&pay[..], &["--wait"]].concat()).ok();
    assert_eq!(balance(&net, "bob"), "25.00000000");
    assert!(net.wallet(&["resend", "--from", "alice"]).json().as_array().unwrap().is_empty());
    let alice = amount(&balance(&net, "alice"));
    assert!(alice < amount(&json!("999975")), "{alice}");
}
