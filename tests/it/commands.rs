//! What commands say when something is wrong around them.
use crate::{net::Net, process::run, room::Room};
use nix::sys::signal::Signal;
use std::{
    fs,
    time::{Duration, Instant},
};

#[test]
fn commands_tell_the_truth_about_what_they_find() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    net.wallet(&["new", "bob"]).ok();

    // An address of another network is not taken for the name of a wallet.
    let foreign = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    let send = |to: &str, amount: &str| {
        net.wallet(&["send", "--from", "alice", "--to", to, amount, "--yes"])
    };
    let error = send(foreign, "1").refused(2, &["neither an address", "nothing was sent"]);
    assert!(!error.contains("wallet new"), "{error}");
    send("bob", "0").refused(2, &["the amount is zero"]);

    // One damaged file does not hide the others.
    fs::write(net.dir.join("wallets/carol.json"), "{").unwrap();
    let list = net.command(&["wallet", "list"]);
    assert!(list.stdout.contains("alice") && list.stdout.contains("bob"), "{list}");
    list.refused(1, &["carol.json", "next:"]);

    let config = val0.config();
    let start = ["start", "--config", config.to_str().unwrap(), "--log", "verbose"];
    run(&start).refused(3, &["`verbose` is no level", "next:"]);

    // A node that stands still delays the status by its time limits only.
    net.signal("val0", Signal::SIGSTOP);
    let asked = Instant::now();
    let status = net.testnet(&["status"]).ok();
    let took = asked.elapsed();
    net.signal("val0", Signal::SIGCONT);
    assert!(status.stdout.contains("does not answer"), "{status}");
    // Without a limit of its own it is 30 s.
    assert!(took < Duration::from_secs(15), "{took:?}");

    net.kill("val0");
    net.wallet(&["balance", "bob", "--all-nodes"]).refused(7, &["no node", "next:"]);
}
