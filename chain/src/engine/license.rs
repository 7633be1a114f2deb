//! Whether the key may sign: what a node must know before its first signature after a start, and what
//! makes it stop for good.
//!
//! A record says what its key signed as long as it is the newest and the only one. It is not when the
//! file is lost, when an old backup is put back, or when a second host has the key. A node cannot see
//! that in its files, but the network remembers for it:
//!
//! - **Listening.** After a start, a node with a record signs nothing new for a bounded time, in which
//!   it asks its peers for everything of its key at this height. A plain crash looks the same as an old
//!   backup, so time is all that it costs.
//! - **Watching.** A node without a record signs nothing until it has watched one whole height being
//!   decided without its key: begun here after the start, its block proposed here, and timestamped so
//!   late that no honest masternode prevoted for it before the start (by their clocks, and this one's,
//!   which agree within the drift that the chain allows). Then that height was undecided
//!   when the node started. What its key signed before was for that height at the latest, because
//!   nobody signs for a height before the one below is decided. So the next height is free.
//! - **Foreign signatures.** At any time, a valid signature of this key that the record does not hold
//!   and cannot have forgotten proves that the record is not the newest or not the only one. The node
//!   writes that down and stops. Nobody can forge such a proof.
//!
//! Invariant: nothing is signed by a node whose license is not granted.
use super::{
    Effect, Engine, HaltKind, Report, Timer,
    safety::{Guard, Kind, SafetyRecord, Shown, Stop},
};
use crate::{
    crypto::Signer,
    ledger::LedgerView,
    types::{
        Certificate, ConsensusMessage, Evidence, Height, Millis, Now, Proposal, ProposalStatement,
        Round, Timestamp, Vote, VoteKind,
    },
};
use std::{fmt, sync::Arc};

/// A quarter of the time that a node listens, at least.
const TICK_MIN: Millis = Millis(500);
/// So many ticks with peers and at the tip, one after the other, and nothing foreign was shown.
const QUIET_TICKS: u8 = 4;
/// Peers asked at each tick.
const PEERS_ASKED: usize = 8;

/// Whether this node's key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// It has no key of the masternode set.
    NotMasternode,
    /// It signs.
    Yes,
    /// It has just started and asks its peers for signatures that its record does not hold.
    Listening,
    /// Its record is missing: it watches a height being decided without it.
    Observing {
        /// The last height at which its key was seen to sign.
        own_key: Option<Height>,
    },
    /// It has stopped for good.
    Stopped,
}

impl Signing {
    /// In one word, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotMasternode => "no",
            Self::Yes => "yes",
            Self::Listening => "listening",
            Self::Observing { .. } => "observing",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMasternode => f.write_str("no: the node has no key of the masternode set"),
            Self::Yes => f.write_str("yes"),
            Self::Listening => f.write_str(
                "listening: the node has just started and asks its peers for signatures of its key \
                 that its record does not hold",
            ),
            Self::Observing { own_key: None } => f.write_str(
                "observing: the key's safety record is missing, so nothing is signed until one \
                 whole height was decided without this key. If the network waits for it: `timecoin \
                 keys guard import` or `timecoin keys guard reset`",
            ),
            Self::Observing { own_key: Some(height) } => write!(
                f,
                "observing: the key's safety record is missing and the key signed at height \
                 {height}, so nothing is signed until one whole height was decided without it. If \
                 the key runs on another host, stop one of them"
            ),
            Self::Stopped => f.write_str("stopped for good"),
        }
    }
}

/// What the key may do.
pub(super) enum License {
    /// Sign, should there be a key.
    Granted,
    /// Nothing new before so many quiet ticks are over.
    Listening { quiet_ticks: u8 },
    /// Nothing: there is no record.
    Watching(Watching),
}

/// What a node without a record knows.
pub(super) struct Watching {
    signer: Arc<dyn Signer>,
    index: u16,
    since: Timestamp,
    /// The height that began here before it was known to be decided.
    whole: Option<Height>,
    /// The greatest height at which the key was seen to sign.
    own_key: Option<Height>,
    /// From here on its signatures are certainly another host's.
    free_from: Option<Height>,
}

impl License {
    /// What a start allows: whoever has no record of this key gets no guard.
    pub(super) fn at_start(
        signer: Arc<dyn Signer>,
        index: u16,
        genesis: crate::genesis::GenesisHash,
        record: Option<SafetyRecord>,
    ) -> (Self, Option<Guard>) {
        let key = signer.public_key();
        let Some(record) = record.filter(|record| record.key == key) else {
            let (since, own_key) = (Timestamp(0), None);
            let watching = Watching { signer, index, since, whole: None, own_key, free_from: None };
            return (Self::Watching(watching), None);
        };
        // A blank record too: it may be the first backup of a key that has signed since.
        let guard = Guard::new(signer, index, genesis, record);
        (Self::Listening { quiet_ticks: 0 }, Some(guard))
    }
}

impl<V: LedgerView> Engine<V> {
    /// Whether the key signs, for the operator.
    pub(super) fn signing(&self) -> Signing {
        match &self.license {
            _ if self.me.is_none() => Signing::NotMasternode,
            _ if self.halted.is_some() => Signing::Stopped,
            License::Granted => Signing::Yes,
            License::Listening { .. } => Signing::Listening,
            License::Watching(watching) => {
                let is_recent = |own: &Height| *own >= self.state.height;
                Signing::Observing { own_key: watching.own_key.filter(is_recent) }
            }
        }
    }

    /// Whether a vote of this kind, or with a prevote a proposal, may be signed now.
    pub(super) fn is_clear_for(&self, kind: VoteKind) -> bool {
        matches!(self.license, License::Granted) && self.stack.allows(kind)
    }

    /// The first thing a node does.
    pub(super) fn begin_signing(&mut self, now: Now) {
        if !self.doubts_record || self.set.len() == 1 {
            // Nobody else could know more.
            self.license_if_listening();
        }
        if let License::Watching(watching) = &mut self.license {
            watching.since = now.wall;
        }
        self.report_signing();
        match self.guard.as_ref().and_then(|guard| guard.record().stopped) {
            Some(Stop::Foreign(height, round)) => return self.halt_foreign(height, round, None),
            Some(Stop::Exported) => return self.halt_exported(),
            None => {}
        }
        if let Some(tip) = self.tip.clone() {
            self.check_own_certificate(&tip);
        }
        self.listen(now);
    }

    fn license_if_listening(&mut self) {
        if matches!(self.license, License::Listening { .. }) {
            self.license = License::Granted;
        }
    }

    fn report_signing(&mut self) {
        let signing = self.signing();
        if signing != Signing::NotMasternode {
            self.effects.push(Effect::Report(Report::Signing(signing)));
        }
    }

    /// The first peer is there: the time begins to count.
    pub(super) fn listen_to_first(&mut self, now: Now) {
        let has_not_begun = matches!(self.license, License::Listening { quiet_ticks: 0 });
        if has_not_begun && self.sync.peers().count() == 1 {
            self.listen(now);
        }
    }

    /// A tick of listening: asks, and signs after enough of them.
    pub(super) fn listen(&mut self, now: Now) {
        let is_asking = self.sync.peers().next().is_some() && self.sync.target() < self.height();
        let License::Listening { quiet_ticks } = &mut self.license else { return };
        if *quiet_ticks == QUIET_TICKS {
            self.license = License::Granted;
            self.report_signing();
            // What the state machine wanted signed meanwhile, as far as its round still goes on.
            self.try_propose(now);
            return self.pay_owed_votes(now);
        }
        // Without a peer nobody would hear a vote either.
        *quiet_ticks = if is_asking { *quiet_ticks + 1 } else { 0 };
        self.ask_for_votes(PEERS_ASKED);
        let tick = TICK_MIN.max(self.chain.params().vote_timeout.base);
        self.set_timer(Timer::Listen, now.mono.plus(tick));
    }

    /// A height begins.
    pub(super) fn license_at_height(&mut self, height: Height) {
        let is_open = self.sync.target() < height;
        if let License::Watching(watching) = &mut self.license {
            watching.whole = is_open.then_some(height);
        }
    }

    /// A height was decided, and the next one begins on its block, now on top of the stack.
    pub(super) fn license_at_decision(&mut self, parent_time: Timestamp) {
        let Some(decided) = self.stack.top() else { return };
        let (height, timestamp) = (decided.block.header.height, decided.block.header.timestamp);
        let (synced, certificate) = (decided.synced, decided.certificate.clone());
        self.check_own_certificate(&certificate);
        let drift = self.chain.params().clock_drift_max;
        let License::Watching(watching) = &mut self.license else { return };
        // The earliest possible timestamp says nothing: it is prevoted for at any time.
        let earliest = Timestamp(parent_time.0.saturating_add(1));
        let after = earliest.max(Timestamp(watching.since.0.saturating_add(drift.0)));
        if watching.whole != Some(height) || synced || timestamp <= after {
            return;
        }
        let next = height.next();
        if watching.own_key.is_some_and(|own| own >= height) {
            watching.free_from.get_or_insert(next);
            return;
        }
        let (signer, index) = (watching.signer.clone(), watching.index);
        let record = SafetyRecord::blank(signer.public_key(), next, Round(0));
        self.guard = Some(Guard::new(signer, index, self.chain.hash, record));
        self.license = License::Granted;
        self.persist();
        self.report_signing();
    }

    /// Looks for signatures of this node's key in what a peer showed.
    pub(super) fn check_own_key(&mut self, message: &ConsensusMessage) {
        let Some(me) = self.me else { return };
        match message {
            ConsensusMessage::Vote(vote) if vote.signer == me => self.doubt(Shown::vote(vote)),
            ConsensusMessage::Vote(_) => {}
            ConsensusMessage::Proposal(proposal) => {
                if self.set.proposer(proposal.height(), proposal.round) == me {
                    self.doubt(Shown::proposal(proposal));
                }
                if let Some(polka) = &proposal.polka {
                    self.check_own_certificate(polka);
                }
            }
            ConsensusMessage::Certificate(certificate) => self.check_own_certificate(certificate),
            ConsensusMessage::Round(certificate) => {
                for vote in certificate.votes.iter().filter(|vote| vote.signer == me) {
                    self.doubt(Shown::vote(vote));
                }
            }
            ConsensusMessage::Evidence(evidence) if evidence.offender() == me => {
                Shown::evidence(evidence).into_iter().for_each(|shown| self.doubt(shown));
            }
            ConsensusMessage::Evidence(_) => {}
        }
    }

    /// The same for a checked certificate.
    pub(super) fn check_own_certificate(&mut self, certificate: &Certificate) {
        if self.me.is_some_and(|me| certificate.signers.contains(me)) {
            self.doubt(Shown::certificate(certificate));
        }
    }

    fn doubt(&mut self, shown: Shown) {
        if self.halted.is_some() || !self.doubts_record {
            return;
        }
        let is_foreign = match (&mut self.license, &self.guard) {
            (License::Watching(watching), _) => {
                watching.own_key = watching.own_key.max(Some(shown.height));
                watching.free_from.is_some_and(|free| shown.height >= free)
            }
            (_, Some(guard)) => guard.record().is_foreign(&shown),
            (_, None) => false,
        };
        if !is_foreign {
            return;
        }
        let last = self.guard.as_mut().map(|guard| {
            let last = (guard.record().height, guard.record().round);
            guard.stop(shown.height, shown.round);
            last
        });
        self.persist();
        self.halt_foreign(shown.height, shown.round, last);
    }

    fn halt_foreign(&mut self, height: Height, round: Round, last: Option<(Height, Round)>) {
        let ends = last.map_or_else(String::new, |(height, round)| {
            format!(" (its safety record ends at height {height} round {round})")
        });
        let reason = format!(
            "this node's key signed at height {height} round {round}, and not here{ends}.\nEither \
             another host runs with this key, or the data directory was restored from an old \
             backup. To sign now could be a double signature, so this node signs nothing more"
        );
        self.stop(HaltKind::KeyElsewhere, reason);
    }

    fn halt_exported(&mut self) {
        let reason = "this node's safety record was exported.\nThe key signs where the record is \
                      imported, so this node signs nothing more before it is imported here";
        self.stop(HaltKind::KeyElsewhere, reason.into());
    }
}

impl Shown {
    fn vote(vote: &Vote) -> Self {
        let Vote { height, round, block, valid_round, .. } = *vote;
        Self { kind: Kind::Vote(vote.kind), height, round, block, valid_round }
    }

    fn proposal(proposal: &Proposal) -> Self {
        Self {
            kind: Kind::Proposal,
            height: proposal.height(),
            round: proposal.round,
            block: Some(proposal.block_hash()),
            valid_round: proposal.valid_round,
        }
    }

    fn evidence(evidence: &Evidence) -> [Self; 2] {
        match evidence {
            Evidence::Votes(one, other) | Evidence::Amnesia { precommit: one, prevote: other } => {
                [Self::vote(one), Self::vote(other)]
            }
            Evidence::Proposals(one, other) => [Self::statement(one), Self::statement(other)],
        }
    }

    fn statement(statement: &ProposalStatement) -> Self {
        let ProposalStatement { height, round, valid_round, block, .. } = *statement;
        Self { kind: Kind::Proposal, height, round, block: Some(block), valid_round }
    }

    fn certificate(certificate: &Certificate) -> Self {
        let Certificate { height, round, block, valid_round, .. } = *certificate;
        Self { kind: Kind::Vote(certificate.kind), height, round, block, valid_round }
    }
}
