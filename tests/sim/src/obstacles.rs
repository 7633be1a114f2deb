//! Temporary obstacles: clogged links, and filters that drop one kind of message.
use crate::{rng::Rng, wire::Payload};
use timecoin_chain::types::{ConsensusMessage, Round, VoteKind};

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
            Payload::Transactions(_) | Payload::Presence | Payload::Garbage => {
                return Self::of(Kind::Transactions);
            }
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
pub(crate) struct Links {
    from: Option<usize>,
    to: Option<usize>,
}

impl Links {
    pub(crate) fn draw(rng: &mut Rng, nodes: usize) -> Self {
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

/// Everything on these links waits until this time and then arrives at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clog {
    pub(crate) links: Links,
    pub(crate) until: u64,
}

/// Messages of one kind, of round 0 or of any, are lost on these links until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) links: Links,
    pub(crate) kind: Kind,
    pub(crate) only_first_round: bool,
    pub(crate) until: u64,
}

/// All clogs and filters that may still be active.
#[derive(Debug, Default)]
pub struct Obstacles {
    pub(crate) clogs: Vec<Clog>,
    pub(crate) filters: Vec<Filter>,
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

    pub(crate) fn tidy(&mut self, now: u64) {
        self.clogs.retain(|clog| clog.until > now);
        self.filters.retain(|filter| filter.until > now);
    }

    /// Removes all obstacles.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
