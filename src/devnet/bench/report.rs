//! The figures of one measurement, as they are written as JSON.
use serde::Serialize;

/// All figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub(super) load: LoadFigures,
    pub(super) payments: PaymentFigures,
    /// Of payments sent within the window; none without payments.
    pub(super) finality: Option<FinalityFigures>,
    pub(super) wire: WireFigures,
    pub(super) blocks: BlockFigures,
    pub(super) machine: MachineFigures,
    pub(super) nodes: Vec<NodeFigures>,
}

impl Report {
    /// Failures that must not happen, in words.
    pub fn failure(&self) -> Option<String> {
        let PaymentFigures { rejected, lost, missed_blocks, .. } = self.payments;
        if rejected + lost == 0 {
            return None;
        }
        let mut text = format!("{rejected} payments rejected, {lost} not final at every node");
        if missed_blocks > 0 {
            text += &format!(" ({missed_blocks} blocks were missed by a slow reader of events)");
        }
        Some(text)
    }

    /// What the nodes said about the first refusals.
    pub fn first_refusals(&self) -> &[String] {
        &self.payments.first_refusals
    }
}

/// How payments were sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct LoadFigures {
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rate: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outstanding: Option<usize>,
    pub(super) validators: usize,
    pub(super) nodes: usize,
    pub(super) warmup_seconds: f64,
    pub(super) window_seconds: f64,
    /// Within the window.
    pub(super) sent_per_second: f64,
    /// The greatest delay of the open loop behind its own schedule.
    pub(super) latest_ms: f64,
}

/// The outcome of the payments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct PaymentFigures {
    pub(super) sent: usize,
    /// Final at the last node within the window.
    pub(super) committed_in_window: usize,
    pub(super) tx_per_second: f64,
    pub(super) rejected: usize,
    /// Not reported by every node within the time limit.
    pub(super) lost: usize,
    /// Blocks that the generator did not see because it read too slowly.
    pub(super) missed_blocks: u64,
    pub(super) first_refusals: Vec<String>,
    /// The limit that signatures set with the one key of this benchmark.
    pub(super) ceiling_tx_per_second: f64,
    pub(super) ceiling_ratio: f64,
    /// The same limit with a key for each payment.
    pub(super) ceiling_many_keys_tx_per_second: f64,
    pub(super) ceiling_many_keys_ratio: f64,
}

/// From the start of the call to the last node.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct FinalityFigures {
    pub(super) p50_ms: f64,
    pub(super) p90_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

/// What all nodes sent each other within the window, without encryption and framing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct WireFigures {
    pub(super) sent_bytes: u64,
    /// Of the payments that became final.
    pub(super) payload_bytes: u64,
    pub(super) sent_per_payload: Option<f64>,
    /// If every other node got each payment once, and nothing else.
    pub(super) minimum_per_payload: f64,
}

/// Blocks that were final and durable at the last node within the window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct BlockFigures {
    pub(super) count: usize,
    pub(super) per_second: f64,
    pub(super) tx_per_block: f64,
    pub(super) tx_per_block_max: usize,
    pub(super) empty: usize,
    pub(super) rounds_above_zero: usize,
}

/// Where the machine's processor time went within the window. 100 percent is one core.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct MachineFigures {
    pub(super) cores: usize,
    pub(super) load_average_before: f64,
    pub(super) nodes_core_percent: f64,
    pub(super) nodes_cpu_us_per_tx: Option<f64>,
    pub(super) generator_core_percent: f64,
    pub(super) generator_cpu_us_per_tx: Option<f64>,
    /// Processes outside the measurement: lower values make the figures more reliable.
    pub(super) others_core_percent: f64,
    pub(super) verify_one_key_per_second: f64,
    pub(super) verify_many_keys_per_second: f64,
}

/// What one node used within the window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct NodeFigures {
    pub(super) name: String,
    pub(super) cpu_seconds: f64,
    pub(super) cpu_us_per_tx: Option<f64>,
    pub(super) core_percent: f64,
    pub(super) resident_bytes: u64,
    pub(super) resident_max_bytes: u64,
    pub(super) written_bytes: u64,
    pub(super) written_bytes_per_tx: Option<f64>,
}
