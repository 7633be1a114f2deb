//! One peer sends far too much of everything.
use super::run::{
    PER_SECOND, Run, addresses, coins, marked, payments, plan, slower, stranger_vote,
};
use crate::{
    attack::Attack,
    net::Net,
    node::Node,
    outcome::{Outcome, failed},
    row::Figure,
};
use std::{
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};
use timecoin_chain::{
    codec,
    types::{ConsensusMessage, Height},
};
use timecoin_hostile::{Act, Flood, Payload};

const TARGET: usize = 0;
/// The node that payments are sent to.
const PAID: usize = 5;
const ENDED_MS: u64 = 3_000;
const MIB: u64 = 1024 * 1024;
const MEMORY_MIB: u64 = 64;
/// What shows that an attack was counted.
const COUNTERS: [&str; 3] = [
    "timecoin_net_refused_total{reason=\"offence\"}",
    "timecoin_net_gossip_over_quota_total",
    "timecoin_net_gossip_malformed_total",
];

/// What is sent, on which lane and topic, and how often a second.
type Kind = (&'static str, &'static str, &'static str, Payload, u64);

fn kinds(votes: Vec<u8>, vary: usize) -> [Kind; 5] {
    let same = Payload::Template { bytes: votes.clone(), vary: votes.len() };
    let ignored = Payload::Template { bytes: votes, vary };
    [
        ("unknown topic", "fast", "noise", Payload::Raw(1_000), 10_000),
        ("unused topic", "fast", "presences", Payload::Raw(1_000), 10_000),
        ("known topic", "fast", "votes", Payload::Raw(1_000), 10_000),
        ("ignored", "fast", "votes", ignored, 20_000),
        ("duplicates", "fast", "votes", same, 20_000),
    ]
}

pub(super) fn run(run: &Run<'_>) -> Outcome<Vec<Figure>> {
    let (quiet, span) = (run.span(5, 20), run.span(20, 120));
    let net = run.net(4, 2, coins(quiet.as_secs() + span.as_secs() + 2))?;
    let mut payments = payments(&net, &[quiet, span])?;
    let quiet = payments.measure(&net.nodes[PAID], quiet, PER_SECOND)?;
    let before = net.nodes[TARGET].resident_bytes()?;
    let (mut figures, most, loud) = thread::scope(|scope| {
        let attacks = scope.spawn(|| attack(run, &net, span));
        let loud = payments.measure(&net.nodes[PAID], span, PER_SECOND);
        let (figures, most) = attacks.join().map_err(|_| failed("the attacks ended"))??;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((figures, most, loud?))
    })?;
    let more = most.saturating_sub(before) / MIB;
    figures.push(Figure::at_most("more memory", more, MEMORY_MIB, " MiB"));
    figures.extend(slower(&quiet, &loud));
    Ok(figures)
}

/// One kind after another, each from a host of its own; and the most memory of the target meanwhile.
fn attack(run: &Run<'_>, net: &Net<'_>, span: Duration) -> Outcome<(Vec<Figure>, u64)> {
    let (mut figures, mut most) = (Vec::new(), 0);
    let (bytes, vary) = vote(net)?;
    let turn = span / 5;
    for (number, (what, lane, topic, payload, per_second)) in (0..).zip(kinds(bytes, vary)) {
        let from = [IpAddr::from([66, number, 5, 9])];
        let host = run.ground.host(&from)?;
        let known = format!("/timecoin/{}/gossip/{topic}/1", net.tag());
        let topic = if what == "unknown topic" { topic.to_owned() } else { known };
        let flood = Flood { lane: lane.into(), topic, payload, per_second, messages: 0 };
        let targets = addresses(&net.nodes[TARGET..=TARGET], false)?;
        let counted = counted(&net.nodes[TARGET])?;
        let mut attack = Attack::begin(host, &plan(net, targets, &from, Act::Flood(flood)))?;
        let begun = Instant::now();
        while begun.elapsed() < turn {
            most = most.max(net.nodes[TARGET].resident_bytes()?);
            thread::sleep(Duration::from_millis(100));
        }
        let sent = attack.sent();
        let what = format!("{what}: {} KiB sent, ended after at most", sent / 1024);
        figures.push(Figure::at_most(what, attack.longest_ms(), ENDED_MS, " ms"));
        let more = self::counted(&net.nodes[TARGET])? - counted;
        figures.push(Figure::at_least("counted", more, 1, ""));
        if sent == 0 || !attack.is_running() {
            figures.push(Figure::is("the attack took place", false));
        }
    }
    Ok((figures, most))
}

fn counted(node: &Node) -> Outcome<u64> {
    COUNTERS.iter().map(|name| node.counter(name)).sum()
}

/// A vote of a height that is far away, which is nobody's fault, and where its block is.
fn vote(net: &Net<'_>) -> Outcome<(Vec<u8>, usize)> {
    let vote = stranger_vote(net, Height(u64::MAX), 0);
    marked(codec::encode(&ConsensusMessage::Vote(vote)))
}
