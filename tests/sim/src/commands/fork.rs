//! `sim fork`: more than a third of the weight is Byzantine, and the votes must identify it.
use crate::print;
use clap::{Args, ValueEnum};
use std::process::ExitCode;
use timecoin_sim::{
    batch,
    byzantine::plot::Plot,
    faults::Faults,
    world::{self, Options},
};

/// A seed ends at this height if there is no fork.
const HEIGHTS: u64 = 30;

/// Options of `sim fork`.
#[derive(Args)]
pub(crate) struct ForkArgs {
    /// How many seeds of each plot.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Masternodes.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(4..=16))]
    nodes: u8,
    /// This plot only.
    #[arg(long, value_enum)]
    plot: Option<Plot>,
    /// Seeds at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Run one seed and print a line for each event.
    #[arg(long)]
    replay: Option<u64>,
}

/// Runs the command. Also fails if a plot never succeeds, because then nothing was tested.
pub(crate) fn run(arguments: &ForkArgs) -> ExitCode {
    let ForkArgs { seeds, first, nodes, jobs, plot, replay } = *arguments;
    let mut code = ExitCode::SUCCESS;
    for plot in Plot::ALL.into_iter().filter(|each| plot.is_none_or(|plot| plot == *each)) {
        let name = plot.to_possible_value().map_or(String::new(), |v| v.get_name().to_owned());
        if let Some(seed) = replay {
            world::run(seed, &options(nodes, plot, true)).trace.iter().for_each(|line| print(line));
            continue;
        }
        let summary = batch::run(first, seeds, jobs, &options(nodes, plot, false));
        for failure in &summary.failures {
            print(&format!("seed {}: {}", failure.seed, failure.reason));
            print(&format!("  sim fork --nodes {nodes} --plot {name} --replay {}", failure.seed));
        }
        let (forks, failed) = (summary.forks, summary.failures.len());
        print(&format!("{name}: {seeds} seeds, {forks} forks, {failed} failed"));
        if forks == 0 || failed > 0 {
            code = ExitCode::FAILURE;
        }
    }
    code
}

fn options(nodes: u8, plot: Plot, trace: bool) -> Options {
    Options {
        masternodes: nodes,
        heights: HEIGHTS,
        faults: Some(Faults::none()),
        fork: Some(plot),
        trace,
        ..Options::default()
    }
}
