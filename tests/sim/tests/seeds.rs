//! The simulator itself: it runs clean, it repeats itself, and its oracle bites.
use timecoin_sim::{
    batch,
    disk::Flaw,
    faults::Faults,
    world::{self, Options},
};

#[test]
fn fixed_seeds_run_clean() {
    let summary = batch::run(0, 12, 2, &Options { heights: 10, ..Options::default() });
    assert_eq!(summary.failures, []);
    assert!(summary.repeated > 0);
}

#[test]
fn a_calm_network_decides_every_height() {
    let outcome = world::run(1, &Options { faults: Some(Faults::none()), ..Options::default() });
    assert_eq!(outcome.violation, None);
    assert!(outcome.height.0 >= 20);
}

#[test]
fn real_signatures_run_clean() {
    let options = Options { heights: 6, real_signatures: true, ..Options::default() };
    assert_eq!(world::run(3, &options).violation, None);
}

#[test]
fn a_seed_always_gives_the_same_hash() {
    let options = Options { heights: 10, ..Options::default() };
    let (one, two) = (world::run(7, &options), world::run(7, &options));
    assert_eq!((one.hash, one.events), (two.hash, two.events));
    assert_ne!(one.hash, world::run(8, &options).hash);
    let traced = world::run(7, &Options { trace: true, ..options });
    assert_eq!(traced.hash, one.hash, "looking changes nothing");
}

/// Seeds until the oracle names this property.
fn seeds_until(flaw: Flaw, property: &str, seeds: u64) -> Option<u64> {
    let options = Options { heights: 10, flaw, ..Options::default() };
    (0..seeds).find(|&seed| {
        world::run(seed, &options).violation.is_some_and(|found| found.property == property)
    })
}

#[test]
fn a_disk_that_forgets_the_safety_record_is_caught_as_double_signing() {
    assert!(seeds_until(Flaw::ForgetsRecord, "no double signing", 100).is_some());
}

#[test]
fn a_batch_that_stops_at_the_first_failure_has_run_every_seed_before_it() {
    let options = Options { heights: 10, flaw: Flaw::ForgetsBlocks, ..Options::default() };
    let alone = batch::run_until_failure(0, 100, 1, &options);
    let together = batch::run_until_failure(0, 100, 2, &options);
    let first = alone.failures.first().expect("a hundred seeds are enough");
    assert_eq!(alone.seeds, first.seed + 1);
    assert_eq!(together.failures.first(), Some(first));
    assert!(alone.seeds < 100);
}

#[test]
fn a_disk_that_forgets_blocks_is_caught() {
    assert!(seeds_until(Flaw::ForgetsBlocks, "durability", 100).is_some());
}
