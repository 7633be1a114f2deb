//! What this node and its peers tell and answer each other: tips, blocks, bodies and votes.
//!
//! Never reads the disk: final blocks and those of the store are served by the shell.
use super::{Effect, Engine, Report, work::Work};
use crate::{
    consensus,
    crypto::Verified,
    ledger::LedgerView,
    limits::BODIES_BYTES_MAX,
    rules::CertifiedBlock,
    types::{
        BodiesRequest, Certificate, ConsensusMessage, Now, Transaction, VotesAnswer, VotesRequest,
        WTxId,
    },
    wire::{Peer, Request, Response, Ticket},
};
use std::collections::BTreeSet;

impl<V: LedgerView> Engine<V> {
    pub(super) fn on_peer_up(&mut self, now: Now, peer: Peer) {
        self.peers.planner.peer_up(peer);
        self.out.request(peer, Request::Status);
        self.presence.hasten(now, &mut self.out);
        // Perhaps a partition heals: what was missed is not left to the next repetition.
        if !self.is_idle(now) || self.own.license.is_listening() {
            let request = self.votes_request();
            self.out.request(peer, Request::Votes(request));
        }
    }

    /// What this node wants of a peer; while it listens, the votes of its own key too.
    pub(super) fn votes_request(&self) -> VotesRequest {
        self.height.votes_request(self.own.license.inquiry(&self.ctx))
    }

    pub(super) fn on_status(&mut self, from: Peer, tip: Option<Verified<Certificate>>) {
        let Some(tip) = tip.map(Verified::into_inner).filter(Certificate::is_commit) else {
            return;
        };
        self.prove(Some(from), &tip);
        if tip.height == self.height() {
            self.work.tell(consensus::Input::Certificate(tip));
        }
        self.work.push(Work::AdvanceSync);
    }

    /// A verified commit certificate: compared with ours, then it proves its height.
    pub(super) fn prove(&mut self, from: Option<Peer>, certificate: &Certificate) {
        if !self.agrees(certificate) {
            return;
        }
        let Some(from) = from else { return };
        self.check_own_certificate(certificate);
        let (height, target) = (self.height(), certificate.height);
        if self.peers.prove(from, certificate) && target > height {
            self.out.report(Report::Behind { height, target });
        }
    }

    pub(super) fn on_blocks(&mut self, now: Now, from: Peer, blocks: Vec<CertifiedBlock>) {
        for certified in &blocks {
            self.prove(Some(from), certified.certificate());
        }
        self.peers.planner.answered(now.mono, from, self.tip.state.height, blocks);
        self.work.push(Work::AdvanceSync);
    }

    pub(super) fn on_peer_busy(&mut self, now: Now, from: Peer, request: &Request) {
        match request {
            Request::Blocks(_) => {
                self.peers.planner.busy(now.mono, from);
                self.work.push(Work::AdvanceSync);
            }
            // Others are asked at once, as after a failure.
            Request::Bodies(_) | Request::Status | Request::Votes(_) => {
                self.on_request_failed(now, from, request);
            }
        }
    }

    pub(super) fn on_request_failed(&mut self, now: Now, from: Peer, request: &Request) {
        match request {
            Request::Blocks(_) => {
                self.peers.planner.failed(now.mono, from);
                self.work.push(Work::AdvanceSync);
            }
            Request::Bodies(request) => self.on_bodies(now, from, request, vec![]),
            // Asked again by their timers.
            Request::Status | Request::Votes(_) => {}
        }
    }

    pub(super) fn respond_with_bodies(&mut self, ticket: Ticket, request: &BodiesRequest) {
        // An id that is named often is answered once.
        let ids: BTreeSet<&WTxId> = request.0.iter().collect();
        let bodies = bounded(ids.into_iter().filter_map(|id| self.body(id)));
        self.out.push(Effect::Respond { ticket, response: Response::Bodies(bodies) });
    }

    pub(super) fn respond_with_votes(
        &mut self,
        now: Now,
        (from, ticket): (Peer, Ticket),
        request: &VotesRequest,
    ) {
        let mut votes = self.answer_with_votes(request);
        votes.messages.retain(|message| match message {
            ConsensusMessage::Proposal(proposal) => {
                self.peers.may_be_sent(now.mono, from, proposal.block_hash())
            }
            _ => true,
        });
        self.out.push(Effect::Respond { ticket, response: Response::Votes(votes) });
    }

    /// A body held here.
    fn body(&self, id: &WTxId) -> Option<Transaction> {
        if let Some(entry) = self.pool.mempool.get(id) {
            return Some(entry.transaction().clone());
        }
        let stacked = || self.tip.stack.bodies().find_map(|bodies| Some(&bodies.get(id)?.0));
        self.height.candidates.body(id).or_else(stacked).cloned()
    }

    fn answer_with_votes(&self, request: &VotesRequest) -> VotesAnswer {
        let mut messages = self.votes_for(request);
        let Some(inquiry) = request.inquiry else {
            return VotesAnswer { messages, attestation: None };
        };
        let votes = self.watch.votes_of(inquiry.of, request.height);
        let attestation = self.own.attest(&self.ctx, inquiry, self.height(), &votes);
        if attestation.is_none() {
            // Each of them proves itself, whatever peer shows it.
            messages.extend(votes.into_iter().map(ConsensusMessage::Vote));
        }
        VotesAnswer { messages, attestation }
    }

    /// What helps a node at this height and round: the decision, or what is known of the height.
    fn votes_for(&self, request: &VotesRequest) -> Vec<ConsensusMessage> {
        if request.height < self.height() {
            let decided = self.tip.decision(request.height).into_iter();
            return decided.map(|tip| ConsensusMessage::Certificate((**tip).clone())).collect();
        }
        if request.height > self.height() {
            return Vec::new();
        }
        self.height.votes_for(request)
    }
}

/// As many as fit into one answer.
fn bounded(bodies: impl Iterator<Item = Transaction>) -> Vec<Transaction> {
    let mut sum = 64;
    let fits = |body: &Transaction| {
        sum += body.encoded_len();
        sum < BODIES_BYTES_MAX
    };
    bodies.take_while(fits).collect()
}
