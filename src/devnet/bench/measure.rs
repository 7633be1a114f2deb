//! Computes the figures from the records.
use super::{
    Ceiling, Load, Node, Plan, Report,
    follow::SeenBlock,
    percentile::percentile,
    report::{
        BlockFigures, FinalityFigures, LoadFigures, MachineFigures, NodeFigures, PaymentFigures,
        WireFigures,
    },
    track::Record,
    usage::Usage,
};
use std::{collections::BTreeMap, ops::Range};

/// The resource usage of everything at one moment.
#[derive(Debug)]
pub(super) struct Marks {
    pub(super) at_us: u64,
    pub(super) nodes: Vec<Usage>,
    pub(super) own: Usage,
    pub(super) machine_cpu_seconds: f64,
    /// What each node has sent to others.
    pub(super) sent_bytes: Vec<u64>,
}

/// All records of a measurement.
#[derive(Debug)]
pub(super) struct Measured<'a> {
    pub(super) plan: &'a Plan,
    pub(super) nodes: &'a [Node],
    pub(super) ceiling: Ceiling,
    pub(super) load_before: f64,
    /// At the start and the end of the window.
    pub(super) marks: (Marks, Marks),
    pub(super) records: Vec<Record>,
    pub(super) late_us: u64,
    /// The bytes of one payment.
    pub(super) payment_bytes: usize,
    /// What each node reported.
    pub(super) blocks: Vec<Vec<SeenBlock>>,
}

/// The figures of one measurement.
pub(super) fn figures(measured: Measured<'_>, refusals: Vec<String>, missed_blocks: u64) -> Report {
    let (from, to) = &measured.marks;
    let window = from.at_us..to.at_us;
    let seconds = (to.at_us - from.at_us) as f64 / 1e6;
    let records = &measured.records;
    let committed = records.iter().filter(|record| is_within(record.final_us, &window)).count();
    let tx_per_second = committed as f64 / seconds;
    let validators = measured.plan.validators;
    let cores = measured.ceiling.cores;
    let one_key = measured.ceiling.one_key_per_node(validators);
    let many_keys = measured.ceiling.many_keys_per_node(validators);
    let nodes = node_figures(&measured, committed, seconds);
    let used_by_nodes: f64 = nodes.iter().map(|node| node.cpu_seconds).sum();
    let own = to.own.cpu_seconds - from.own.cpu_seconds;
    let machine = to.machine_cpu_seconds - from.machine_cpu_seconds;
    let percent = |cpu_seconds: f64| 100.0 * cpu_seconds / seconds;
    let is_refused = |record: &&Record| record.is_refused;
    let is_lost = |record: &&Record| record.final_us.is_none() && !record.is_refused;
    Report {
        load: load_figures(&measured, seconds, &window),
        payments: PaymentFigures {
            sent: records.len(),
            committed_in_window: committed,
            tx_per_second,
            rejected: records.iter().filter(is_refused).count(),
            lost: records.iter().filter(is_lost).count(),
            missed_blocks,
            first_refusals: refusals,
            ceiling_tx_per_second: one_key,
            ceiling_ratio: tx_per_second / one_key,
            ceiling_many_keys_tx_per_second: many_keys,
            ceiling_many_keys_ratio: tx_per_second / many_keys,
        },
        finality: finality_figures(records, &window),
        wire: wire_figures(&measured, committed),
        blocks: block_figures(&measured.blocks, &window, seconds),
        machine: MachineFigures {
            cores,
            load_average_before: measured.load_before,
            nodes_core_percent: percent(used_by_nodes),
            nodes_cpu_us_per_tx: per(used_by_nodes * 1e6, committed),
            generator_core_percent: percent(own),
            generator_cpu_us_per_tx: per(own * 1e6, committed),
            others_core_percent: percent((machine - used_by_nodes - own).max(0.0)),
            verify_one_key_per_second: measured.ceiling.one_key_per_second,
            verify_many_keys_per_second: measured.ceiling.many_keys_per_second,
        },
        nodes,
    }
}

fn is_within(at: Option<u64>, window: &Range<u64>) -> bool {
    at.is_some_and(|at| window.contains(&at))
}

/// A figure for each payment; `None` without payments.
fn per(total: f64, payments: usize) -> Option<f64> {
    (payments > 0).then(|| total / payments as f64)
}

fn load_figures(measured: &Measured<'_>, seconds: f64, window: &Range<u64>) -> LoadFigures {
    let sent = measured.records.iter().filter(|record| window.contains(&record.sent_us)).count();
    let (kind, rate, outstanding) = match measured.plan.load {
        Load::Idle => ("idle", None, None),
        Load::Rate(rate) => ("rate", Some(rate), None),
        Load::Maximum { outstanding } => ("maximum", None, Some(outstanding)),
    };
    LoadFigures {
        kind,
        rate,
        outstanding,
        validators: measured.plan.validators,
        nodes: measured.nodes.len(),
        warmup_seconds: measured.plan.warmup.as_secs_f64(),
        window_seconds: seconds,
        sent_per_second: sent as f64 / seconds,
        latest_ms: measured.late_us as f64 / 1e3,
    }
}

/// Of payments sent within the window, however late they became final.
fn finality_figures(records: &[Record], window: &Range<u64>) -> Option<FinalityFigures> {
    let mut times: Vec<u64> = records
        .iter()
        .filter(|record| window.contains(&record.sent_us))
        .filter_map(|record| Some(record.final_us?.saturating_sub(record.sent_us)))
        .collect();
    times.sort_unstable();
    let ms = |per_mille| Some(percentile(&times, per_mille)? as f64 / 1e3);
    Some(FinalityFigures {
        p50_ms: ms(500)?,
        p90_ms: ms(900)?,
        p99_ms: ms(990)?,
        max_ms: ms(1_000)?,
    })
}

/// Of heights that the last node reported within the window.
fn block_figures(blocks: &[Vec<SeenBlock>], window: &Range<u64>, seconds: f64) -> BlockFigures {
    let mut heights: BTreeMap<u64, (usize, SeenBlock)> = BTreeMap::new();
    for seen in blocks.iter().flatten() {
        let (reports, last) = heights.entry(seen.height).or_insert((0, *seen));
        *reports += 1;
        last.at_us = last.at_us.max(seen.at_us);
    }
    let whole: Vec<SeenBlock> = heights
        .into_values()
        .filter(|(reports, block)| *reports == blocks.len() && window.contains(&block.at_us))
        .map(|(_, block)| block)
        .collect();
    let transactions: usize = whole.iter().map(|block| block.transactions).sum();
    BlockFigures {
        count: whole.len(),
        per_second: whole.len() as f64 / seconds,
        tx_per_block: transactions as f64 / whole.len().max(1) as f64,
        tx_per_block_max: whole.iter().map(|block| block.transactions).max().unwrap_or(0),
        empty: whole.iter().filter(|block| block.transactions == 0).count(),
        rounds_above_zero: whole.iter().filter(|block| block.round > 0).count(),
    }
}

/// What the nodes sent each other for what became final.
fn wire_figures(measured: &Measured<'_>, committed: usize) -> WireFigures {
    let (from, to) = &measured.marks;
    let sent = |marks: &Marks| marks.sent_bytes.iter().sum::<u64>();
    let sent_bytes = sent(to).saturating_sub(sent(from));
    let payload_bytes = committed as u64 * measured.payment_bytes as u64;
    let others = measured.nodes.len().saturating_sub(1);
    WireFigures {
        sent_bytes,
        payload_bytes,
        sent_per_payload: per(sent_bytes as f64, committed)
            .map(|each| each / measured.payment_bytes as f64),
        minimum_per_payload: others as f64,
    }
}

fn node_figures(measured: &Measured<'_>, committed: usize, seconds: f64) -> Vec<NodeFigures> {
    let (from, to) = &measured.marks;
    measured
        .nodes
        .iter()
        .zip(from.nodes.iter().zip(&to.nodes))
        .map(|(node, (from, to))| {
            let cpu_seconds = to.cpu_seconds - from.cpu_seconds;
            let written_bytes = to.written_bytes.saturating_sub(from.written_bytes);
            NodeFigures {
                name: node.name.clone(),
                cpu_seconds,
                cpu_us_per_tx: per(cpu_seconds * 1e6, committed),
                core_percent: 100.0 * cpu_seconds / seconds,
                resident_bytes: to.resident_bytes,
                resident_max_bytes: to.resident_max_bytes,
                written_bytes,
                written_bytes_per_tx: per(written_bytes as f64, committed),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_counts_when_the_last_node_has_it() {
        let seen =
            |at_us, height, round, transactions| SeenBlock { at_us, height, round, transactions };
        let blocks = [
            vec![seen(90, 1, 0, 9), seen(110, 2, 1, 6), seen(190, 3, 0, 0), seen(199, 4, 0, 8)],
            vec![seen(99, 1, 0, 9), seen(115, 2, 1, 6), seen(195, 3, 0, 0), seen(201, 4, 0, 8)],
        ];
        let figures = block_figures(&blocks, &(100..200), 2.0);
        assert_eq!((figures.count, figures.empty, figures.rounds_above_zero), (2, 1, 1));
        assert_eq!((figures.per_second, figures.tx_per_block), (1.0, 3.0));
        assert_eq!(figures.tx_per_block_max, 6);
        let one_silent = [blocks[0].clone(), vec![]];
        assert_eq!(block_figures(&one_silent, &(100..200), 2.0).count, 0);
    }

    #[test]
    fn finality_is_of_payments_sent_in_the_window() {
        let record = |sent_us, final_us| Record { sent_us, final_us, is_refused: false };
        let records = [
            record(50, Some(150)),
            record(100, Some(3_100)),
            record(150, Some(9_150)),
            record(160, None),
        ];
        let figures = finality_figures(&records, &(100..200));
        assert_eq!(figures.map(|figures| (figures.p50_ms, figures.max_ms)), Some((3.0, 9.0)));
        assert!(finality_figures(&[], &(100..200)).is_none());
    }
}
