//! Every state of the consensus core, for four masternodes of which one is Byzantine, in one height and
//! a few rounds.
//!
//! The state machine is the node's own (`timecoin_chain::consensus`). The Byzantine masternode has
//! no state: in every slot it may send anything to anyone at any time. That covers a twin, two
//! unmodified machines with one key, and every other thing that one signer can do.
//!
//! Reductions, none of which omits a behaviour:
//! - Messages are never lost and may be delayed for ever, so a state consists of what each honest
//!   masternode has sent and the position of its machine; delivery has no order other than that of
//!   moves.
//! - Between two moves a machine only collects. A message that does not make it move may as well
//!   arrive later, so messages are delivered in batches that end with a move, any batch that can
//!   cause a move: a proposal, the votes of one kind in one round, or both kinds for a later round.
//! - After a move the machine restarts from what it would find after a crash. All messages can be
//!   delivered to it again, so it can do what a machine without a restart can do. This covers
//!   crashes.
//! - Masternodes that never propose are interchangeable.
//!
//! `walk` checks the reductions: machines that never restart and receive one message at a time
//! reach only states found here.
//!
//! Bounded: the number of rounds (beyond the last, a masternode only receives), the number of
//! blocks, four masternodes of equal weight, one height, valid blocks. With `states_max`, also
//! their joint progress.
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

/// The result of a search.
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
    /// The first rank that was not visited, if any. The rank of a state is the joint progress of
    /// the honest masternodes: three for each round, one for each vote of the last one, lock, valid
    /// block and decision.
    pub cut_at: Option<usize>,
    /// The violated property.
    pub violation: Option<Violation>,
    /// How it was reached, a line for each move.
    pub trace: Vec<String>,
}

/// Visits all states.
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
