//! `timecoin bench faults`: kills proposers and cuts the network while payments are pending, and
//! measures how long there is no block.
use super::{
    cut::{self, Cut, Means},
    ending::check_interrupts,
    local::{Network, Shape},
};
use crate::{
    devnet::bench::{Feed, Spread, Wait, Watch},
    terminal::{CliError, Exit, Interrupts, output},
};
use clap::Args;
use serde::Serialize;
use std::{
    fmt, thread,
    time::{Duration, Instant},
};
use timecoin_chain::{
    genesis::Chain,
    types::{Height, Round},
};

/// How long a block may take after a fault before the measurement fails.
const PATIENCE: Duration = Duration::from_secs(90);
/// Blocks between two faults, so that timeouts return to their usual values.
const CALM_BLOCKS: u64 = 10;
/// A proposer is killed this long after the block before its own, alternately before and after its
/// own is due.
const KILL_AFTER_MS: [u64; 6] = [0, 25, 50, 75, 100, 125];

#[derive(Debug, Args)]
pub(crate) struct FaultsArgs {
    #[command(flatten)]
    shape: Shape,
    /// How often the proposer of a coming block is killed. It is started again each time.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=1_000))]
    kills: u64,
    /// How often the network is cut in two halves, neither of which can decide.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u64).range(0..=1_000))]
    partitions: u64,
    /// How long each cut lasts.
    #[arg(long, value_name = "MS", default_value_t = 6_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    cut_ms: u64,
    /// Payments a second.
    #[arg(long, value_name = "R", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    rate: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// This process is in a network namespace of its own.
    #[arg(long, hide = true)]
    in_namespace: bool,
}

/// The cost of the faults.
#[derive(Debug, Serialize)]
struct Report {
    kills: Option<Kills>,
    partitions: Option<Partitions>,
    height: u64,
}

#[derive(Debug, Serialize)]
struct Kills {
    count: u64,
    /// From the kill to a block at every other node.
    next_block: Spread,
    /// The longest time without a block within the next two turns of the killed one.
    longest: Spread,
}

#[derive(Debug, Serialize)]
struct Partitions {
    count: u64,
    cut_ms: u64,
    means: &'static str,
    /// From the end of the cut to a new block at the first node.
    next_block: Spread,
    /// The same at the last node.
    everywhere: Spread,
}

pub(super) fn run(args: &FaultsArgs) -> Result<(), CliError> {
    if args.partitions > 0 && !args.in_namespace {
        cut::enter_namespace();
    }
    let interrupts = Interrupts::listen()?;
    let means = if args.in_namespace { Means::Routes } else { Means::Stop };
    if args.in_namespace {
        cut::set_up_namespace()?;
    }
    let coins = usize::try_from(args.payments()).unwrap_or(usize::MAX);
    output::note(format_args!("starting the network with {coins} coins"));
    let mut network = Network::start(&args.shape, coins, &interrupts)?;
    let payments = network.sign(coins)?;
    let mut trial = Trial {
        args,
        means,
        chain: network.chain()?,
        watch: Watch::start(&network.nodes),
        feed: Feed::start(&network.nodes, payments, args.rate),
        network: &mut network,
        interrupts: &interrupts,
    };
    let report = trial.run()?;
    drop(trial);
    network.assert_one_chain(report.height)?;
    match args.json {
        true => output::json(&report),
        false => {
            output::line(&report);
            Ok(())
        }
    }
}

impl FaultsArgs {
    /// Enough for all faults, each of which may take this long.
    fn payments(&self) -> u64 {
        let seconds = 30 + self.kills * 12 + self.partitions * (15 + self.cut_ms / 1_000);
        self.rate * seconds
    }
}

struct Trial<'a> {
    args: &'a FaultsArgs,
    means: Means,
    chain: Chain,
    network: &'a mut Network,
    watch: Watch,
    feed: Feed,
    interrupts: &'a Interrupts,
}

impl Trial<'_> {
    fn run(&mut self) -> Result<Report, CliError> {
        let kills = (0..self.args.kills)
            .map(|number| self.calm().and_then(|height| self.kill(number, height)))
            .collect::<Result<Vec<_>, _>>()?;
        let partitions = (0..self.args.partitions)
            .map(|number| self.calm().and_then(|_| self.partition(number)))
            .collect::<Result<Vec<_>, _>>()?;
        let spread =
            |waits: &[Wait], span: fn(&Wait) -> Duration| Spread::of(waits.iter().map(span));
        let kills = spread(&kills, |wait| wait.everywhere).zip(spread(&kills, |wait| wait.longest));
        let halves = &partitions;
        let healed = spread(halves, |wait| wait.first).zip(spread(halves, |wait| wait.everywhere));
        Ok(Report {
            kills: kills.map(|(next_block, longest)| Kills {
                count: self.args.kills,
                next_block,
                longest,
            }),
            partitions: healed.map(|(next_block, everywhere)| Partitions {
                count: self.args.partitions,
                cut_ms: self.args.cut_ms,
                means: self.means.name(),
                next_block,
                everywhere,
            }),
            height: self.calm()?,
        })
    }

    /// Waits until every node has some blocks without a fault; returns the height.
    fn calm(&mut self) -> Result<u64, CliError> {
        check_interrupts(self.interrupts)?;
        if self.feed.is_exhausted() {
            return Err(CliError::new(Exit::Failure, "all payments were sent before the end"));
        }
        let goal = self.watch.height() + CALM_BLOCKS;
        for node in 0..self.network.nodes.len() {
            self.reach(&[node], goal)?;
        }
        Ok(goal)
    }

    fn reach(&mut self, nodes: &[usize], height: u64) -> Result<(), CliError> {
        match self.watch.reaches(nodes, height, Instant::now() + PATIENCE) {
            true => Ok(()),
            false => Err(no_block(height)),
        }
    }

    /// Kills the proposer of a coming height about when it is due, and measures the cost for the
    /// others.
    fn kill(&mut self, number: u64, height: u64) -> Result<Wait, CliError> {
        // Skips the heights that the nodes reported in between; the last term gives each masternode its turn.
        let turn = number % u64::from(self.args.shape.validators);
        let target = Height(self.watch.height().max(height) + 2 + turn);
        let proposer = self.chain.masternodes.proposer(target, Round(0));
        let victim = self.network.masternode(proposer)?;
        let others: Vec<usize> =
            (0..self.network.nodes.len()).filter(|node| *node != victim).collect();
        self.reach(&others, target.0 - 1)?;
        let after = KILL_AFTER_MS[usize::try_from(number).unwrap_or(0) % KILL_AFTER_MS.len()];
        thread::sleep(Duration::from_millis(after));
        let killed = Instant::now();
        self.network.kill(victim)?;
        let turns = 2 * u64::from(self.args.shape.validators);
        let goal = target.0 + turns;
        let wait = self.watch.measure(&others, killed, (0, goal), killed + PATIENCE);
        let wait = wait.ok_or_else(|| no_block(goal))?;
        output::note(format_args!(
            "kill {}: {} at height {target}: next block after {} ms, longest wait {} ms",
            number + 1,
            self.network.nodes[victim].name,
            wait.everywhere.as_millis(),
            wait.longest.as_millis(),
        ));
        self.network.start_again(victim)?;
        Ok(wait)
    }

    /// Cuts the masternodes in two halves for a while, and measures from the end of the cut.
    fn partition(&mut self, number: u64) -> Result<Wait, CliError> {
        let all: Vec<usize> = (0..self.network.nodes.len()).collect();
        let half = usize::from(self.args.shape.validators / 2);
        // The first masternode and each other in turn.
        let others = usize::from(self.args.shape.validators) - 1;
        let turn = usize::try_from(number).unwrap_or(0);
        let side: Vec<usize> =
            (0..half).map(|n| if n == 0 { 0 } else { 1 + (turn + n) % others }).collect();
        let layout = self.network.layout().clone();
        let cut = Cut::make(self.means, &layout, &self.network.entries()?, &side)?;
        thread::sleep(Duration::from_millis(self.args.cut_ms));
        let before = self.watch.height();
        let healed = Instant::now();
        cut.heal(&layout)?;
        let goal = (before, before + 1);
        let wait = self.watch.measure(&all, healed, goal, healed + PATIENCE);
        let wait = wait.ok_or_else(|| no_block(before + 1))?;
        cut.forget()?;
        output::note(format_args!(
            "partition {}: {side:?} cut off for {} ms at height {before}: next block after {} ms, everywhere \
             after {} ms",
            number + 1,
            self.args.cut_ms,
            wait.first.as_millis(),
            wait.everywhere.as_millis(),
        ));
        Ok(wait)
    }
}

fn no_block(height: u64) -> CliError {
    let what = format!("height {height} was not final within {PATIENCE:?}");
    CliError::new(Exit::Failure, what)
        .next("run it with --dir DIR and read the logs of the nodes there")
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kills) = &self.kills {
            writeln!(f, "kills       {} of the proposer of a coming block", kills.count)?;
            writeln!(f, "  to the next block       {}", kills.next_block)?;
            writeln!(f, "  longest, two turns      {}", kills.longest)?;
        }
        if let Some(cuts) = &self.partitions {
            writeln!(
                f,
                "partitions  {} in two halves for {} ms ({})",
                cuts.count, cuts.cut_ms, cuts.means
            )?;
            writeln!(f, "  to the next block       {}", cuts.next_block)?;
            writeln!(f, "  the same, everywhere    {}", cuts.everywhere)?;
        }
        write!(f, "one chain   {} blocks, the same at every node", self.height)
    }
}
