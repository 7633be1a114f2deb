//! Tendermint (arXiv 1807.04938) for one height, as a function: inputs in, outputs out.
//!
//! Additions to the paper: certificates are inputs of their own and count as the votes they hold; a
//! prevote names its valid round, and only prevotes that name the same valid round form a polka; a
//! certificate of any later round lets a node enter that round.
//!
//! A commit certificate decides without the proposal and before the block is here, whatever is known of the block: L49
//! asks for a valid proposal first. The engine fetches the block; if it breaks a rule here, the engine stops, because
//! this node and more than two thirds of the weight disagree about the rules. A polka of the current round for a block
//! that is known to be valid here locks it without a proposal in this round, where L36 asks for one: the block may have
//! been proposed in an earlier round, or its proposal was refused for its timestamp. Neither weakens agreement, which
//! rests on what may be signed after a lock and on the intersection of quorums. ADR 13 says more.
//!
//! It knows block hashes, never blocks: validity is an input. It never signs: it outputs what to
//! sign, and counts its own votes only when they come back as inputs. It never reads a clock: it
//! requests timers, and each comes back as an input that names its round and step.
//!
//! Invariants: one prevote and one precommit output for each round; a precommit for a block only
//! after a polka for it in that round; the lock changes only to a block with a polka in a later
//! round.
mod books;
mod io;
mod queries;
mod round;
mod tally;
#[cfg(test)]
mod tests;

pub use books::Books;
pub use io::{Input, NilReason, Output, Resume, RoundReason, Step};

use crate::{
    limits::ROUNDS_KEPT,
    types::{
        BlockHash, Certificate, Height, MasternodeSet, Round, RoundCertificate, Vote, VoteKind,
    },
};
use round::{ProposalFact, RoundBook};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The state machine of one height.
#[derive(Debug, Clone)]
pub struct Consensus {
    set: Arc<MasternodeSet>,
    me: Option<u16>,
    height: Height,
    round: Round,
    step: Step,
    locked: Option<(Round, BlockHash)>,
    valid: Option<Certificate>,
    rounds: BTreeMap<Round, RoundBook>,
    validity: BTreeMap<BlockHash, bool>,
    entry: Option<RoundCertificate>,
    decided: bool,
}

impl Consensus {
    /// The state machine of one height; it does nothing before [`Consensus::start`].
    pub fn new(set: Arc<MasternodeSet>, me: Option<u16>, height: Height) -> Self {
        Self {
            set,
            me,
            height,
            round: Round(0),
            step: Step::Propose,
            locked: None,
            valid: None,
            rounds: BTreeMap::new(),
            validity: BTreeMap::new(),
            entry: None,
            decided: false,
        }
    }

    /// Starts at round 0, or where the record of this height left off.
    pub fn start(&mut self, resume: Option<Resume>) -> Vec<Output> {
        let mut out = Vec::new();
        match resume {
            None => self.start_round(Round(0), RoundReason::NewHeight, &mut out),
            Some(resume) => {
                self.locked = resume.locked;
                if let Some(polka) = &resume.valid {
                    self.book(polka.round).add_certificate(polka.clone());
                }
                self.valid = resume.valid;
                self.entry = resume.entry;
                if resume.step == Step::Propose {
                    self.start_round(resume.round, RoundReason::Resumed, &mut out);
                } else {
                    self.round = resume.round;
                    self.step = resume.step;
                    let (round, reason) = (resume.round, RoundReason::Resumed);
                    out.push(Output::RoundStarted { round, reason });
                }
            }
        }
        self.progress(&mut out);
        out
    }

    /// Processes one input.
    pub fn handle(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        if self.decided {
            return out;
        }
        match input {
            Input::Proposal { round, block, valid_round } => {
                self.book(round).add_proposal(ProposalFact { block, valid_round });
            }
            Input::Validity { block, valid } => {
                self.validity.insert(block, valid);
            }
            Input::Vote(vote) => self.add_vote(vote),
            Input::Certificate(certificate) => self.add_certificate(certificate),
            Input::Round(certificate) => {
                for vote in certificate.votes {
                    self.add_vote_of_any_round(vote);
                }
            }
            Input::Timeout { round, step } => self.on_timeout(round, step, &mut out),
        }
        self.progress(&mut out);
        out
    }

    /// This node no longer holds the block: it votes for it only after a new validity verdict.
    pub fn forget(&mut self, block: &BlockHash) {
        self.validity.remove(block);
    }

    fn book(&mut self, round: Round) -> &mut RoundBook {
        let members = self.set.len();
        if round < self.oldest_kept() && !self.rounds.contains_key(&round) {
            self.drop_past_rounds();
        }
        self.rounds.entry(round).or_insert_with(|| RoundBook::new(members))
    }

    /// The oldest past round that is always kept.
    fn oldest_kept(&self) -> Round {
        Round(self.round.0.saturating_sub(ROUNDS_KEPT))
    }

    /// Makes room for a certificate of an old round, because a proposal may rest on its polka. Of
    /// the old rounds received before, keeps only those that a proposal of the current round names.
    fn drop_past_rounds(&mut self) {
        let oldest = self.oldest_kept();
        let proposals = self.rounds.get(&self.round).into_iter().flat_map(RoundBook::proposals);
        let named: BTreeSet<Round> =
            proposals.filter_map(|proposal| proposal.valid_round).collect();
        self.rounds.retain(|round, _| *round >= oldest || named.contains(round));
    }

    fn add_vote(&mut self, vote: Vote) {
        if self.admits_round(vote.round) {
            self.add_vote_of_any_round(vote);
        }
    }

    fn add_vote_of_any_round(&mut self, vote: Vote) {
        let Some(weight) = self.set.get(vote.signer).map(|member| member.weight) else { return };
        if vote.height != self.height {
            return;
        }
        self.book(vote.round).tally_mut(vote.kind).add(vote, weight);
    }

    fn add_certificate(&mut self, certificate: Certificate) {
        if certificate.height != self.height {
            return;
        }
        for vote in certificate.votes() {
            self.add_vote_of_any_round(vote);
        }
        // The certificate counts even if another vote of an equivocating signer arrived first.
        if certificate.is_polka() || certificate.is_commit() {
            self.book(certificate.round).add_certificate(certificate);
        }
    }

    fn on_timeout(&mut self, round: Round, step: Step, out: &mut Vec<Output>) {
        if round != self.round {
            return;
        }
        match (step, self.step) {
            // L57: no proposal in time: prevote nil.
            (Step::Propose, Step::Propose) => {
                self.prevote(None, None, Some(NilReason::NoProposal), out)
            }
            // L61: no quorum of prevotes for one value in time: precommit nil.
            (Step::Prevote, Step::Prevote) => self.precommit(None, Some(NilReason::NoPolka), out),
            // L65: no decision in time: start the next round.
            (Step::Precommit, _) => self.next_round(out),
            _ => {}
        }
    }

    /// Applies rules until none applies.
    fn progress(&mut self, out: &mut Vec<Output>) {
        while !self.decided && self.apply_one(out) {}
    }

    fn apply_one(&mut self, out: &mut Vec<Output>) -> bool {
        self.decide(out)
            || self.skip_round(out)
            || self.learn_of_past_polka()
            || self.vote_on_proposal(out)
            || self.lock_on_polka(out)
            || self.follow_nil_polka(out)
            || self.time_prevotes(out)
            || self.time_precommits(out)
    }

    /// L49: 2f+1 precommits for one block in any round: decide it.
    fn decide(&mut self, out: &mut Vec<Output>) -> bool {
        let commit = self.rounds.values().find_map(|book| {
            book.certificate(&self.set, VoteKind::Precommit).filter(|found| found.block.is_some())
        });
        let Some(commit) = commit else { return false };
        self.decided = true;
        out.push(Output::Decide(commit));
        true
    }

    /// L55: votes of more than a third of the weight in a later round: skip to it.
    fn skip_round(&mut self, out: &mut Vec<Output>) -> bool {
        let later = self.rounds.range(self.round.next()..).rev();
        let target = later
            .filter(|(_, book)| self.set.is_honest_part(self.set.weight_of(book.voters())))
            .map(|(round, book)| (*round, book.one_vote_each()))
            .next();
        let Some((round, votes)) = target else { return false };
        self.entry = Some(RoundCertificate { height: self.height, round, votes });
        self.start_round(round, RoundReason::Skip, out);
        true
    }

    /// L22 and L28: vote on the proposal once its validity and its polka are known.
    fn vote_on_proposal(&mut self, out: &mut Vec<Output>) -> bool {
        if self.step != Step::Propose {
            return false;
        }
        let Some(book) = self.rounds.get(&self.round) else { return false };
        let ready = book.proposals().iter().find_map(|proposal| {
            let valid = self.validity.get(&proposal.block).copied()?;
            let has_polka = |round| self.has_polka_for(round, proposal.block);
            proposal.valid_round.is_none_or(has_polka).then_some((*proposal, valid))
        });
        let Some((proposal, valid)) = ready else { return false };
        // L23 and L29, without the paper's "or it is the locked block": a locked
        // masternode prevotes a block only on a polka no earlier than its lock, so a prevote for
        // another block on less proves amnesia.
        let lock_allows = self
            .locked
            .is_none_or(|(locked, _)| proposal.valid_round.is_some_and(|vr| vr >= locked));
        match (valid, lock_allows) {
            (true, true) => self.prevote(Some(proposal.block), proposal.valid_round, None, out),
            (false, _) => self.prevote(None, None, Some(NilReason::InvalidBlock), out),
            (true, false) => self.prevote(None, None, Some(NilReason::Locked), out),
        }
        true
    }

    /// Not in the paper: a polka of a past round arrives late, and its block is proposed again.
    ///
    /// A masternode that locked on it prevotes nothing on an earlier polka. In the paper everybody
    /// sees the polka before the round ends; here a Byzantine masternode may have shown it to a
    /// single node.
    fn learn_of_past_polka(&mut self) -> bool {
        let known = self.valid.as_ref().map_or(Round(0), |valid| valid.round.next());
        if known >= self.round {
            return false;
        }
        let past = self.rounds.range(known..self.round).rev();
        let polkas = past.filter_map(|(_, book)| book.certificate(&self.set, VoteKind::Prevote));
        let is_valid = |polka: &Certificate| {
            polka.block.is_some_and(|block| self.validity.get(&block) == Some(&true))
        };
        let Some(polka) = polkas.into_iter().find(is_valid) else { return false };
        self.valid = Some(polka);
        true
    }

    /// L36: a polka for a valid block in this round: lock it and precommit it.
    fn lock_on_polka(&mut self, out: &mut Vec<Output>) -> bool {
        // A node that restarted between its prevote and its precommit may already hold the polka.
        let is_done = self.step == Step::Precommit
            && self.valid.as_ref().is_some_and(|valid| valid.round >= self.round);
        if self.step == Step::Propose || is_done {
            return false;
        }
        let Some(polka) = self.polka(self.round) else { return false };
        let Some(block) = polka.block else { return false };
        if self.validity.get(&block) != Some(&true) {
            return false;
        }
        self.valid = Some(polka.clone());
        if self.step == Step::Prevote {
            self.locked = Some((self.round, block));
            out.push(Output::Locked(polka));
            self.precommit(Some(block), None, out);
        }
        true
    }

    /// L44: 2f+1 prevotes for nil in this round: precommit nil.
    fn follow_nil_polka(&mut self, out: &mut Vec<Output>) -> bool {
        let is_nil = self.step == Step::Prevote
            && self.polka(self.round).is_some_and(|polka| polka.block.is_none());
        if is_nil {
            self.precommit(None, Some(NilReason::NilPolka), out);
        }
        is_nil
    }

    /// L34: 2f+1 prevotes for any value: start the prevote timer.
    fn time_prevotes(&mut self, out: &mut Vec<Output>) -> bool {
        self.step == Step::Prevote && self.time_votes(VoteKind::Prevote, Step::Prevote, out)
    }

    /// L47: 2f+1 precommits for any value: start the precommit timer.
    fn time_precommits(&mut self, out: &mut Vec<Output>) -> bool {
        self.time_votes(VoteKind::Precommit, Step::Precommit, out)
    }

    fn time_votes(&mut self, kind: VoteKind, step: Step, out: &mut Vec<Output>) -> bool {
        let (set, round) = (self.set.clone(), self.round);
        let Some(book) = self.rounds.get_mut(&round) else { return false };
        let is_due = set.is_quorum(book.tally(kind).weight()) && book.start_timer(step);
        if is_due {
            out.push(Output::SetTimer { round, step });
        }
        is_due
    }

    fn has_polka_for(&self, round: Round, block: BlockHash) -> bool {
        self.polka(round).is_some_and(|polka| polka.block == Some(block))
            || self.valid.as_ref().is_some_and(|v| v.round == round && v.block == Some(block))
    }

    fn next_round(&mut self, out: &mut Vec<Output>) {
        let votes: Vec<Vote> = self.votes(self.round, VoteKind::Precommit).cloned().collect();
        self.entry = Some(RoundCertificate { height: self.height, round: self.round, votes });
        self.start_round(self.round.next(), RoundReason::NoDecision, out);
    }

    /// L11: starts a round.
    fn start_round(&mut self, round: Round, reason: RoundReason, out: &mut Vec<Output>) {
        self.round = round;
        self.step = Step::Propose;
        self.rounds = self.rounds.split_off(&self.oldest_kept());
        out.push(Output::RoundStarted { round, reason });
        out.push(Output::SetTimer { round, step: Step::Propose });
        if self.me == Some(self.set.proposer(self.height, round)) {
            out.push(Output::Propose { round, valid: self.valid.clone() });
        }
    }

    fn prevote(
        &mut self,
        block: Option<BlockHash>,
        valid_round: Option<Round>,
        nil: Option<NilReason>,
        out: &mut Vec<Output>,
    ) {
        self.step = Step::Prevote;
        let (kind, round) = (VoteKind::Prevote, self.round);
        out.push(Output::Cast { kind, round, block, valid_round, nil });
    }

    fn precommit(
        &mut self,
        block: Option<BlockHash>,
        nil: Option<NilReason>,
        out: &mut Vec<Output>,
    ) {
        self.step = Step::Precommit;
        let (kind, round) = (VoteKind::Precommit, self.round);
        out.push(Output::Cast { kind, round, block, valid_round: None, nil });
    }
}
