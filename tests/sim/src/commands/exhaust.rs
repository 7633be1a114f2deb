//! `sim exhaust`: visits every state of the consensus core and counts them.
use crate::print;
use clap::Args;
use std::{process::ExitCode, time::Instant};
use timecoin_sim::exhaust::{self, Counts, Flaw, Options, Report};

/// Options of `sim exhaust`.
#[derive(Args)]
pub(crate) struct ExhaustArgs {
    /// Which masternodes are Byzantine, one after the other. Masternode R proposes in round R.
    #[arg(long, value_delimiter = ',', default_value = "0,1,2",
        value_parser = clap::value_parser!(u16).range(0..4))]
    byzantine: Vec<u16>,
    /// Rounds to explore; later ones are cut off.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    rounds: u8,
    /// Different blocks that may be proposed.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=3))]
    blocks: u8,
    /// Random walks of whole machines that must stay among the states found.
    #[arg(long, default_value_t = 2_000)]
    walks: u64,
    /// Begin no further rank after this many states.
    #[arg(long, default_value_t = u64::MAX)]
    states_max: u64,
    /// Check nothing but agreement.
    #[arg(long)]
    only_agreement: bool,
    /// Plant a fault: masternodes forget their locks.
    #[arg(long)]
    forget_locks: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &ExhaustArgs) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for &byzantine in &arguments.byzantine {
        let ExhaustArgs { rounds, blocks, walks, states_max, only_agreement, .. } = *arguments;
        let flaw = if arguments.forget_locks { Flaw::ForgetsLock } else { Flaw::None };
        let began = Instant::now();
        let report = exhaust::run(&Options {
            byzantine,
            rounds,
            blocks,
            walks,
            states_max,
            flaw,
            only_agreement,
        });
        print(&line(byzantine, &report, began.elapsed().as_secs_f64()));
        if let Some(violation) = &report.violation {
            report.trace.iter().for_each(|line| print(&format!("  {line}")));
            print(&format!("FAILED {violation}"));
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn line(byzantine: u16, report: &Report, seconds: f64) -> String {
    let Report { counts, locals, batches, looked_up, cut_at, .. } = report;
    let extent = match (cut_at, &report.violation) {
        (Some(rank), _) => format!("all of rank below {rank}"),
        (None, Some(_)) => "until it failed".into(),
        (None, None) => "complete".into(),
    };
    let Counts { states, moves, depth, decided, split_locks, later_votes, ends } = counts;
    format!(
        "masternode {byzantine} Byzantine: {states} states ({extent}), {moves} moves, depth {depth}, {ends} ends, \
         {seconds:.1} s; with a decision {decided}, with locks on two blocks {split_locks}, with a \
         vote after a lock {later_votes}; {locals} locals, {batches} batches, {looked_up} looked up"
    )
}
