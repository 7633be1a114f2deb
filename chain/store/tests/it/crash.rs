//! Power loss and I/O errors at every kind of moment. After reopening, the ledger is the state after
//! some block at or above the last commit that returned, its coins are those of that state, and the
//! safety record is the last that returned or a later one.
use crate::{
    disk::{Disk, Failure, Fuse},
    fixture::{Committed, Fixture, Source, by_position, record},
    ledger::assert_same_coins,
};
use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};
use timecoin_chain::{engine::Recovered, ledger::genesis_delta, types::Height};
use timecoin_store::{Store, StoreError, StoreOptions};

const OPTIONS: StoreOptions = StoreOptions { address_index: true, cache_bytes: 256 * 1024 };
const CRASH_POINTS: u64 = 400;
const BUDGET: Duration = Duration::from_secs(10);

/// What a node writes: a record, then its block, and so on.
struct Workload {
    fixture: Fixture,
    blocks: Vec<Committed>,
    records: Vec<Recovered>,
}

/// How much of it returned without an error.
#[derive(Debug, Clone, Copy, Default)]
struct Done {
    blocks: usize,
    records: usize,
}

impl Workload {
    fn new() -> Self {
        let mut fixture = Fixture::new(42);
        let genesis = fixture.clone();
        let blocks = fixture.grow(7);
        let mut records = vec![];
        for Committed { block, .. } in &blocks {
            let height = block.header.height.0;
            for (round, valid) in [(0, None), (1, Some(block))] {
                let record = record(&fixture.chain, height, round, valid);
                records.push(Recovered { record, blocks: valid.cloned().into_iter().collect() });
            }
        }
        Self { fixture: genesis, blocks, records }
    }

    fn open(&self, ledger: &Disk, safety: &Disk) -> Result<Store, StoreError> {
        Store::over_backends(ledger.clone(), safety.clone(), &self.fixture.chain, OPTIONS)
    }

    /// Writes what is not yet written until something fails: before each block its two records.
    fn run(&self, store: &Store, done: &mut Done) -> Result<(), StoreError> {
        while let Some(block) = self.blocks.get(done.blocks) {
            if done.records < 2 * done.blocks + 2 {
                let Recovered { record, blocks } = &self.records[done.records];
                store.persist_safety(record, &blocks.iter().collect::<Vec<_>>())?;
                done.records += 1;
            } else {
                store.commit(&block.block, &block.certificate, &block.delta)?;
                done.blocks += 1;
            }
        }
        Ok(())
    }

    fn check(&self, store: &Store, done: Done, context: &str) {
        let state = store.state().unwrap();
        let height = usize::try_from(state.height.0).unwrap();
        // One more than returned may have become durable: the one that failed.
        assert!((done.blocks..=done.blocks + 1).contains(&height), "{context}: height {height}");
        let genesis = genesis_delta(&self.fixture.chain).state;
        let (expected, view) = match height.checked_sub(1) {
            None => (&genesis, &self.fixture.view),
            Some(last) => (&self.blocks[last].delta.state, &self.blocks[last].view),
        };
        assert_eq!(state, *expected, "{context}");
        assert_same_coins(store, &self.blocks[..height], &by_position(view));
        let checked = store.check().unwrap_or_else(|error| panic!("{context}: {error}"));
        assert_eq!(checked.height, Height(height as u64));
        let recovered = store.load_safety().unwrap_or_else(|error| panic!("{context}: {error}"));
        let allowed = self.records[..self.records.len().min(done.records + 1)]
            .iter()
            .skip(done.records.saturating_sub(1));
        let is_allowed = match &recovered {
            None => done.records == 0,
            Some(recovered) => allowed.into_iter().any(|allowed| allowed == recovered),
        };
        assert!(is_allowed, "{context}: {} records returned, {recovered:?}", done.records);
    }

    /// Operations of an undisturbed run, from empty disks to the last write.
    fn operations(&self) -> u64 {
        let fuse = Fuse::new(u64::MAX, Failure::PowerLoss);
        let (ledger, safety) = (Disk::holding(vec![], &fuse), Disk::holding(vec![], &fuse));
        let store = self.open(&ledger, &safety).unwrap();
        self.run(&store, &mut Done::default()).unwrap();
        fuse.done()
    }

    /// Runs into a failure, crashes, perhaps crashes again while recovering, and checks.
    fn crash(&self, fails_at: u64, failure: Failure, seed: u64) -> Done {
        let context = format!("operation {fails_at} {failure:?} seed {seed}");
        let mut source = Source::new(seed);
        let mut done = Done::default();
        let mut fuse = Fuse::new(fails_at, failure);
        let mut images = [vec![], vec![]];
        for crashes_left in (0..2 + source.below(3)).rev() {
            let disks = images.clone().map(|image| Disk::holding(image, &fuse));
            let opened = self.open(&disks[0], &disks[1]);
            if crashes_left == 0 {
                let store = opened.unwrap_or_else(|error| panic!("{context}: {error}"));
                self.check(&store, done, &context);
                break;
            }
            // New files get their names when the store is open: before, there are none.
            let are_named = opened.is_ok() || !images[0].is_empty();
            if let (Ok(store), true) = (opened, done.records == 0) {
                // A node stops at the first error. One that tried again would be told the truth.
                let _ = self.run(&store, &mut done).or_else(|_| self.run(&store, &mut done));
            }
            if are_named {
                images = disks.map(|disk| disk.after_crash(&mut source));
            }
            let fails_at = if crashes_left > 1 { source.below(30) } else { u64::MAX };
            fuse = Fuse::new(fails_at, Failure::PowerLoss);
        }
        done
    }
}

fn crash_everywhere(failures: &[Failure]) {
    let workload = Workload::new();
    let operations = workload.operations();
    let (began, mut points, mut finished) = (Instant::now(), 0, 0);
    for seed in 0..CRASH_POINTS {
        if began.elapsed() > BUDGET {
            break;
        }
        let failure = failures[usize::try_from(seed).unwrap() % failures.len()];
        // Spread over the whole run: 617 has no factor in common with the number of points.
        let fails_at = (seed * 617 % CRASH_POINTS) * operations / CRASH_POINTS;
        let done = workload.crash(fails_at, failure, seed);
        points += 1;
        finished += usize::from(done.blocks > 0);
    }
    println!("{points} crash points in {operations} operations, {finished} after a commit");
    assert!(finished > 50, "only {finished} of {points} points were after a commit");
}

#[test]
fn nothing_that_returned_is_lost_when_power_is() {
    crash_everywhere(&[Failure::PowerLoss]);
}

#[test]
fn nothing_that_returned_is_lost_after_an_io_error() {
    crash_everywhere(&[
        Failure::OneError(ErrorKind::Other),
        Failure::OneError(ErrorKind::StorageFull),
    ]);
}

#[test]
fn a_full_disk_is_recognised() {
    let workload = Workload::new();
    let operations = workload.operations();
    let mut full = 0;
    for fails_at in (operations / 2..operations).step_by(7) {
        let fuse = Fuse::new(fails_at, Failure::OneError(ErrorKind::StorageFull));
        let (ledger, safety) = (Disk::holding(vec![], &fuse), Disk::holding(vec![], &fuse));
        let store = workload.open(&ledger, &safety).unwrap();
        let Err(error) = workload.run(&store, &mut Done::default()) else { continue };
        assert!(error.is_disk_full(), "{error}");
        assert!(error.to_string().contains("is full: the last write did not complete"));
        full += 1;
    }
    assert!(full > 10, "{full}");
}
