//! Votes: casting our own through the guard, and hearing what others say.
use super::{Engine, Peer, Report, evidence::Scene, safety::OwedVote, work::Work};
use crate::{
    consensus,
    crypto::Verified,
    ledger::LedgerView,
    types::{Certificate, ConsensusMessage, Evidence, Now, Vote, VoteKind},
};

impl<V: LedgerView> Engine<V> {
    /// Whether this node may sign at its height: it is a masternode, and the height is not known to
    /// be decided already.
    pub(super) fn may_sign(&self) -> bool {
        let is_open = self.height.decided.is_none() && self.peers.target() < self.height();
        self.own.has_guard() && is_open
    }

    /// Signs, persists and publishes a vote, now or when the blocks below it are durable and the key is
    /// licensed. The state machine counts it next.
    pub(super) fn cast(&mut self, vote: OwedVote) {
        if !self.may_sign() {
            return;
        }
        if !self.own.is_clear_for(vote.kind, &self.tip.stack) {
            self.height.owed_votes.push(vote);
            return;
        }
        let (height, resume) = (self.height(), self.height.consensus.resume());
        match self.own.sign_vote(&resume, height, vote) {
            Some(Ok(signed)) => {
                self.persist_if(signed.is_new);
                let vote = signed.message;
                self.watch_vote(&vote);
                self.out.publish(ConsensusMessage::Vote(vote.clone()));
                self.work.tell(consensus::Input::Vote(vote));
            }
            Some(Err(refusal)) => {
                self.out.report(Report::Refused { height, round: vote.round, refusal });
            }
            None => {}
        }
    }

    /// A block became durable, or the key licensed: votes that waited for it are cast, unless their
    /// round is over.
    pub(super) fn pay_owed_votes(&mut self) {
        let owed = std::mem::take(&mut self.height.owed_votes);
        self.work.extend(owed.into_iter().map(Work::Cast));
    }

    /// Makes the record durable before what follows, where it is not.
    pub(super) fn persist_if(&mut self, is_new: bool) {
        if is_new {
            let (stack, candidates) = (&self.tip.stack, &self.height.candidates);
            self.own.persist(stack, candidates, &mut self.out);
        }
    }

    pub(super) fn publish_certificate(&mut self, certificate: Certificate) {
        if self.ctx.me.is_some() {
            self.out.publish(ConsensusMessage::Certificate(certificate));
        }
    }

    /// An own vote of this height that was signed before a restart counts and is sent again.
    pub(super) fn recount_own_vote(&mut self, kind: VoteKind) {
        let height = self.height();
        let Some(vote) = self.own.recorded_vote(height, kind).cloned() else { return };
        self.out.publish(ConsensusMessage::Vote(vote.clone()));
        self.watch_vote(&vote);
        self.work.tell(consensus::Input::Vote(vote));
    }

    /// A verified message from a peer.
    pub(super) fn on_message(&mut self, now: Now, from: Peer, message: Verified<ConsensusMessage>) {
        self.check_own_key(&message);
        let (height, here) = (message.height(), self.height());
        self.health.heard(&self.ctx, now.mono, &message);
        self.watch_message(&message);
        match &*message {
            ConsensusMessage::Evidence(evidence) => {
                self.add_evidence(evidence);
                return;
            }
            ConsensusMessage::Vote(vote) => self.tip.collect_late_precommit(vote),
            _ => {}
        }
        if height < here {
            if let ConsensusMessage::Certificate(certificate) = &*message
                && certificate.is_commit()
                && !self.agrees(certificate)
            {
                return;
            }
            self.help_laggard(now, &message);
        } else if height == here {
            self.work.push(Work::Message(Some(from), message.into_inner()));
        } else {
            self.on_later_message(from, message);
        }
    }

    /// A message of the height being decided.
    pub(super) fn apply_message(&mut self, from: Option<Peer>, message: ConsensusMessage) {
        if message.height() != self.height() {
            return;
        }
        match message {
            ConsensusMessage::Vote(vote) => self.work.tell(consensus::Input::Vote(vote)),
            ConsensusMessage::Certificate(certificate) => {
                if certificate.is_commit() {
                    self.prove(from, &certificate);
                }
                self.work.tell(consensus::Input::Certificate(certificate));
                self.work.extend([Work::AdvanceSync, Work::SeekPolka(from)]);
            }
            ConsensusMessage::Round(certificate) => {
                self.work.tell(consensus::Input::Round(certificate));
                self.work.push(Work::SeekPolka(from));
            }
            ConsensusMessage::Proposal(proposal) => self.hear_proposal(from, proposal),
            ConsensusMessage::Evidence(_) => {}
        }
    }

    fn on_later_message(&mut self, from: Peer, message: Verified<ConsensusMessage>) {
        let height = self.height();
        if let ConsensusMessage::Certificate(certificate) = &*message
            && certificate.is_commit()
        {
            self.prove(Some(from), certificate);
            self.work.push(Work::AdvanceSync);
        } else {
            self.peers.hint(from, height, &mut self.out);
        }
        self.later.add(height.next(), message);
    }

    /// Hears a verified message.
    pub(super) fn watch_message(&mut self, message: &ConsensusMessage) {
        let scene = Scene::new(&self.ctx, &self.tip, &self.height);
        self.watch.hear(&scene, message, &mut self.out);
    }

    /// Hears a vote: of others, or our own.
    pub(super) fn watch_vote(&mut self, vote: &Vote) {
        let scene = Scene::new(&self.ctx, &self.tip, &self.height);
        self.watch.hear_vote(&scene, vote, &mut self.out);
    }

    /// Keeps verified evidence of a peer.
    pub(super) fn add_evidence(&mut self, evidence: &Evidence) {
        let scene = Scene::new(&self.ctx, &self.tip, &self.height);
        self.watch.add(&scene, evidence, &mut self.out);
    }
}
