//! `sim`: runs seeds, replays one, prints its digest.
mod commands;

use clap::{Args, Parser, Subcommand, ValueEnum};
use commands::{exhaust, flood, fork, scale, twins};
use std::{io::Write, process::ExitCode, time::Instant};
use timecoin_sim::{
    batch::{self, Summary},
    byzantine::Role,
    coverage::Met,
    faults::Faults,
    shrink,
    world::{self, Options},
};

/// A batch of at least this many seeds with four nodes or more must meet everything in `coverage`.
const SEEDS_THAT_MEET_ALL: u64 = 1_000;

/// Lines before a failure that shrinking shows.
const TRACE_LINES: usize = 40;

#[derive(Parser)]
#[command(about = "Runs the node's engine under virtual time and seeded faults")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run many seeds.
    Run {
        /// How many.
        #[arg(long)]
        seeds: u64,
        /// The first of them.
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Seeds at a time.
        #[arg(long, default_value_t = 2)]
        jobs: usize,
        /// Stop at the first seed that fails.
        #[arg(long)]
        until_failure: bool,
        #[command(flatten)]
        world: WorldArgs,
    },
    /// Run one seed and print a line for each event.
    Replay {
        /// Which.
        #[arg(long)]
        seed: u64,
        /// Stop after the event with this number.
        #[arg(long)]
        until: Option<u64>,
        #[command(flatten)]
        world: WorldArgs,
    },
    /// Shrink a seed that fails, and print it as a regression test.
    Shrink {
        /// Which.
        #[arg(long)]
        seed: u64,
        /// The maximum number of runs.
        #[arg(long, default_value_t = 2_000)]
        runs: u64,
        #[command(flatten)]
        world: WorldArgs,
    },
    /// Go through every state of the consensus core.
    Exhaust(exhaust::ExhaustArgs),
    /// One masternode sends signed messages without pause, all different, to three honest ones.
    Flood(flood::FloodArgs),
    /// Run a large network and say what it costs each node.
    Scale(scale::ScaleArgs),
    /// Let more than a third of the weight fork the chain, and see that the votes name them.
    Fork(fork::ForkArgs),
    /// Run scenarios of twins: one key on several nodes, and masks for who reaches whom.
    Twins(twins::TwinsArgs),
    /// Run one seed and print the digest over its events.
    Hash {
        /// Which.
        #[arg(long)]
        seed: u64,
        #[command(flatten)]
        world: WorldArgs,
    },
}

#[derive(Args)]
struct WorldArgs {
    /// Masternodes.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=60))]
    nodes: u8,
    /// The minimum number of heights.
    #[arg(long, default_value_t = 20)]
    heights: u64,
    /// Use ed25519 in every seed, not only in a few.
    #[arg(long)]
    real_signatures: bool,
    /// What masternodes with up to a third of the weight do in every seed, not what it draws.
    #[arg(long, value_enum)]
    byzantine: Option<Role>,
    /// Flood a large masternode set in every seed.
    #[arg(long)]
    flood: bool,
    /// No faults at all.
    #[arg(long)]
    calm: bool,
}

impl WorldArgs {
    fn options(&self, trace: bool) -> Options {
        Options {
            masternodes: self.nodes,
            heights: self.heights,
            real_signatures: self.real_signatures,
            faults: self.calm.then(Faults::none),
            byzantine: self.byzantine,
            is_flood: self.flood,
            trace,
            ..Options::default()
        }
    }

    /// As typed, if it is not the default.
    fn text(&self) -> String {
        let mut text = format!(" --nodes {} --heights {}", self.nodes, self.heights);
        if self.real_signatures {
            text.push_str(" --real-signatures");
        }
        if let Some(role) = self.byzantine.and_then(|role| role.to_possible_value()) {
            text.push_str(&format!(" --byzantine {}", role.get_name()));
        }
        if self.flood {
            text.push_str(" --flood");
        }
        if self.calm {
            text.push_str(" --calm");
        }
        text
    }
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run { seeds, first, jobs, until_failure, world } => {
            let began = Instant::now();
            let run_seeds = if until_failure { batch::run_until_failure } else { batch::run };
            let summary = run_seeds(first, seeds, jobs, &world.options(false));
            show(&summary, began.elapsed().as_secs_f64(), &world)
        }
        Command::Replay { seed, until, world } => replay(seed, until, &world),
        Command::Shrink { seed, runs, world } => shrink(seed, runs, &world),
        Command::Exhaust(arguments) => exhaust::run(&arguments),
        Command::Flood(arguments) => flood::run(&arguments),
        Command::Scale(arguments) => scale::run(&arguments),
        Command::Fork(arguments) => fork::run(&arguments),
        Command::Twins(arguments) => twins::run(&arguments),
        Command::Hash { seed, world } => {
            print(&hex(&world::run(seed, &world.options(false)).hash));
            ExitCode::SUCCESS
        }
    }
}

fn show(summary: &Summary, seconds: f64, world: &WorldArgs) -> ExitCode {
    for failure in &summary.failures {
        print(&format!("seed {}: {}", failure.seed, failure.reason));
        let command = format!("--seed {}{}", failure.seed, world.text());
        print(&format!("  sim replay {command}\n  sim shrink {command}"));
    }
    let counts: Vec<String> =
        Met::ALL.iter().map(|met| format!("{met:?} {}", summary.coverage.count(*met))).collect();
    print(&format!("met: {}", counts.join(", ")));
    print(&summary_line(summary, seconds));
    let missing = summary.coverage.missing();
    let has_all = !world.calm && !world.flood && world.byzantine.is_none() && world.nodes >= 4;
    let must_meet_all = has_all && summary.seeds >= SEEDS_THAT_MEET_ALL;
    if must_meet_all && !missing.is_empty() {
        print(&format!("never met: {missing:?}"));
    }
    match summary.failures.is_empty() && (missing.is_empty() || !must_meet_all) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn summary_line(summary: &Summary, seconds: f64) -> String {
    let Summary { seeds, events, time, heights, slowest, vote_wait, repeated, failures, .. } =
        summary;
    format!(
        "{seeds} seeds, {} failed, {repeated} repeated; {:.1} seeds/s, {events} events, {heights} \
         heights, {} s virtual, {:.0}x real time; slowest recovery {} ms (seed {}); \
         flooded votes wait {} ms (seed {})",
        failures.len(),
        *seeds as f64 / seconds,
        time / world::SECOND,
        *time as f64 / world::SECOND as f64 / seconds,
        slowest.0 / 1_000,
        slowest.1,
        vote_wait.0 / 1_000,
        vote_wait.1,
    )
}

fn replay(seed: u64, until: Option<u64>, world: &WorldArgs) -> ExitCode {
    let outcome = world::run(seed, &Options { until, ..world.options(true) });
    for line in &outcome.trace {
        print(line);
    }
    print(&format!(
        "{} events, {} ms virtual, height {}, hash {}",
        outcome.events,
        outcome.time / 1_000,
        outcome.height,
        hex(&outcome.hash)
    ));
    match outcome.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            print(&format!("FAILED {violation}"));
            ExitCode::FAILURE
        }
    }
}

fn shrink(seed: u64, runs: u64, world: &WorldArgs) -> ExitCode {
    let Some(shrunk) = shrink::shrink(seed, &world.options(false), runs) else {
        print(&format!("seed {seed} does not fail"));
        return ExitCode::SUCCESS;
    };
    let outcome = world::run(seed, &Options { trace: true, ..shrunk.options.clone() });
    let last = outcome.trace.len().saturating_sub(TRACE_LINES);
    outcome.trace[last..].iter().for_each(|line| print(line));
    if let Some(violation) = outcome.violation {
        print(&format!("FAILED {violation}"));
    }
    print(&format!("after {} runs, for tests/sim/tests/regressions.rs:\n", shrunk.runs));
    print(&shrink::regression_test(&shrunk));
    ExitCode::FAILURE
}

/// A closed pipe only ends the output.
fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
