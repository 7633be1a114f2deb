//! Peers ask for the largest answers and read nothing of them.
use super::run::{PER_SECOND, Run, addresses, coins, payments, plan, slower};
use crate::{
    attack::Attack,
    net::Net,
    outcome::{Outcome, failed},
    payments::Payments,
    row::Figure,
    watch::p99,
};
use std::{
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};
use timecoin_chain::{
    codec,
    types::{BlocksRequest, Height, Round, SignerSet, VotesRequest},
};
use timecoin_hostile::{Act, Event, Plan};

const READERS: u8 = 28;
const TARGET: usize = 0;
const PAID: usize = 5;
/// Payments of 95 KB: more than an answer of blocks holds.
const LARGE: usize = 100;
const BLOCKS_REQUESTS: &str = "timecoin_net_requests_received_total{protocol=\"blocks\"}";
const ANSWER_MS: u64 = 100;
const MIB: u64 = 1024 * 1024;
const MEMORY_MIB: u64 = 128;

pub(super) fn run(run: &Run<'_>) -> Outcome<Vec<Figure>> {
    let (quiet, span) = (run.span(5, 20), run.span(12, 60));
    let seconds = quiet.as_secs() + span.as_secs() + 2;
    let net = run.net(4, 2, coins(seconds) + LARGE as u64)?;
    let filled = Payments::fat(&net.chain, &net.purse, LARGE).send_all(&net.nodes[PAID])?;
    let first = filled.blocks.first().map_or(1, |(height, _)| *height);
    let mut payments = payments(&net, &[quiet, span])?;
    let quiet = payments.measure(&net.nodes[PAID], quiet, PER_SECOND)?;
    let before = net.nodes[TARGET].resident_bytes()?;
    let asker = ask_for_votes(run, &net)?;
    let readers = read_nothing(run, &net, first)?;
    let (loud, most) = thread::scope(|scope| {
        let memory = scope.spawn(|| most_memory(&net, span));
        let loud = payments.measure(&net.nodes[PAID], span, PER_SECOND)?;
        let most = memory.join().map_err(|_| failed("the look at memory ended"))??;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((loud, most))
    })?;
    let mut answers: Vec<u64> = Vec::new();
    for told in asker.told() {
        if let Event::Answered { after_ms, bytes: 1.. } = told.event {
            answers.push(after_ms);
        }
    }
    answers.sort_unstable();
    let connected = readers.count(|event| matches!(event, Event::Connected { .. }));
    let more = most.saturating_sub(before) / MIB;
    let built = net.nodes[TARGET].counter(BLOCKS_REQUESTS)?;
    let mut figures = vec![
        Figure::at_least("readers", connected, READERS.into(), ""),
        Figure::report(format!("answers of blocks that were built {built}")),
        Figure::at_least("answers about votes", answers.len() as u64, 20, ""),
        Figure::at_most("their p99", p99(&answers), ANSWER_MS, " ms"),
        Figure::at_most("more memory", more, MEMORY_MIB, " MiB"),
    ];
    figures.extend(slower(&quiet, &loud));
    Ok(figures)
}

fn most_memory(net: &Net<'_>, span: Duration) -> Outcome<u64> {
    let (begun, mut most) = (Instant::now(), 0);
    while begun.elapsed() < span {
        most = most.max(net.nodes[TARGET].resident_bytes()?);
        thread::sleep(Duration::from_millis(100));
    }
    Ok(most)
}

/// One peer that keeps the rules.
fn ask_for_votes(run: &Run<'_>, net: &Net<'_>) -> Outcome<Attack> {
    let request = VotesRequest {
        height: Height(net.nodes[TARGET].height()? + 1),
        round: Round(0),
        prevotes: SignerSet::empty(4),
        precommits: SignerSet::empty(4),
        has_proposal: false,
        inquiry: None,
    };
    let from = [IpAddr::from([69, 99, 5, 9])];
    let act = Act::Ask { protocol: "votes".into(), request: codec::encode(&request), reads: true };
    let targets = addresses(&net.nodes[TARGET..=TARGET], false)?;
    Attack::begin(run.ground.host(&from)?, &plan(net, targets, &from, act))
}

fn read_nothing(run: &Run<'_>, net: &Net<'_>, first: u64) -> Outcome<Attack> {
    let request = codec::encode(&BlocksRequest { from: Height(first), count: 32 });
    let from: Vec<IpAddr> = (0..READERS).map(|number| IpAddr::from([69, number, 5, 9])).collect();
    let act = Act::Ask { protocol: "blocks".into(), request, reads: false };
    let targets = addresses(&net.nodes[TARGET..=TARGET], false)?;
    let crowd = Plan { identities: READERS.into(), ..plan(net, targets, &from, act) };
    Attack::begin(run.ground.host(&from)?, &crowd)
}
