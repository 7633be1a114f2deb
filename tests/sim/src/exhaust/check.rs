//! What must hold for every move, computed independently from the votes alone.
use super::{
    local::{At, Core, HONEST_PART, KINDS, Local, MEMBERS, QUORUM, Said, kind_index},
    machine::Move,
    view::View,
};
use crate::oracle::Violation;
use timecoin_chain::types::VoteKind;

/// The state of an honest masternode after a move. It has not proposed yet.
pub(super) fn after(view: &View<'_>, place: usize, done: &Move) -> Local {
    let mut local = view.locals[place].clone();
    for &(kind, round, said) in &done.casts {
        local.votes[usize::from(round)][kind_index(kind)] = Some(said);
    }
    local.core = done.core;
    local.decided = done.decided.or(local.decided);
    local
}

/// Checks a move against everything that must hold.
pub(super) fn check(view: &View<'_>, place: usize, done: &Move) -> Result<(), Violation> {
    let local = view.locals[place];
    check_forward(local.core, done.core)?;
    check_round(view, local.core.round, done.core.round)?;
    let is_mine = |round: u8| u16::from(round) % MEMBERS == view.members[place];
    expect(done.proposes.iter().all(|(round, _)| is_mine(*round)), "proposer", || {
        "proposes in a round that is another's".into()
    })?;
    for (index, &(kind, round, said)) in done.casts.iter().enumerate() {
        let is_twice = done.casts[..index].iter().any(|cast| (cast.0, cast.1) == (kind, round));
        let is_free = local.vote(kind, round).is_none_or(|before| before == said);
        expect(is_free && !is_twice, "one vote in a slot", || {
            format!("{kind:?} of round {round} says {said}, and something else was said")
        })?;
        check_vote(view, local, (kind, round), said)?;
    }
    done.decided.map_or(Ok(()), |decided| check_decision(view, decided))?;
    check_agreement(view, done)
}

/// No other masternode has decided another block.
pub(super) fn check_agreement(view: &View<'_>, done: &Move) -> Result<(), Violation> {
    let Some((_, block)) = done.decided else { return Ok(()) };
    let mut others = view.locals.iter().filter_map(|local| local.decided);
    let agree = others.all(|(_, other)| other == block);
    expect(agree, "agreement", || format!("block {block} is decided, and another before"))
}

/// Nothing is retracted.
fn check_forward(before: Core, after: Core) -> Result<(), Violation> {
    let goes_back = (after.round, after.step) < (before.round, before.step)
        || after.locked.map(|(round, _)| round) < before.locked.map(|(round, _)| round)
        || after.valid.map(|(round, _)| round) < before.valid.map(|(round, _)| round);
    expect(!goes_back, "forward only", || "a round, step, lock or valid block goes back".into())
}

/// A round begins after more than two thirds precommitted, or more than a third are in it.
fn check_round(view: &View<'_>, before: u8, after: u8) -> Result<(), Violation> {
    let Some(ended) = after.checked_sub(1).filter(|_| after > before) else { return Ok(()) };
    let is_over = ended == before && view.voters(ended, &[VoteKind::Precommit]) >= QUORUM;
    let is_ahead = after < view.rounds && view.voters(after, &KINDS) >= HONEST_PART;
    expect(is_over || is_ahead, "round entry", || format!("nothing justifies round {after}"))
}

fn check_vote(
    view: &View<'_>,
    local: &Local,
    (kind, round): (VoteKind, u8),
    said: Said,
) -> Result<(), Violation> {
    let Some(block) = said.block else { return Ok(()) };
    match kind {
        VoteKind::Prevote => {
            let is_proposed = view.is_proposed(round, said);
            expect(is_proposed, "validity", || format!("nobody proposed {said} in round {round}"))?;
            let rests = said.valid_round.is_none_or(|r| r < round && view.has_polka((r, block)));
            expect(rests, "valid round", || format!("prevote {said} rests on no polka"))?;
            check_lock(local, round, said)
        }
        VoteKind::Precommit => expect(view.has_polka((round, block)), "precommit", || {
            format!("precommit {said} without a polka in round {round}")
        }),
    }
}

/// A masternode that precommitted a block prevotes only blocks with a polka since.
fn check_lock(local: &Local, round: u8, said: Said) -> Result<(), Violation> {
    let lock = (0..round).rev().find_map(|earlier| {
        let precommit = local.vote(VoteKind::Precommit, earlier)?;
        Some((earlier, precommit.block?))
    });
    let allows = lock.is_none_or(|(locked, _)| said.valid_round.is_some_and(|r| r >= locked));
    expect(allows, "lock rule", || format!("prevote {said} in round {round}, locked at {lock:?}"))
}

fn check_decision(view: &View<'_>, decided: At) -> Result<(), Violation> {
    let (round, block) = decided;
    let said = Said { block: Some(block), valid_round: None };
    let has_commit = view.has_quorum(VoteKind::Precommit, round, said);
    expect(has_commit, "decision", || format!("{said} of round {round} without a quorum"))
}

fn expect(
    holds: bool,
    property: &'static str,
    detail: impl FnOnce() -> String,
) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation::new(property, detail())) }
}
