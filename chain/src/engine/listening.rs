//! Listening: what a node with a record asks before its first signature after a start.
//!
//! It asks its peers what they hold of its key's votes. A peer that says nothing proves nothing, and
//! anybody can be a peer, so only attestations count: a masternode signs all that it holds, together
//! with a number that nobody could know before the start.
//!
//! How much weight is enough falls with time. At first it is a quorum with the node's own weight, at the
//! height being decided: without a quorum no block is decided anyway, so nothing is lost by waiting,
//! and where they answer it takes one round trip. Later it is more than a third of the weight, in
//! which somebody honest is. In a large network fewer than that may be neighbours, so in the end any
//! other masternode is enough.
//!
//! Invariant: without an attestation of another masternode it never ends.
use super::{Engine, Timer, context::Context, own_key::OwnKey, work::Work};
use crate::{
    codec,
    crypto::{Signer, hash},
    genesis::GenesisHash,
    ledger::LedgerView,
    types::{Attestation, Height, Inquiry, MasternodeSet, Millis, Now, Vote},
};
use std::collections::BTreeMap;

/// Between two rounds of questions, at least.
const TICK_MIN: Millis = Millis(500);
/// Ticks after which more than a third of the weight is enough.
const TICKS: u8 = 4;
/// Ticks after which one masternode is enough.
const TICKS_MAX: u8 = 20;
/// Peers asked at each tick.
const PEERS_ASKED: usize = 8;

/// What was heard since the start.
#[derive(Debug, Default)]
pub(super) struct Listening {
    nonce: [u8; 32],
    /// Ticks at the tip since the first attestation.
    ticks: u8,
    /// Who attested, and the height that each was deciding then.
    attested: BTreeMap<u16, Height>,
}

impl Listening {
    /// The number of this start: a signature of its time, which nobody else can make.
    pub(super) fn begin(&mut self, signer: &dyn Signer, genesis: &GenesisHash, now: Now) {
        let time = codec::encode(&(now.wall, now.mono));
        let signature = signer.sign(&hash("tc/inquiry", &[&genesis.0, &time]));
        self.nonce = hash("tc/nonce", &[&codec::encode(&signature)]);
    }

    /// The question.
    pub(super) fn inquiry(&self, me: u16) -> Inquiry {
        Inquiry { of: me, nonce: self.nonce }
    }

    fn hear(&mut self, attestation: &Attestation, me: u16) {
        if attestation.inquiry == self.inquiry(me) && attestation.by != me {
            let height = self.attested.entry(attestation.by).or_default();
            *height = attestation.height.max(*height);
        }
    }

    fn is_enough(&self, set: &MasternodeSet, me: u16, height: Height) -> bool {
        if self.attested.is_empty() {
            return false;
        }
        let here = self.attested.iter().filter(|(_, at)| **at >= height).map(|(by, _)| *by);
        let weight = set.weight_of(self.attested.keys().copied());
        match self.ticks {
            _ if set.is_quorum(set.weight_of(here.chain([me]))) => true,
            0..TICKS => false,
            TICKS..TICKS_MAX => set.is_honest_part(weight),
            TICKS_MAX.. => true,
        }
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

impl OwnKey {
    /// A tick of listening. Only those at the tip and after an attestation count.
    pub(super) fn tick(&mut self, ctx: &Context, height: Height, is_at_tip: bool) -> Tick {
        let Some(listening) = self.license.listening() else { return Tick::Idle };
        let counts = is_at_tip && !listening.attested.is_empty();
        listening.ticks = if counts { listening.ticks.saturating_add(1) } else { 0 };
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
        if let Some((listening, me)) = self.license.listening().zip(ctx.me) {
            listening.hear(attestation, me);
        }
        self.has_listened(ctx, height, is_at_tip)
    }

    /// Grants the license if enough was heard.
    fn has_listened(&mut self, ctx: &Context, height: Height, is_at_tip: bool) -> bool {
        let Some((listening, me)) = self.license.listening().zip(ctx.me) else { return false };
        let is_over = is_at_tip && listening.is_enough(&ctx.set, me, height);
        if is_over {
            self.license.grant();
        }
        is_over
    }

    /// This node's attestation of the votes that it holds of a key, if it is a masternode.
    pub(super) fn attest(
        &self,
        ctx: &Context,
        inquiry: Inquiry,
        height: Height,
        votes: &[Vote],
    ) -> Option<Attestation> {
        let (by, signer) = ctx.me.zip(self.license.signer())?;
        let message = Attestation::message(&ctx.chain.hash, inquiry, height, votes);
        let signature = signer.sign(&message);
        Some(Attestation { inquiry, height, votes: votes.to_vec(), by, signature })
    }
}

impl<V: LedgerView> Engine<V> {
    /// The first question, or a tick later.
    pub(super) fn listen(&mut self, now: Now) {
        let (height, is_at_tip) = (self.height(), self.is_at_tip());
        match self.own.tick(&self.ctx, height, is_at_tip) {
            Tick::Idle => {}
            Tick::Granted => self.begin_to_sign(),
            Tick::Asks => {
                self.ask_for_votes(PEERS_ASKED);
                let tick = TICK_MIN.max(self.ctx.params().vote_timeout.base);
                self.out.set_timer(Timer::Listen, now.mono.plus(tick));
            }
        }
    }

    /// Another height begins: what was attested before says less.
    pub(super) fn listen_at_height(&mut self) {
        if self.own.is_listening() {
            self.ask_for_votes(PEERS_ASKED);
        }
    }

    /// A masternode attests what it holds of this node's key, or of another.
    pub(super) fn on_attestation(&mut self, attestation: &Attestation) {
        attestation.votes.iter().for_each(|vote| self.watch_vote(vote));
        if let Some(shown) = self.own.foreign_in_votes(&self.ctx, &attestation.votes) {
            return self.stop_for(&shown);
        }
        let (height, is_at_tip) = (self.height(), self.is_at_tip());
        if self.own.attested(&self.ctx, attestation, height, is_at_tip) {
            self.begin_to_sign();
        }
    }

    fn is_at_tip(&self) -> bool {
        self.peers.target() < self.height()
    }

    /// What the state machine wanted signed meanwhile, as far as its round still goes on.
    fn begin_to_sign(&mut self) {
        self.report_signing();
        self.work.push(Work::Propose);
        self.pay_owed_votes();
    }
}
