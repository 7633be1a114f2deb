//! All metrics as rows: what `timecoin metrics list` prints and `docs/metrics.md` holds.
use super::catalog::{self, Kind, Metric};
use serde::Serialize;
use timecoin_network::NetworkStats;

/// One metric in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The name of its samples.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: Vec<&'static str>,
    /// Its base unit, if it is not a number of things.
    pub unit: Option<&'static str>,
    /// What it says.
    pub help: &'static str,
}

/// Every metric, by name.
pub fn list() -> Vec<Row> {
    let row = |name: String, kind: Kind, labels: Vec<&'static str>, help| {
        let unit = Metric::unit(&name);
        Row { name, kind: kind.name(), labels, unit, help }
    };
    let own = catalog::OWN.iter().map(|metric| {
        row(metric.name.to_owned(), metric.kind, metric.labels.to_vec(), metric.help)
    });
    let samples = NetworkStats::default().samples();
    let network = samples.iter().filter_map(catalog::of_network).map(|metric| {
        row(metric.name(), metric.kind, metric.label.into_iter().collect(), metric.help)
    });
    let mut rows: Vec<Row> = own.chain(network).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows.dedup();
    rows
}

/// The rows as a table in Markdown.
pub fn markdown() -> String {
    let mut text = "| name | type | labels | unit | help |\n|---|---|---|---|---|\n".to_owned();
    for Row { name, kind, labels, unit, help } in list() {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let (labels, unit) = (labels.join(", "), unit.unwrap_or_default());
        text.push_str(&format!("| `{name}` | {kind} | {labels} | {unit} | {help} |\n"));
    }
    text
}
