//! Byzantine masternodes: each kind does what it is there for, and honest nodes keep every property.
use timecoin_sim::{
    batch,
    byzantine::Role,
    faults::Faults,
    world::{self, Options, SECOND},
};

#[test]
fn every_role_is_played_and_no_property_breaks() {
    for role in Role::ALL {
        let options = Options { heights: 10, byzantine: Some(role), ..Options::default() };
        let summary = batch::run(0, 16, 2, &options);
        assert_eq!(summary.failures, [], "{role:?}");
        assert!(summary.coverage.count(role.met()) > 0, "{role:?} did nothing");
    }
}

/// Without other faults, the worst that one of four can do to a height is a few rounds.
#[test]
fn one_of_four_cannot_stop_a_quiet_network() {
    for role in Role::ALL {
        let options = Options {
            faults: Some(Faults { byzantine: Some(role), ..Faults::none() }),
            heights: 30,
            ..Options::default()
        };
        let outcome = world::run(5, &options);
        assert_eq!(outcome.violation, None, "{role:?}");
        let per_height = outcome.time / outcome.height.0;
        assert!(per_height < 4 * SECOND, "{role:?}: {} ms for a height", per_height / 1_000);
    }
}

#[test]
fn seven_masternodes_bear_two_of_every_role() {
    for role in Role::ALL {
        let options =
            Options { masternodes: 7, heights: 8, byzantine: Some(role), ..Options::default() };
        assert_eq!(batch::run(0, 4, 2, &options).failures, [], "{role:?}");
    }
}
