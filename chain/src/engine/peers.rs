//! Peers: who is there, how far they are, what they ask.
use super::{Ask, Effect, Engine, Peer, PeerAnswer, Report, Request, Ticket};
use crate::{
    codec, consensus,
    crypto::Verified,
    ledger::LedgerView,
    limits::{BODIES_BYTES_MAX, OWN_VOTES_MAX},
    rules,
    types::{
        Block, Certificate, ConsensusMessage, Height, Now, SignerSet, Transaction, VoteKind,
        VotesAnswer, VotesRequest, WTxId,
    },
};
use std::{collections::BTreeSet, sync::Arc};

/// What peers are asked for in turn. Each in its own turn: two that share one can each come to the same
/// few peers for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Turn {
    Status,
    Votes,
    Bodies,
}

impl<V: LedgerView> Engine<V> {
    pub(super) fn on_peer_up(&mut self, now: Now, peer: Peer) {
        self.sync.peer_up(peer);
        self.effects.push(Effect::Request { to: peer, request: Request::Status });
        // Perhaps a partition heals: what was missed is not left to the next repetition.
        if !self.is_idle(now) {
            let request = Request::Votes(self.votes_request());
            self.effects.push(Effect::Request { to: peer, request });
        }
        self.listen_to_first(now);
    }

    pub(super) fn on_peer_down(&mut self, peer: Peer) {
        self.sync.peer_down(peer);
    }

    pub(super) fn on_status(&mut self, now: Now, from: Peer, tip: Option<Verified<Certificate>>) {
        let Some(tip) = tip.map(Verified::into_inner).filter(Certificate::is_commit) else {
            return;
        };
        self.prove(Some(from), &tip);
        if tip.height == self.height() {
            self.drive(now, consensus::Input::Certificate(tip));
        }
        self.advance_sync();
    }

    /// A checked certificate proves its height; the peer that showed it may have its block.
    ///
    /// The greatest is kept: whoever showed it may never have the block nor show it to others, and a
    /// node that signs nothing at a decided height must be able to decide it and to say so.
    pub(super) fn prove(&mut self, from: Option<Peer>, certificate: &Certificate) {
        if !self.agrees(certificate) {
            return;
        }
        let Some(from) = from else { return };
        self.check_own_certificate(certificate);
        let (target, before) = (certificate.height, self.sync.target());
        self.sync.proven(from, target);
        if target <= before {
            return;
        }
        self.proof = Some(certificate.clone());
        let height = self.height();
        if target > height {
            self.effects.push(Effect::Report(Report::Behind { height, target }));
        }
    }

    /// A peer speaks of a later height without proof: ask it for one.
    pub(super) fn hint(&mut self, from: Peer) {
        if self.sync.target() < self.height() && !self.hinted {
            self.hinted = true;
            self.effects.push(Effect::Request { to: from, request: Request::Status });
        }
    }

    /// Asks the peers in turn how far they are.
    pub(super) fn ask_next_status(&mut self) {
        self.hinted = false;
        if let Some(to) = self.next_peer(Turn::Status) {
            self.effects.push(Effect::Request { to, request: Request::Status });
        }
    }

    pub(super) fn next_peer(&mut self, turn: Turn) -> Option<Peer> {
        let next = self.sync.peer_after(self.turns.get(&turn).copied())?;
        self.turns.insert(turn, next);
        Some(next)
    }

    pub(super) fn on_blocks(&mut self, from: Peer, blocks: Vec<(Block, Verified<Certificate>)>) {
        let blocks = blocks
            .into_iter()
            .map(|(block, certificate)| (block, certificate.into_inner()))
            .filter(|(block, certificate)| {
                certificate.is_commit()
                    && certificate.height == block.header.height
                    && certificate.block == Some(block.hash())
                    && rules::check_commitments(block).is_ok()
            })
            .map(|(block, certificate)| (Arc::new(block), Arc::new(certificate)))
            .collect::<Vec<_>>();
        for (_, certificate) in &blocks {
            self.prove(Some(from), certificate);
        }
        self.sync.answered(from, self.state.height, blocks);
        self.advance_sync();
    }

    pub(super) fn on_request_failed(&mut self, from: Peer, request: &Request) {
        // Status, bodies and votes are asked again by their timers.
        if let Request::Blocks(_) = request {
            self.sync.failed(from);
        }
    }

    pub(super) fn on_ask(&mut self, ticket: Ticket, ask: &Ask) {
        let answer = match ask {
            Ask::Bodies(request) => {
                // An id that is named often is answered once.
                let ids: BTreeSet<&WTxId> = request.0.iter().collect();
                PeerAnswer::Bodies(bounded(ids.into_iter().filter_map(|id| self.body(id))))
            }
            Ask::Votes(request) => PeerAnswer::Votes(VotesAnswer(self.votes_for(request))),
        };
        self.effects.push(Effect::Answer { ticket, answer });
    }

    /// A body held here, with its encoded length.
    fn body(&self, id: &WTxId) -> Option<(Arc<Transaction>, usize)> {
        if let Some(entry) = self.mempool.get(id) {
            return Some((entry.transaction().clone(), entry.bytes()));
        }
        let stacked = || self.stack.bodies().find_map(|bodies| Some(&bodies.get(id)?.0));
        let body = self.candidates.body(id).or_else(stacked)?;
        Some((body.clone(), codec::encode(&**body).len()))
    }

    /// What decided one of the last heights.
    pub(super) fn decision(&self, height: Height) -> Option<&Arc<Certificate>> {
        let tip = self.tip.as_ref().filter(|tip| tip.height == height);
        tip.or_else(|| self.stack.certificate(height))
    }

    /// What helps a node at this height and round: the decision, a later round, or missing votes.
    fn votes_for(&self, request: &VotesRequest) -> Vec<ConsensusMessage> {
        if request.height < self.height() {
            let decided = self.decision(request.height);
            return decided
                .map(|tip| ConsensusMessage::Certificate((**tip).clone()))
                .into_iter()
                .collect();
        }
        if request.height > self.height() {
            return Vec::new();
        }
        let mut messages = Vec::new();
        if let Some(decided) = &self.decided {
            messages.push(ConsensusMessage::Certificate((**decided).clone()));
        }
        if let Some(polka) = self.consensus.valid() {
            messages.push(ConsensusMessage::Certificate(polka.clone()));
        }
        if let Some(entry) = self.consensus.entry().filter(|entry| entry.round >= request.round) {
            messages.push(ConsensusMessage::Round(entry.clone()));
        }
        let polka = self.consensus.polka(request.round).and_then(|polka| polka.block);
        if !request.has_proposal
            && let Some(proposal) = self.candidates.proposal(request.round, polka)
        {
            messages.push(ConsensusMessage::Proposal(Box::new(proposal.clone())));
        }
        let missing = |kind, have: &SignerSet| {
            let votes = self.consensus.votes(request.round, kind);
            let have = have.clone();
            votes
                .filter(move |vote| !have.contains(vote.signer))
                .map(|vote| ConsensusMessage::Vote(vote.clone()))
                .collect::<Vec<_>>()
        };
        messages.extend(missing(VoteKind::Prevote, &request.prevotes));
        messages.extend(missing(VoteKind::Precommit, &request.precommits));
        if let Some(signer) = request.signer {
            let own = self.consensus.votes_of(signer).filter(|vote| vote.round != request.round);
            messages
                .extend(own.take(OWN_VOTES_MAX).map(|vote| ConsensusMessage::Vote(vote.clone())));
        }
        messages
    }
}

/// As many as fit into one answer.
fn bounded(bodies: impl Iterator<Item = (Arc<Transaction>, usize)>) -> Vec<Arc<Transaction>> {
    let mut sum = 64;
    let fitting = bodies.take_while(|(_, bytes)| {
        sum += bytes;
        sum < BODIES_BYTES_MAX
    });
    fitting.map(|(body, _)| body).collect()
}
