//! What one node does under attack: an engine with its shell in memory, and everybody else played by
//! the test.
mod candidates;
mod evidence;
mod fetch;
mod payments;
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
        Inquiry, Millis, Now, OutPoint, Output, Proposal, Round, SignerSet, Timestamp, Transaction,
        Vote, VoteKind, VotesAnswer, VotesRequest,
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
        let config = EngineConfig { chain, signer: Some(signer), mempool, doubts_record };
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

#[test]
fn a_flood_of_proposals_does_not_take_the_block_from_under_a_lock() {
    let fixture = Fixture::at_height(1);
    // Its own proposals for these rounds would be another host's.
    let me = (bystander(&fixture) + 2) % 4;
    let mut node = Node::new(fixture.clone(), me);
    let block = fixture.block(vec![]);
    node.proposal(fixture.propose(&block, Round(0), None));
    for round in [0, 1, 2].map(Round) {
        node.shows(proposals(&fixture, round).skip(1).take(20).collect());
    }
    for signer in others(me) {
        node.vote(signer, &prevote_of(&block, Round(0)));
    }
    let mine = (VoteKind::Precommit, Round(0), Some(block.hash()));
    assert!(node.votes().contains(&mine), "{:?}", node.votes());
}

#[test]
fn a_flood_of_proposals_leaves_room_for_ones_own_and_no_more() {
    let fixture = Fixture::at_height(1);
    let me = fixture.chain.masternodes.proposer(fixture.state.height.next(), Round(1));
    let mut node = Node::new(fixture.clone(), me);
    let prevote = prevote_of(&fixture.block(vec![]), Round(0));
    for round in (0..5).map(Round) {
        let height = node.height();
        let near = [round, round.next(), round.next().next()].into_iter();
        for of in near.filter(|of| fixture.chain.masternodes.proposer(height, *of) != me) {
            node.shows(proposals(&fixture, of).take(3).collect());
        }
        for signer in others(me) {
            let vote = Vote { kind: VoteKind::Precommit, round, block: None, ..prevote.clone() };
            node.vote(signer, &vote);
        }
        node.now.wall.0 += 1; // Each of its own blocks is another.
        node.input(Input::Timer(Timer::Step(node.height(), round, Step::Precommit)));
        let held = node.engine.held();
        assert!(held.is_within(&Held::most(4)), "{held:?}");
    }
    let proposed = node.sent.iter().any(|effect| {
        matches!(effect, Effect::Publish { message: ConsensusMessage::Proposal(_), .. })
    });
    assert!(proposed, "its rounds are among them");
}

#[test]
fn a_verdict_on_a_block_that_was_dropped_says_nothing_of_one_whose_bodies_are_missing() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let payment = fixture.spend(&[fixture.coin(1, 0)], vec![pay(1)]);
    let block = fixture.block(vec![payment]);
    let parent = &fixture.state;
    let delta = execute(&Ed25519, &fixture.chain, &fixture.view, parent, &block, &BTreeSet::new());
    assert!(delta.is_ok(), "{delta:?}");
    node.proposal(fixture.propose(&block, Round(0), None));
    node.input(Input::Executed { block: block.hash(), result: delta.map(Box::new) });
    assert_eq!(node.votes(), []);
}

#[test]
fn bodies_are_gathered_up_to_the_size_of_a_block() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    // Bodies that nobody has checked, each almost as large as a transaction may be.
    let bodies: Vec<Transaction> = (0..5).map(|number| large(&fixture, number)).collect();
    let block = fixture.block(bodies.clone());
    node.proposal(fixture.propose(&block, Round(0), None));
    fire(&mut node, Timer::Bodies(block.hash()));
    for body in &bodies[..3] {
        node.respond(Response::Bodies(vec![body.clone()]));
    }
    assert_eq!(node.votes(), [(VoteKind::Prevote, Round(0), None)]);
    let first = BodiesRequest(vec![bodies[0].wtxid()]);
    let Response::Bodies(kept) = node.answer(Request::Bodies(first)) else { panic!() };
    assert_eq!(kept, [], "what cannot become a block is let go");
}

#[test]
fn a_commit_that_only_a_status_shows_is_acted_on_and_passed_on() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let block = fixture.block(vec![]);
    let certificate = fixture.certify_by(&others(me), &block);
    node.status(certificate.clone());
    let Response::Votes(votes) = node.answer(Request::Votes(nothing_of(node.height()))) else {
        panic!()
    };
    assert!(votes.messages.contains(&ConsensusMessage::Certificate(certificate)), "{votes:?}");
    node.proposal(fixture.propose(&block, Round(0), None));
    assert_eq!(node.height(), Height(3), "the block came and was decided already");
}

#[test]
fn the_last_votes_of_a_height_are_not_answered_and_a_laggard_is_helped_by_one() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let block = node.decide(me, &mut fixture.clone());
    let shown = |node: &Node| {
        let is_shown = |effect: &&Effect| {
            matches!(effect, Effect::Publish { message: ConsensusMessage::Certificate(_), .. })
        };
        node.sent.iter().filter(is_shown).count()
    };
    let late = prevote_of(&block, Round(0));
    node.vote(others(me)[0], &late);
    assert_eq!(shown(&node), 0, "it is only late");
    node.now.mono.0 += 1_000;
    node.vote(others(me)[0], &late);
    node.vote(others(me)[1], &late);
    assert_eq!(shown(&node), 1, "who repeats a vote is behind");
    node.input(Input::Timer(Timer::Rebroadcast(node.height())));
    node.now.mono.0 += REPEAT_MS;
    node.certificate(fixture.certify_by(&others(me), &block));
    node.vote(others(me)[0], &late);
    assert_eq!(shown(&node), 1, "somebody else has shown it");
}

#[test]
fn a_commit_of_a_later_height_decides_when_the_node_gets_there() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let mut later = fixture.clone();
    let mut blocks = vec![];
    for _ in 0..3 {
        let block = later.block(vec![]);
        blocks.push((block.clone(), later.certify_by(&others(me), &block)));
        later.apply(&block);
        later.commit = Some(later.certify_by(&others(me), &block));
    }
    let (_, last) = blocks.pop().unwrap();
    node.syncs(last.clone(), blocks);
    assert_eq!(node.height(), Height(4));
    let Response::Votes(votes) = node.answer(Request::Votes(nothing_of(Height(4)))) else {
        panic!()
    };
    assert!(votes.messages.contains(&ConsensusMessage::Certificate(last)), "{votes:?}");
}

#[test]
fn a_proposal_that_is_being_gathered_is_waited_for_but_not_for_ever() {
    let fixture = Fixture::at_height(1);
    let mut node = Node::new(fixture.clone(), bystander(&fixture));
    let block = fixture.block(vec![large(&fixture, 0)]);
    node.proposal(fixture.propose(&block, Round(0), None));
    let timer = Timer::Step(node.height(), Round(0), Step::Propose);
    node.now.mono = node.timers[&timer];
    node.input(Input::Timer(timer));
    assert_eq!(node.votes(), [], "the proposal is here");
    assert!(node.timers[&timer] > node.now.mono, "and there is a next moment to give up");
    node.input(Input::Timer(timer));
    assert_eq!(node.votes(), [(VoteKind::Prevote, Round(0), None)]);
}

#[test]
fn a_proposal_that_never_came_is_not_waited_for() {
    let fixture = Fixture::at_height(1);
    let mut node = Node::new(fixture.clone(), bystander(&fixture));
    node.input(Input::Timer(Timer::Step(node.height(), Round(0), Step::Propose)));
    assert_eq!(node.votes(), [(VoteKind::Prevote, Round(0), None)]);
}

#[test]
fn the_earliest_possible_block_is_never_ahead_of_the_clock() {
    let fixture = Fixture::at_height(1);
    let tip = fixture.state.timestamp;
    for (after, is_accepted) in [(1, true), (2, false)] {
        let mut node = Node::new(fixture.clone(), bystander(&fixture));
        node.now.wall = Timestamp(tip.0 - 20_000);
        let mut block = fixture.block(vec![]);
        block.header.timestamp = Timestamp(tip.0 + after);
        seal(&mut block);
        node.proposal(fixture.propose(&block, Round(0), None));
        let prevote = (VoteKind::Prevote, Round(0), Some(block.hash()));
        assert_eq!(node.votes().contains(&prevote), is_accepted, "{after} ms after the parent");
    }
}

#[test]
fn above_an_undurable_block_it_prevotes_and_its_precommit_waits() {
    let mut now = Fixture::at_height(1);
    let me = (0..4).find(|me| proposers(&now).all(|proposer| proposer != *me)).unwrap();
    let mut node = Node::new(now.clone(), me);
    node.writing = Some(VecDeque::new());
    node.decide(me, &mut now);
    assert_eq!(node.height(), Height(3), "the next height began");
    let block = now.block(vec![]);
    node.proposal(now.propose(&block, Round(0), None));
    for signer in others(me) {
        node.vote(signer, &prevote_of(&block, Round(0)));
    }
    let vote = |kind| (kind, Round(0), Some(block.hash()));
    assert!(node.votes().contains(&vote(VoteKind::Prevote)), "{:?}", node.votes());
    assert!(!node.votes().contains(&vote(VoteKind::Precommit)), "{:?}", node.votes());
    node.written();
    assert!(node.votes().contains(&vote(VoteKind::Precommit)), "{:?}", node.votes());
}

#[test]
fn above_two_undurable_blocks_nothing_is_signed_and_a_third_waits() {
    let mut now = Fixture::at_height(1);
    let me = (0..4).find(|me| proposers(&now).all(|proposer| proposer != *me)).unwrap();
    let mut node = Node::new(now.clone(), me);
    node.writing = Some(VecDeque::new());
    node.decide(me, &mut now);
    node.decide(me, &mut now);
    assert_eq!(node.height(), Height(4));
    let third = node.decide(me, &mut now);
    assert_eq!(node.height(), Height(4), "there is no room for a third");
    assert!(!node.votes().iter().any(|(_, _, block)| *block == Some(third.hash())));
    node.written();
    assert_eq!(node.height(), Height(5));
    node.written();
    node.written();
    assert_eq!(node.height(), Height(5));
    assert_eq!(node.writing.unwrap().len(), 0, "each was written once");
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
