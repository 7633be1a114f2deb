//! Many nodes on one machine: how soon all have a block, and what each costs.
use super::run::{Run, coins, payments};
use crate::{
    outcome::Outcome,
    row::Figure,
    watch::{Watch, millis, p99},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const SPREAD_MS: u64 = 500;
/// Payments in a second: each makes a block.
const RATE: u32 = 2;

pub(super) fn run(run: &Run<'_>) -> Outcome<Vec<Figure>> {
    let (nodes, span) = (run.nodes(30, 60), run.span(10, 60));
    let net = run.net(4, nodes - 4, coins(span.as_secs() + 1))?;
    let mut payments = payments(&net, &[span])?;
    let usage = || -> Outcome<(u64, u64)> {
        let mut sum = (0, 0);
        for node in &net.nodes {
            sum.0 += node.process()?.cpu_ticks()?;
            sum.1 += node.host.traffic()?.1;
        }
        Ok(sum)
    };
    let (before, begun) = (usage()?, Instant::now());
    let watches = net.nodes.iter().map(Watch::begin).collect::<Outcome<Vec<_>>>()?;
    let finality = payments.measure(&net.nodes[nodes - 1], span, RATE)?;
    let (after, seconds) = (usage()?, begun.elapsed().as_secs_f64());
    let mut times: BTreeMap<u64, Vec<Instant>> = BTreeMap::new();
    for watch in watches {
        for (height, at) in watch.end(Duration::ZERO).blocks {
            times.entry(height).or_default().push(at);
        }
    }
    // The last block may be on its way.
    times.pop_last();
    times.pop_first();
    let spread = |times: &Vec<Instant>| {
        let (first, last) = (times.iter().min()?, times.iter().max()?);
        Some(millis(last.duration_since(*first)))
    };
    let mut spreads: Vec<u64> = times.values().filter_map(spread).collect();
    spreads.sort_unstable();
    let incomplete = times.values().filter(|times| times.len() < nodes).count();
    let each = |sum: u64| sum as f64 / nodes as f64 / seconds;
    Ok(vec![
        Figure::report(format!("{nodes} nodes, {} blocks", times.len())),
        Figure::at_most(
            "from the first node with a block to the last, p99",
            p99(&spreads),
            SPREAD_MS,
            " ms",
        ),
        Figure::at_most("blocks that a node did not tell", incomplete as u64, 0, ""),
        Figure::report(format!("finality p99 {} ms", finality.p99())),
        Figure::report(format!("each node: {:.1} % of a core", each(after.0 - before.0))),
        Figure::report(format!("sends {:.1} KiB/s", each(after.1 - before.1) / 1024.0)),
    ])
}
