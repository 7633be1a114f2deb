//! `timecoin keys guard`: a safety record goes where its key goes, and never backwards.
use crate::{
    net::Net,
    process::{Ended, run},
    room::Room,
};
use std::path::Path;

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
    guard(&["export", file], &config).refused(1, &["record.json"]);
    assert_eq!(guard(&["show", "--json"], &config).json()["stopped"], true);
    let start = run(&["start", "--config", config.to_str().unwrap()]);
    println!("{}", start.refused(11, &["signed at height", "next:"]));

    guard(&["import", file], &config).ok();
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
    run(&words).refused(11, &["next:", &format!("--data-dir {moved};")]);

    let set = format!("data_dir={moved}");
    let shown = guard(&["show", "--json", "--set", &set], &config).json();
    assert_eq!((&shown["data_dir"], &shown["stopped"]), (&moved.into(), &true.into()));
    let words = ["reset", "--first-height", "1", "--accept-double-sign-risk", "--set", &set];
    guard(&words, &config).refused(1, &[&line, "nothing is lost", &set]);
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
