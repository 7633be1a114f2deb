//! What one node does under attack: an engine with its shell in memory, and everybody else played by
//! the test.
mod candidates;
mod decisions;
mod evidence;
mod fetch;
mod halted;
mod payments;
mod presence;
mod proposals;
mod repeat;

use crate::{
    fixture::{Fixture, hash_lock, pay, prevote_of, seal},
    peer::{PEER, REPEAT_MS, gossip, respond},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
    sync::Arc,
};
use timecoin_chain::{
    consensus::Step,
    crypto::{Ed25519, Signer},
    engine::{
        Effect, Engine, EngineConfig, Held, Input, Peer, Recovered, Request, SafetyRecord, Stored,
        Ticket, Timer,
    },
    inbound::Verdict,
    ledger::{BlockDelta, LedgerView, MemoryView, PositionedCoin, ViewError, execute, look_up},
    mempool::MempoolLimits,
    rules,
    types::{
        Attestation, Block, BlockHash, BodiesRequest, Certificate, ConsensusMessage, Height,
        Inquiry, Millis, NodeKey, Now, OutPoint, Output, Proposal, Round, SignerSet, Timestamp,
        Transaction, Vote, VoteKind, VotesAnswer, VotesRequest,
    },
    wire::Response,
};

#[derive(Clone)]
pub(crate) struct SharedView(Rc<RefCell<MemoryView>>);

impl LedgerView for SharedView {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<PositionedCoin>, ViewError> {
        self.0.borrow().coin(outpoint)
    }

    fn certificate(&self, height: Height) -> Result<Option<Certificate>, ViewError> {
        self.0.borrow().certificate(height)
    }
}

/// The node under test. Work is done at once; what leaves is kept.
pub(crate) struct Node {
    pub(crate) fixture: Fixture,
    pub(crate) engine: Engine<SharedView>,
    view: SharedView,
    pub(crate) now: Now,
    pub(crate) timers: BTreeMap<Timer, Millis>,
    /// The blocks beside the safety record, under the store's rule.
    stored: BTreeSet<BlockHash>,
    /// Whether work is done at once, or never.
    executes: bool,
    /// Blocks that are being written and not durable yet, where the disk is slow.
    writing: Option<VecDeque<Arc<BlockDelta>>>,
    pub(crate) sent: Vec<Effect>,
    tickets: u64,
}

impl Node {
    /// Masternode `me` of a chain that stands where the fixture does, with a record made for it.
    pub(crate) fn new(fixture: Fixture, me: u16) -> Self {
        Self::with_peer(fixture, me, true)
    }

    /// The same in tests that sign with its key too: it does not mind.
    fn believing(fixture: Fixture, me: u16) -> Self {
        Self::with_peer(fixture, me, false)
    }

    fn with_peer(fixture: Fixture, me: u16, doubts_record: bool) -> Self {
        let key = fixture.secrets[usize::from(me)].public_key();
        let record = SafetyRecord::blank(key, fixture.state.height.next(), Round(0));
        let mut node = Self::started(fixture, me, Some(record), doubts_record);
        node.input(Input::PeerUp(PEER));
        node.is_attested();
        node
    }

    /// All other masternodes attest that they hold nothing of this node's key.
    pub(crate) fn is_attested(&mut self) {
        for by in 0..4 {
            if let Some(inquiry) = self.inquiry().filter(|inquiry| inquiry.of != by) {
                self.attestation(inquiry, by, self.height(), vec![]);
            }
        }
    }

    /// What this node asked of its own key last.
    pub(crate) fn inquiry(&self) -> Option<Inquiry> {
        self.requests().find_map(|request| match request {
            Request::Votes(votes) => votes.inquiry,
            _ => None,
        })
    }

    /// What this node requested, the last first.
    fn requests(&self) -> impl Iterator<Item = &Request> {
        self.sent.iter().rev().filter_map(|effect| match effect {
            Effect::Request { request, .. } => Some(request),
            _ => None,
        })
    }

    /// The last request that a peer can respond to with this.
    fn request_for(&self, response: &Response) -> Request {
        let mut requests = self.requests().filter(|request| match response {
            Response::Status(..) => matches!(request, Request::Status),
            Response::Blocks(_) => matches!(request, Request::Blocks(_)),
            Response::Bodies(_) => matches!(request, Request::Bodies(_)),
            Response::Votes(_) => matches!(request, Request::Votes(_)),
        });
        requests.next().expect("the node asked for it").clone()
    }

    /// A masternode attests what it holds.
    pub(crate) fn attestation(
        &mut self,
        inquiry: Inquiry,
        by: u16,
        height: Height,
        votes: Vec<Vote>,
    ) {
        let chain = &self.fixture.chain;
        let message = Attestation::message(&chain.hash, inquiry, height, &votes);
        let signature = self.fixture.secrets[usize::from(by)].sign(&message);
        let attestation = Attestation { inquiry, height, votes, by, signature };
        let answer = VotesAnswer { messages: vec![], attestation: Some(attestation) };
        self.respond(Response::Votes(answer));
    }

    /// A tick of listening.
    pub(crate) fn tick(&mut self) {
        self.now.mono = self.timers.remove(&Timer::Listen).expect("listens");
        self.input(Input::Timer(Timer::Listen));
    }

    /// With any record, and without a peer.
    pub(crate) fn with_record(fixture: Fixture, me: u16, record: Option<SafetyRecord>) -> Self {
        Self::started(fixture, me, record, true)
    }

    fn started(
        fixture: Fixture,
        me: u16,
        record: Option<SafetyRecord>,
        doubts_record: bool,
    ) -> Self {
        let chain = Arc::new(fixture.chain.clone());
        let view = SharedView(Rc::new(RefCell::new(fixture.view.clone())));
        let mempool = MempoolLimits::for_params(chain.params());
        let signer = Arc::new(fixture.secrets[usize::from(me)].clone());
        let node = Some(NodeKey([7; 32]));
        let config = EngineConfig { chain, signer: Some(signer), node, mempool, doubts_record };
        let safety = record.map(|record| Recovered { record, blocks: vec![] });
        let stored = Stored { state: fixture.state.clone(), tip: fixture.commit.clone(), safety };
        let wall = Timestamp(fixture.state.timestamp.0 + 20_000);
        let mut node = Self {
            engine: Engine::new(config, view.clone(), stored),
            view,
            fixture,
            now: Now { mono: Millis(0), wall },
            timers: BTreeMap::new(),
            stored: BTreeSet::new(),
            executes: true,
            writing: None,
            sent: Vec::new(),
            tickets: 0,
        };
        node.input(Input::Start);
        node
    }

    pub(crate) fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for effect in self.engine.handle(self.now, input) {
                inputs.extend(self.carry_out(&effect));
                self.sent.push(effect);
            }
        }
    }

    fn carry_out(&mut self, effect: &Effect) -> Option<Input> {
        match effect {
            Effect::Run(job) => Some(Input::Done(job.clone().run(&Ed25519, &self.fixture.chain))),
            Effect::Judge { verdict: Verdict::Reject(reason), .. } => panic!("{reason}"),
            Effect::Execute(execution) if self.executes => {
                let block = execution.block().hash();
                let (chain, view) = (&self.fixture.chain, self.view.clone());
                let result = execution.clone().run(&Ed25519, chain, view).map(Box::new);
                Some(Input::Executed { block, result })
            }
            Effect::Commit { certificate, delta, .. } => {
                if let Some(writing) = &mut self.writing {
                    writing.push_back(delta.clone());
                    return None;
                }
                self.view.0.borrow_mut().apply(delta);
                self.view.0.borrow_mut().keep((**certificate).clone());
                Some(Input::Durable { height: delta.height })
            }
            Effect::LookUp { ticket, inputs } => {
                let coins = look_up(&self.view, inputs.clone());
                Some(Input::CoinsFound { ticket: *ticket, coins })
            }
            Effect::Verify { ticket, spends } => {
                let results =
                    rules::verify_spends(&Ed25519, &self.fixture.chain.hash, spends.clone());
                Some(Input::Verified { ticket: *ticket, results })
            }
            Effect::Persist { record, blocks } => {
                self.stored.extend(blocks.iter().map(|block| block.hash()));
                let named = record.blocks();
                assert!(named.is_subset(&self.stored), "a record without its blocks");
                self.stored = named;
                None
            }
            Effect::SetTimer { timer, at } => {
                self.timers.insert(*timer, *at);
                None
            }
            _ => None,
        }
    }

    /// The slow disk has written a block.
    fn written(&mut self) {
        let delta = self.writing.as_mut().unwrap().pop_front().unwrap();
        self.view.0.borrow_mut().apply(&delta);
        self.input(Input::Durable { height: delta.height });
    }

    /// All other masternodes decide the next empty block.
    fn decide(&mut self, me: u16, now: &mut Fixture) -> Block {
        let block = now.block(vec![]);
        self.watches(me, now, &block);
        block
    }

    /// All other masternodes decide a block of this node's height.
    pub(crate) fn watches(&mut self, me: u16, now: &mut Fixture, block: &Block) {
        self.proposal(now.propose(block, Round(0), None));
        let certificate = now.certify_by(&others(me), block);
        self.certificate(certificate.clone());
        now.apply(block);
        now.commit = Some(certificate);
    }

    /// A message is gossiped to this node.
    fn message(&mut self, message: &ConsensusMessage) {
        self.tickets += 1;
        self.input(gossip(Ticket(self.tickets), message));
    }

    pub(crate) fn vote(&mut self, signer: u16, vote: &Vote) {
        let vote = self.fixture.vote(signer, vote.clone());
        self.message(&ConsensusMessage::Vote(vote));
    }

    pub(crate) fn proposal(&mut self, proposal: Proposal) {
        self.message(&ConsensusMessage::Proposal(Box::new(proposal)));
    }

    pub(crate) fn certificate(&mut self, certificate: Certificate) {
        self.message(&ConsensusMessage::Certificate(certificate));
    }

    /// [`PEER`] responds to what this node asked last.
    fn respond(&mut self, response: Response) {
        self.input(respond(PEER, self.request_for(&response), response));
    }

    /// [`PEER`] shows these messages when it is asked for votes. The door does not limit how many of one slot.
    fn shows(&mut self, messages: Vec<ConsensusMessage>) {
        self.respond(Response::Votes(VotesAnswer { messages, attestation: None }));
    }

    /// [`PEER`] has this tip.
    fn status(&mut self, tip: Certificate) {
        self.respond(Response::Status(self.fixture.chain.hash, Some(tip)));
    }

    /// [`PEER`] has this tip, and these are the blocks it sends when it is asked for them.
    pub(crate) fn syncs(&mut self, tip: Certificate, blocks: Vec<(Block, Certificate)>) {
        self.status(tip);
        self.respond(Response::Blocks(blocks));
    }

    /// The votes of this node that left, in order.
    pub(crate) fn votes(&self) -> Vec<(VoteKind, Round, Option<BlockHash>)> {
        let votes = self.sent.iter().filter_map(|effect| match effect {
            Effect::Publish { message: ConsensusMessage::Vote(vote), .. } => Some(vote),
            _ => None,
        });
        votes.map(|vote| (vote.kind, vote.round, vote.block)).collect()
    }

    pub(crate) fn answer(&mut self, request: Request) -> Response {
        let (protocol, bytes, ticket) = (request.protocol(), request.encode(), Ticket(1));
        self.input(Input::Request { from: PEER, protocol, bytes, ticket });
        let answers = self.sent.iter().rev();
        let mut answers = answers.filter_map(|effect| match effect {
            Effect::Respond { response, .. } => Some(response.clone()),
            _ => None,
        });
        answers.next().unwrap()
    }

    pub(crate) fn height(&self) -> Height {
        self.engine.height()
    }
}

/// Somebody who does not propose in round 0 of the next height.
pub(crate) fn bystander(fixture: &Fixture) -> u16 {
    let proposer = fixture.chain.masternodes.proposer(fixture.state.height.next(), Round(0));
    (proposer + 1) % 4
}

pub(crate) fn others(me: u16) -> Vec<u16> {
    (0..4).filter(|index| *index != me).collect()
}

/// Different valid blocks by the proposer of a round.
fn blocks(fixture: &Fixture, round: Round) -> impl Iterator<Item = Block> + '_ {
    let height = fixture.state.height.next();
    (0..).map(move |number| {
        let mut block = fixture.block(vec![]);
        block.header.timestamp.0 += number;
        block.header.proposer = fixture.chain.masternodes.proposer(height, round);
        seal(&mut block);
        block
    })
}

/// Different valid proposals of a round.
fn proposals(fixture: &Fixture, round: Round) -> impl Iterator<Item = ConsensusMessage> + '_ {
    let proposals = blocks(fixture, round).map(move |block| fixture.propose(&block, round, None));
    proposals.map(|proposal| ConsensusMessage::Proposal(Box::new(proposal)))
}

/// A timer runs out.
fn fire(node: &mut Node, timer: Timer) {
    node.now.mono = node.timers.remove(&timer).expect("the timer is set");
    node.input(Input::Timer(timer));
}

/// Who proposes in round 0 of the next three heights.
fn proposers(fixture: &Fixture) -> impl Iterator<Item = u16> + '_ {
    let heights = (1..=3).map(|ahead| Height(fixture.state.height.0 + ahead));
    heights.map(|height| fixture.chain.masternodes.proposer(height, Round(0)))
}

/// What a node asks that has no vote of a height.
pub(crate) fn nothing_of(height: Height) -> VotesRequest {
    let (prevotes, precommits) = (SignerSet::empty(4), SignerSet::empty(4));
    VotesRequest {
        height,
        round: Round(0),
        prevotes,
        precommits,
        has_proposal: true,
        inquiry: None,
    }
}

/// A transaction of almost the greatest size, which nobody could include.
fn large(fixture: &Fixture, number: u64) -> Transaction {
    let output = Output { lock: hash_lock(9), ..pay(1 + number) };
    fixture.spend(&[fixture.coin(1, 0)], vec![output; 800])
}
