//! Signals, and `testnet down`.
use crate::{
    net::Net,
    process::{Process, program, run_on_a_bad_disk, runs_with},
    room::Room,
    wait::eventually,
};
use nix::sys::signal::Signal;
use std::{fs, fs::File, time::Instant};

/// How long five nodes may take to stop: a tenth of a second is usual.
const DOWN_WITHIN_MS: u64 = 5_000;
/// The exit code that a shell shows for an interrupted program.
const STOPPED_AT_ONCE: i32 = 130;

#[test]
fn down_stops_all_nodes_within_seconds_and_leaves_no_process() {
    let net = Net::five(Room::one());
    let pids: Vec<u32> = net.nodes.iter().map(|node| net.pid(&node.name)).collect();
    let down = net.testnet(&["down", "--json"]).json();
    println!("five nodes stopped in {} ms", down["took_ms"]);
    assert_eq!(down["stopped"].as_array().unwrap().len(), 5, "{down}");
    assert!(down["took_ms"].as_u64().unwrap() < DOWN_WITHIN_MS, "{down}");
    for (node, pid) in net.nodes.iter().zip(pids) {
        assert!(!runs_with(pid, &node.config()), "{} runs", node.name);
        assert!(!node.dir.join("data/.cookie").exists(), "the cookie of {}", node.name);
        assert!(node.log().trim_end().ends_with("stopped"), "the end of the log of {}", node.name);
    }
    let status = net.testnet(&["status", "--json"]).json();
    assert!(status["nodes"].as_array().unwrap().iter().all(|node| node["running"] == false));
    let again = net.testnet(&["down", "--json"]).json();
    assert_eq!(again["stopped"].as_array().unwrap().len(), 0);
    net.assert_sound();
}

#[test]
fn a_signal_stops_a_node_with_exit_code_0_and_it_goes_on_where_it_was() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    net.testnet(&["down"]).ok();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut process = Process::node(&val0.config(), &[]);
        let height = val0.reaches(1);
        let at = val0.hash_at(height);
        let begun = Instant::now();
        process.signal(signal);
        assert_eq!(process.end(), 0, "{signal}");
        println!("{signal} ends a node in {} ms", begun.elapsed().as_millis());
        net.testnet(&["start", "val0"]).ok();
        val0.reaches(height + 1);
        assert_eq!(val0.hash_at(height), at);
        net.testnet(&["down"]).ok();
    }
    net.assert_sound();
}

#[test]
fn a_disk_that_fails_stops_a_node_with_exit_code_5_and_what_was_final_stays() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    let height = val0.reaches(1);
    let at = val0.hash_at(height);
    net.testnet(&["down"]).ok();
    let config = val0.config();
    let said = run_on_a_bad_disk(&["start", "--config", config.to_str().unwrap()]);
    println!("{}", said.refused(5, &["redb failed", "File too large", "next: check the disk"]));
    net.testnet(&["start", "val0"]).ok();
    val0.reaches(height + 1);
    assert_eq!(val0.hash_at(height), at);
    net.assert_sound();
}

#[test]
fn a_second_signal_stops_a_node_at_once() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    net.testnet(&["down"]).ok();
    for (first, second) in [(Signal::SIGTERM, Signal::SIGINT), (Signal::SIGINT, Signal::SIGTERM)] {
        let mut process = Process::node(&val0.config(), &[]);
        val0.reaches(1);
        // Both signals are pending when it wakes: a graceful stop is so quick that a later second
        // signal would miss it.
        process.signal(Signal::SIGSTOP);
        process.signal(first);
        process.signal(second);
        let begun = Instant::now();
        process.signal(Signal::SIGCONT);
        assert_eq!(process.end(), STOPPED_AT_ONCE, "{first}, {second}");
        println!("{first} and {second} end a node in {} ms", begun.elapsed().as_millis());
    }
    net.assert_sound();
}

#[test]
fn an_interrupt_of_a_network_in_the_foreground_stops_its_nodes() {
    let net = Net::single(Room::one());
    net.testnet(&["down"]).ok();
    let screen = net.dir.join("screen");
    let mut command = program();
    command.args(["testnet", "up", "--dir"]).arg(&net.dir).stdout(File::create(&screen).unwrap());
    let mut process = Process::spawn(&mut command);
    let seen = |words: &str| {
        eventually(&format!("`{words}` on the screen"), || {
            let text = fs::read_to_string(&screen).unwrap();
            if text.contains(words) { Ok(()) } else { Err(text) }
        });
    };
    seen("next block final in");
    seen("Ctrl-C stops all nodes");
    let pid = net.pid("val0");
    let config = net.node("val0").config();
    assert!(runs_with(pid, &config) && process.is_running());
    process.signal(Signal::SIGINT);
    assert_eq!(process.end(), 0);
    seen("1 node stopped cleanly in");
    assert!(!runs_with(pid, &config));
    net.assert_sound();
}
