//! Byzantine masternodes: each kind does what it is there for, and honest nodes keep every property.
use timecoin_sim::{
    batch,
    byzantine::{Role, plot::Plot, twins::Space},
    coverage::Met,
    faults::Faults,
    world::{self, Options, SECOND},
};

#[test]
fn every_role_is_played_and_no_property_breaks() {
    for role in Role::ALL {
        let options = Options { heights: 10, byzantine: Some(role), ..Options::default() };
        let summary = batch::run(0, 12, 2, &options);
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

/// All of one round, and a part of two, for two and three copies of one key.
#[test]
fn twins_neither_fork_nor_stop_the_chain() {
    for (rounds, copies, part) in [(1, 2, usize::MAX), (2, 2, 60), (2, 3, 40)] {
        let space = Space::new(4, rounds, copies).expect("a small space");
        let is_scenario = |number: &u64| space.get(*number).is_some();
        let numbers: Vec<u64> = space.sample(0).filter(is_scenario).take(part).collect();
        let summary = batch::run_each(numbers.len() as u64, 2, |index| {
            let number = numbers[usize::try_from(index).expect("a few")];
            let options = Options {
                heights: 13,
                faults: Some(Faults { payment: None, ..Faults::none() }),
                twins: space.get(number),
                ..Options::default()
            };
            (number, options)
        });
        assert_eq!(summary.failures, [], "{rounds} rounds, {copies} copies");
        assert!(summary.coverage.count(Met::EvidenceFound) > 0);
    }
}

#[test]
fn a_fork_names_at_least_a_third_nobody_who_is_honest_and_stops_every_node() {
    for plot in Plot::ALL {
        let options = Options {
            heights: 30,
            faults: Some(Faults::none()),
            fork: Some(plot),
            ..Options::default()
        };
        let summary = batch::run(0, 60, 2, &options);
        assert_eq!(summary.failures, [], "{plot:?}");
        assert!(summary.forks > 0, "{plot:?} made no fork");
    }
}
