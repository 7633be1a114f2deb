//! A key on two hosts: the one without its safety record signs nothing, however slow the other is.
use timecoin_sim::{
    batch,
    coverage::Met,
    faults::{Faults, SecondHost},
    world::{Options, SECOND},
};

const MS: u64 = 1_000;

#[test]
fn a_second_host_never_signs_and_the_slow_first_one_never_stops() {
    for (pause, lag) in [(0, 0), (60, 0), (60, 30), (200, 0), (350, 100), (0, 300)] {
        let second_host = Some(SecondHost { starts: 5 * SECOND, pause: pause * MS, lag: lag * MS });
        let faults = Faults { second_host, payment: Some(200 * MS), ..Faults::none() };
        let options = Options { heights: 40, faults: Some(faults), ..Options::default() };
        let summary = batch::run(0, 20, 2, &options);
        assert_eq!(summary.failures, [], "{pause} ms of 400 paused, {lag} ms slower");
        assert!(summary.coverage.count(Met::SecondHost) > 0);
    }
}
