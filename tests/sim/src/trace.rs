//! The record of a run in two forms: a digest over everything, and lines for people.
use sha2::{Digest, Sha256};
use timecoin_chain::engine::Report;

/// A digest over every event and effect in order. Two runs of one seed have the same.
#[derive(Debug, Clone, Default)]
pub struct Auditor {
    hasher: Sha256,
    /// Events so far.
    pub events: u64,
}

impl Auditor {
    /// An event begins.
    pub fn event(&mut self, time: u64, node: usize, kind: u8, content: &[u8]) {
        self.events += 1;
        self.hasher.update(time.to_le_bytes());
        self.hasher.update((node as u64).to_le_bytes());
        self.detail(kind, content);
    }

    /// Adds data about the event.
    pub fn detail(&mut self, kind: u8, content: &[u8]) {
        self.hasher.update([kind]);
        self.hasher.update((content.len() as u64).to_le_bytes());
        self.hasher.update(content);
    }

    /// The digest.
    pub fn finish(self) -> [u8; 32] {
        self.hasher.finalize().into()
    }
}

/// Collects lines if enabled.
#[derive(Debug, Default)]
pub struct Trace {
    lines: Option<Vec<String>>,
}

impl Trace {
    /// A trace that keeps lines only if enabled.
    pub fn new(is_wanted: bool) -> Self {
        Self { lines: is_wanted.then(Vec::new) }
    }

    /// Whether a line would be kept.
    pub fn is_wanted(&self) -> bool {
        self.lines.is_some()
    }

    /// Keeps a line.
    pub fn line(&mut self, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(line());
        }
    }

    /// Appends to the last line.
    pub fn append(&mut self, text: impl FnOnce() -> String) {
        if let Some(last) = self.lines.as_mut().and_then(|lines| lines.last_mut()) {
            last.push_str(&text());
        }
    }

    /// All lines.
    pub fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}

/// A report in a few words.
pub fn describe(report: &Report) -> String {
    match report {
        Report::Round { height, round, why, proposer } => {
            format!("round {height}/{round} {} proposer {proposer}", why.code())
        }
        Report::Proposed { height, round, block, transactions } => {
            format!("proposed {height}/{round} {block:?} with {transactions}")
        }
        Report::Nil { height, round, kind, why } => {
            format!("nil {kind:?} {height}/{round} {why}")
        }
        Report::Final { height, round, block, synced, .. } => {
            let how = if *synced { " by sync" } else { "" };
            format!("committed {height}/{round} {block:?}{how}")
        }
        other => format!("{other:?}"),
    }
}
