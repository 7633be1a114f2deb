//! Shrinks a failing seed to a minimal failure: fewer classes of fault, lower intensities, fewer
//! heights, fewer nodes, and in the end single faults.
//!
//! Each step is kept only if the same property still fails. The result is not proven minimal:
//! within the allowed runs, no single further step could remove more.
mod classes;
mod text;

pub use text::regression_test;

use crate::{batch, faults::Faults, rng::Rng, world::Options};

/// Heights to try, shortest first.
const HEIGHTS: [u64; 10] = [1, 2, 3, 5, 8, 13, 20, 40, 80, 160];

/// A shrunk failure.
#[derive(Debug)]
pub struct Shrunk {
    /// The seed.
    pub seed: u64,
    /// What to run.
    pub options: Options,
    /// The violated property.
    pub property: String,
    /// Runs that this took.
    pub runs: u64,
}

/// Shrinks a failing seed within this many runs. None if it does not fail.
pub fn shrink(seed: u64, options: &Options, runs_max: u64) -> Option<Shrunk> {
    let property = batch::failure(seed, options)?;
    let drawn = Faults::of_seed(seed, &mut Rng::new(seed), options.is_flood);
    let mut faults = options.faults.clone().unwrap_or(drawn);
    faults.byzantine = options.byzantine.or(faults.byzantine);
    let options = Options {
        faults: Some(faults),
        byzantine: None,
        is_flood: false,
        trace: false,
        ..options.clone()
    };
    let mut search = Search { seed, options, property, runs: 1, runs_max };
    search.classes();
    search.intensities();
    search.heights();
    search.nodes();
    search.classes();
    search.instances();
    search.classes();
    search.heights();
    let Search { options, property, runs, .. } = search;
    Some(Shrunk { seed, options, property, runs })
}

struct Search {
    seed: u64,
    options: Options,
    property: String,
    runs: u64,
    runs_max: u64,
}

impl Search {
    /// Takes these options if the same property still fails with them.
    fn takes(&mut self, options: Options) -> bool {
        if self.runs >= self.runs_max || options == self.options {
            return false;
        }
        self.runs += 1;
        let fails = batch::failure(self.seed, &options).as_ref() == Some(&self.property);
        if fails {
            self.options = options;
        }
        fails
    }

    fn takes_faults(&mut self, change: impl FnOnce(&mut Faults)) -> bool {
        let mut options = self.options.clone();
        options.faults.as_mut().is_some_and(|faults| {
            change(faults);
            true
        }) && self.takes(options)
    }

    /// Switches classes of fault off, until none more can be.
    fn classes(&mut self) {
        let calm = Faults::none();
        while classes::CLASSES.iter().filter(|off| self.takes_faults(|f| off(f, &calm))).count() > 0
        {
        }
    }

    /// Makes what is left rarer, shorter and faster.
    fn intensities(&mut self) {
        for lower in classes::INTENSITIES {
            while self.takes_faults(lower) {}
        }
    }

    fn heights(&mut self) {
        for heights in HEIGHTS {
            let is_less = heights < self.options.heights;
            if !is_less || self.takes(Options { heights, ..self.options.clone() }) {
                return;
            }
        }
    }

    fn nodes(&mut self) {
        for masternodes in 1..self.options.masternodes {
            if self.takes(Options { masternodes, ..self.options.clone() }) {
                return;
            }
        }
    }

    /// Removes single faults: first all, then halves, quarters and so on down to one.
    fn instances(&mut self) {
        let mut kept = match &self.options.only {
            Some(only) => only.clone(),
            None => batch::faults_of(self.seed, &self.options),
        };
        self.options.only = Some(kept.clone());
        if self.takes(Options { only: Some(Vec::new()), ..self.options.clone() }) {
            return;
        }
        let mut chunk = kept.len().div_ceil(2);
        while chunk > 0 && self.runs < self.runs_max {
            let before = kept.len();
            let mut start = 0;
            while start < kept.len() {
                let end = (start + chunk).min(kept.len());
                let rest = [&kept[..start], &kept[end..]].concat();
                if self.takes(Options { only: Some(rest.clone()), ..self.options.clone() }) {
                    kept = rest;
                } else {
                    start = end;
                }
            }
            if chunk > 1 {
                chunk = chunk.div_ceil(2);
            } else if kept.len() == before {
                return;
            }
        }
    }
}
