//! What stands in the way of messages for a while: links that are clogged, and filters that let
//! everything pass but one kind of message.
use crate::{
    coverage::Met,
    instances::Class,
    rng::Rng,
    wire::Payload,
    world::{Event, SECOND, World},
};
use timecoin_chain::types::{ConsensusMessage, Round, VoteKind};

/// The longest clog.
const CLOG_MAX: u64 = 5 * SECOND;

/// The kinds of message that a filter knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A proposal.
    Proposal,
    /// A prevote.
    Prevote,
    /// A precommit.
    Precommit,
    /// A polka or commit certificate.
    Certificate,
    /// A round certificate.
    RoundCertificate,
    /// Evidence.
    Evidence,
    /// Gossiped transactions.
    Transactions,
    /// A request.
    Question,
    /// An answer.
    Reply,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Proposal,
        Self::Prevote,
        Self::Precommit,
        Self::Certificate,
        Self::RoundCertificate,
        Self::Evidence,
        Self::Transactions,
        Self::Question,
        Self::Reply,
    ];
}

/// What a filter sees of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its kind.
    pub kind: Kind,
    /// Its round, where it has one.
    pub round: Option<Round>,
}

impl Label {
    /// Of something without a round.
    pub fn of(kind: Kind) -> Self {
        Self { kind, round: None }
    }

    /// Of gossip.
    pub fn of_gossip(payload: &Payload) -> Self {
        let message = match payload {
            Payload::Transactions(_) => return Self::of(Kind::Transactions),
            Payload::Consensus(message) => message,
        };
        let (kind, round) = match &**message {
            ConsensusMessage::Proposal(proposal) => (Kind::Proposal, proposal.round),
            ConsensusMessage::Vote(vote) => match vote.kind {
                VoteKind::Prevote => (Kind::Prevote, vote.round),
                VoteKind::Precommit => (Kind::Precommit, vote.round),
            },
            ConsensusMessage::Certificate(held) => (Kind::Certificate, held.round),
            ConsensusMessage::Round(held) => (Kind::RoundCertificate, held.round),
            ConsensusMessage::Evidence(_) => return Self::of(Kind::Evidence),
        };
        Self { kind, round: Some(round) }
    }
}

/// Directed links: all that begin, or end, at a node, or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Links {
    from: Option<usize>,
    to: Option<usize>,
}

impl Links {
    fn draw(rng: &mut Rng, nodes: usize) -> Self {
        let (from, to) = (rng.index(nodes), rng.index(nodes));
        match rng.below(3) {
            0 => Self { from: Some(from), to: None },
            1 => Self { from: None, to: Some(to) },
            _ => Self { from: Some(from), to: Some(to) },
        }
    }

    fn contain(&self, (from, to): (usize, usize)) -> bool {
        self.from.is_none_or(|wanted| wanted == from) && self.to.is_none_or(|wanted| wanted == to)
    }
}

/// Everything on these links waits until then, and then comes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clog {
    links: Links,
    until: u64,
}

/// Messages of one kind, of round 0 or of any, are lost on these links until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Filter {
    links: Links,
    kind: Kind,
    only_first_round: bool,
    until: u64,
}

/// All clogs and filters that may still be on.
#[derive(Debug, Default)]
pub struct Obstacles {
    clogs: Vec<Clog>,
    filters: Vec<Filter>,
}

impl Obstacles {
    /// When a message that would arrive at this moment does arrive.
    pub fn held_until(&self, link: (usize, usize), sent: u64, at: u64) -> u64 {
        let held = self.clogs.iter().filter(|clog| clog.until > sent && clog.links.contain(link));
        held.map(|clog| clog.until).max().unwrap_or(0).max(at)
    }

    /// Whether a filter takes a message.
    pub fn takes(&self, link: (usize, usize), now: u64, label: Label) -> bool {
        self.filters.iter().any(|filter| {
            filter.until > now
                && filter.kind == label.kind
                && filter.links.contain(link)
                && (!filter.only_first_round || label.round.is_none_or(|round| round == Round(0)))
        })
    }

    fn tidy(&mut self, now: u64) {
        self.clogs.retain(|clog| clog.until > now);
        self.filters.retain(|filter| filter.until > now);
    }

    /// Nothing stands in the way any more.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

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
