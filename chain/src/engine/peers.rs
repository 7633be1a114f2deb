//! Peers: who is there, how far they are, what they are asked and what they ask.
use super::{out::Out, round_trip::RoundTrip};
use crate::{
    sync::Planner,
    types::{BlockHash, Certificate, Height, Millis, VotesRequest},
    wire::{Peer, Request},
};
use std::collections::BTreeMap;

/// The same proposal is sent to the same peer once in this time: it may have 640 KB.
const PROPOSAL_PAUSE: Millis = Millis(400);
/// Proposals sent to all peers in this time.
const SENT_PROPOSALS_MAX: usize = 1_024;

/// What peers are asked for in turn. Each in its own turn: two that share one can each come to the same
/// few peers for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    Status,
    Votes,
    Bodies,
}

/// Who is connected, what they proved, and whom to ask next. Asks by effects; never hears the answers'
/// content but the certificates that prove a height.
#[derive(Default)]
pub(super) struct Peers {
    pub(super) planner: Planner<Peer>,
    /// What proved the planner's target.
    proof: Option<Certificate>,
    turns: BTreeMap<Turn, Peer>,
    /// How long the peers take to answer.
    round_trips: BTreeMap<Peer, RoundTrip>,
    /// Proposals recently sent in answers, by peer.
    sent_proposals: BTreeMap<(Peer, BlockHash), Millis>,
    /// Whether a laggard was helped since the last repetition.
    helped: bool,
    /// Whether a status was asked for on a hint since the last timer.
    hinted: bool,
}

impl Peers {
    pub(super) fn count(&self) -> usize {
        self.planner.peers().count()
    }

    /// The greatest height that is proven final.
    pub(super) fn target(&self) -> Height {
        self.planner.target()
    }

    /// What proved the target.
    pub(super) fn proof(&self) -> Option<&Certificate> {
        self.proof.as_ref()
    }

    /// The proof of this height, once.
    pub(super) fn take_proof(&mut self, height: Height) -> Option<Certificate> {
        self.proof.take_if(|proof| proof.height == height)
    }

    /// A verified certificate proves its height; the peer that showed it may have its block. True where
    /// no greater height was proven before.
    ///
    /// The greatest is kept: the peer that showed it may never have the block nor show it to others, and
    /// a node that signs nothing at a decided height must be able to decide it and to say so.
    pub(super) fn prove(&mut self, from: Peer, certificate: &Certificate) -> bool {
        let before = self.target();
        self.planner.proven(from, certificate.height);
        let is_new = certificate.height > before;
        if is_new {
            self.proof = Some(certificate.clone());
        }
        is_new
    }

    /// A peer speaks of a height after this one without proof: ask it for one.
    pub(super) fn hint(&mut self, from: Peer, height: Height, out: &mut Out) {
        if self.target() < height && !self.hinted {
            self.hinted = true;
            out.request(from, Request::Status);
        }
    }

    /// A block was decided, by sync or not.
    pub(super) fn forget_hint(&mut self, synced: bool) {
        self.hinted &= !synced;
    }

    /// Asks the peers in turn how far they are.
    pub(super) fn ask_next_status(&mut self, out: &mut Out) {
        self.hinted = false;
        if let Some(to) = self.next(Turn::Status) {
            out.request(to, Request::Status);
        }
    }

    /// Asks so many peers, in turn, for votes.
    pub(super) fn ask_for_votes(&mut self, peers: usize, request: &VotesRequest, out: &mut Out) {
        for _ in 0..peers.min(self.count()) {
            if let Some(to) = self.next(Turn::Votes) {
                out.request(to, Request::Votes(request.clone()));
            }
        }
    }

    /// Whose turn it is.
    pub(super) fn next(&mut self, turn: Turn) -> Option<Peer> {
        self.next_fit(turn, |_| true)
    }

    /// Whose turn it is among those that are fit.
    pub(super) fn next_fit(&mut self, turn: Turn, is_fit: impl Fn(Peer) -> bool) -> Option<Peer> {
        let mut last = self.turns.get(&turn).copied();
        for _ in 0..self.count() {
            let next = self.planner.peer_after(last)?;
            if is_fit(next) {
                self.turns.insert(turn, next);
                return Some(next);
            }
            last = Some(next);
        }
        None
    }

    /// A peer is gone.
    pub(super) fn down(&mut self, peer: Peer) {
        self.planner.peer_down(peer);
        self.round_trips.remove(&peer);
    }

    /// How long a request to this peer may take before another one is asked.
    pub(super) fn patience(&self, peer: Peer) -> Millis {
        self.round_trips.get(&peer).copied().unwrap_or_default().patience()
    }

    /// A peer answered after so long.
    pub(super) fn answered_after(&mut self, peer: Peer, took: Millis) {
        if self.planner.peers().any(|known| known == peer) {
            self.round_trips.entry(peer).or_default().measured(took);
        }
    }

    /// Whether this peer may be sent a proposal of this block: not where it just was.
    pub(super) fn may_be_sent(&mut self, now: Millis, peer: Peer, block: BlockHash) -> bool {
        self.sent_proposals.retain(|_, at| now.since(*at) < PROPOSAL_PAUSE);
        let is_new = !self.sent_proposals.contains_key(&(peer, block));
        let may = is_new && self.sent_proposals.len() < SENT_PROPOSALS_MAX;
        if may {
            self.sent_proposals.insert((peer, block), now);
        }
        may
    }

    /// A repetition is due: a laggard may be helped again.
    pub(super) fn help_again(&mut self) {
        self.helped = false;
    }

    /// Whether a laggard is to be shown what it lacks: not where somebody else has just shown it.
    pub(super) fn is_to_be_helped(&mut self, is_shown: bool, may_help: bool) -> bool {
        self.helped |= is_shown;
        let helps = may_help && !self.helped;
        self.helped |= helps;
        helps
    }
}
