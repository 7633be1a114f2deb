//! Nodes sync over a slow link from a node that limits what it sends.
use super::run::Run;
use crate::{
    net::Net,
    outcome::{Outcome, failed, need},
    payments::Payments,
    row::Figure,
    watch::{Watch, millis, p99},
};
use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};
use toml::Value;

const LINK_MBIT: u32 = 10;
/// 5 Mbit/s.
const CAP_KIB: u32 = 610;
const SYNCING: usize = 4;
/// The node with the slow link: nobody joins through it.
const SOURCE: usize = 6;
const LATE_MS: u64 = 50;
/// Bytes in a tenth of a second that are no answer of blocks: half of what the link carries; and how often in a row.
const IDLE_BYTES: u64 = 64 * 1024;
const IDLE_LOOKS: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) fn run(run: &Run<'_>) -> Outcome<Vec<Figure>> {
    let span = run.span(12, 180);
    let large = if run.is_quick { 90 } else { 400 };
    let mut net = run.net(4, 3, large as u64)?;
    Payments::fat(&net.chain, &net.purse, large).send_all(&net.nodes[5])?;
    let joins = [net.nodes[4].address(), net.nodes[5].address()];
    net.configure(SOURCE, &joins, &[("limits.upload_kib", Value::from(CAP_KIB))])?;
    net.nodes[SOURCE].kill();
    net.start([SOURCE])?;
    let height = net.nodes[0].height()?;
    let is_synced = || net.nodes[SOURCE].height().ok().filter(|at| *at >= height);
    need("the source is synced", PATIENCE, is_synced)?;
    net.nodes[SOURCE].host.limit(LINK_MBIT)?;
    let quiet = lateness(&net, Duration::from_secs(8))?;
    let syncing = join(&mut net)?;
    let (late, sent) = thread::scope(|scope| {
        let sent = scope.spawn(|| sent(&net, span));
        let late = lateness(&net, span)?;
        let sent = sent.join().map_err(|_| failed("the look at the link ended"))??;
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>((late, sent))
    })?;
    let is_behind = |number: &usize| net.nodes[*number].height().is_ok_and(|at| at < height);
    let mut figures = vec![
        Figure::is(format!("{large} large payments, still syncing"), syncing.iter().any(is_behind)),
        Figure::report(format!("blocks late without syncing, p99 {quiet} ms")),
        Figure::at_most("blocks late, p99", late, LATE_MS, " ms"),
    ];
    figures.extend(average(&sent, run.is_quick));
    Ok(figures)
}

/// Bytes sent so far, ten times a second.
fn sent(net: &Net<'_>, span: Duration) -> Outcome<Vec<(Instant, u64)>> {
    let (begun, mut sent) = (Instant::now(), Vec::new());
    while begun.elapsed() < span {
        sent.push((Instant::now(), net.nodes[SOURCE].host.traffic()?.1));
        thread::sleep(Duration::from_millis(100));
    }
    Ok(sent)
}

/// The average from the beginning of one burst of answers to that of a later one: an answer overdraws
/// the cap, and there is none until that is paid off.
fn average(sent: &[(Instant, u64)], is_quick: bool) -> Vec<Figure> {
    let mut bursts: Vec<(Instant, u64)> = Vec::new();
    let mut idle = 0;
    for pair in sent.windows(2) {
        if pair[1].1 - pair[0].1 < IDLE_BYTES {
            idle += 1;
        } else {
            if idle >= IDLE_LOOKS {
                bursts.push(pair[0]);
            }
            idle = 0;
        }
    }
    let cap = u64::from(CAP_KIB);
    match (bursts.first(), bursts.last()) {
        (Some(first), Some(last)) if last.0 > first.0 => {
            let kib = (last.1 - first.1) * 1_000 / 1024 / millis(last.0 - first.0).max(1);
            let what = format!("sent in {} bursts", bursts.len());
            vec![
                Figure::at_least(what.clone(), kib, cap * 9 / 10, " KiB/s"),
                Figure::at_most(what, kib, cap * 11 / 10, " KiB/s"),
            ]
        }
        _ if is_quick => vec![Figure::report("the cap is not judged: less than two bursts")],
        _ => vec![Figure::is("there are two bursts to judge the cap", false)],
    }
}

/// Nodes that know the source only.
fn join(net: &mut Net<'_>) -> Outcome<Vec<usize>> {
    let (source, id) = (net.nodes[SOURCE].address(), net.nodes[SOURCE].peer_id.clone());
    let only = Value::Array(vec![Value::from(id)]);
    let mut joined = Vec::new();
    for number in 0..SYNCING {
        let number = net.add_full(&format!("syncing{number}"))?;
        net.configure(number, std::slice::from_ref(&source), &[("network.only", only.clone())])?;
        joined.push(number);
    }
    net.start(joined.clone())?;
    Ok(joined)
}

/// How much later than a masternode the source tells each block.
fn lateness(net: &Net<'_>, span: Duration) -> Outcome<u64> {
    let watches = (Watch::begin(&net.nodes[0])?, Watch::begin(&net.nodes[SOURCE])?);
    thread::sleep(span);
    let first: BTreeMap<u64, Instant> = watches.0.end(Duration::ZERO).blocks.into_iter().collect();
    let mut late: Vec<u64> = Vec::new();
    for (height, at) in watches.1.end(Duration::ZERO).blocks {
        let before = first.get(&height).map(|first| at.saturating_duration_since(*first));
        late.extend(before.map(millis));
    }
    late.sort_unstable();
    Ok(p99(&late))
}
