//! A masternode that sends without pause: correctly signed messages, all different, to three honest
//! ones that decide meanwhile. Their memory must stay within its bounds, and blocks must come when
//! due.
//!
//! The messages reach the engines themselves: the shares that the shell allows each masternode
//! (`src/node/recent.rs`) stand before them in a real node. Memory is measured by who calls this: nothing here
//! keeps anything of what was sent.
mod hostile;

use crate::{
    faults::Faults,
    rng::Rng,
    setup::Setup,
    shells::{Clock, Shells},
};
use hostile::Hostile;
use timecoin_chain::engine::Held;

/// Hostile messages per millisecond of virtual time, each to every honest masternode.
const EACH_MS: u64 = 10;
/// Honest masternodes, of four.
const HONEST: usize = 3;
/// Heights that must be decided in a second of virtual time while the mempools are empty: one in two seconds is due,
/// and the hostile masternode's own turns take a round more.
const SECONDS_FOR_HEIGHT: u64 = 4;

/// The progress of a flood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Messages that reached each honest masternode.
    pub sent: u64,
    /// Virtual time in milliseconds.
    pub ms: u64,
    /// The height that all have decided.
    pub height: u64,
    /// The maximum that one of them has held so far, in each count.
    pub held: Held,
    /// Messages that the honest ones published.
    pub published: u64,
    /// Messages that they proved to conflict.
    pub evidence: u64,
}

/// Sends this many messages; reports its progress to `report` from time to time.
///
/// # Errors
/// What did not hold.
pub fn run(
    messages: u64,
    every: u64,
    mut report: impl FnMut(&Progress),
) -> Result<Progress, String> {
    let mut rng = Rng::new(0);
    let setup = Setup::draw(&mut rng, &Faults::none(), 4);
    let most = Held::most(setup.masternodes.len());
    let mut hostile = Hostile::new(&setup, rng);
    let mut shells = Shells::start(setup, &[Clock::default(); HONEST], 0)?;
    let started = shells.ms();
    let (mut sent, mut peak) = (0, Held::default());
    while sent < messages {
        for _ in 0..EACH_MS {
            let message = hostile.next(&shells);
            shells.receive_all(&message)?;
            sent += 1;
            peak = peak.max_of(&shells.held());
            if sent.is_multiple_of(every) {
                report(&progress(&shells, started, sent, peak));
            }
        }
        shells.pass_ms()?;
        if !peak.is_within(&most) {
            return Err(format!("after {sent} messages {peak:?} was held, more than {most:?}"));
        }
    }
    let progress = progress(&shells, started, sent, peak);
    let due = progress.ms / 1_000 / SECONDS_FOR_HEIGHT;
    match progress.height >= due {
        true => Ok(progress),
        false => Err(format!("height {} is less than {due}", progress.height)),
    }
}

fn progress(shells: &Shells, started: u64, sent: u64, held: Held) -> Progress {
    Progress {
        sent,
        ms: shells.ms() - started,
        height: shells.heights().min().unwrap_or(0),
        held,
        published: shells.published(),
        evidence: shells.evidence(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_fills_no_book_beyond_its_bounds_and_stops_no_block() {
        let progress = run(100_000, 100_000, |_| ()).expect("the flood is withstood");
        assert_eq!(progress.sent, 100_000);
        assert!(progress.height >= 2, "{progress:?}");
        assert!(progress.evidence > 0, "equivocation was noticed: {progress:?}");
        let books = progress.held.books;
        assert!(books.votes > 0 && books.proposals > 0, "something was there: {progress:?}");
        assert!(progress.held.candidates > 0, "something was there: {progress:?}");
    }
}
