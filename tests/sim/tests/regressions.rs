//! What was found once stays fixed: single seeds as `sim shrink` prints them, and faults that brought a
//! bug out in a few of a hundred seeds, which go on biting when the simulator draws other things.
use timecoin_sim::{
    batch,
    faults::{Faults, Rhythm},
    instances::Class,
    world::{self, Options},
};

/// All wall clocks ran three minutes ahead for a while: no block after the tip was early enough.
#[test]
fn progress_holds_in_seed_594() {
    let options = Options {
        masternodes: 4,
        heights: 20,
        faults: Some(Faults {
            clock_fault: Some(Rhythm { every: 13_882_045, lasts: 6_888_356 }),
            clock_step_ms: 183_010,
            ..Faults::none()
        }),
        only: Some(vec![(Class::Clock, 3)]),
        ..Options::default()
    };
    assert_eq!(world::run(594, &options).violation, None);
}

/// What was found once, with faults that brought it out in a few of a hundred seeds.
fn found() -> Vec<(&'static str, Faults)> {
    const MS: u64 = 1_000;
    let rhythm = |every, lasts| Some(Rhythm { every: every * MS, lasts: lasts * MS });
    let calm = Faults::none();
    vec![
        (
            "the bodies of a block recovered from the safety record are served",
            Faults {
                loss: 200,
                crash_all: rhythm(2_500, 300),
                payment: Some(300 * MS),
                ..calm.clone()
            },
        ),
        (
            "masternodes that come back in different rounds meet without the one that is away",
            Faults { loss: 150, crash: rhythm(1_000, 5_000), one_stays_away: true, ..calm.clone() },
        ),
        (
            "a child is gossiped again with the parent that others forgot",
            Faults {
                loss: 200,
                crash_at_effect: 10,
                payment: Some(300 * MS),
                observers: 1,
                ..calm.clone()
            },
        ),
        (
            "what a peer takes out of a proposal or a block says nothing against the block",
            Faults {
                tamper: 150,
                crash: rhythm(2_000, 2_000),
                payment: Some(200 * MS),
                ..calm.clone()
            },
        ),
        (
            "clocks that were ahead together and are set right do not stop the chain",
            Faults { clock_fault: rhythm(5_000, 5_000), clock_step_ms: 3_600_000, ..calm },
        ),
    ]
}

#[test]
fn what_was_found_stays_fixed() {
    for (what, faults) in found() {
        let options = Options { heights: 10, faults: Some(faults), ..Options::default() };
        let summary = batch::run(0, 100, 2, &options);
        assert_eq!(summary.failures, [], "{what}");
    }
}
