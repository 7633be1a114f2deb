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
