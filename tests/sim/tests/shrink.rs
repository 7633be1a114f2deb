//! Shrinking: a failure stays the same failure, and little is left of what does not cause it.
use timecoin_sim::{
    batch,
    disk::Flaw,
    faults::{Faults, Rhythm},
    instances::{Class, Instance},
    shrink::{regression_test, shrink},
    world::{self, Options},
};

/// Crashes, and much that has nothing to do with them.
fn faults() -> Faults {
    const SECOND: u64 = 1_000_000;
    let rhythm = |every, lasts| Some(Rhythm { every: every * SECOND, lasts: lasts * SECOND });
    Faults {
        loss: 100,
        duplicate: 50,
        reorder: true,
        corrupt: 20,
        clog: rhythm(5, 2),
        partition: rhythm(8, 3),
        crash: rhythm(3, 2),
        crash_all: rhythm(9, 1),
        ..Faults::none()
    }
}

/// The first seed that fails with a flaw.
fn failing(flaw: Flaw) -> (u64, Options) {
    let options = Options { heights: 10, flaw, faults: Some(faults()), ..Options::default() };
    let seed = (0..100).find(|&seed| batch::failure(seed, &options).is_some());
    (seed.expect("one of a hundred seeds fails"), options)
}

fn is_crash((class, _): &Instance) -> bool {
    matches!(class, Class::Crash | Class::CrashAll)
}

#[test]
fn a_forgotten_block_shrinks_to_a_single_crash() {
    let (seed, options) = failing(Flaw::ForgetsBlocks);
    let shrunk = shrink(seed, &options, 500).expect("it fails");
    let again = world::run(seed, &shrunk.options).violation.map(|found| found.property);
    assert_eq!(again, Some("durability"));
    assert_eq!(shrunk.property, "durability");
    let only = shrunk.options.only.expect("single faults were looked at");
    assert!(only.len() == 1 && only.iter().all(is_crash), "{only:?}");
}

#[test]
fn a_forgotten_record_shrinks_to_a_few_faults_and_prints_as_a_test() {
    let (seed, options) = failing(Flaw::ForgetsRecord);
    let before = batch::faults_of(seed, &options).len();
    let shrunk = shrink(seed, &options, 500).expect("it fails");
    let again = world::run(seed, &shrunk.options).violation.map(|found| found.property.to_string());
    assert_eq!(again.as_ref(), Some(&shrunk.property), "the same property still fails");
    let only = shrunk.options.only.as_ref().expect("single faults were looked at");
    assert!(only.len() <= 3 && only.len() < before, "{only:?} of {before}");
    assert!(only.iter().any(is_crash), "{only:?}");
    let text = regression_test(&shrunk);
    assert!(text.contains("flaw: Flaw::ForgetsRecord,"), "{text}");
    assert!(text.contains(&format!("world::run({seed}, &options)")), "{text}");
}

#[test]
fn a_seed_that_does_not_fail_is_not_shrunk() {
    assert!(shrink(1, &Options { heights: 3, ..Options::default() }, 10).is_none());
}
