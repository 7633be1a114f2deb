//! Many nodes on one machine: how soon all have a block, and what each costs.
use super::run::{Run, coins, payments};
use crate::{
    net::Net,
    outcome::Outcome,
    row::Figure,
    watch::{Watch, millis, p99},
};
use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

const SPREAD_MS: u64 = 500;
/// Payments in a second: each makes a block.
const RATE: u32 = 2;

/// How long each block took from the first node that told it to the last.
struct Spread {
    blocks: usize,
    p99: u64,
    incomplete: u64,
}

/// What all nodes spent so far: processor time in ticks of 10 ms, and bytes sent.
fn spent(net: &Net<'_>) -> Outcome<(u64, u64)> {
    let mut sum = (0, 0);
    for node in &net.nodes {
        sum.0 += node.process()?.cpu_ticks()?;
        sum.1 += node.host.traffic()?.1;
    }
    Ok(sum)
}

pub(super) fn run(run: &Run<'_>) -> Outcome<Vec<Figure>> {
    let (nodes, span) = (run.nodes(30, 60), run.span(10, 60));
    let net = run.net(4, nodes - 4, coins(span.as_secs() + 1))?;
    let mut payments = payments(&net, &[span])?;
    // Empty blocks come at the interval of the genesis.
    let (quiet, mut figures) = measure(&net, "empty blocks", || {
        thread::sleep(span);
        Ok(())
    })?;
    figures.extend([
        Figure::at_most("from the first node to the last, p99", quiet.p99, SPREAD_MS, " ms"),
        Figure::at_most("that a node did not tell", quiet.incomplete, 0, ""),
    ]);
    let mut finality = 0;
    let (busy, more) = measure(&net, "blocks of two payments a second", || {
        finality = payments.measure(&net.nodes[nodes - 1], span, RATE)?.p99();
        Ok(())
    })?;
    figures.extend(more);
    figures.push(Figure::report(format!("p99 {} ms; finality p99 {finality} ms", busy.p99)));
    Ok(figures)
}

/// How blocks spread meanwhile, and what that costs each node.
fn measure(
    net: &Net<'_>,
    what: &str,
    meanwhile: impl FnOnce() -> Outcome<()>,
) -> Outcome<(Spread, Vec<Figure>)> {
    let nodes = net.nodes.len();
    let (before, begun) = (spent(net)?, Instant::now());
    let watches = net.nodes.iter().map(Watch::begin).collect::<Outcome<Vec<_>>>()?;
    meanwhile()?;
    let (after, seconds) = (spent(net)?, begun.elapsed().as_secs_f64());
    let spread = spread(watches, nodes);
    let each = |sum: u64| sum as f64 / nodes as f64 / seconds;
    let (cpu, sent) = (each(after.0 - before.0), each(after.1 - before.1) / 1024.0);
    let text = format!("{nodes} nodes, {} {what}", spread.blocks);
    let cost = format!("each node: {cpu:.1} % of a core, sends {sent:.1} KiB/s");
    Ok((spread, vec![Figure::report(text), Figure::report(cost)]))
}

fn spread(watches: Vec<Watch>, nodes: usize) -> Spread {
    let mut times: BTreeMap<u64, Vec<Instant>> = BTreeMap::new();
    for watch in watches {
        for (height, at) in watch.end(Duration::ZERO).blocks {
            times.entry(height).or_default().push(at);
        }
    }
    // The first block may have been told before, and the last may be on its way.
    times.pop_last();
    times.pop_first();
    let spread = |times: &Vec<Instant>| {
        let (first, last) = (times.iter().min()?, times.iter().max()?);
        Some(millis(last.duration_since(*first)))
    };
    let mut spreads: Vec<u64> = times.values().filter_map(spread).collect();
    spreads.sort_unstable();
    let incomplete = times.values().filter(|times| times.len() < nodes).count() as u64;
    Spread { blocks: times.len(), p99: p99(&spreads), incomplete }
}
