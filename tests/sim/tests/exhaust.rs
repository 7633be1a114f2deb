//! Every state of the consensus core: small enough here to be gone through in a moment. `sim exhaust`
//! goes through two rounds.
use timecoin_sim::exhaust::{self, Flaw, Options};

fn options(byzantine: u16, rounds: u8) -> Options {
    Options {
        byzantine,
        rounds,
        blocks: 2,
        walks: 200,
        states_max: u64::MAX,
        flaw: Flaw::None,
        only_agreement: false,
    }
}

#[test]
fn one_round_holds_in_every_state_and_whole_machines_stay_among_them() {
    for byzantine in 0..4 {
        let report = exhaust::run(&options(byzantine, 1));
        assert_eq!(report.violation, None);
        assert!(report.counts.decided > 0 && report.counts.ends > 0 && report.looked_up > 0);
    }
}

#[test]
fn what_was_left_out_is_said() {
    let report = exhaust::run(&Options { states_max: 10_000, ..options(0, 3) });
    assert_eq!(report.violation, None);
    assert!(report.counts.states >= 10_000 && report.cut_at.is_some_and(|rank| rank > 5));
}

#[test]
fn the_number_of_states_is_the_same_for_masternodes_that_never_propose() {
    let counts = [1, 2, 3].map(|byzantine| exhaust::run(&options(byzantine, 1)).counts);
    assert_eq!(counts[0], counts[1]);
    assert_eq!(counts[1], counts[2]);
}

#[test]
fn masternodes_that_forget_their_locks_break_the_lock_rule() {
    for byzantine in 0..3 {
        let flawed = Options { flaw: Flaw::ForgetsLock, ..options(byzantine, 2) };
        let report = exhaust::run(&flawed);
        assert_eq!(report.violation.map(|found| found.property), Some("lock rule"));
    }
}

#[test]
fn masternodes_that_forget_their_locks_come_to_disagree() {
    let flaw = Flaw::ForgetsLock;
    let report = exhaust::run(&Options { flaw, only_agreement: true, ..options(1, 2) });
    assert_eq!(report.violation.map(|found| found.property), Some("agreement"));
    assert!(report.trace.len() > 10, "{:?}", report.trace);
}

#[test]
fn walks_notice_states_that_were_left_out() {
    let flawed = Options { flaw: Flaw::ForgetsLock, only_agreement: true, ..options(3, 1) };
    let report = exhaust::run(&flawed);
    assert_eq!(report.violation.map(|found| found.property), Some("reduction"));
}
