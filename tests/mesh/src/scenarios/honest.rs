//! Honest nodes stop, stand still and lose their links.
use super::run::Run;
use crate::{
    net::Net,
    outcome::{Outcome, need},
    row::Figure,
};
use nix::sys::signal::Signal;
use std::{
    thread,
    time::{Duration, Instant},
};
use timecoin::api::ListBanned;

/// How long a node stands still, and how long it is cut off.
const STALL: Duration = Duration::from_secs(5);
const CUT: Duration = Duration::from_secs(7);
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) fn run(run: &Run<'_>) -> Outcome<Vec<Figure>> {
    let nodes = run.nodes(8, 16);
    let mut net = run.net(4, nodes - 4, 0)?;
    let (begun, span) = (Instant::now(), run.span(18, 120));
    let (mut turns, mut seen) = (0, Seen::default());
    while begun.elapsed() < span {
        // Each time another node, masternodes too; quorum goes on without one.
        let victim = turns % nodes;
        match turns % 3 {
            0 => stand_still(&net, victim, &mut seen)?,
            1 if run.ground.has_namespaces() => {
                net.nodes[victim].host.cut()?;
                watch(&net, CUT, &mut seen)?;
                net.nodes[victim].host.mend()?;
            }
            _ => {
                net.nodes[victim].kill();
                watch(&net, Duration::from_secs(2), &mut seen)?;
                net.start([victim])?;
            }
        }
        turns += 1;
        let height = net.nodes[(victim + 1) % nodes].height()?;
        let node = &net.nodes[victim];
        need("the node is back", PATIENCE, || node.height().ok().filter(|own| *own > height))?;
        watch(&net, Duration::from_millis(200), &mut seen)?;
    }
    let banned: u64 = net
        .nodes
        .iter()
        .map(|node| node.counter("timecoin_net_banned_total"))
        .sum::<Outcome<_>>()?;
    Ok(vec![
        Figure::report(format!("{nodes} nodes, {turns} turns, {} scores looked at", seen.scores)),
        Figure::is(format!("lowest score {}, none is negative", seen.lowest), seen.lowest >= 0),
        Figure::at_most("bans", seen.bans + banned, 0, ""),
        Figure::at_least("scores", seen.scores, 1, ""),
    ])
}

/// What the nodes think of each other.
#[derive(Default)]
struct Seen {
    scores: u64,
    lowest: i32,
    bans: u64,
}

fn stand_still(net: &Net<'_>, victim: usize, seen: &mut Seen) -> Outcome<()> {
    net.nodes[victim].signal(Signal::SIGSTOP);
    let begun = Instant::now();
    while begun.elapsed() < STALL {
        look(net, Some(victim), seen)?;
        thread::sleep(Duration::from_millis(200));
    }
    net.nodes[victim].signal(Signal::SIGCONT);
    Ok(())
}

fn watch(net: &Net<'_>, span: Duration, seen: &mut Seen) -> Outcome<()> {
    let begun = Instant::now();
    loop {
        look(net, None, seen)?;
        if begun.elapsed() >= span {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// Asks all nodes that can answer.
fn look(net: &Net<'_>, still: Option<usize>, seen: &mut Seen) -> Outcome<()> {
    for (number, node) in net.nodes.iter().enumerate() {
        if Some(number) == still {
            continue;
        }
        // A node that does not run has no opinion.
        let (Ok(peers), Ok(bans)) = (node.peers(), node.ask(&ListBanned {})) else { continue };
        seen.scores += peers.len() as u64;
        seen.bans += bans.len() as u64;
        seen.lowest = peers.iter().map(|peer| peer.score).fold(seen.lowest, i32::min);
    }
    Ok(())
}
