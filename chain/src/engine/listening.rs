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
use crate::{
    codec,
    crypto::{Signer, hash},
    genesis::GenesisHash,
    types::{Attestation, Height, Inquiry, MasternodeSet, Millis, Now},
};
use std::collections::BTreeMap;

/// Between two rounds of questions, at least.
pub(super) const TICK_MIN: Millis = Millis(500);
/// Ticks after which more than a third of the weight is enough.
const TICKS: u8 = 4;
/// Ticks after which one masternode is enough.
const TICKS_MAX: u8 = 20;
/// Peers asked at each tick.
pub(super) const PEERS_ASKED: usize = 8;

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

    /// A masternode attests, to this question or another.
    pub(super) fn hear(&mut self, attestation: &Attestation, me: u16) {
        if attestation.inquiry == self.inquiry(me) && attestation.by != me {
            let height = self.attested.entry(attestation.by).or_default();
            *height = attestation.height.max(*height);
        }
    }

    /// A tick: only those at the tip and after an attestation count.
    pub(super) fn tick(&mut self, is_at_tip: bool) {
        let counts = is_at_tip && !self.attested.is_empty();
        self.ticks = if counts { self.ticks.saturating_add(1) } else { 0 };
    }

    /// Whether the attested weight is enough at the height being decided.
    pub(super) fn is_enough(&self, set: &MasternodeSet, me: u16, height: Height) -> bool {
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
