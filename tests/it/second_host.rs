//! A masternode's key on a second host without a safety record, while a slow first host signs.
use crate::{
    net::{Net, Node},
    ports,
    process::{has_ended, run},
    room::Room,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// More than `clock_drift_max` and a few heights.
const WATCHED: Duration = Duration::from_secs(20);
/// How long the first host pauses in every 400 ms.
const PAUSE: Duration = Duration::from_millis(60);
const RUN: Duration = Duration::from_millis(340);

#[test]
fn a_second_host_without_a_record_signs_nothing_and_stops_and_the_slow_first_one_goes_on() {
    let net = Net::up(Room::alone(), 4, 1, &["--block-interval-ms", "500"]);
    let (first, other) = (net.node("val0"), net.node("val1"));
    let base = ports::free_base(1);
    let second = Node::at("second".into(), net.dir.join("second"), base, base + 1);
    let (dir, genesis) = (second.dir.to_str().unwrap(), net.genesis_file());
    let genesis = genesis.to_str().unwrap();
    run(&["init", "--dir", dir, "--genesis", genesis, "--bootstrap", &other.address()]).ok();
    let key = format!("keys.consensus_key={}", first.dir.join("consensus.key").display());
    let more = ["--set", "network.allow_private=true", "--set", &key];
    let mut process = second.start(&more);
    let begun = Instant::now();
    while begun.elapsed() < WATCHED {
        net.signal("val0", Signal::SIGSTOP);
        sleep(PAUSE);
        net.signal("val0", Signal::SIGCONT);
        sleep(RUN);
    }
    assert_eq!(process.end(), 11, "{}", second.log());
    let log = second.log();
    assert!(log.contains("signing: observing"), "{log}");
    assert!(log.contains("and not here"), "{log}");
    assert!(!log.contains("signing: yes"), "{log}");
    assert!(!has_ended(net.pid("val0")), "the first host goes on");
    first.reaches(other.height() + 2);
    assert_eq!(other.call::<Value>("listevidence", json!([])), json!([]));
    net.assert_sound();
}
