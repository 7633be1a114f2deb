//! Where the door leads: what a peer sent becomes a verdict, a job, or work of the rooms.
//!
//! Never judges bytes itself: `inbound` does.
use super::{Effect, Engine, batch::Source, recent::Current, work::Work};
use crate::{
    inbound::{Action, Pass, Window},
    ledger::{FoundCoins, LedgerView},
    mempool::{Reject, Trial},
    types::{Height, Now, Transaction},
    wire::{Peer, Protocol, Request, Ticket},
};

impl<V: LedgerView> Engine<V> {
    /// Heights and rounds that are let in.
    pub(super) fn window(&self, now: Now) -> Window {
        let tip = self.tip.certificate.as_ref();
        Window {
            height: self.height(),
            round: self.height.consensus.round(),
            me: self.ctx.me,
            tip: tip.and_then(|tip| Some((tip.round, tip.block?))),
            evidence_age: self.ctx.params().evidence_age_blocks,
            ledger: self.tip.state.clone(),
            wall: now.wall,
            presences: self.presence.known(),
        }
    }

    /// Something comes to the door. What follows from it is work.
    pub(super) fn at_door(&mut self, now: Now, comes: impl FnOnce(&mut Pass<'_>)) {
        let window = self.window(now);
        let actions = self.door.handle(now.mono, &window, comes);
        self.work.extend(actions.into_iter().map(Work::Passed));
    }

    /// What came through the door.
    pub(super) fn on_passed(&mut self, now: Now, action: Action) {
        match action {
            Action::Judge(ticket, verdict) => self.out.push(Effect::Judge { ticket, verdict }),
            Action::Run(job) => self.out.push(Effect::Run(job)),
            Action::Message(from, message) => self.on_message(now, from, message),
            Action::Transactions(from, ticket, transactions) => {
                self.on_transactions(now, Source::Peer(from), ticket, transactions);
            }
            Action::Status(from, tip) => self.on_status(from, tip),
            Action::Blocks(from, blocks) => self.on_blocks(now, from, blocks),
            Action::Bodies(from, request, transactions) => {
                self.on_bodies(now, from, &request, transactions);
            }
            Action::Presence(presence) => self.presence.hear(presence, &mut self.out),
            Action::Attestation(attestation) => self.on_attestation(&attestation),
            Action::Blame(peer, reason) => self.out.push(Effect::Blame { peer, reason }),
            Action::Failed(from, request) => self.on_request_failed(now, from, &request),
        }
    }

    /// A request of a peer: the store answers for final blocks, the rooms for the rest.
    pub(super) fn on_request(
        &mut self,
        now: Now,
        (from, ticket): (Peer, Ticket),
        protocol: Protocol,
        bytes: &[u8],
    ) {
        match Request::decode(protocol, bytes) {
            Some(request @ (Request::Status | Request::Blocks(_))) => {
                self.out.push(Effect::Serve { ticket, request });
            }
            Some(Request::Bodies(request)) => self.respond_with_bodies(ticket, &request),
            Some(Request::Votes(request)) => self.respond_with_votes(now, (from, ticket), &request),
            None => self.out.push(Effect::Refuse { ticket }),
        }
    }

    /// Whether messages that have arrived are being verified.
    pub fn is_verifying(&self) -> bool {
        self.door.is_verifying()
    }

    /// Whether there is room for a gossiped batch of transactions.
    pub fn takes_batches(&self) -> bool {
        self.door.takes_batches()
    }

    /// Whether a transaction would be admitted, up to its signatures. Its coins were looked up a moment ago.
    ///
    /// # Errors
    /// When it would not be admitted.
    pub fn trial(&self, transaction: Transaction, found: &FoundCoins) -> Result<Trial, Reject> {
        let (height, recent) = (self.height(), &self.tip.recent);
        let screened = self.pool.mempool.screen(height, transaction)?;
        let coins = Current { recent, found, found_at: Height::GENESIS };
        self.pool.mempool.check(&coins, height, screened).map(Trial)
    }

    /// The round or the height has moved on.
    pub(super) fn forget_outside_window(&mut self) {
        self.door.forget_before(self.height(), self.height.consensus.round());
    }
}
