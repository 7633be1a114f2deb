//! Plans clogs and filters for messages.
use crate::{
    coverage::Met,
    instances::Class,
    obstacles::{Clog, Filter, Kind, Links},
    world::{Event, SECOND, World},
};

/// The longest clog.
const CLOG_MAX: u64 = 5 * SECOND;

impl World {
    pub(crate) fn on_clog(&mut self) {
        let Some(rhythm) = self.faults.clog else { return };
        let (now, nodes) = (self.time, self.nodes.len());
        let rng = self.storm(Class::Clog);
        let links = Links::draw(rng, nodes);
        let clog = Clog { links, until: now + rhythm.span(rng).min(CLOG_MAX) };
        self.plan_next(Class::Clog, Some(rhythm), Event::Clog);
        if self.instances.strikes(Class::Clog) {
            self.coverage.met(Met::Clogged);
            self.note_fault(33, Class::Clog, &clog);
            self.net.obstacles.tidy(self.time);
            self.net.obstacles.clogs.push(clog);
        }
    }

    pub(crate) fn on_filter(&mut self) {
        let Some(rhythm) = self.faults.filter else { return };
        let (now, nodes) = (self.time, self.nodes.len());
        let rng = self.storm(Class::Filter);
        let filter = Filter {
            links: Links::draw(rng, nodes),
            kind: Kind::ALL[rng.index(Kind::ALL.len())],
            only_first_round: rng.chance(500),
            until: now + rhythm.span(rng),
        };
        self.plan_next(Class::Filter, Some(rhythm), Event::Filter);
        if self.instances.strikes(Class::Filter) {
            self.coverage.met(Met::KindFiltered);
            self.note_fault(34, Class::Filter, &filter);
            self.net.obstacles.tidy(self.time);
            self.net.obstacles.filters.push(filter);
        }
    }

    /// Notes a fault of the whole network in the digest and the trace, with its running number.
    pub(crate) fn note_fault(&mut self, kind: u8, class: Class, fault: &impl std::fmt::Debug) {
        let (number, text) = (self.instances.last(class), format!("{fault:?}"));
        self.note(0, kind, text.as_bytes(), || format!("-- {class:?} {number}: {text}"));
    }
}
