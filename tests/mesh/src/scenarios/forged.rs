//! Certificates with signatures of nobody, by ever new identities.
use super::run::{
    PER_SECOND, Run, addresses, coins, marked, payments, plan, slower, stranger_vote,
};
use crate::{
    attack::Attack,
    net::Net,
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
    types::{Certificate, ConsensusMessage, Height, Vote},
};
use timecoin_hostile::{Act, Flood, Payload, Plan};

const TARGET: usize = 0;
const PAID: usize = 5;
const GONE_MS: u64 = 5_000;
/// 50 Mbit/s.
const BYTES_PER_SECOND: u64 = 50_000_000 / 8;
/// Addresses that attack at a time; the next ones follow them.
const SOURCES: u8 = 16;
const WAVE: Duration = Duration::from_secs(5);
pub(super) fn run(run: &Run<'_>) -> Outcome<Vec<Figure>> {
    let (quiet, span) = (run.span(5, 20), run.span(10, 60));
    let net = run.net(4, 2, coins(quiet.as_secs() + 2 * span.as_secs() + 3))?;
    let mut payments = payments(&net, &[quiet, span, span])?;
    let quiet = payments.measure(&net.nodes[PAID], quiet, PER_SECOND)?;
    let mut figures = Vec::new();
    for (what, attack) in [("50 Mbit/s", waves as fn(&_, &_, _) -> _), ("8 each", one_address)] {
        let (stays, loud) = thread::scope(|scope| {
            let attack = scope.spawn(|| attack(run, &net, span));
            let loud = payments.measure(&net.nodes[PAID], span, PER_SECOND)?;
            let stays = attack.join().map_err(|_| failed("the attack ended"))??;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((stays, loud))
        })?;
        let (stays, sent) = stays;
        let longest = stays.iter().max().copied();
        let what =
            format!("{what}: {} sources sent {} KiB, each gone after", stays.len(), sent / 1024);
        figures.push(Figure::within(what, longest, GONE_MS));
        figures.extend(slower(&quiet, &loud));
    }
    let rejected = net.nodes[TARGET].counter("timecoin_net_gossip_rejected_total")?;
    figures.push(Figure::at_least("messages rejected", rejected, 5, ""));
    Ok(figures)
}

/// How long each source stayed, and what they sent.
type Told = (Vec<u64>, u64);

/// New sources every few seconds, since the old ones are gone.
fn waves(run: &Run<'_>, net: &Net<'_>, span: Duration) -> Outcome<Told> {
    let (bytes, vary) = certificate(net)?;
    let per_second = BYTES_PER_SECOND / u64::from(SOURCES) / bytes.len() as u64;
    let flood = flood(net, bytes, vary, per_second, 64);
    let (begun, mut stays, mut sent) = (Instant::now(), Vec::new(), 0);
    for wave in 0.. {
        if begun.elapsed() >= span {
            break;
        }
        let from: Vec<IpAddr> =
            (0..SOURCES).map(|host| IpAddr::from([67, host, wave, 9])).collect();
        let host = run.ground.host(&from)?;
        let targets = addresses(&net.nodes[TARGET..=TARGET], false)?;
        let identities = SOURCES.into();
        let act = Act::Flood(flood.clone());
        let plan = Plan { identities, fresh: true, ..plan(net, targets, &from, act) };
        let attack = Attack::begin(host, &plan)?;
        thread::sleep(WAVE + Duration::from_millis(500));
        stays.extend(attack.stays_ms());
        sent += attack.sent();
    }
    Ok((stays, sent))
}

/// One address, and a new identity every eight messages.
fn one_address(run: &Run<'_>, net: &Net<'_>, span: Duration) -> Outcome<Told> {
    let (bytes, vary) = certificate(net)?;
    let from = [IpAddr::from([68, 1, 5, 9])];
    let host = run.ground.host(&from)?;
    let targets = addresses(&net.nodes[TARGET..=TARGET], false)?;
    let act = Act::Flood(flood(net, bytes, vary, 0, 8));
    let plan = Plan { fresh: true, again_ms: 10, ..plan(net, targets, &from, act) };
    let attack = Attack::begin(host, &plan)?;
    thread::sleep(span);
    Ok((attack.stays_ms(), attack.sent()))
}

fn flood(net: &Net<'_>, bytes: Vec<u8>, vary: usize, per_second: u64, messages: u64) -> Flood {
    let topic = format!("/timecoin/{}/gossip/certificates/1", net.tag());
    let payload = Payload::Template { bytes, vary };
    Flood { lane: "fast".into(), topic, payload, per_second, messages }
}

/// A certificate of a later height that strangers signed, and where its mark is.
fn certificate(net: &Net<'_>) -> Outcome<(Vec<u8>, usize)> {
    let vote = |signer| stranger_vote(net, Height(1_000_000), signer);
    let votes: Vec<Vote> = (0..4).map(vote).collect();
    let certificate = Certificate::collect(votes.len(), &votes);
    let certificate = certificate.ok_or_else(|| failed("four votes make no certificate"))?;
    marked(codec::encode(&ConsensusMessage::Certificate(certificate)))
}
