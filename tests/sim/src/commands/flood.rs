//! `sim flood`: a masternode that sends without pause, and the memory that this takes.
use crate::print;
use clap::Args;
use std::{process::ExitCode, time::Instant};
use timecoin_sim::flood::{self, Progress};

/// The length of the flood, and the memory that it may cost.
#[derive(Args)]
pub(crate) struct FloodArgs {
    /// How many.
    #[arg(long, default_value_t = 10_000_000)]
    messages: u64,
    /// Messages between two lines.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// MiB of memory by which it may grow after the first line.
    #[arg(long, default_value_t = 32)]
    growth_mib: u64,
}

/// Stored messages must stay within their bounds, and the memory of the process near its value
/// after the first line, when every buffer has been full many times.
pub(crate) fn run(args: &FloodArgs) -> ExitCode {
    let began = Instant::now();
    let (mut first, mut most) = (None, 0);
    let outcome = flood::run(args.messages, args.every, |progress| {
        let resident = resident_kib();
        first.get_or_insert(resident);
        most = most.max(resident);
        print(&flood_line(progress, resident, began.elapsed().as_secs_f64()));
    });
    let growth = most.saturating_sub(first.unwrap_or(0));
    print(&format!("memory grew by {growth} KiB after the first line"));
    match outcome {
        Ok(_) if growth <= args.growth_mib * 1_024 => ExitCode::SUCCESS,
        Ok(_) => {
            print(&format!("FAILED more than {} MiB", args.growth_mib));
            ExitCode::FAILURE
        }
        Err(reason) => {
            print(&format!("FAILED {reason}"));
            ExitCode::FAILURE
        }
    }
}

fn flood_line(progress: &Progress, resident: u64, seconds: f64) -> String {
    let Progress { sent, ms, height, held, published, evidence } = progress;
    let books = held.books;
    format!(
        "{sent} messages to each of three, {:.0} handled a second, {} s virtual, height {height}; held: {} votes, \
         {} certificates and {} proposals of {} rounds, {} for later, {} heard, {} candidates; published {published}, \
         offenders found {evidence}; resident {resident} KiB",
        3.0 * *sent as f64 / seconds,
        ms / 1_000,
        books.votes,
        books.certificates,
        books.proposals,
        books.rounds,
        held.later,
        held.heard,
        held.candidates,
    )
}

/// Memory of this process, if the system reports it.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
