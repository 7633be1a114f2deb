//! A node that handles no events for a while: its loop waits for a record to become durable, or the
//! machine is suspended. Events that arrive meanwhile wait in order and are then handled at once.
//!
//! Invariant: nothing after a `Persist` is carried out before its record is durable.
use crate::{
    coverage::Met,
    disk::Commit,
    instances::Class,
    oracle::Violation,
    world::{Event, SECOND, Work, World, signed},
};
use std::{collections::VecDeque, sync::Arc};
use timecoin_chain::{
    codec,
    engine::{Effect, Input, SafetyRecord},
    types::Block,
};

/// The maximum number of waiting events; further messages from the network are dropped.
const WAITING_MAX: usize = 4_096;
/// The longest pause.
const PAUSE_MAX: u64 = 10 * SECOND;

impl World {
    /// Queues an event if it has to wait; returns whether it does.
    pub(crate) fn waits(&mut self, event: Event) -> Option<Event> {
        let Some(node) = event.handled_by() else { return Some(event) };
        let Some(running) = &mut self.nodes[node].running else { return Some(event) };
        let stall = &mut running.stall;
        // Blocks are written on another thread than the loop's, unless the machine stands still.
        let is_write = matches!(&event, Event::Work { work: Work::Commit, .. });
        if !stall.is_on() || is_write && !stall.is_paused() {
            return Some(event);
        }
        if stall.waiting.len() < WAITING_MAX || !event.is_gossip() {
            stall.waiting.push_back(event);
        }
        None
    }

    /// Carries effects out in order. A crash may come before any of them, and the first record that
    /// must become durable holds up the rest.
    pub(crate) fn perform(&mut self, node: usize, mut effects: VecDeque<Effect>) {
        while let Some(effect) = effects.pop_front() {
            let is_persist = matches!(effect, Effect::Persist { .. });
            let is_write = is_persist || matches!(effect, Effect::Commit { .. });
            if self.strikes(Class::CrashAtEffect, self.faults.crash_at_effect) {
                if is_persist {
                    self.coverage.met(Met::CrashBeforePersist);
                }
                return self.crash_now(node);
            }
            self.carry_out(node, effect);
            if is_write && self.strikes(Class::CrashInWrite, self.faults.crash_in_write) {
                return self.crash_now(node);
            }
            if self.violation.is_some() {
                return;
            }
            if is_persist && let Some(running) = &mut self.nodes[node].running {
                running.stall.persisting = Some(effects);
                return;
            }
        }
    }

    pub(crate) fn begin_persist(
        &mut self,
        node: usize,
        record: &SafetyRecord,
        blocks: Vec<Arc<Block>>,
    ) {
        let bytes = codec::encode(record);
        self.auditor.detail(24, &bytes);
        if !self.nodes[node].disk.holds_blocks(record, &blocks) {
            let detail = format!("node {node} signs on a block that it does not have");
            self.expect(Err(Violation::new("a record has its blocks", detail)));
        }
        self.signs(node, record);
        self.check_second_host(node);
        self.nodes[node].disk.begin_record(record, bytes, blocks);
        self.note_record(node, record);
        let incarnation = self.nodes[node].incarnation;
        let span = self.labour.exponential(self.faults.persist);
        self.after(span, Event::Durable { node, incarnation });
    }

    fn note_record(&mut self, node: usize, record: &SafetyRecord) {
        let place = (record.height, record.round, record.step);
        self.trace.append(|| format!(" | persist {}/{}/{:?}", place.0, place.1, place.2));
        let Some((locked, block)) = record.locked else { return };
        if locked < record.round {
            self.coverage.met(Met::LockAcrossRounds);
        }
        let before = self.locks.insert((node, record.height), (locked, block));
        let Some((before, other)) = before.filter(|(before, _)| *before < locked) else { return };
        self.coverage.met(Met::LockMoved);
        if other != block {
            self.trace.append(|| format!(" | unlocks {other:?} of round {before}"));
            self.coverage.met(Met::UnlockedByPolka);
        }
    }

    /// The record in flight is durable.
    pub(crate) fn on_durable(&mut self, node: usize) {
        self.nodes[node].disk.finish_record();
        self.note(node, 18, &[], || "the record is durable".into());
        if self.strikes(Class::CrashAfterPersist, self.faults.crash_after_persist) {
            let stall = self.nodes[node].running.as_ref().map(|running| &running.stall);
            let next = stall.and_then(|stall| stall.persisting.as_ref()?.front());
            if matches!(next, Some(Effect::Publish { .. })) {
                self.coverage.met(Met::CrashAfterPersist);
            }
            return self.crash_now(node);
        }
        let Some(running) = &mut self.nodes[node].running else { return };
        running.stall.is_durable = true;
        self.go_on(node);
    }

    /// Continues until something holds the node up again: first the effects that waited for a
    /// record, then the events.
    fn go_on(&mut self, node: usize) {
        while let Some(running) = &mut self.nodes[node].running {
            let stall = &mut running.stall;
            if self.violation.is_some() || stall.is_paused() || stall.is_persisting() {
                return;
            }
            if let Some(effects) = stall.persisting.take() {
                stall.is_durable = false;
                self.perform(node, effects);
            } else if let Some(event) = stall.waiting.pop_front() {
                self.dispatch(event);
            } else {
                return;
            }
        }
    }

    /// Hands an input to a node's engine and carries its effects out. One that comes while the node
    /// is held up, as the second of several that came together, waits like an event.
    pub(crate) fn feed(&mut self, node: usize, input: Input) {
        let now = self.nodes[node].clocks(self.time);
        let incarnation = self.nodes[node].incarnation;
        let Some(running) = &mut self.nodes[node].running else { return };
        if running.stall.is_on() {
            return running.stall.waiting.push_back(Event::Input { node, incarnation, input });
        }
        if let Input::Done(outcome) = &input {
            for message in outcome.verified() {
                self.testify_to(node, message);
                self.hears(node, message);
            }
        }
        self.takes(node, &input);
        let Some(running) = &mut self.nodes[node].running else { return };
        let effects = running.engine.handle(now, input);
        self.perform(node, effects.into());
        self.check_bounds(node);
        self.count_down(node);
    }

    /// A crash during recovery comes a few inputs after the start.
    fn count_down(&mut self, node: usize) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let Some(left) = running.dies_in else { return };
        running.dies_in = left.checked_sub(1);
        if left == 0 && self.is_storm() {
            self.coverage.met(Met::CrashInRecovery);
            self.crash_now(node);
        }
    }

    pub(crate) fn begin_commit(&mut self, node: usize, commit: Commit) {
        let span = self.labour.exponential(self.faults.commit);
        self.auditor.detail(22, &commit.delta.block.0);
        self.trace.append(|| format!(" | commit {}", commit.delta.height));
        let disk = &self.nodes[node].disk;
        if disk.is_writing_block() || commit.delta.height != disk.height().next() {
            let detail = format!("node {node} writes {} out of turn", commit.delta.height);
            self.expect(Err(Violation::new("blocks are written in order", detail)));
        }
        self.nodes[node].disk.begin_commit(commit);
        let now = self.time;
        let Some(running) = &mut self.nodes[node].running else { return };
        // Blocks are written one after the other.
        running.writing_until = running.writing_until.max(now) + span;
        let span = running.writing_until - now;
        self.work_in(node, span, Work::Commit);
    }

    /// A machine is suspended.
    pub(crate) fn on_pause(&mut self) {
        let Some(rhythm) = self.faults.pause else { return };
        let nodes = self.nodes.len();
        let rng = self.storm(Class::Pause);
        let (node, clock_stands) = (rng.index(nodes), rng.chance(500));
        let lasts = rhythm.span(rng).min(PAUSE_MAX);
        self.plan_next(Class::Pause, Some(rhythm), Event::Pause);
        if self.instances.strikes(Class::Pause) {
            self.pause(node, lasts, clock_stands);
        }
    }

    /// A node handles no events for a while, unless it is already paused.
    pub(crate) fn pause(&mut self, node: usize, lasts: u64, clock_stands: bool) {
        let (now, incarnation) = (self.time, self.nodes[node].incarnation);
        let Some(running) = &mut self.nodes[node].running else { return };
        if running.stall.is_paused() {
            return;
        }
        running.stall.paused = Some((now, clock_stands));
        let number = self.instances.last(Class::Pause);
        self.note(node, 19, &[], || format!("-- pauses for {} ms (Pause {number})", lasts / 1_000));
        self.after(lasts, Event::Wake { node, incarnation });
    }

    /// A machine resumes: everything that waited is handled at once.
    pub(crate) fn wake(&mut self, node: usize) {
        let now = self.time;
        let Some(running) = &mut self.nodes[node].running else { return };
        let Some((since, clock_stands)) = running.stall.paused.take() else { return };
        let waiting = running.stall.waiting.len();
        if clock_stands {
            self.nodes[node].clock.stood(now - since);
        }
        if waiting >= 20 {
            self.coverage.met(Met::BurstAfterPause);
        }
        self.note(node, 30, &[], || format!("-- wakes; {waiting} events waited"));
        self.go_on(node);
    }

    pub(crate) fn is_paused(&self, node: usize) -> bool {
        self.nodes[node].running.as_ref().is_some_and(|running| running.stall.is_paused())
    }

    /// A wall clock jumps, or stands still.
    pub(crate) fn on_clock_fault(&mut self) {
        let Some(rhythm) = self.faults.clock_fault else { return };
        let (all, most) = (self.nodes.len(), self.faults.clock_step_ms);
        let rng = self.storm(Class::Clock);
        let node = rng.index(all);
        // Nodes that all ask one time source may all be off together.
        let nodes = if rng.chance(200) { 0..all } else { node..node + 1 };
        let (step, stands, lasts) = (signed(rng, most), rng.chance(250), rhythm.span(rng));
        self.plan_next(Class::Clock, Some(rhythm), Event::ClockFault);
        if !self.instances.strikes(Class::Clock) {
            return;
        }
        self.note_fault(31, Class::Clock, &(nodes.clone(), step, stands));
        for node in nodes {
            let clock = &mut self.nodes[node].clock;
            if stands {
                clock.frozen = Some(clock.wall(self.time));
                self.coverage.met(Met::ClockStoodStill);
            } else {
                clock.step_ms = step;
                if step.unsigned_abs() > self.setup.chain.params().clock_drift_max.0 {
                    self.coverage.met(Met::ClockJumped);
                }
            }
            self.after(lasts, Event::ClockSet { node });
        }
    }

    pub(crate) fn on_clock_set(&mut self, node: usize) {
        self.nodes[node].clock.set();
        self.note(node, 32, &[], || "-- wall clock is set".into());
    }
}
