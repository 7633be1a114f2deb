//! Evidence: found in what arrives, kept until a block records it, passed on until then.
//!
//! Records the messages of the last decided height, this one and the next: the first node that holds
//! both messages of an offence reports it. Never stops the node: `fork.rs` does.
//!
//! Not durable: what no block has recorded before a restart comes again from others, who repeat it.
//!
//! Invariants: one piece of evidence for each masternode; nothing here stops or delays a round.
use super::{Report, context::Context, height::HeightState, out::Out, tip::Tip};
use crate::{
    ledger::LedgerState,
    limits::{EVIDENCE_PER_BLOCK_MAX, OWN_VOTES_MAX, ROUNDS_AHEAD_MAX, ROUNDS_KEPT},
    rules::{self, RuleError, Testimony},
    types::{Certificate, ConsensusMessage, Evidence, Height, Proposal, Round, Vote},
};
use std::collections::BTreeMap;

/// What was heard and what it proves.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The last decided height, this one and the next.
    testimonies: BTreeMap<Height, Testimony>,
    /// Evidence that no block has recorded, by offender.
    pool: BTreeMap<u16, Evidence>,
    /// How often it was sent again.
    repeats: u8,
}

impl Watch {
    /// Evidence that no block has recorded, by ascending offender.
    pub(super) fn pool(&self) -> impl Iterator<Item = &Evidence> {
        self.pool.values()
    }

    /// The votes of a masternode for this height and later ones, the latest height first.
    pub(super) fn votes_of(&self, signer: u16, from: Height) -> Vec<Vote> {
        let testimonies = self.testimonies.range(from..).rev();
        let votes = testimonies.flat_map(|(_, testimony)| testimony.votes_of(signer));
        votes.take(OWN_VOTES_MAX).cloned().collect()
    }

    /// How many votes and proposals are kept.
    pub(super) fn heard(&self) -> usize {
        self.testimonies.values().map(Testimony::len).sum()
    }

    /// The most for a set of so many masternodes, fewer than a third of them hostile.
    pub(super) fn most(members: usize) -> usize {
        let rounds = usize::try_from(ROUNDS_KEPT + 1 + ROUNDS_AHEAD_MAX).unwrap_or(usize::MAX);
        // Of each height every slot of these rounds, and everybody's lock from before.
        3 * (rounds * (2 * members + 1) + members)
    }

    pub(super) fn testimony(&mut self, height: Height) -> &mut Testimony {
        self.testimonies.entry(height).or_default()
    }

    /// Hears a verified message.
    pub(super) fn hear(&mut self, scene: &Scene<'_>, message: &ConsensusMessage, out: &mut Out) {
        match message {
            ConsensusMessage::Vote(vote) => self.hear_vote(scene, vote, out),
            ConsensusMessage::Proposal(proposal) => self.hear_proposal(scene, proposal, out),
            ConsensusMessage::Certificate(certificate) => {
                self.hear_certificate(scene, certificate, out);
            }
            ConsensusMessage::Round(certificate)
                if scene.is_heard(certificate.height, certificate.round) =>
            {
                let testimony = self.testimony(certificate.height);
                let votes = certificate.votes.iter().cloned();
                let found = votes.filter_map(|vote| testimony.hear(vote)).collect();
                self.accuse(scene, found, out);
            }
            ConsensusMessage::Round(_) | ConsensusMessage::Evidence(_) => {}
        }
    }

    /// Hears a vote: of others, or our own.
    pub(super) fn hear_vote(&mut self, scene: &Scene<'_>, vote: &Vote, out: &mut Out) {
        if scene.is_heard_alone(vote.height, vote.round) {
            let found = self.testimony(vote.height).hear(vote.clone());
            self.accuse(scene, found.into_iter().collect(), out);
        }
    }

    /// Hears a proposal with the polka that it carries.
    pub(super) fn hear_proposal(&mut self, scene: &Scene<'_>, proposal: &Proposal, out: &mut Out) {
        let (height, round) = (proposal.height(), proposal.round);
        if scene.is_heard_alone(height, round) {
            let statement = proposal.statement(scene.ctx.proposer(height, round));
            let found = self.testimony(height).hear_proposal(statement);
            self.accuse(scene, found.into_iter().collect(), out);
        }
        if let Some(polka) = &proposal.polka {
            self.hear_certificate(scene, polka, out);
        }
    }

    fn hear_certificate(&mut self, scene: &Scene<'_>, certificate: &Certificate, out: &mut Out) {
        if scene.is_heard(certificate.height, certificate.round) {
            let found = self.testimony(certificate.height).hear_certificate(certificate);
            self.accuse(scene, found, out);
        }
    }

    /// A round began: what was said long before it is forgotten.
    pub(super) fn forget_old_rounds(&mut self, height: Height, round: Round) {
        let oldest = Round(round.0.saturating_sub(ROUNDS_KEPT));
        self.testimony(height).forget_before(oldest);
    }

    /// A height began: what is recorded or too old is dropped.
    pub(super) fn forget_old_evidence(&mut self, scene: &Scene<'_>) {
        self.testimonies = self.testimonies.split_off(&scene.state.height);
        self.pool.retain(|_, evidence| scene.is_of_use(evidence));
    }

    /// Evidence found here: everybody is told, once.
    pub(super) fn accuse(&mut self, scene: &Scene<'_>, found: Vec<Evidence>, out: &mut Out) {
        for evidence in found {
            if self.add(scene, &evidence, out) {
                out.publish(ConsensusMessage::Evidence(evidence));
            }
        }
    }

    /// Keeps verified evidence. False where it is not the first against its offender, or too old.
    pub(super) fn add(&mut self, scene: &Scene<'_>, evidence: &Evidence, out: &mut Out) -> bool {
        let offender = evidence.offender();
        let is_new = !self.pool.contains_key(&offender) && scene.is_of_use(evidence);
        if is_new {
            self.pool.insert(offender, evidence.clone());
            out.report(Report::Evidence(evidence.clone()));
        }
        is_new
    }

    /// What the next block should record.
    pub(super) fn evidence_for_block(&self, scene: &Scene<'_>) -> Vec<Evidence> {
        let pool = self.pool().filter(|evidence| scene.check_place(evidence).is_ok());
        pool.take(EVIDENCE_PER_BLOCK_MAX).cloned().collect()
    }

    /// Sends evidence again that is in no block yet: it may have been lost, or those who propose may
    /// have been away.
    pub(super) fn repeat_evidence(&mut self, out: &mut Out) {
        if self.pool.is_empty() {
            return;
        }
        self.repeats = self.repeats % 255 + 1;
        for evidence in self.pool.values().take(EVIDENCE_PER_BLOCK_MAX) {
            out.repeat(ConsensusMessage::Evidence(evidence.clone()), self.repeats);
        }
    }
}

/// Where the node stands: which rounds are heard, and what a block could record.
pub(super) struct Scene<'a> {
    ctx: &'a Context,
    /// The state after the last decided block.
    state: &'a LedgerState,
    /// The round that decided it.
    decided_in: Round,
    /// The current round of the next height.
    round: Round,
}

impl<'a> Scene<'a> {
    pub(super) fn new<V>(ctx: &'a Context, tip: &'a Tip<V>, height: &HeightState) -> Self {
        let decided_in = tip.certificate.as_ref().map_or(Round(0), |tip| tip.round);
        Self { ctx, state: &tip.state, decided_in, round: height.consensus.round() }
    }

    /// What the weight of many stands behind is heard of every round but those long over; of a height
    /// that has not begun here, of its first rounds only.
    fn is_heard(&self, height: Height, round: Round) -> bool {
        let deciding = self.state.height.next();
        let is_near = (self.state.height..=deciding).contains(&height);
        let is_next = height == deciding.next() && round.0 <= ROUNDS_AHEAD_MAX;
        (is_near || is_next) && round.0.saturating_add(ROUNDS_KEPT) >= self.round_of(height).0
    }

    /// What one masternode says is heard near the round that matters, as the state machine counts it.
    fn is_heard_alone(&self, height: Height, round: Round) -> bool {
        let last = self.round_of(height).0.saturating_add(ROUNDS_AHEAD_MAX);
        self.is_heard(height, round) && round.0 <= last
    }

    /// The round that matters at a height: the current one, or the one that decided.
    fn round_of(&self, height: Height) -> Round {
        match height {
            height if height == self.state.height.next() => self.round,
            height if height == self.state.height => self.decided_in,
            _ => Round(0),
        }
    }

    /// Whether a block could record it: the next one, or that after it.
    fn is_of_use(&self, evidence: &Evidence) -> bool {
        match self.check_place(evidence) {
            Ok(()) => true,
            Err(RuleError::EvidenceFromFuture { height, block }) => height <= block.next(),
            Err(_) => false,
        }
    }

    fn check_place(&self, evidence: &Evidence) -> Result<(), RuleError> {
        let (parent, offences) = (self.state.height, &self.state.offences);
        rules::check_evidence_place(&self.ctx.chain, parent, offences, evidence)
    }
}
