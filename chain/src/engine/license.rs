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
    context::Context,
    listening::Listening,
    safety::{Guard, SafetyRecord},
    shown::Shown,
    signing::Signing,
};
use crate::{
    crypto::Signer,
    genesis::GenesisHash,
    types::{Attestation, Height, Inquiry, Millis, Now, Round, Timestamp},
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

    pub(super) fn is_granted(&self) -> bool {
        matches!(self.state, State::Granted)
    }

    pub(super) fn is_listening(&self) -> bool {
        matches!(self.state, State::Listening(_))
    }

    /// What the license allows, for the operator.
    pub(super) fn signing(&self, decided: Height) -> Signing {
        match &self.state {
            State::Granted => Signing::Yes,
            State::Listening(_) => Signing::Listening,
            State::Observing(observing) => {
                let own_key = observing.own_key.map(|(height, _)| height);
                Signing::Observing { own_key: own_key.filter(|own| *own >= decided) }
            }
        }
    }

    /// What a node that listens asks its peers.
    pub(super) fn inquiry(&self, ctx: &Context) -> Option<Inquiry> {
        match &self.state {
            State::Listening(listening) => ctx.me.map(|me| listening.inquiry(me)),
            State::Granted | State::Observing(_) => None,
        }
    }

    /// The node starts. A record that is not doubted is believed at once.
    pub(super) fn starts(&mut self, ctx: &Context, now: Now, is_doubted: bool) {
        match (&mut self.state, &self.signer) {
            (State::Observing(observing), _) => observing.since = now.wall,
            (State::Listening(listening), Some(signer)) if is_doubted => {
                listening.begin(&**signer, &ctx.chain.hash, now);
            }
            _ => self.state = State::Granted,
        }
    }

    /// A tick of listening.
    pub(super) fn tick(&mut self, ctx: &Context, height: Height, is_at_tip: bool) -> Tick {
        let State::Listening(listening) = &mut self.state else { return Tick::Idle };
        listening.tick(is_at_tip);
        match self.has_listened(ctx, height, is_at_tip) {
            true => Tick::Granted,
            false => Tick::Asks,
        }
    }

    /// A masternode attests what it holds, of this node's key or another. True where that grants the
    /// license.
    pub(super) fn attested(
        &mut self,
        ctx: &Context,
        attestation: &Attestation,
        height: Height,
        is_at_tip: bool,
    ) -> bool {
        if let (State::Listening(listening), Some(me)) = (&mut self.state, ctx.me) {
            listening.hear(attestation, me);
        }
        self.has_listened(ctx, height, is_at_tip)
    }

    /// Grants the license if enough was heard.
    fn has_listened(&mut self, ctx: &Context, height: Height, is_at_tip: bool) -> bool {
        let (State::Listening(listening), Some(me)) = (&self.state, ctx.me) else { return false };
        let is_over = is_at_tip && listening.is_enough(&ctx.set, me, height);
        if is_over {
            self.state = State::Granted;
        }
        is_over
    }

    /// A height begins, known to be decided already or not.
    pub(super) fn height_begins(&mut self, height: Height, is_open: bool) {
        if let State::Observing(observing) = &mut self.state {
            observing.whole = is_open.then_some(height);
        }
    }

    /// A height was decided. Returns where the key signed elsewhere, if a node without a record knows
    /// that now.
    pub(super) fn height_ends(
        &mut self,
        drift: Millis,
        decided: Witnessed,
    ) -> Option<(Height, Round)> {
        let Witnessed { height, timestamp, parent_time, synced } = decided;
        let State::Observing(observing) = &mut self.state else { return None };
        // The earliest possible timestamp says nothing: it is prevoted for at any time.
        let earliest = Timestamp(parent_time.0.saturating_add(1));
        let after = earliest.max(Timestamp(observing.since.0.saturating_add(drift.0)));
        if observing.whole != Some(height) || synced || timestamp <= after {
            return None;
        }
        let free = *observing.free_from.get_or_insert(height.next());
        observing.own_key.filter(|(own, _)| *own >= free)
    }

    /// A node without a record sees a signature of its key. Returns whether it is certainly another
    /// host's; none where there is a record to tell.
    pub(super) fn observes(&mut self, shown: &Shown) -> Option<bool> {
        let State::Observing(observing) = &mut self.state else { return None };
        observing.own_key = observing.own_key.max(Some((shown.height, shown.round)));
        Some(observing.free_from.is_some_and(|free| shown.height >= free))
    }
}

/// What a tick of listening comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tick {
    /// The node does not listen.
    Idle,
    /// Peers are asked again.
    Asks,
    /// Enough was heard: the key signs.
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
