//! Starts, stops, connects and isolates nodes.
use crate::{
    coverage::Met,
    disk::{Flaw, Wreck},
    faults::Rhythm,
    instances::Class,
    net::Cut,
    oracle::Oracle,
    rng::Rng,
    world::{Event, SECOND, World},
};
use timecoin_chain::engine::{Input, Peer};

/// A crash during recovery comes within this many inputs of the start.
const RECOVERY_INPUTS: u64 = 12;

/// The random stream of the first class of faults.
const FIRST_STORM: u64 = 16;

impl World {
    /// Plans the first fault of each class.
    pub(crate) fn plan_storm(&mut self) {
        self.plan_next(Class::Partition, self.faults.partition, Event::Partition);
        self.plan_next(Class::Crash, self.faults.crash, Event::Crash);
        self.plan_next(Class::CrashAll, self.faults.crash_all, Event::CrashAll);
        self.plan_next(Class::Clog, self.faults.clog, Event::Clog);
        self.plan_next(Class::Filter, self.faults.filter, Event::Filter);
        self.plan_next(Class::Pause, self.faults.pause, Event::Pause);
        self.plan_next(Class::Clock, self.faults.clock_fault, Event::ClockFault);
    }

    /// The times and targets of a class of faults, independent of other classes.
    pub(crate) fn storm(&mut self, class: Class) -> &mut Rng {
        let seed = self.seed;
        self.storms.entry(class).or_insert_with(|| Rng::stream(seed, FIRST_STORM + class as u64))
    }

    pub(crate) fn plan_next(&mut self, class: Class, rhythm: Option<Rhythm>, event: Event) {
        if let Some(rhythm) = rhythm {
            let after = self.storm(class).exponential(rhythm.every) + SECOND / 10;
            self.after(after, event);
        }
    }

    pub(crate) fn on_boot(&mut self, node: usize) {
        if self.nodes[node].running.is_some() || self.nodes[node].is_away {
            return;
        }
        let mono_offset = self.labour.below(100_000);
        let doubts_record = self.is_honest(node) && self.options.flaw == Flaw::None;
        self.nodes[node].boot(&self.setup, self.time, mono_offset, doubts_record);
        let (found, told) = (self.nodes[node].disk.height(), self.nodes[node].externalised);
        self.expect(Oracle::recovered(node, found, told));
        if self.nodes[node].disk.lost_decision().is_some() {
            self.coverage.met(Met::DecisionRecovered);
        }
        self.note(node, 11, &found.0.to_le_bytes(), || format!("starts at height {found}"));
        if self.strikes(Class::CrashInRecovery, self.faults.crash_in_recovery)
            && let Some(running) = &mut self.nodes[node].running
        {
            running.dies_in = Some(self.labour.below(RECOVERY_INPUTS));
        }
        self.feed(node, Input::Start);
        self.check_restart(node);
        let peers: Vec<usize> = match &self.mesh {
            Some(mesh) => mesh.neighbours(node).iter().copied().collect(),
            None => (0..self.nodes.len()).collect(),
        };
        for peer in peers {
            let after = self.labour.between(1_000, SECOND / 2);
            self.after(after, Event::Connect { a: node, b: peer });
        }
    }

    /// A crash within a fault that draws no time of its own.
    pub(crate) fn crash_now(&mut self, node: usize) {
        let span = self.labour.between(SECOND / 10, 3 * SECOND);
        self.crash(node, span);
    }

    fn crash(&mut self, node: usize, down_for: u64) {
        let Some(running) = self.nodes[node].running.take() else { return };
        self.note(node, 12, &[], || "crashes".into());
        if let Some(traffic) = &mut self.traffic {
            traffic.crashes += 1;
        }
        let wreck = self.nodes[node].disk.crash(&mut self.labour, self.faults.unsynced);
        self.note_wreck(node, &wreck);
        self.nodes[node].disk.spoil(self.options.flaw, &self.setup.chain);
        for (connection, peer) in running.peers {
            if self.net.connection(node, peer) == Some(connection) {
                self.net.disconnect(node, peer);
            }
            self.tell_peer_down(peer, connection);
        }
        self.after(down_for, Event::Boot { node });
    }

    fn note_wreck(&mut self, node: usize, wreck: &Wreck) {
        if wreck.lost > 0 || !wreck.kept.is_empty() {
            self.coverage.met(Met::CrashInCommit);
        }
        if let Some(is_kept) = wreck.record_kept {
            self.coverage.met(if is_kept {
                Met::UnsyncedRecordKept
            } else {
                Met::UnsyncedRecordLost
            });
        }
        for commit in &wreck.kept {
            self.coverage.met(Met::UnsyncedBlockKept);
            self.became_durable(node, commit);
        }
    }

    fn tell_peer_down(&mut self, node: usize, connection: u64) {
        let incarnation = self.nodes[node].incarnation;
        let after = self.labour.below(SECOND);
        self.after(after, Event::PeerDown { node, incarnation, connection });
    }

    pub(crate) fn on_connect(&mut self, a: usize, b: usize) {
        let is_up = |node: usize| self.nodes[node].running.is_some();
        if a == b || !is_up(a) || !is_up(b) || self.net.connection(a, b).is_some() {
            return;
        }
        if !self.net.can_connect(a, b) || self.is_paused(a) || self.is_paused(b) {
            let after = self.labour.between(SECOND / 4, SECOND);
            return self.after(after, Event::Connect { a, b });
        }
        let connection = self.net.connect(a, b);
        for (node, peer) in [(a, b), (b, a)] {
            let Some(running) = &mut self.nodes[node].running else { continue };
            running.peers.insert(connection, peer);
            self.note(node, 13, &connection.to_le_bytes(), || format!("connected with n{peer}"));
            self.feed(node, Input::PeerUp(Peer(connection)));
        }
    }

    pub(crate) fn on_peer_down(&mut self, node: usize, connection: u64) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let Some(peer) = running.peers.remove(&connection) else { return };
        let calls: Vec<u64> = running
            .calls
            .iter()
            .filter(|(_, call)| call.connection == connection)
            .map(|(number, _)| *number)
            .collect();
        for call in calls {
            self.fail_call(node, call);
        }
        if self.nodes[node].running.is_none() {
            return;
        }
        self.note(node, 14, &connection.to_le_bytes(), || format!("lost n{peer}"));
        self.feed(node, Input::PeerDown(Peer(connection)));
    }

    pub(crate) fn on_partition(&mut self) {
        let Some(rhythm) = self.faults.partition else { return };
        let (nodes, is_mesh) = (self.nodes.len(), self.mesh.is_some());
        let rng = self.storm(Class::Partition);
        let cut = if is_mesh { Cut::draw_groups(rng) } else { Cut::draw(rng, nodes) };
        let lasts = rhythm.span(rng);
        if !self.instances.strikes(Class::Partition) {
            return self.after(lasts, Event::Heal);
        }
        self.net.cut(cut);
        self.note_fault(15, Class::Partition, &cut);
        match cut {
            Cut::OneWay(_) => self.coverage.met(Met::OneWayPartition),
            Cut::Bridge(..) => self.coverage.met(Met::BridgePartition),
            Cut::One(_) | Cut::Halves(_) | Cut::Deaf(_) | Cut::Mute(_) => {}
        }
        if self.faults.partition_breaks {
            for a in 0..self.nodes.len() {
                for b in 0..a {
                    if !self.net.can_connect(a, b) {
                        self.break_connection(a, b);
                    }
                }
            }
        }
        self.after(lasts, Event::Heal);
    }

    fn break_connection(&mut self, a: usize, b: usize) {
        let Some(connection) = self.net.disconnect(a, b) else { return };
        self.tell_peer_down(a, connection);
        self.tell_peer_down(b, connection);
        let after = self.labour.between(SECOND, 3 * SECOND);
        self.after(after, Event::Connect { a, b });
    }

    pub(crate) fn on_heal(&mut self) {
        if self.faults.partition.is_none() {
            return;
        }
        if self.net.current_cut().is_some() {
            self.coverage.met(Met::PartitionHealed);
        }
        self.net.heal();
        self.note(0, 16, &[], || "-- partition heals".into());
        self.plan_next(Class::Partition, self.faults.partition, Event::Partition);
    }

    pub(crate) fn on_crash(&mut self) {
        let Some(rhythm) = self.faults.crash else { return };
        let nodes = self.nodes.len();
        let rng = self.storm(Class::Crash);
        let (node, down_for) = (rng.index(nodes), rhythm.span(rng));
        self.plan_next(Class::Crash, Some(rhythm), Event::Crash);
        if self.instances.strikes(Class::Crash) {
            self.crash(node, down_for);
        }
    }

    pub(crate) fn on_crash_all(&mut self) {
        let Some(rhythm) = self.faults.crash_all else { return };
        let nodes = self.nodes.len();
        let rng = self.storm(Class::CrashAll);
        let down_for: Vec<u64> = (0..nodes).map(|_| rhythm.span(rng)).collect();
        self.plan_next(Class::CrashAll, Some(rhythm), Event::CrashAll);
        if self.instances.strikes(Class::CrashAll) {
            self.coverage.met(Met::WholeRestart);
            for (node, down_for) in down_for.into_iter().enumerate() {
                self.crash(node, down_for);
            }
        }
    }

    /// Ends all faults. A masternode may stay away for good if the others are a quorum.
    pub(crate) fn heal_everything(&mut self) {
        self.net.heal();
        self.net.lag = None;
        self.net.obstacles.clear();
        self.faults.heal();
        for node in 0..self.nodes.len() {
            self.nodes[node].clock.heal();
            self.wake(node);
        }
        self.note(0, 17, &[], || "-- everything heals".into());
        if self.faults.one_stays_away {
            let node = self.rng.index(self.setup.masternodes.len());
            let set = &self.setup.chain.masternodes;
            let rest: u64 = (0_usize..)
                .zip(set.members())
                .filter(|(index, _)| *index != node && self.is_honest(*index))
                .map(|(_, member)| member.weight)
                .sum();
            if self.is_honest(node) && 3 * rest > 2 * set.total_weight() {
                self.coverage.met(Met::OneStayedAway);
                self.nodes[node].is_away = true;
                self.crash(node, SECOND);
            }
        }
        for node in 0..self.nodes.len() {
            if self.nodes[node].running.is_none() {
                let after = self.rng.below(SECOND);
                self.after(after, Event::Boot { node });
            }
        }
    }
}
