//! `sim scale`: one seed of a large network, and what each node sent, received and waited for.
use crate::print;
use clap::Args;
use std::{process::ExitCode, time::Instant};
use timecoin_sim::{
    coverage::Met,
    obstacles::Kind,
    scale::Scale,
    traffic::{Count, NodeTraffic, Traffic},
    world::{self, Outcome, SECOND},
};

/// Options of `sim scale`.
#[derive(Args)]
pub(crate) struct ScaleArgs {
    /// Masternodes. Their weights are 1, 10 and 100 in turn.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u8).range(4..=100))]
    masternodes: u8,
    /// Nodes that do not vote.
    #[arg(long, default_value_t = 0)]
    observers: usize,
    /// The minimum number of heights.
    #[arg(long, default_value_t = 20)]
    heights: u64,
    /// Connections of a node on average.
    #[arg(long, default_value_t = 8)]
    degree: usize,
    /// Mean one-way delay of a link in milliseconds.
    #[arg(long, default_value_t = 20)]
    delay_ms: u64,
    /// Nodes leave and come back.
    #[arg(long)]
    churn: bool,
    /// The network partitions and heals.
    #[arg(long)]
    partition: bool,
    /// Which seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl ScaleArgs {
    fn scale(&self) -> Scale {
        Scale {
            masternodes: self.masternodes,
            observers: self.observers,
            heights: self.heights,
            degree: self.degree,
            delay: self.delay_ms * 1_000,
            churn: self.churn,
            partition: self.partition,
        }
    }
}

/// Runs the command.
pub(crate) fn run(arguments: &ScaleArgs) -> ExitCode {
    let began = Instant::now();
    let scale = arguments.scale();
    let outcome = world::run(arguments.seed, &scale.options());
    let seconds = began.elapsed().as_secs_f64();
    if let Some(traffic) = &outcome.traffic {
        lines(&outcome, traffic).iter().for_each(|line| print(line));
    }
    print(&format!(
        "{} masternodes, {} observers: {} events, {:.1} s virtual, {seconds:.1} s real, {} MiB at most",
        arguments.masternodes,
        arguments.observers,
        outcome.events,
        outcome.time as f64 / SECOND as f64,
        memory_mib().map_or("?".into(), |mib| mib.to_string()),
    ));
    let mut failures: Vec<String> = outcome.violation.iter().map(ToString::to_string).collect();
    failures.extend(scale.never_happened(&outcome).into_iter().map(String::from));
    failures.iter().for_each(|failure| print(&format!("FAILED {failure}")));
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn lines(outcome: &Outcome, traffic: &Traffic) -> Vec<String> {
    let later = traffic.rounds.values().filter(|round| **round > 0).count();
    let mut times = traffic.commit_times.clone();
    times.sort_unstable();
    let ms = |permille| quantile(&times, permille) / 1_000;
    let mut lines = vec![
        format!(
            "{} heights, {later} decided above round 0 (highest {}); {} partitions, {} crashes",
            outcome.height,
            traffic.rounds.values().max().unwrap_or(&0),
            outcome.coverage.count(Met::PartitionHealed),
            traffic.crashes,
        ),
        format!(
            "from proposal to commit, for each node: p50 {} ms, p99 {} ms, max {} ms ({} blocks); {} \
             blocks by sync",
            ms(500),
            ms(990),
            ms(1_000),
            times.len(),
            traffic.synced
        ),
    ];
    let head = ["", "mean", "p99", "max", "KiB mean", "p99", "max"];
    lines.push(row(head.map(String::from)));
    for kind in Kind::ALL {
        lines.push(counts(traffic, &format!("{kind:?} sent"), |node| node.sent[kind as usize]));
        let received = |node: &NodeTraffic| node.received[kind as usize];
        lines.push(counts(traffic, &format!("{kind:?} received"), received));
    }
    lines
}

/// One line: messages and KiB of a node.
fn counts(traffic: &Traffic, name: &str, count: impl Fn(&NodeTraffic) -> Count) -> String {
    let sorted = |number: fn(Count) -> u64| {
        let mut numbers: Vec<u64> = traffic.nodes.iter().map(|node| number(count(node))).collect();
        numbers.sort_unstable();
        let mean = numbers.iter().sum::<u64>() / numbers.len().max(1) as u64;
        [mean, quantile(&numbers, 990), quantile(&numbers, 1_000)]
    };
    let [mean, p99, max] = sorted(|count| count.messages).map(|number| number.to_string());
    let [kib_mean, kib_p99, kib_max] =
        sorted(|count| count.bytes).map(|bytes| format!("{:.1}", bytes as f64 / 1024.0));
    row([name.into(), mean, p99, max, kib_mean, kib_p99, kib_max])
}

fn row([name, a, b, c, d, e, f]: [String; 7]) -> String {
    format!("  {name:<22}{a:>9}{b:>9}{c:>9}{d:>12}{e:>11}{f:>11}")
}

/// The value that this many of a thousand do not exceed.
fn quantile(sorted: &[u64], permille: usize) -> u64 {
    let place = (sorted.len() * permille).div_ceil(1_000).max(1) - 1;
    sorted.get(place).copied().unwrap_or(0)
}

/// The peak memory of this process, if the system reports it.
fn memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024)
}
