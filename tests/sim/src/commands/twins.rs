//! `sim twins`: runs all scenarios of twins, or a part without repetition.
use crate::print;
use clap::Args;
use std::{process::ExitCode, time::Instant};
use timecoin_sim::{
    batch,
    byzantine::twins::{HEIGHT, Space},
    coverage::Met,
    faults::Faults,
    world::{self, Options},
};

/// Heights that must be decided after the masks.
const HEIGHTS_AFTER: u64 = 10;
/// Numbers up to which all scenarios are counted.
const COUNTED_MAX: u64 = 10_000_000;

/// Failures that are printed.
const FAILURES_SHOWN: usize = 10;

/// Options of `sim twins`.
#[derive(Args)]
pub(crate) struct TwinsArgs {
    /// Masternodes.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(4..=16))]
    nodes: u8,
    /// Rounds with masks.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=5))]
    rounds: u32,
    /// Nodes with the key.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=3))]
    copies: u8,
    /// Run this many instead of all.
    #[arg(long)]
    cases: Option<usize>,
    /// Continue the enumeration from here.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Scenarios at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Run the scenario with this number only, and print a line for each event.
    #[arg(long)]
    case: Option<u64>,
}

/// Runs the command.
pub(crate) fn run(arguments: &TwinsArgs) -> ExitCode {
    let TwinsArgs { nodes, rounds, copies, cases, from, jobs, case } = *arguments;
    let Some(space) = Space::new(nodes, rounds, copies) else {
        print("so many scenarios have no numbers: fewer nodes, rounds or copies");
        return ExitCode::FAILURE;
    };
    if let Some(number) = case {
        return replay(&options(nodes, space, number, true));
    }
    let began = Instant::now();
    let is_scenario = |number: &u64| space.get(*number).is_some();
    let count = cases.unwrap_or(usize::MAX);
    let numbers: Vec<u64> = space.sample(from).filter(is_scenario).take(count).collect();
    let summary = batch::run_each(numbers.len() as u64, jobs, |index| {
        let number = numbers[usize::try_from(index).unwrap_or(usize::MAX)];
        (number, options(nodes, space, number, false))
    });
    for failure in summary.failures.iter().take(FAILURES_SHOWN) {
        let number = failure.seed;
        print(&format!("case {number}: {}", failure.reason));
        print(&format!(
            "  sim twins --nodes {nodes} --rounds {rounds} --copies {copies} --case {number}"
        ));
    }
    let seconds = began.elapsed().as_secs_f64();
    let all = match space.size() {
        size if size <= COUNTED_MAX => (0..size).filter(is_scenario).count().to_string(),
        size => format!("at most {size}"),
    };
    print(&format!(
        "{} scenarios of {all}, {} failed; {:.1}/s, {} heights, round 2 reached {} times, round 3 {}, \
         evidence {}, locks across rounds {}",
        summary.seeds,
        summary.failures.len(),
        summary.seeds as f64 / seconds,
        summary.heights,
        summary.coverage.count(Met::RoundTwo),
        summary.coverage.count(Met::RoundThree),
        summary.coverage.count(Met::EvidenceFound),
        summary.coverage.count(Met::LockAcrossRounds),
    ));
    if summary.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options(nodes: u8, space: Space, number: u64, trace: bool) -> Options {
    Options {
        masternodes: nodes,
        heights: HEIGHT.0 + HEIGHTS_AFTER,
        faults: Some(Faults { payment: None, ..Faults::none() }),
        twins: space.get(number),
        trace,
        ..Options::default()
    }
}

fn replay(options: &Options) -> ExitCode {
    let outcome = world::run(0, options);
    outcome.trace.iter().for_each(|line| print(line));
    match outcome.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            print(&format!("FAILED {violation}"));
            ExitCode::FAILURE
        }
    }
}
