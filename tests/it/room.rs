//! Limits how many networks run at a time: each is several processes, and the machine may have two
//! cores.
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

const ROOMS: usize = 2;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// A permit to run a network; released when dropped.
#[derive(Debug)]
pub(crate) struct Room(usize);

impl Room {
    /// Waits for a permit for one network.
    pub(crate) fn one() -> Self {
        take(1);
        Self(1)
    }

    /// Waits until no other network runs: for measurements that another one would distort.
    pub(crate) fn alone() -> Self {
        take(ROOMS);
        Self(ROOMS)
    }

    /// Waits for two permits at once: two tests that hold one each would wait for ever.
    pub(crate) fn two() -> [Self; 2] {
        take(2);
        [Self(1), Self(1)]
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        *taken() -= self.0;
        FREED.notify_all();
    }
}

fn take(rooms: usize) {
    let mut taken = taken();
    while *taken + rooms > ROOMS {
        taken = FREED.wait(taken).unwrap_or_else(PoisonError::into_inner);
    }
    *taken += rooms;
}

fn taken() -> MutexGuard<'static, usize> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}
