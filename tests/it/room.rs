//! How many networks run at a time: each is several processes, and the machine may have two cores.
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

const ROOMS: usize = 2;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

/// The right to run a network; given back when dropped.
#[derive(Debug)]
pub(crate) struct Room(usize);

impl Room {
    /// Waits for room for one network.
    pub(crate) fn one() -> Self {
        take(1);
        Self(1)
    }

    /// Waits until no other network runs: for figures that another one would spoil.
    pub(crate) fn alone() -> Self {
        take(ROOMS);
        Self(ROOMS)
    }

    /// Waits for room for two networks, both at once: two tests with one each would wait for ever.
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
