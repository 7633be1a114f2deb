//! A second host with a masternode's key and without its safety record, started while the first one
//! signs. The first is slow: it pauses for a part of every few hundred milliseconds, and its
//! messages take longer than those of others.
//!
//! What must hold: the second host never signs; the first does not stop.
use crate::{
    coverage::Met,
    faults::{Hosts, SecondHost},
    oracle::Violation,
    world::{Event, World},
};
use timecoin_chain::engine::StopKind;

/// From one pause of the first host to the next.
const PERIOD: u64 = 400_000;

impl World {
    /// Plans a second host for an honest masternode.
    pub(crate) fn begin_second_host(&mut self, fault: SecondHost) {
        // Twins and forks have copies of keys of their own, and a mesh has no room for another
        // node.
        if self.masks.is_some() || self.trial.is_some() || self.mesh.is_some() {
            return;
        }
        let members = self.setup.masternodes.len();
        let from = self.rng.index(members);
        let mut order = (from..members).chain(0..from);
        let Some(first) = order.find(|node| self.is_honest(*node)) else { return };
        let mut host = self.nodes[first].twin(&self.setup);
        host.disk.lose_record();
        host.is_away = true;
        let second = self.nodes.len();
        self.nodes.push(host);
        self.hosts = Some(Hosts { first, second, fault });
        self.after(fault.starts, Event::SecondHost);
        self.after(PERIOD, Event::Slow);
        self.net.lag = Some((first, fault.lag));
    }

    /// The second host starts.
    pub(crate) fn on_second_host(&mut self) {
        let Some(Hosts { second, .. }) = self.hosts.filter(|_| self.is_storm()) else { return };
        self.nodes[second].is_away = false;
        self.on_boot(second);
    }

    /// The first host pauses.
    pub(crate) fn on_slow(&mut self) {
        let Some(Hosts { first, fault, .. }) = self.hosts.filter(|_| self.is_storm()) else {
            return;
        };
        self.after(PERIOD, Event::Slow);
        if fault.pause > 0 {
            self.pause(first, fault.pause, false);
        }
    }

    /// Whether this node has the key of another and no record of it.
    pub(crate) fn is_second_host(&self, node: usize) -> bool {
        self.hosts.is_some_and(|hosts| hosts.second == node)
    }

    /// A node makes a signature durable.
    pub(crate) fn check_second_host(&mut self, node: usize) {
        let Some(Hosts { first, second, .. }) = self.hosts else { return };
        if node == second {
            let detail = format!("node {second} signs with the key of node {first}");
            self.expect(Err(Violation::new("a host without a record signs nothing", detail)));
        } else if node == first && self.nodes[second].running.is_some() {
            self.coverage.met(Met::SecondHost);
        }
    }

    /// A second host that detects the first stops for good. Returns whether it stops.
    pub(crate) fn retires(&mut self, node: usize, kind: StopKind) -> bool {
        let retires = self.is_second_host(node) && kind == StopKind::KeyElsewhere;
        if retires {
            self.coverage.met(Met::SecondHostStopped);
            self.nodes[node].is_away = true;
            self.crash_now(node);
        }
        retires
    }
}
