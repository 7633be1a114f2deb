//! Limits dials to addresses that nothing proves: anyone can sign a record that names a victim's.
//!
//! Invariants: at most [`FEELERS`] such dials to one host in [`PERIOD`], from all records together;
//! at most [`HOSTS_MAX`] hosts are counted, and others wait.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use libp2p::Multiaddr;

use crate::{
    address,
    origin::{Origin, Prefix},
};

pub(crate) const FEELERS: usize = 4;
const PERIOD: Duration = Duration::from_secs(60);
const HOSTS_MAX: usize = 1_024;

/// The recent dials of each host.
#[derive(Debug)]
pub(crate) struct Feelers {
    /// Whether private addresses are not counted.
    private_is_exempt: bool,
    tried: HashMap<Prefix, VecDeque<Instant>>,
}

impl Feelers {
    pub(crate) fn new(private_is_exempt: bool) -> Self {
        Feelers { private_is_exempt, tried: HashMap::new() }
    }

    /// Whether the address may be tried now, which is then counted.
    pub(crate) fn take(&mut self, address: &Multiaddr, now: Instant) -> bool {
        // Names are resolved by the transport, so they share the count of one host that nobody has.
        let ip = address::ip(address).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        if self.private_is_exempt && !address::is_global(ip) {
            return true;
        }
        let host = Origin::of(ip).host;
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < PERIOD;
        if self.tried.len() >= HOSTS_MAX && !self.tried.contains_key(&host) {
            self.tried.retain(|_, tried| tried.back().is_some_and(is_recent));
            if self.tried.len() >= HOSTS_MAX {
                return false;
            }
        }
        let tried = self.tried.entry(host).or_default();
        while tried.front().is_some_and(|at| !is_recent(at)) {
            tried.pop_front();
        }
        let may = tried.len() < FEELERS;
        if may {
            tried.push_back(now);
        }
        may
    }
}
