//! A large masternode set under strangers and a masternode that flood it.
use timecoin_sim::{
    byzantine::Role,
    coverage::Met,
    faults::{Faults, Flood},
    world::{self, Options},
};

fn besieged(masternodes: u8) -> Options {
    let flood = Flood { masternodes, strangers: 4, targets: 1, pace: 1, burst: 8 };
    let faults = Faults {
        forward: true,
        byzantine: Some(Role::Flooder),
        flood: Some(flood),
        ..Faults::none()
    };
    Options { faults: Some(faults), ..Options::default() }
}

/// Many who send certificates, come back at once and answer what they are asked.
#[test]
fn votes_get_their_verdicts_in_a_crowd() {
    let mut options = besieged(16);
    let flood = Flood { masternodes: 16, strangers: 48, targets: 1, pace: 1, burst: 2 };
    options.faults = options.faults.map(|faults| Faults { flood: Some(flood), ..faults });
    let outcome = world::run(1, &options);
    assert_eq!(outcome.violation, None);
    assert!(outcome.coverage.count(Met::StrangerAnswered) > 0, "nobody was asked");
}

#[test]
fn votes_get_their_verdicts_and_blocks_come_under_a_siege() {
    let outcome = world::run(1, &besieged(16));
    assert_eq!(outcome.violation, None);
    assert!(outcome.vote_wait.is_some(), "enough votes were measured");
    for met in [Met::StrangerRefused, Met::Flooder] {
        assert!(outcome.coverage.count(met) > 0, "{met:?} was not met");
    }
}

#[test]
fn a_siege_repeats_itself() {
    let (one, two) = (world::run(2, &besieged(4)), world::run(2, &besieged(4)));
    assert_eq!((one.hash, one.events), (two.hash, two.events));
}

#[test]
fn costly_bad_blocks_cost_little_and_keep_no_honest_proposal_out() {
    let faults = Faults {
        byzantine: Some(Role::CostlyProposer),
        bad_blocks: true,
        payment: None,
        ..Faults::none()
    };
    let outcome = world::run(3, &Options { faults: Some(faults), ..Options::default() });
    assert_eq!(outcome.violation, None);
    assert!(outcome.coverage.count(Met::CostlyProposer) > 2, "bad blocks were proposed");
}
