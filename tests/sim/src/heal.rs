//! Four masternodes are partitioned into halves for ten minutes; measures how soon they decide
//! after it heals.
use crate::{
    faults::Faults,
    rng::Rng,
    setup::Setup,
    shells::{Clock, Shells},
};
use timecoin_chain::types::Millis;

const MASTERNODES: usize = 4;
const WAY_MS: u64 = 80;
const CUT_MS: u64 = 10 * 60_000;
/// Until the next block: a repetition of own messages, at most one round and the link delays.
const RECOVERY_MS: u64 = 2_000;
/// As in `setup`, and as the documentation states.
const INTERVAL_MS: u64 = 2_000;
const TOLERANCE_MS: u64 = 500;
/// Four times the parameter for a wait.
const WAIT_MAX: Millis = Millis(2_000);

#[test]
fn after_ten_minutes_in_halves_blocks_come_at_once_and_at_their_pace() {
    // The cut may come in any part of a height.
    for moment in (0..INTERVAL_MS + 500).step_by(250) {
        let mut shells = start();
        reach(&mut shells, 5);
        pass_ms(&mut shells, moment);
        shells.cut(2);
        // Messages in flight arrive.
        pass_ms(&mut shells, WAY_MS);
        let height = shells.heights().max().expect("four");
        pass_ms(&mut shells, CUT_MS);
        assert_eq!(shells.heights().max(), Some(height), "a half is no quorum");
        shells.cut(0);
        let took = reach(&mut shells, height + 1);
        assert!(took <= RECOVERY_MS, "cut after {moment} ms, the next block took {took} ms");
        shells.take_delays();
        for next in 2..22 {
            let took = reach(&mut shells, height + next);
            assert!(took.abs_diff(INTERVAL_MS) <= TOLERANCE_MS, "block {next} took {took} ms");
        }
        let (later_rounds, wait) = shells.take_delays();
        assert_eq!(later_rounds, 0, "cut after {moment} ms");
        assert!(wait < WAIT_MAX, "somebody still waits for {wait:?}");
    }
}

fn start() -> Shells {
    let setup = Setup::draw(&mut Rng::new(0), &Faults::none(), 4);
    Shells::start(setup, &[Clock::default(); MASTERNODES], WAY_MS).expect("they start")
}

fn pass_ms(shells: &mut Shells, ms: u64) {
    (0..ms).for_each(|_| shells.pass_ms().expect("nobody stops"));
}

/// How long it takes until all have decided this height.
fn reach(shells: &mut Shells, height: u64) -> u64 {
    let began = shells.ms();
    while shells.heights().any(|at| at < height) {
        pass_ms(shells, 1);
        assert!(shells.ms() - began <= 60_000, "height {height} does not come");
    }
    shells.ms() - began
}
