//! Evidence: found in what arrives, kept until a block records it, passed on until then.
//!
//! Two things end here. Everything that was said at the last height, this one and the next is heard, so
//! that whoever breaks the rules is accused by the first node that knows. And every commit certificate
//! is compared with ours: two blocks final at one height stop the node, for no block after it means
//! anything.
//!
//! Not durable: what no block has recorded before a restart comes again from others, who repeat it.
//!
//! Invariants: one piece of evidence for each masternode; nothing here stops or delays a round.
use super::{Effect, Engine, Report};
use crate::{
    ledger::{LedgerView, ViewError},
    limits::{EVIDENCE_PER_BLOCK_MAX, ROUNDS_AHEAD_MAX, ROUNDS_KEPT},
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

    fn testimony(&mut self, height: Height) -> &mut Testimony {
        self.testimonies.entry(height).or_default()
    }
}

impl<V: LedgerView> Engine<V> {
    /// Hears a checked message.
    pub(super) fn watch(&mut self, message: &ConsensusMessage) {
        match message {
            ConsensusMessage::Vote(vote) => self.watch_vote(vote),
            ConsensusMessage::Proposal(proposal) => self.watch_proposal(proposal),
            ConsensusMessage::Certificate(certificate) => self.watch_certificate(certificate),
            ConsensusMessage::Round(certificate)
                if self.is_heard(certificate.height, certificate.round) =>
            {
                let testimony = self.watch.testimony(certificate.height);
                let votes = certificate.votes.iter().cloned();
                let found = votes.filter_map(|vote| testimony.hear(vote)).collect();
                self.accuse(found);
            }
            ConsensusMessage::Round(_) | ConsensusMessage::Evidence(_) => {}
        }
    }

    /// Hears a vote: of others, or our own.
    pub(super) fn watch_vote(&mut self, vote: &Vote) {
        if self.is_heard_alone(vote.height, vote.round) {
            let found = self.watch.testimony(vote.height).hear(vote.clone());
            self.accuse(found.into_iter().collect());
        }
    }

    /// Hears a proposal with the polka that it carries.
    pub(super) fn watch_proposal(&mut self, proposal: &Proposal) {
        let (height, round) = (proposal.height(), proposal.round);
        if self.is_heard_alone(height, round) {
            let statement = proposal.statement(self.set.proposer(height, round));
            let found = self.watch.testimony(height).hear_proposal(statement);
            self.accuse(found.into_iter().collect());
        }
        if let Some(polka) = &proposal.polka {
            self.watch_certificate(polka);
        }
    }

    fn watch_certificate(&mut self, certificate: &Certificate) {
        if self.is_heard(certificate.height, certificate.round) {
            let found = self.watch.testimony(certificate.height).hear_certificate(certificate);
            self.accuse(found);
        }
    }

    /// What the weight of many stands for is heard of every round but those long over; of a height that
    /// has not begun here, of its first rounds only.
    fn is_heard(&self, height: Height, round: Round) -> bool {
        let is_near = (self.state.height..=self.height()).contains(&height);
        let is_next = height == self.height().next() && round.0 <= ROUNDS_AHEAD_MAX;
        (is_near || is_next) && round.0.saturating_add(ROUNDS_KEPT) >= self.round_of(height).0
    }

    /// What one masternode says is heard near the round that matters, as the state machine counts it.
    fn is_heard_alone(&self, height: Height, round: Round) -> bool {
        let last = self.round_of(height).0.saturating_add(ROUNDS_AHEAD_MAX);
        self.is_heard(height, round) && round.0 <= last
    }

    /// The round that matters at a height: the current one, or the one that decided.
    fn round_of(&self, height: Height) -> Round {
        if height == self.height() {
            return self.consensus.round();
        }
        let tip = self.tip.as_ref().filter(|tip| tip.height == height);
        tip.map_or(Round(0), |tip| tip.round)
    }

    /// A round began: what was said long before it is forgotten.
    pub(super) fn forget_old_rounds(&mut self, round: Round) {
        let oldest = Round(round.0.saturating_sub(ROUNDS_KEPT));
        let height = self.height();
        self.watch.testimony(height).forget_before(oldest);
    }

    /// A height began: what is recorded or too old is dropped.
    pub(super) fn forget_old_evidence(&mut self) {
        let mut watch = std::mem::take(&mut self.watch);
        watch.testimonies = watch.testimonies.split_off(&self.state.height);
        watch.pool.retain(|_, evidence| self.is_of_use(evidence));
        self.watch = watch;
    }

    /// Evidence found here: everybody is told, once.
    fn accuse(&mut self, found: Vec<Evidence>) {
        for evidence in found {
            if self.add_evidence(&evidence) {
                self.publish(ConsensusMessage::Evidence(evidence));
            }
        }
    }

    /// Keeps checked evidence. False where it is not the first against its offender, or too old.
    pub(super) fn add_evidence(&mut self, evidence: &Evidence) -> bool {
        let offender = evidence.offender();
        let is_new = !self.watch.pool.contains_key(&offender) && self.is_of_use(evidence);
        if is_new {
            self.watch.pool.insert(offender, evidence.clone());
            self.effects.push(Effect::Report(Report::Evidence(evidence.clone())));
        }
        is_new
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
        rules::check_evidence_place(&self.chain, parent, offences, evidence)
    }

    /// What the next block should record.
    pub(super) fn evidence_for_block(&self) -> Vec<Evidence> {
        let pool = self.watch.pool().filter(|evidence| self.check_place(evidence).is_ok());
        pool.take(EVIDENCE_PER_BLOCK_MAX).cloned().collect()
    }

    /// Sends evidence again that is in no block yet: it may have been lost, or those who propose may
    /// have been away.
    pub(super) fn repeat_evidence(&mut self) {
        let pool: Vec<Evidence> = self.watch.pool().take(EVIDENCE_PER_BLOCK_MAX).cloned().collect();
        if pool.is_empty() {
            return;
        }
        self.watch.repeats = self.watch.repeats % 255 + 1;
        let attempt = self.watch.repeats;
        for evidence in pool {
            let message = ConsensusMessage::Evidence(evidence);
            self.effects.push(Effect::Publish { message, attempt });
        }
    }

    /// Compares a checked commit certificate with ours of its height. False where they name two blocks:
    /// then the node has stopped.
    pub(super) fn agrees(&mut self, certificate: &Certificate) -> bool {
        match self.own_certificate(certificate.height) {
            Ok(Some(own)) if own.block != certificate.block => {
                self.halt_on_fork(&own, certificate);
                false
            }
            Ok(_) => true,
            Err(error) => {
                self.halt(error.to_string());
                false
            }
        }
    }

    /// The commit certificate by which this node knows a height to be final.
    fn own_certificate(&self, height: Height) -> Result<Option<Certificate>, ViewError> {
        let stacked = self.stack.certificate(height).map(|certificate| &**certificate);
        let known = [self.decided.as_deref(), self.tip.as_deref(), self.proof.as_ref(), stacked];
        match known.into_iter().flatten().find(|own| own.height == height) {
            Some(own) => Ok(Some(own.clone())),
            None if height < self.state.height => self.view.certificate(height),
            None => Ok(None),
        }
    }

    /// Two blocks are final at one height. Says who is to blame, as far as this node can prove it.
    fn halt_on_fork(&mut self, own: &Certificate, other: &Certificate) {
        let height = own.height;
        let heard = self.watch.testimony(height).clone();
        let votes = own.votes().chain(other.votes()).chain(heard.votes().cloned());
        let guilty = rules::accuse(votes);
        let offenders: Vec<String> =
            guilty.iter().map(|evidence| evidence.offender().to_string()).collect();
        let weight = self.set.weight_of(guilty.iter().map(Evidence::offender));
        let total = self.set.total_weight();
        self.accuse(guilty);
        let name = |certificate: &Certificate| match certificate.block {
            Some(block) => format!("{block} (round {})", certificate.round),
            None => "nothing".into(),
        };
        self.halt(format!(
            "two blocks have a commit certificate at height {height}: {} and {}. More than a third of \
             the masternodes' weight broke the rules; here it is proven of masternodes [{}] with weight \
             {weight} of {total}. Nothing after this height is final: the operators must decide which \
             block stands",
            name(own),
            name(other),
            offenders.join(", "),
        ));
    }
}
