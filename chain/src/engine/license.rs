//! Whether the key may sign: what a node must know before its first signature after a start, and what
//! makes it stop for good.
//!
//! A record says what its key signed as long as it is the newest and the only one. It is not when the
//! file is lost, when an old backup is put back, or when a second host has the key. A node cannot see
//! that in its files, but the network remembers for it:
//!
//! - **Listening.** After a start, a node with a record signs nothing new until masternodes attest what
//!   they hold of its key's votes (`listening.rs`). A plain crash looks the same as an old backup, so
//!   time is all that it costs.
//! - **Observing.** A node without a record signs nothing. That its key was not heard for a while does
//!   not prove that it does not sign elsewhere: the other host may be slow, suspended or cut off. Only
//!   an operator can know, and says so with `timecoin keys guard import` or `reset`.
//!   A signature for a height that was undecided when the node started is another host's, and then
//!   the node stops. A height was undecided if it began here after the start, its block was proposed
//!   here, and is timestamped so late that no honest masternode prevoted for it before the start (by
//!   their clocks, and this one's, which agree within the drift that the chain allows). What the key
//!   signed before the start was for that height at the latest, because nobody signs for a height
//!   before the one below is decided.
//! - **Foreign signatures.** At any time, a valid signature of this key that the record does not hold
//!   and cannot have forgotten proves that the record is not the newest or not the only one. The node
//!   writes that down and stops. Nobody can forge such a proof.
//!
//! Invariant: no vote and no proposal is signed by a node whose license is not granted.
use super::{
    Engine, HaltKind, Report,
    context::Context,
    listening::Listening,
    own_key::OwnKey,
    safety::{Guard, SafetyRecord, Stop},
    shown::Shown,
    signing::Signing,
    tip::Stack,
};
use crate::{
    crypto::Signer,
    genesis::GenesisHash,
    ledger::LedgerView,
    types::{
        Certificate, ConsensusMessage, Height, Inquiry, Now, Round, Timestamp, Vote, VoteKind,
    },
};
use std::sync::Arc;

/// What the key may do.
pub(super) struct License {
    /// The key, if it is a masternode's.
    signer: Option<Arc<dyn Signer>>,
    state: State,
}

enum State {
    /// Sign, if there is a key.
    Granted,
    /// Nothing new yet.
    Listening(Listening),
    /// Nothing: there is no record.
    Observing(Observing),
}

/// What a node without a record knows.
#[derive(Default)]
struct Observing {
    since: Timestamp,
    /// The height that began here before it was known to be decided.
    whole: Option<Height>,
    /// The last place at which the key was seen to sign.
    own_key: Option<(Height, Round)>,
    /// From this height on its signatures are certainly another host's.
    free_from: Option<Height>,
}

impl License {
    /// Of a node that has no key of the masternode set.
    pub(super) fn keyless() -> Self {
        Self { signer: None, state: State::Granted }
    }

    /// What a start allows: without a record of this key there is no guard.
    pub(super) fn at_start(
        signer: Arc<dyn Signer>,
        index: u16,
        genesis: GenesisHash,
        record: Option<SafetyRecord>,
    ) -> (Self, Option<Guard>) {
        let key = signer.public_key();
        // A blank record is doubted too: it may be the first backup of a key that has signed since.
        let record = record.filter(|record| record.key == key);
        let state = match &record {
            Some(_) => State::Listening(Listening::default()),
            None => State::Observing(Observing::default()),
        };
        let guard = record.map(|record| Guard::new(signer.clone(), index, genesis, record));
        (Self { signer: Some(signer), state }, guard)
    }

    pub(super) fn signer(&self) -> Option<&Arc<dyn Signer>> {
        self.signer.as_ref()
    }

    pub(super) fn grant(&mut self) {
        self.state = State::Granted;
    }

    /// What was heard, while the node listens.
    pub(super) fn listening(&mut self) -> Option<&mut Listening> {
        match &mut self.state {
            State::Listening(listening) => Some(listening),
            State::Granted | State::Observing(_) => None,
        }
    }
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
        match &self.license.state {
            _ if ctx.me.is_none() => Signing::NotMasternode,
            _ if is_halted => Signing::Stopped,
            State::Granted => Signing::Yes,
            State::Listening(_) => Signing::Listening,
            State::Observing(observing) => {
                let own_key = observing.own_key.map(|(height, _)| height);
                Signing::Observing { own_key: own_key.filter(|own| *own >= decided) }
            }
        }
    }

    pub(super) fn is_listening(&self) -> bool {
        matches!(self.license.state, State::Listening(_))
    }

    /// What a node that listens asks its peers.
    pub(super) fn inquiry(&self, ctx: &Context) -> Option<Inquiry> {
        match &self.license.state {
            State::Listening(listening) => ctx.me.map(|me| listening.inquiry(me)),
            State::Granted | State::Observing(_) => None,
        }
    }

    /// Whether a vote of this kind, or with a prevote a proposal, may be signed now.
    pub(super) fn is_clear_for(&self, kind: VoteKind, stack: &Stack) -> bool {
        matches!(self.license.state, State::Granted) && stack.allows(kind)
    }

    /// The node starts.
    pub(super) fn starts(&mut self, ctx: &Context, now: Now) {
        // Alone, nobody else could know more.
        if self.is_listening() && (!self.doubts_record || ctx.set.len() == 1) {
            self.license.grant();
        }
        match &mut self.license {
            License { state: State::Observing(observing), .. } => observing.since = now.wall,
            License { state: State::Listening(listening), signer: Some(signer) } => {
                listening.begin(&**signer, &ctx.chain.hash, now);
            }
            License { .. } => {}
        }
    }

    /// A height begins, known to be decided already or not.
    pub(super) fn height_begins(&mut self, height: Height, is_open: bool) {
        if let State::Observing(observing) = &mut self.license.state {
            observing.whole = is_open.then_some(height);
        }
    }

    /// A height was decided. Returns where the key signed elsewhere, if a node without a record knows
    /// that now.
    pub(super) fn height_ends(
        &mut self,
        ctx: &Context,
        decided: Witnessed,
    ) -> Option<(Height, Round)> {
        let Witnessed { height, timestamp, parent_time, synced } = decided;
        let drift = ctx.params().clock_drift_max;
        let State::Observing(observing) = &mut self.license.state else { return None };
        // The earliest possible timestamp says nothing: it is prevoted for at any time.
        let earliest = Timestamp(parent_time.0.saturating_add(1));
        let after = earliest.max(Timestamp(observing.since.0.saturating_add(drift.0)));
        if observing.whole != Some(height) || synced || timestamp <= after {
            return None;
        }
        let free = *observing.free_from.get_or_insert(height.next());
        observing.own_key.filter(|(own, _)| *own >= free)
    }

    /// The first signature of this node's key in a verified message that was not made here, if any.
    pub(super) fn foreign_in(
        &mut self,
        ctx: &Context,
        message: &ConsensusMessage,
    ) -> Option<Shown> {
        let me = ctx.me?;
        match message {
            ConsensusMessage::Vote(vote) => self.foreign_in_votes(ctx, [vote]),
            ConsensusMessage::Proposal(proposal) => {
                let is_own = ctx.proposer(proposal.height(), proposal.round) == me;
                let signed = is_own.then(|| self.doubt(Shown::proposal(proposal))).flatten();
                signed.or_else(|| self.foreign_in_certificate(ctx, proposal.polka.as_ref()?))
            }
            ConsensusMessage::Certificate(certificate) => {
                self.foreign_in_certificate(ctx, certificate)
            }
            ConsensusMessage::Round(certificate) => self.foreign_in_votes(ctx, &certificate.votes),
            ConsensusMessage::Evidence(evidence) if evidence.offender() == me => {
                Shown::evidence(evidence).into_iter().find_map(|shown| self.doubt(shown))
            }
            ConsensusMessage::Evidence(_) => None,
        }
    }

    /// The same for verified votes.
    pub(super) fn foreign_in_votes<'a>(
        &mut self,
        ctx: &Context,
        votes: impl IntoIterator<Item = &'a Vote>,
    ) -> Option<Shown> {
        let mut own = votes.into_iter().filter(|vote| ctx.me == Some(vote.signer));
        own.find_map(|vote| self.doubt(Shown::vote(vote)))
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
        let is_foreign = match (&mut self.license.state, &self.guard) {
            (State::Observing(observing), _) => {
                observing.own_key = observing.own_key.max(Some((shown.height, shown.round)));
                observing.free_from.is_some_and(|free| shown.height >= free)
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
        self.own.starts(&self.ctx, now);
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

    pub(super) fn report_signing(&mut self) {
        let signing = self.signing();
        if signing != Signing::NotMasternode {
            self.out.report(Report::Signing(signing));
        }
    }

    /// A height was decided, and the next one begins on its block, now on top of the stack.
    pub(super) fn license_at_decision(&mut self, parent_time: Timestamp) {
        let Some(decided) = self.tip.stack.top() else { return };
        let header = &decided.block.header;
        let (height, timestamp, synced) = (header.height, header.timestamp, decided.synced);
        let certificate = decided.certificate.clone();
        let last_commit = decided.block.last_commit.clone();
        self.check_own_certificate(&certificate);
        if let Some(last_commit) = last_commit {
            self.check_own_certificate(&last_commit);
        }
        let witnessed = Witnessed { height, timestamp, parent_time, synced };
        if let Some((height, round)) = self.own.height_ends(&self.ctx, witnessed) {
            self.halt_foreign(height, round, None);
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

    pub(super) fn stop_for(&mut self, shown: &Shown) {
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
