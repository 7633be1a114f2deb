//! The height being decided: its state machine, its candidate blocks, and what this node owes to it.
//!
//! Dropped as a whole when the next height begins: nothing of a height can leak into another.
//!
//! Never signs, never touches the ledger, the mempool or a peer; handlers that need those take them as
//! arguments (`candidate.rs`, `repeat.rs`, `why.rs` and `round.rs` hold the rest of its methods).
use super::{
    body_requests::BodyRequests, candidates::Candidates, context::Context, safety::OwedVote,
};
use crate::{
    consensus::{Consensus, Step},
    genesis::Params,
    types::{
        BlockHash, Certificate, ConsensusMessage, Height, Inquiry, Millis, Round, SignerSet,
        VoteKind, VotesRequest,
    },
};
use std::sync::Arc;

/// Everything that ends with the height.
pub(super) struct HeightState {
    pub(super) consensus: Consensus,
    pub(super) candidates: Candidates,
    /// Bodies that peers were asked for.
    pub(super) body_requests: BodyRequests,
    /// What decided the height.
    pub(super) decided: Option<Arc<Certificate>>,
    /// The round in which this node still owes a proposal.
    pub(super) owes_proposal: Option<Round>,
    /// Votes that wait for a block to become durable, or for the key to be licensed.
    pub(super) owed_votes: Vec<OwedVote>,
    /// Whether the propose timer already counts from a transaction's arrival.
    pub(super) shortened: bool,
    /// How often the propose timer of the current round was set again.
    pub(super) patience: u32,
    /// The past polka whose block was asked for last.
    pub(super) sought: Option<(Round, BlockHash)>,
    /// How often the own proposal of the current round was due to be sent again.
    pub(super) proposal_repeats: u32,
    /// By how much a proposal of the current round is ahead of this node's clock.
    pub(super) skewed: Option<(Round, Millis)>,
    /// How often own messages were sent again.
    pub(super) repeats: u64,
    pub(super) started: Millis,
    /// The moment from which the minimum block spacing counts.
    spacing_from: Millis,
}

impl HeightState {
    /// A height at its beginning; the state machine is not started.
    pub(super) fn new(
        ctx: &Context,
        height: Height,
        started: Millis,
        spacing_from: Millis,
        has_transactions: bool,
    ) -> Self {
        Self {
            consensus: Consensus::new(ctx.set.clone(), ctx.me, height),
            candidates: Candidates::default(),
            body_requests: BodyRequests::default(),
            decided: None,
            owes_proposal: None,
            owed_votes: Vec::new(),
            shortened: has_transactions,
            patience: 0,
            sought: None,
            proposal_repeats: 0,
            skewed: None,
            repeats: 0,
            started,
            spacing_from,
        }
    }

    pub(super) fn height(&self) -> Height {
        self.consensus.height()
    }

    /// A round begins: what was owed to the one before is void.
    pub(super) fn round_begins(&mut self) {
        self.owes_proposal = None;
        self.owed_votes.clear();
        self.patience = 0;
        self.proposal_repeats = 0;
        self.skewed = None;
    }

    /// When the proposal of round 0 is due: after the minimum block spacing when there is something to
    /// put in, otherwise at the end of the interval.
    pub(super) fn proposal_due(
        &self,
        params: &Params,
        has_transactions: bool,
        now: Millis,
    ) -> Millis {
        let wait = match has_transactions {
            true => params.min_block_spacing,
            false => params.block_interval,
        };
        self.spacing_from.plus(wait).max(now)
    }

    /// Whether the proposal of round 0 is still awaited here.
    pub(super) fn awaits_first_proposal(&self) -> bool {
        self.consensus.round() == Round(0) && self.consensus.step() == Step::Propose
    }

    /// Notes what decided the height. False where its block is not here.
    pub(super) fn is_decided_by(&mut self, certificate: Certificate) -> bool {
        let decided = self.decided.get_or_insert_with(|| Arc::new(certificate));
        decided.block.is_some_and(|block| self.candidates.is_known(&block))
    }

    /// The height, where its block is decided and here and only waits to be stacked.
    pub(super) fn busy(&self) -> Option<Height> {
        let block = self.decided.as_ref()?.block?;
        self.candidates.is_known(&block).then(|| self.height())
    }

    /// What this node wants of a peer: the votes of its round that it lacks, or what leads further.
    pub(super) fn votes_request(&self, inquiry: Option<Inquiry>) -> VotesRequest {
        let has_proposal = self.has_proposal(self.consensus.round());
        VotesRequest { inquiry, has_proposal, ..self.request_for(self.consensus.round()) }
    }

    /// What a node wants that lacks the proposal of this round.
    fn request_for(&self, round: Round) -> VotesRequest {
        VotesRequest {
            height: self.height(),
            round,
            prevotes: self.consensus.voters(round, VoteKind::Prevote),
            precommits: self.consensus.voters(round, VoteKind::Precommit),
            has_proposal: false,
            inquiry: None,
        }
    }

    /// Whether the proposal of this round is here: told to the state machine, or kept until the clock gets there.
    fn has_proposal(&self, round: Round) -> bool {
        let kept = match self.consensus.polka(round).and_then(|polka| polka.block) {
            Some(block) => self.candidates.has_proposal(&block),
            None => self.candidates.proposal(round, None).is_some(),
        };
        kept || self.consensus.has_proposal(round)
    }

    /// A polka of a round that is over whose block is not here, the latest: the block is to be locked or proposed again.
    pub(super) fn unknown_polka(&self) -> Option<(Round, BlockHash)> {
        let (round, block) = self.consensus.past_polkas().next()?;
        let is_here = self.candidates.has_proposal(&block) || self.candidates.is_known(&block);
        (!is_here && self.decided.is_none()).then_some((round, block))
    }

    /// What to ask a peer for that may have the block of such a polka.
    pub(super) fn polka_request(&self) -> Option<VotesRequest> {
        self.unknown_polka().map(|(round, _)| self.request_for(round))
    }

    /// What helps a node at this height: the decision, a later round, or missing votes.
    pub(super) fn votes_for(&self, request: &VotesRequest) -> Vec<ConsensusMessage> {
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
        messages
    }
}
