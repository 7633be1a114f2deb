//! `timecoin keys guard`: a safety record moves with its key and never goes backwards.
use crate::{
    net::Net,
    process::{Ended, run},
    room::Room,
    wait::eventually,
};
use serde_json::{Value, json};
use std::{fs, path::Path};
use timecoin_chain::{
    engine::{SafetyRecord, Stop},
    types::{Height, Round},
};
use timecoin_store::SafetyFile;

fn guard(words: &[&str], config: &Path) -> Ended {
    let mut all = vec!["keys", "guard"];
    all.extend(words);
    all.extend(["--config", config.to_str().unwrap()]);
    run(&all)
}

#[test]
fn a_record_is_exported_imported_and_never_taken_backwards() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    let config = val0.config();
    val0.reaches(2);
    guard(&["show"], &config).refused(4, &["already open"]);
    net.kill("val0");

    let shown = guard(&["show", "--json"], &config).json();
    let height = shown["height"].as_u64().unwrap();
    assert!(height >= 2, "{shown}");
    let file = val0.dir.join("record.json");
    let file = file.to_str().unwrap();
    guard(&["export", file], &config).ok();
    guard(&["export", file], &config).refused(1, &["record.json exists", "nothing was changed"]);
    assert_eq!(guard(&["show", "--json"], &config).json()["stopped"], "exported");
    let start = run(&["start", "--config", config.to_str().unwrap()]);
    println!("{}", start.refused(11, &["record was exported", "next:"]));

    let second = val0.dir.join("second.json");
    let second = second.to_str().unwrap();
    let again = guard(&["export", second], &config).ok();
    assert!(again.stderr.contains("exported before"), "{again}");
    guard(&["import", second], &config).ok();
    assert!(guard(&["show", "--json"], &config).json()["stopped"].is_null());
    {
        let _node = val0.start(&[]);
        val0.reaches(height + 2);
    }
    println!("{}", guard(&["import", file], &config).refused(1, &["could sign twice", "next:"]));
    let after = guard(&["show", "--json"], &config).json();
    assert!(after["height"].as_u64().unwrap() > height, "nothing was changed: {after}");

    guard(&["reset", "--first-height", "999"], &config)
        .refused(2, &["forgets what the key signed"]);
    let words = ["reset", "--first-height", "1", "--accept-double-sign-risk"];
    guard(&words, &config).refused(1, &["nothing is lost"]);
}

#[test]
fn an_export_that_writes_no_file_stops_the_directory_and_is_done_again() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    let config = val0.config();
    let height = val0.reaches(2);
    net.kill("val0");
    let missing = val0.dir.join("missing/record.json");
    let error = guard(&["export", missing.to_str().unwrap()], &config)
        .refused(1, &["signs no more", "export again", "next: timecoin keys guard export"]);
    println!("{error}");
    run(&["start", "--config", config.to_str().unwrap()]).refused(11, &["was exported"]);

    let file = val0.dir.join("record.json");
    guard(&["export", file.to_str().unwrap()], &config).ok();
    guard(&["import", file.to_str().unwrap()], &config).ok();
    let _node = val0.start(&[]);
    val0.reaches(height + 2);
}

#[test]
fn a_foreign_signature_is_not_forgotten() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    let config = val0.config();
    net.kill("val0");
    let file = val0.dir.join("record.json");
    let file = file.to_str().unwrap();
    guard(&["export", file], &config).ok();

    let read = || SafetyFile::open(&val0.dir.join("data"), &net.genesis()).unwrap();
    let found = read().load().unwrap().unwrap();
    let (ends, round) = (found.record.height.0, found.record.round.0);
    // In the record's own slot, and long after it.
    for (height, round) in [(ends, round), (ends + 400, 3)] {
        let stopped = Some(Stop::Foreign(Height(height), Round(round)));
        let record = SafetyRecord { stopped, ..found.record.clone() };
        read().replace(&record, &found.blocks).unwrap();
        let shown = guard(&["show", "--json"], &config).json();
        assert_eq!(shown["stopped"], "foreign");
        assert_eq!(
            (&shown["foreign_height"], &shown["foreign_round"]),
            (&height.into(), &round.into())
        );
        let place = format!("height {height} round {round}");
        let shown = guard(&["show"], &config).ok();
        assert!(shown.stdout.contains(&place), "{shown}");

        guard(&["import", file], &config).refused(1, &[&place, "elsewhere", "could sign twice"]);
        let other = format!("{file}.{height}");
        guard(&["export", &other], &config).refused(1, &[&place, "next:"]);
        assert!(!Path::new(&other).exists());
        let reset = |first: u64| {
            let first = first.to_string();
            guard(&["reset", "--first-height", &first, "--accept-double-sign-risk"], &config)
        };
        let free = height + 1;
        let next = format!("--first-height {free} --accept-double-sign-risk --config");
        println!("{}", reset(height).refused(1, &[&format!("at height {height},"), &next]));
        if height > ends {
            reset(ends + 1).refused(1, &[&format!("at height {height},"), &next]);
        }
        assert_eq!(read().load().unwrap().unwrap().record, record, "nothing was changed");
        reset(free).ok();
        assert_eq!(guard(&["show", "--json"], &config).json()["height"], free);
    }
}

#[test]
fn a_reset_to_a_height_that_the_chain_has_not_reached_is_refused_and_corrected() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    let config = val0.config();
    val0.reaches(2);
    net.kill("val0");
    let data = val0.dir.join("data");
    let reset = |first: u64| {
        let first = first.to_string();
        guard(&["reset", "--first-height", &first, "--accept-double-sign-risk"], &config)
    };
    let ends = guard(&["show", "--json"], &config).json()["height"].as_u64().unwrap();
    println!("{}", reset(5_000).refused(2, &["5000 is too high", "next: timecoin start"]));

    // As a release before this one let it be set.
    let far = Height(5_000);
    let read = || SafetyFile::open(&data, &net.genesis()).unwrap();
    let key = read().load().unwrap().unwrap().record.key;
    read().replace(&SafetyRecord::blank(key, far, Round(0)), &[]).unwrap();
    {
        let _node = val0.start(&[]);
        eventually("health says from where the key signs", || {
            let (_, text) =
                val0.client.get("/readyz?verbose").map_err(|error| error.to_string())?;
            if text.contains("[!] signing: from height 5000") { Ok(()) } else { Err(text) }
        });
    }
    reset(ends + 1).ok();
    let _node = val0.start(&[]);
    val0.reaches(ends + 3);
}

#[test]
fn guard_commands_act_on_the_directory_that_start_would_use() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    let config = val0.config();
    net.kill("val0");
    let (data, moved) = (val0.dir.join("data"), val0.dir.join("moved"));
    std::fs::rename(&data, &moved).unwrap();
    let moved = moved.to_str().unwrap();
    guard(&["show"], &config).refused(1, &["holds no record", "next:"]);
    let line = format!("data directory {moved}");
    let file = val0.dir.join("record.json");
    let file = file.to_str().unwrap();
    let exported = guard(&["export", file, "--data-dir", moved], &config).ok();
    assert!(exported.stderr.contains(&line), "{exported}");
    let words = ["start", "--config", config.to_str().unwrap(), "--data-dir", moved];
    run(&words).refused(11, &["was exported", &format!("--data-dir {moved};")]);

    let set = format!("data_dir={moved}");
    let shown = guard(&["show", "--json", "--set", &set], &config).json();
    assert_eq!((&shown["data_dir"], &shown["stopped"]), (&moved.into(), &"exported".into()));
    let words = ["reset", "--first-height", "1", "--accept-double-sign-risk", "--set", &set];
    guard(&words, &config).refused(1, &[&line, "was exported: nothing is lost", &set]);
    let imported = guard(&["import", file, "--data-dir", moved], &config).ok();
    assert!(imported.stdout.contains(&format!("--data-dir {moved}")), "{imported}");
}

#[test]
fn what_is_no_record_of_this_key_is_refused() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    let config = val0.config();
    net.kill("val0");
    let file = val0.dir.join("record.json");
    guard(&["export", file.to_str().unwrap()], &config).ok();
    let good = std::fs::read_to_string(&file).unwrap();
    let export: serde_json::Value = serde_json::from_str(&good).unwrap();
    let cases = [
        ("format", serde_json::json!("other/1"), "its format is other/1"),
        ("genesis", serde_json::json!("00"), "it is of chain 00"),
        ("key", serde_json::json!("00"), "this node's is"),
        ("height", serde_json::json!(7_777), "it was edited"),
        ("record", serde_json::json!("0011"), "malformed"),
        ("digest", serde_json::json!("00"), "it was damaged"),
        ("more", serde_json::json!(1), "unknown field"),
    ];
    for (field, value, word) in cases {
        let mut changed = export.clone();
        changed[field] = value;
        std::fs::write(&file, changed.to_string()).unwrap();
        guard(&["import", file.to_str().unwrap()], &config).refused(1, &[word, "next:"]);
    }
    std::fs::write(&file, &good).unwrap();
    guard(&["import", file.to_str().unwrap()], &config).ok();
}

#[test]
fn with_every_volume_lost_a_dev_network_begins_anew_only_if_it_is_told_to() {
    let net = Net::single(Room::one());
    let val0 = net.node("val0");
    val0.reaches(2);
    net.kill("val0");
    fs::remove_dir_all(val0.dir.join("data")).unwrap();
    {
        let _node = val0.start(&[]);
        eventually("it observes", || match val0.log().contains("signing: observing") {
            true => Ok(()),
            false => Err(val0.log()),
        });
    }
    fs::remove_dir_all(val0.dir.join("data")).unwrap();
    let _node = val0.start(&["--set", "keys.begin_record=true"]);
    val0.reaches(2);
}

#[test]
fn a_key_whose_volume_alone_was_lost_stops_at_the_votes_that_others_hold() {
    let net = Net::up(Room::one(), 4, 0, &["--block-interval-ms", "500"]);
    let (val0, val1) = (net.node("val0"), net.node("val1"));
    val0.reaches(3);
    net.kill("val0");
    fs::remove_dir_all(val0.dir.join("data")).unwrap();
    let mut process = val0.start(&["--set", "keys.begin_record=true"]);
    assert_eq!(process.end(), 11, "{}", val0.log());
    assert!(val0.log().contains("and not here"), "{}", val0.log());
    val1.reaches(val1.height() + 2);
    assert_eq!(val1.call::<Value>("listevidence", json!([])), json!([]));
}
