//! The figures as a table for people.
use super::report::{NodeFigures, Report};
use std::fmt::{self, Display, Formatter};

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write_load(f)?;
        self.write_payments(f)?;
        let blocks = &self.blocks;
        writeln!(
            f,
            "  blocks      {:.2} /s   {:.1} tx each, at most {}   {} empty   {} in a round above 0",
            blocks.per_second,
            blocks.tx_per_block,
            blocks.tx_per_block_max,
            blocks.empty,
            blocks.rounds_above_zero
        )?;
        let wire = &self.wire;
        writeln!(
            f,
            "  traffic     {:.1} MiB between the nodes: {} x the payments' bytes, of which {:.0} x is the least",
            wire.sent_bytes as f64 / 1_048_576.0,
            optional(wire.sent_per_payload),
            wire.minimum_per_payload
        )?;
        self.write_machine(f)?;
        writeln!(f, "  node      CPU us/tx   % of a core   RSS MiB   highest   written bytes/tx")?;
        for (index, node) in self.nodes.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write_node(f, node)?;
        }
        Ok(())
    }
}

impl Report {
    fn write_load(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let load = &self.load;
        write!(f, "  load        ")?;
        match (load.rate, load.outstanding) {
            (Some(rate), _) => write!(
                f,
                "{rate} tx/s asked, {:.1} sent, at most {:.1} ms late",
                load.sent_per_second, load.latest_ms
            )?,
            (_, Some(outstanding)) => write!(f, "the maximum, {outstanding} on their way")?,
            _ => write!(f, "none")?,
        }
        writeln!(
            f,
            "   {} validators, {} more   window {:.1} s after {:.0} s",
            load.validators,
            load.nodes.saturating_sub(load.validators),
            load.window_seconds,
            load.warmup_seconds
        )
    }

    fn write_payments(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let payments = &self.payments;
        writeln!(
            f,
            "  committed   {:.1} tx/s   {} of {} sent   {} rejected   {} lost",
            payments.tx_per_second,
            payments.committed_in_window,
            payments.sent,
            payments.rejected,
            payments.lost
        )?;
        if let Some(finality) = &self.finality {
            writeln!(
                f,
                "  finality    p50 {:.1} ms   p90 {:.1}   p99 {:.1}   max {:.1}",
                finality.p50_ms, finality.p90_ms, finality.p99_ms, finality.max_ms
            )?;
        }
        writeln!(
            f,
            "  ceiling     {:.0} tx/s by signatures of one key: {:.1} % reached   \
             {:.0} by a key each: {:.1} %",
            payments.ceiling_tx_per_second,
            100.0 * payments.ceiling_ratio,
            payments.ceiling_many_keys_tx_per_second,
            100.0 * payments.ceiling_many_keys_ratio
        )
    }

    fn write_machine(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(
            f,
            "  machine     {} cores, load {:.2} before   nodes {:.0} % of a core, generator {:.0} %, \
             others {:.0} %",
            machine.cores,
            machine.load_average_before,
            machine.nodes_core_percent,
            machine.generator_core_percent,
            machine.others_core_percent
        )?;
        writeln!(
            f,
            "  CPU         nodes {} us/tx together, generator {} us/tx",
            optional(machine.nodes_cpu_us_per_tx),
            optional(machine.generator_cpu_us_per_tx)
        )
    }
}

fn write_node(f: &mut Formatter<'_>, node: &NodeFigures) -> fmt::Result {
    let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
    write!(
        f,
        "  {:<8}  {:>9}   {:>11.1}   {:>7.1}   {:>7.1}   {:>16}",
        node.name,
        optional(node.cpu_us_per_tx),
        node.core_percent,
        mib(node.resident_bytes),
        mib(node.resident_max_bytes),
        optional(node.written_bytes_per_tx)
    )
}

fn optional(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".into(), |figure| format!("{figure:.1}"))
}
