//! The cost of a killed proposer and of a partition, as `timecoin bench faults` measures it.
use crate::{net::Orphans, process::run, room::Room};
use serde_json::Value;

/// A generous limit: exact figures need an idle machine.
const BLOCK_WITHIN_MS: u64 = 20_000;

#[test]
fn the_chain_goes_on_after_killed_proposers_and_after_a_cut() {
    let _room = Room::alone();
    let files = tempfile::tempdir().unwrap();
    let dir = files.path().canonicalize().unwrap().join("net");
    let _orphans = Orphans::of(&dir);
    let faults = ["--kills", "2", "--partitions", "1", "--cut-ms", "5000"];
    let words = ["bench", "faults", "--json", "--dir", dir.to_str().unwrap()];
    let ended = run(&[&words[..], &faults].concat()).ok();
    println!("{}{}", ended.stderr, ended.stdout);
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    for (what, spread) in [
        ("a kill", &report["kills"]["next_block"]),
        ("a kill", &report["kills"]["longest"]),
        ("a cut", &report["partitions"]["everywhere"]),
    ] {
        let ms = spread["max_ms"].as_u64().unwrap();
        assert!(ms < BLOCK_WITHIN_MS, "no block within {ms} ms of {what}");
    }
    assert_eq!((&report["kills"]["count"], &report["partitions"]["count"]), (&2.into(), &1.into()));
}
