//! Every state of the consensus core, for four masternodes of which one is Byzantine, in one height and
//! a few rounds.
//!
//! The state machine is the node's own (`timecoin_chain::consensus`). The Byzantine masternode has no
//! state: in every slot it says everything to anyone at any time. That covers a twin, two unmodified
//! machines with one key, and every other thing that one signer can do.
//!
//! Reductions, none of which leaves a behaviour out:
//! - What was said is never lost and may be late for ever, so a state is what each honest masternode
//!   has said and where its machine stands; delivery has no order but that of moves.
//! - Between two moves a machine only collects. A message that does not make it move may as well come
//!   later; so messages are delivered in batches that end with a move, any batch of what a move can rest
//!   on: a proposal, the votes of one kind in one round, or both kinds where it is a later round.
//! - After a move the machine starts again from what it would find after a crash. It can be told
//!   everything once more, so it can do what the one that went on can do. Crashes are covered with it.
//! - Masternodes that have no turn as proposer are alike.
//!
//! `walk` checks the reductions: machines that are never restarted and get one message at a time stay
//! among the states found here.
//!
//! Bounded: the number of rounds (whoever goes beyond the last only learns there), the number of
//! blocks, four masternodes of equal weight, one height, blocks that keep the rules. With `states_max`,
//! also how far they go together.
mod check;
mod local;
mod machine;
mod options;
mod search;
mod view;
mod walk;

pub use options::{Flaw, Options};
pub use search::Counts;

use crate::{oracle::Violation, rng::Rng};
use search::Search;

/// What was gone through.
#[derive(Debug, Default)]
pub struct Report {
    /// The states.
    pub counts: Counts,
    /// Different histories of one honest masternode.
    pub locals: usize,
    /// Different batches that were delivered to different machines.
    pub batches: usize,
    /// States of walks that were looked up.
    pub looked_up: u64,
    /// The first rank that was not gone through, where not all were. The rank of a state is how far
    /// the honest masternodes went together: three for each round, one for each vote of the last
    /// one, lock, valid block and decision.
    pub cut_at: Option<usize>,
    /// What did not hold.
    pub violation: Option<Violation>,
    /// How it came to be, a line for each move.
    pub trace: Vec<String>,
}

/// Goes through all states.
pub fn run(options: &Options) -> Report {
    let mut search = Search::new(options);
    let mut report = Report::default();
    match search.run(options.states_max) {
        Err((violation, trace)) => {
            (report.violation, report.trace) = (Some(violation), trace);
        }
        Ok(Some(rank)) => report.cut_at = Some(rank),
        Ok(None) => match walk::walk(&search, &mut Rng::new(0), options.walks) {
            Err(violation) => report.violation = Some(violation),
            Ok(looked_up) => report.looked_up = looked_up,
        },
    }
    report.counts = search.counts.clone();
    report.locals = search.locals.len();
    report.batches = search.machines.offered();
    report
}
