//! The files for Prometheus and Grafana name only metrics that a node has, and each alert has its section in the runbook.
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The metrics that an expression names.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| word.starts_with("timecoin_") || word.starts_with("process_"));
    let plain = |word: &str| {
        let ends = ["_bucket", "_sum", "_count"];
        ends.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word).to_owned()
    };
    ours.map(plain).collect()
}

fn known() -> BTreeSet<String> {
    timecoin::metrics::list().into_iter().map(|row| row.name).collect()
}

/// The values of a key in a YAML file whose values are one line long.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.trim().strip_prefix(key)).map(str::trim).collect()
}

fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| expressions(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn alerts_name_metrics_that_a_node_has() {
    let missing: Vec<String> =
        names(&read("docker/prometheus/alerts.yml")).difference(&known()).cloned().collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn dashboards_name_metrics_that_a_node_has() {
    for name in ["network", "node", "masternodes"] {
        let board: Value =
            serde_json::from_str(&read(&format!("docker/grafana/dashboards/{name}.json"))).unwrap();
        let mut found = Vec::new();
        expressions(&board, &mut found);
        assert!(found.len() > 5, "{name} has {} queries", found.len());
        for expression in found {
            let missing: Vec<String> = names(&expression).difference(&known()).cloned().collect();
            assert_eq!(missing, Vec::<String>::new(), "{name}: {expression}");
        }
    }
}

#[test]
fn each_alert_has_a_section_in_the_runbook_and_two_tests() {
    let (alerts, runbook) = (read("docker/prometheus/alerts.yml"), read("docs/runbook.md"));
    let tests = read("docker/prometheus/alerts.test.yml");
    let named = values(&alerts, "- alert:");
    assert_eq!(values(&runbook, "## "), named, "sections, in the order of the alerts");
    let links: Vec<String> =
        named.iter().map(|name| format!("docs/runbook.md#{}", name.to_lowercase())).collect();
    assert_eq!(values(&alerts, "runbook_url:"), links);
    let cases: Vec<String> = named
        .iter()
        .flat_map(|name| [format!("{name} fires"), format!("{name} does not fire")])
        .collect();
    assert_eq!(values(&tests, "- name:"), cases);
}
