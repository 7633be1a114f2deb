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
    Engine, HaltKind, Report, Timer,
    context::Context,
    own_key::OwnKey,
    safety::{Guard, SafetyRecord, Stop},
    shown::Shown,
    signing::Signing,
    tip::Stack,
    work::Work,
};
use crate::{
    crypto::Signer,
    genesis::GenesisHash,
    ledger::LedgerView,
    types::{Certificate, ConsensusMessage, Height, Millis, Now, Round, Timestamp, VoteKind},
};
use std::sync::Arc;

/// A quarter of the time that a node listens, at least.
const TICK_MIN: Millis = Millis(500);
/// So many ticks with peers and at the tip, one after the other, and nothing foreign was shown.
const QUIET_TICKS: u8 = 4;
/// Peers asked at each tick.
const PEERS_ASKED: usize = 8;

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
        genesis: GenesisHash,
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

/// What a tick of listening comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tick {
    /// The node does not listen.
    Idle,
    /// Peers are asked again.
    Asks,
    /// Nothing foreign was shown for long enough: the key signs.
    Granted,
}

/// A decided height as a node without a record sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Witnessed {
    pub(super) height: Height,
    pub(super) timestamp: Timestamp,
    /// The timestamp of its parent.
    pub(super) parent_time: Timestamp,
    /// Whether its block came by sync.
    pub(super) synced: bool,
}

impl OwnKey {
    /// Whether the key signs, for the operator.
    pub(super) fn signing(&self, ctx: &Context, is_halted: bool, decided: Height) -> Signing {
        match &self.license {
            _ if ctx.me.is_none() => Signing::NotMasternode,
            _ if is_halted => Signing::Stopped,
            License::Granted => Signing::Yes,
            License::Listening { .. } => Signing::Listening,
            License::Watching(watching) => {
                let is_recent = |own: &Height| *own >= decided;
                Signing::Observing { own_key: watching.own_key.filter(is_recent) }
            }
        }
    }

    pub(super) fn is_listening(&self) -> bool {
        matches!(self.license, License::Listening { .. })
    }

    /// Whether a vote of this kind, or with a prevote a proposal, may be signed now.
    pub(super) fn is_clear_for(&self, kind: VoteKind, stack: &Stack) -> bool {
        matches!(self.license, License::Granted) && stack.allows(kind)
    }

    /// The node starts.
    pub(super) fn starts(&mut self, now: Now, members: usize) {
        // Alone, nobody else could know more.
        if self.is_listening() && (!self.doubts_record || members == 1) {
            self.license = License::Granted;
        }
        if let License::Watching(watching) = &mut self.license {
            watching.since = now.wall;
        }
    }

    /// Whether it listens and no tick has counted yet.
    pub(super) fn has_not_begun_to_listen(&self) -> bool {
        matches!(self.license, License::Listening { quiet_ticks: 0 })
    }

    /// A tick of listening. Only those count that ask somebody, at the tip.
    pub(super) fn tick(&mut self, is_asking: bool) -> Tick {
        let License::Listening { quiet_ticks } = &mut self.license else { return Tick::Idle };
        if *quiet_ticks == QUIET_TICKS {
            self.license = License::Granted;
            return Tick::Granted;
        }
        // Without a peer nobody would hear a vote either.
        *quiet_ticks = if is_asking { *quiet_ticks + 1 } else { 0 };
        Tick::Asks
    }

    /// A height begins, known to be decided already or not.
    pub(super) fn height_begins(&mut self, height: Height, is_open: bool) {
        if let License::Watching(watching) = &mut self.license {
            watching.whole = is_open.then_some(height);
        }
    }

    /// A height was decided. True where a node without a record may sign from the next one on: it has
    /// a blank record then.
    pub(super) fn height_ends(&mut self, ctx: &Context, decided: Witnessed) -> bool {
        let Witnessed { height, timestamp, parent_time, synced } = decided;
        let drift = ctx.params().clock_drift_max;
        let License::Watching(watching) = &mut self.license else { return false };
        // The earliest possible timestamp says nothing: it is prevoted for at any time.
        let earliest = Timestamp(parent_time.0.saturating_add(1));
        let after = earliest.max(Timestamp(watching.since.0.saturating_add(drift.0)));
        if watching.whole != Some(height) || synced || timestamp <= after {
            return false;
        }
        let next = height.next();
        if watching.own_key.is_some_and(|own| own >= height) {
            watching.free_from.get_or_insert(next);
            return false;
        }
        let (signer, index) = (watching.signer.clone(), watching.index);
        let record = SafetyRecord::blank(signer.public_key(), next, Round(0));
        self.guard = Some(Guard::new(signer, index, ctx.chain.hash, record));
        self.license = License::Granted;
        true
    }

    /// The first signature of this node's key in a verified message that was not made here, if any.
    pub(super) fn foreign_in(
        &mut self,
        ctx: &Context,
        message: &ConsensusMessage,
    ) -> Option<Shown> {
        let me = ctx.me?;
        match message {
            ConsensusMessage::Vote(vote) if vote.signer == me => self.doubt(Shown::vote(vote)),
            ConsensusMessage::Vote(_) => None,
            ConsensusMessage::Proposal(proposal) => {
                let is_own = ctx.proposer(proposal.height(), proposal.round) == me;
                let signed = is_own.then(|| self.doubt(Shown::proposal(proposal))).flatten();
                signed.or_else(|| self.foreign_in_certificate(ctx, proposal.polka.as_ref()?))
            }
            ConsensusMessage::Certificate(certificate) => {
                self.foreign_in_certificate(ctx, certificate)
            }
            ConsensusMessage::Round(certificate) => {
                let mut own = certificate.votes.iter().filter(|vote| vote.signer == me);
                own.find_map(|vote| self.doubt(Shown::vote(vote)))
            }
            ConsensusMessage::Evidence(evidence) if evidence.offender() == me => {
                Shown::evidence(evidence).into_iter().find_map(|shown| self.doubt(shown))
            }
            ConsensusMessage::Evidence(_) => None,
        }
    }

    /// The same for a verified certificate.
    pub(super) fn foreign_in_certificate(
        &mut self,
        ctx: &Context,
        certificate: &Certificate,
    ) -> Option<Shown> {
        let has_signed = ctx.me.is_some_and(|me| certificate.signers.contains(me));
        has_signed.then(|| self.doubt(Shown::certificate(certificate))).flatten()
    }

    /// Returns what was certainly not signed with this record.
    fn doubt(&mut self, shown: Shown) -> Option<Shown> {
        if !self.doubts_record {
            return None;
        }
        let is_foreign = match (&mut self.license, &self.guard) {
            (License::Watching(watching), _) => {
                watching.own_key = watching.own_key.max(Some(shown.height));
                watching.free_from.is_some_and(|free| shown.height >= free)
            }
            (_, Some(guard)) => guard.record().is_foreign(&shown),
            (_, None) => false,
        };
        is_foreign.then_some(shown)
    }

    /// Signs nothing any more. Returns where the record ends.
    fn stop(&mut self, shown: &Shown) -> Option<(Height, Round)> {
        let guard = self.guard.as_mut()?;
        let last = (guard.record().height, guard.record().round);
        guard.stop(shown.height, shown.round);
        Some(last)
    }
}

impl<V: LedgerView> Engine<V> {
    /// Whether the key signs, for the operator.
    pub(super) fn signing(&self) -> Signing {
        self.own.signing(&self.ctx, self.out.is_halted(), self.tip.state.height)
    }

    /// The first thing a node does.
    pub(super) fn begin_signing(&mut self, now: Now) {
        self.own.starts(now, self.ctx.set.len());
        self.report_signing();
        match self.own.stopped() {
            Some(Stop::Foreign(height, round)) => return self.halt_foreign(height, round, None),
            Some(Stop::Exported) => return self.halt_exported(),
            None => {}
        }
        if let Some(tip) = self.tip.certificate.clone() {
            self.check_own_certificate(&tip);
        }
        self.listen(now);
    }

    fn report_signing(&mut self) {
        let signing = self.signing();
        if signing != Signing::NotMasternode {
            self.out.report(Report::Signing(signing));
        }
    }

    /// The first peer is there: the time begins to count.
    pub(super) fn listen_to_first(&mut self, now: Now) {
        if self.own.has_not_begun_to_listen() && self.peers.count() == 1 {
            self.listen(now);
        }
    }

    /// A tick of listening: asks, and signs after enough of them.
    pub(super) fn listen(&mut self, now: Now) {
        let is_asking = self.peers.count() > 0 && self.peers.target() < self.height();
        match self.own.tick(is_asking) {
            Tick::Idle => {}
            Tick::Granted => {
                self.report_signing();
                // What the state machine wanted signed meanwhile, as far as its round still goes on.
                self.work.push(Work::Propose);
                self.pay_owed_votes();
            }
            Tick::Asks => {
                self.ask_for_votes(PEERS_ASKED);
                let tick = TICK_MIN.max(self.ctx.params().vote_timeout.base);
                self.out.set_timer(Timer::Listen, now.mono.plus(tick));
            }
        }
    }

    /// A height was decided, and the next one begins on its block, now on top of the stack.
    pub(super) fn license_at_decision(&mut self, parent_time: Timestamp) {
        let Some(decided) = self.tip.stack.top() else { return };
        let header = &decided.block.header;
        let (height, timestamp, synced) = (header.height, header.timestamp, decided.synced);
        let certificate = decided.certificate.clone();
        self.check_own_certificate(&certificate);
        if self.own.height_ends(&self.ctx, Witnessed { height, timestamp, parent_time, synced }) {
            self.persist_if(true);
            self.report_signing();
        }
    }

    /// Looks for signatures of this node's key in what a peer showed.
    pub(super) fn check_own_key(&mut self, message: &ConsensusMessage) {
        if let Some(shown) = self.own.foreign_in(&self.ctx, message) {
            self.stop_for(&shown);
        }
    }

    /// The same for a verified certificate.
    pub(super) fn check_own_certificate(&mut self, certificate: &Certificate) {
        if let Some(shown) = self.own.foreign_in_certificate(&self.ctx, certificate) {
            self.stop_for(&shown);
        }
    }

    fn stop_for(&mut self, shown: &Shown) {
        let last = self.own.stop(shown);
        self.persist_if(true);
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
        self.out.stop(HaltKind::KeyElsewhere, reason);
    }

    fn halt_exported(&mut self) {
        let reason = "this node's safety record was exported.\nThe key signs where the record is \
                      imported, so this node signs nothing more before it is imported here";
        self.out.stop(HaltKind::KeyElsewhere, reason.into());
    }
}
