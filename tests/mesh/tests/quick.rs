//! Two scenarios on a small network, as `mesh run` does them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use std::process::{Command, Output};

fn mesh(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mesh")).args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_newcomer_finds_its_peers_and_a_killed_mesh_comes_back() {
    let ended = mesh(&["run", "newcomer", "rebirth", "--quick", "--nodes", "8"]);
    let (rows, errors) = (text(&ended.stdout), text(&ended.stderr));
    println!("{rows}{errors}");
    assert!(ended.status.success(), "{rows}{errors}");
    assert_eq!(rows.lines().filter(|row| row.contains("| holds")).count(), 2, "{rows}");
}

#[test]
fn on_the_loopback_it_says_what_is_not_run() {
    let ended = mesh(&["run", "sybils", "--loopback"]);
    assert!(ended.status.success());
    assert!(text(&ended.stdout).contains("not run: it needs network namespaces"));
}

#[test]
fn every_scenario_is_listed_and_an_unknown_one_is_refused_with_the_next_command() {
    let list = text(&mesh(&["list"]).stdout);
    assert_eq!(list.lines().count(), 12, "{list}");
    let ended = mesh(&["run", "nothing", "--loopback"]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(text(&ended.stderr).contains("next: mesh list"));
}
