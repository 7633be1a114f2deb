//! The faults that can be removed from a seed.
use crate::faults::{Faults, Flood, Rhythm, Unsynced};

/// Switches one class off: the field becomes that of a quiet network.
pub(super) type Off = fn(&mut Faults, &Faults);

/// All classes.
pub(super) const CLASSES: [Off; 37] = [
    |faults, calm| faults.flood = calm.flood,
    |faults, calm| faults.bad_blocks = calm.bad_blocks,
    |faults, calm| faults.byzantine = calm.byzantine,
    |faults, calm| faults.loss = calm.loss,
    |faults, calm| faults.duplicate = calm.duplicate,
    |faults, calm| faults.late_duplicates = calm.late_duplicates,
    |faults, calm| faults.reorder = calm.reorder,
    |faults, calm| faults.tamper = calm.tamper,
    |faults, calm| faults.busy = calm.busy,
    |faults, calm| faults.corrupt = calm.corrupt,
    |faults, calm| faults.replay = calm.replay,
    |faults, calm| faults.clog = calm.clog,
    |faults, calm| faults.filter = calm.filter,
    |faults, calm| faults.partition = calm.partition,
    |faults, calm| faults.partition_breaks = calm.partition_breaks,
    |faults, calm| faults.crash = calm.crash,
    |faults, calm| faults.crash_at_effect = calm.crash_at_effect,
    |faults, calm| faults.crash_in_write = calm.crash_in_write,
    |faults, calm| faults.crash_after_persist = calm.crash_after_persist,
    |faults, calm| faults.crash_in_recovery = calm.crash_in_recovery,
    |faults, calm| faults.crash_all = calm.crash_all,
    |faults, calm| faults.unsynced = calm.unsynced,
    |faults, calm| faults.pause = calm.pause,
    |faults, calm| {
        (faults.clock_fault, faults.clock_step_ms) = (calm.clock_fault, calm.clock_step_ms);
    },
    |faults, calm| faults.clock_offset_ms = calm.clock_offset_ms,
    |faults, calm| faults.clock_drift_ppm = calm.clock_drift_ppm,
    |faults, calm| faults.one_stays_away = calm.one_stays_away,
    |faults, calm| faults.observers = calm.observers,
    |faults, calm| faults.uneven_weights = calm.uneven_weights,
    |faults, calm| faults.tiny_mempools = calm.tiny_mempools,
    |faults, calm| faults.forward = calm.forward,
    |faults, calm| faults.real_signatures = calm.real_signatures,
    |faults, calm| faults.presences = calm.presences,
    |faults, calm| faults.second_host = calm.second_host,
    |faults, calm| faults.payment = calm.payment,
    |faults, calm| faults.delay = calm.delay,
    |faults, calm| {
        (faults.commit, faults.work, faults.persist) = (calm.commit, calm.work, calm.persist);
    },
];

/// Makes one class weaker. Each is applied again for as long as the failure stays.
pub(super) const INTENSITIES: [fn(&mut Faults); 23] = [
    |faults| flood(faults, |flood| flood.masternodes = (flood.masternodes / 2).max(4)),
    |faults| flood(faults, |flood| flood.strangers /= 2),
    |faults| flood(faults, |flood| flood.pace /= 2),
    |faults| flood(faults, |flood| flood.burst /= 2),
    |faults| faults.loss /= 2,
    |faults| faults.duplicate /= 2,
    |faults| faults.tamper /= 2,
    |faults| faults.busy /= 2,
    |faults| faults.corrupt /= 2,
    |faults| faults.replay /= 2,
    |faults| faults.crash_at_effect /= 2,
    |faults| faults.crash_in_write /= 2,
    |faults| faults.crash_after_persist /= 2,
    |faults| faults.crash_in_recovery /= 2,
    |faults| faults.clock_step_ms /= 2,
    |faults| weaken(&mut faults.clog),
    |faults| weaken(&mut faults.filter),
    |faults| weaken(&mut faults.partition),
    |faults| weaken(&mut faults.crash),
    |faults| weaken(&mut faults.crash_all),
    |faults| weaken(&mut faults.pause),
    |faults| weaken(&mut faults.clock_fault),
    |faults| {
        if faults.unsynced == Unsynced::Subset {
            faults.unsynced = Unsynced::Prefix;
        }
    },
];

fn flood(faults: &mut Faults, weaken: impl FnOnce(&mut Flood)) {
    if let Some(flood) = &mut faults.flood {
        weaken(flood);
    }
}

/// Rarer and shorter, down to once in five minutes.
fn weaken(rhythm: &mut Option<Rhythm>) {
    if let Some(Rhythm { every, lasts }) = rhythm
        && *every < 300_000_000
    {
        (*every, *lasts) = (*every * 2, *lasts / 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn without_its_classes_nothing_is_left_of_a_seed() {
        let calm = Faults::none();
        for seed in 0..100 {
            let mut faults = Faults::of_seed(seed, &mut Rng::new(seed), false);
            CLASSES.iter().for_each(|off| off(&mut faults, &calm));
            assert_eq!(faults, calm, "seed {seed}");
        }
    }
}
