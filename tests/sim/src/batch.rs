//! Many seeds on a few threads, one seed on one thread.
use crate::{
    coverage::Coverage,
    instances::Instance,
    world::{self, Options, Outcome},
};
use std::{
    panic::{self, AssertUnwindSafe},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// Of so many seeds one runs twice, to compare the digests.
const TWICE_EVERY: u64 = 50;

/// A seed that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub seed: u64,
    /// What did not hold.
    pub reason: String,
}

/// What a batch of seeds gave.
#[derive(Debug, Default)]
pub struct Summary {
    /// Seeds that were run.
    pub seeds: u64,
    /// Their events.
    pub events: u64,
    /// Their virtual time in microseconds.
    pub time: u64,
    /// Their blocks.
    pub heights: u64,
    /// The longest time from healing to the end, and its seed.
    pub slowest: (u64, u64),
    /// The longest that honest votes waited at the 99th percentile in a flooded seed, and which.
    pub vote_wait: (u64, u64),
    /// Seeds that were run a second time with the same digest.
    pub repeated: u64,
    /// Seeds with two final blocks at a height, where that is allowed.
    pub forks: u64,
    /// What was met.
    pub coverage: Coverage,
    /// What failed, by seed.
    pub failures: Vec<Failure>,
}

/// Runs `count` seeds from `first` on.
pub fn run(first: u64, count: u64, jobs: usize, options: &Options) -> Summary {
    run_each(count, jobs, |index| (first + index, options.clone()))
}

/// Runs seeds from `first` on until one fails, `count` at the most. All before that one are run too.
pub fn run_until_failure(first: u64, count: u64, jobs: usize, options: &Options) -> Summary {
    run_cases(count, jobs, true, |index| (first + index, options.clone()))
}

/// Runs so many cases, each with a seed and options of its own.
pub fn run_each(count: u64, jobs: usize, case: impl Fn(u64) -> (u64, Options) + Sync) -> Summary {
    run_cases(count, jobs, false, case)
}

fn run_cases(
    count: u64,
    jobs: usize,
    until_failure: bool,
    case: impl Fn(u64) -> (u64, Options) + Sync,
) -> Summary {
    let (next, summary) = (AtomicU64::new(0), Mutex::new(Summary::default()));
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    let (seed, options) = case(index);
                    let result = run_one(seed, &options);
                    let holds = matches!(&result, Ok((outcome, _)) if outcome.violation.is_none());
                    if until_failure && !holds {
                        next.fetch_max(count, Ordering::Relaxed);
                    }
                    summary
                        .lock()
                        .expect("no thread panics while it holds the lock")
                        .add(seed, result);
                }
            });
        }
    });
    let mut summary = summary.into_inner().expect("no thread panics while it holds the lock");
    summary.failures.sort_by_key(|failure| failure.seed);
    summary
}

/// The property that does not hold in a seed, should there be one. A panic is a failure like others.
pub fn failure(seed: u64, options: &Options) -> Option<String> {
    match run_once(seed, options) {
        Ok(outcome) => outcome.violation.map(|violation| violation.property.into()),
        Err(_) => Some("panic".into()),
    }
}

/// Single faults of a seed.
pub fn faults_of(seed: u64, options: &Options) -> Vec<Instance> {
    run_once(seed, options).map_or(Vec::new(), |outcome| outcome.faults)
}

fn run_once(seed: u64, options: &Options) -> Result<Outcome, String> {
    panic::catch_unwind(AssertUnwindSafe(|| world::run(seed, options))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("panic: {}", text.unwrap_or("without a message"))
    })
}

/// Runs one seed, some of them twice.
fn run_one(seed: u64, options: &Options) -> Result<(Outcome, bool), String> {
    let outcome = run_once(seed, options)?;
    if !seed.is_multiple_of(TWICE_EVERY) {
        return Ok((outcome, false));
    }
    match run_once(seed, options)?.hash == outcome.hash {
        true => Ok((outcome, true)),
        false => Err("determinism: a second run has another digest".into()),
    }
}

impl Summary {
    fn add(&mut self, seed: u64, result: Result<(Outcome, bool), String>) {
        self.seeds += 1;
        let (outcome, was_repeated) = match result {
            Ok(outcome) => outcome,
            Err(reason) => return self.failures.push(Failure { seed, reason }),
        };
        self.events += outcome.events;
        self.time += outcome.time;
        self.heights += outcome.height.0;
        self.slowest = self.slowest.max((outcome.recovery, seed));
        self.vote_wait = self.vote_wait.max((outcome.vote_wait.unwrap_or(0), seed));
        self.repeated += u64::from(was_repeated);
        self.forks += u64::from(outcome.forked.is_some());
        self.coverage.add(&outcome.coverage);
        if let Some(violation) = outcome.violation {
            self.failures.push(Failure { seed, reason: violation.to_string() });
        }
    }
}
