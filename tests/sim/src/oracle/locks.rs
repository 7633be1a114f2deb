//! The lock rule (arXiv 1807.04938, lines 22 to 43), told from outside: only from what was sent.
//!
//! - A precommit for a block at round r needs a polka for it at r.
//! - A prevote that names a valid round needs a polka for its block at that round.
//! - After a precommit for a block at r, a later prevote for any block names a valid round that is
//!   not before r. A masternode that breaks this has forgotten its lock.
use super::{Violation, votes::Votes};
use timecoin_chain::types::{BlockHash, Round, Vote, VoteKind};

/// Checks a vote that leaves an honest node for the first time.
pub(super) fn check(votes: &Votes, vote: &Vote) -> Result<(), Violation> {
    let Some(block) = vote.block else { return Ok(()) };
    match vote.kind {
        VoteKind::Prevote => prevote(votes, vote, block),
        VoteKind::Precommit => precommit(votes, vote, block),
    }
}

fn prevote(votes: &Votes, vote: &Vote, block: BlockHash) -> Result<(), Violation> {
    if let Some(valid) = vote.valid_round {
        need_polka(votes, vote, valid, block)?;
    }
    let earlier = Round(0)..vote.round;
    let locks = votes.votes_of(vote.signer, VoteKind::Precommit, vote.height, earlier);
    match locks.map(|(round, ..)| round).find(|locked| vote.valid_round < Some(*locked)) {
        None => Ok(()),
        Some(locked) => Err(forgotten(vote, locked, vote.round, vote.valid_round)),
    }
}

fn precommit(votes: &Votes, vote: &Vote, block: BlockHash) -> Result<(), Violation> {
    need_polka(votes, vote, vote.round, block)?;
    let later = vote.round.next()..Round(u32::MAX);
    let mut prevotes = votes.votes_of(vote.signer, VoteKind::Prevote, vote.height, later);
    match prevotes.find(|(_, _, valid)| *valid < Some(vote.round)) {
        None => Ok(()),
        Some((round, _, valid)) => Err(forgotten(vote, vote.round, round, valid)),
    }
}

fn need_polka(votes: &Votes, vote: &Vote, round: Round, block: BlockHash) -> Result<(), Violation> {
    if votes.has_polka(vote.height, round, block) {
        return Ok(());
    }
    let Vote { kind, height, signer, .. } = vote;
    let detail = format!(
        "masternode {signer} at {height}/{}: {kind:?} for {block:?}, which nobody has a polka for \
         in round {round}",
        vote.round
    );
    Err(Violation::new("lock rule", detail))
}

fn forgotten(vote: &Vote, locked: Round, prevoted: Round, valid: Option<Round>) -> Violation {
    let Vote { height, signer, .. } = vote;
    let detail = format!(
        "masternode {signer} at height {height}: a precommit in round {locked}, then a prevote in \
         round {prevoted} that rests on {valid:?}"
    );
    Violation::new("lock rule", detail)
}
