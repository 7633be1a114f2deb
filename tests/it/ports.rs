//! Free ports: a random base below the ephemeral range, each port tested.
use std::{
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    sync::{Mutex, PoisonError},
};

const BASES: Range<u16> = 10_000..31_000;
/// The port distance between two nodes of a network, as in `testnet up`.
pub(crate) const STEP: u16 = 10;

/// Bases already used in this process, never reused: another test may check between the check and
/// the use.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A base with free ports for this many nodes: `base + 10 i` and the next one.
pub(crate) fn free_base(nodes: u16) -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..1_000 {
        let base = BASES.start + random_below(BASES.end - BASES.start);
        let ports: Vec<u16> =
            (0..nodes).flat_map(|index| [base + STEP * index, base + STEP * index + 1]).collect();
        if ports.iter().all(|port| !given.contains(port) && is_free(*port)) {
            given.extend(ports);
            return base;
        }
    }
    panic!("no free ports for {nodes} nodes in {BASES:?}");
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A number below this one, different at each call.
pub(crate) fn random_below(end: u16) -> u16 {
    let random = RandomState::new().hash_one(()) % u64::from(end);
    u16::try_from(random).expect("below 16 bits")
}
