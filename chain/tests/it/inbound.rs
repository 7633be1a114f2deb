//! What the door makes of bytes: verdicts, what is delivered, and what is verified at all.
mod presence;
mod queue;
mod response;

use crate::fixture::{Fixture, pay, prevote_of};
use std::sync::Arc;
use timecoin_chain::{
    codec,
    crypto::{Ed25519, SecretKey, Signature, Signer},
    genesis::Chain,
    inbound::{Action, Door, Job, Pass, Verdict, Window},
    types::{
        Attestation, BlockHash, BlocksAnswer, BlocksRequest, BodiesRequest, Certificate,
        ConsensusMessage, Evidence, Height, Inquiry, Millis, NodeKey, Presence, Proposal, Round,
        SignerSet, Status, Timestamp, TransactionBatch, Vote, VoteKind, VotesAnswer, VotesRequest,
    },
    wire::{Peer, Request, Ticket, Topic, encode_message, encode_presence},
};

const PEER: Peer = Peer(1);
/// The height being decided, three blocks above the genesis.
const HEIGHT: u64 = 4;

/// A door, and what it does with what comes.
struct Gate {
    fixture: Fixture,
    chain: Arc<Chain>,
    door: Door,
    window: Window,
    now: Millis,
    tickets: u64,
    /// Jobs that the pool has not done.
    pool: Vec<Job>,
    /// Jobs handed out so far.
    jobs: usize,
    actions: Vec<Action>,
}

impl Gate {
    fn new() -> Self {
        let mut fixture = Fixture::at_height(HEIGHT - 2);
        let block = fixture.block(vec![]);
        fixture.apply(&block);
        let chain = Arc::new(fixture.chain.clone());
        let set = Arc::new(fixture.chain.masternodes.clone());
        let window = Window {
            height: Height(HEIGHT),
            round: Round(0),
            me: Some(0),
            tip: Some((Round(0), block.hash())),
            evidence_age: 5,
            ledger: Arc::new(fixture.state.clone()),
            wall: Timestamp(1_000_000),
            presences: Arc::default(),
        };
        Self {
            door: Door::new(chain.clone(), set),
            fixture,
            chain,
            window,
            now: Millis(1_000_000),
            tickets: 0,
            pool: Vec::new(),
            jobs: 0,
            actions: Vec::new(),
        }
    }

    fn arrive(&mut self, comes: impl FnOnce(&mut Pass<'_>)) {
        for action in self.door.handle(self.now, &self.window, comes) {
            match action {
                Action::Run(job) => {
                    self.jobs += 1;
                    self.pool.push(job);
                }
                action => self.actions.push(action),
            }
        }
    }

    fn gossip(&mut self, from: Peer, topic: Topic, bytes: Vec<u8>) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.arrive(|pass| pass.on_gossip(from, topic, bytes, ticket));
        ticket
    }

    fn say(&mut self, from: Peer, message: &ConsensusMessage) -> Ticket {
        let (topic, bytes) = encode_message(message);
        self.gossip(from, topic, bytes)
    }

    /// Does all work, and what follows from it.
    fn work(&mut self) {
        while !self.pool.is_empty() {
            self.work_once();
        }
    }

    fn work_once(&mut self) {
        let outcome = self.pool.remove(0).run(&Ed25519, &self.chain);
        self.arrive(|pass| pass.on_done(outcome));
    }

    fn verdict(&self, ticket: Ticket) -> Option<Verdict> {
        let mut verdicts = self.actions.iter().filter_map(|action| match action {
            Action::Judge(of, verdict) if *of == ticket => Some(*verdict),
            _ => None,
        });
        let verdict = verdicts.next();
        assert_eq!(verdicts.next(), None, "one verdict for {ticket:?}");
        verdict
    }

    fn delivered(&self) -> usize {
        self.actions.iter().filter(|action| matches!(action, Action::Message(..))).count()
    }

    /// What becomes of a message that is verified at once: its verdict, and whether it is delivered.
    fn outcome(&mut self, message: &ConsensusMessage) -> (Verdict, bool) {
        let before = self.delivered();
        let ticket = self.say(PEER, message);
        self.work();
        (self.verdict(ticket).expect("judged"), self.delivered() > before)
    }

    fn vote(&self, signer: u16, height: u64, round: u32, block: u8) -> ConsensusMessage {
        let vote = Vote {
            kind: VoteKind::Prevote,
            height: Height(height),
            round: Round(round),
            block: Some(BlockHash([block; 32])),
            valid_round: None,
            signer,
            signature: Signature::from_bytes(&[0; 64]),
        };
        ConsensusMessage::Vote(self.fixture.vote(signer, vote))
    }

    fn forged_vote(&self, round: u32, mark: u8) -> ConsensusMessage {
        let ConsensusMessage::Vote(vote) = self.vote(1, HEIGHT, round, mark) else {
            unreachable!()
        };
        ConsensusMessage::Vote(Vote { signature: Signature::from_bytes(&[mark; 64]), ..vote })
    }

    fn proposal(&self, round: u32, timestamp: u64) -> ConsensusMessage {
        let mut block = self.fixture.block(vec![]);
        block.header.timestamp.0 += timestamp;
        let height = block.header.height;
        block.header.proposer = self.chain.masternodes.proposer(height, Round(round));
        ConsensusMessage::Proposal(Box::new(self.fixture.propose(&block, Round(round), None)))
    }

    fn commit(&self, height: u64) -> Certificate {
        let mut block = self.fixture.block(vec![]);
        block.header.height = Height(height);
        self.fixture.certify(&block)
    }
}

/// A certificate with all signers and signatures that are not valid.
fn forged(certificate: &Certificate, mark: u8) -> ConsensusMessage {
    let signatures = certificate.signatures.iter().map(|_| Signature::from_bytes(&[mark; 64]));
    ConsensusMessage::Certificate(Certificate {
        block: Some(BlockHash([mark; 32])),
        signatures: signatures.collect(),
        ..certificate.clone()
    })
}

#[test]
fn a_valid_vote_is_forwarded_and_delivered() {
    let mut gate = Gate::new();
    let vote = gate.vote(1, HEIGHT, 0, 1);
    let ticket = gate.say(PEER, &vote);
    assert_eq!(gate.verdict(ticket), None, "not before it is verified");
    assert_eq!(gate.delivered(), 0);
    gate.work();
    assert_eq!(gate.verdict(ticket), Some(Verdict::Accept));
    assert_eq!(gate.delivered(), 1);
}

#[test]
fn the_same_vote_counts_once_in_a_period_and_is_verified_once() {
    let mut gate = Gate::new();
    let vote = gate.vote(1, HEIGHT, 0, 1);
    assert_eq!(gate.outcome(&vote), (Verdict::Accept, true));
    assert_eq!(gate.outcome(&vote), (Verdict::Ignore, false));
    gate.now = gate.now.plus(Millis(400));
    assert_eq!(gate.outcome(&vote), (Verdict::Accept, true), "a repetition goes on");
    assert_eq!(gate.jobs, 1, "its signature is known");
}

#[test]
fn votes_and_proposals_are_let_in_near_the_round_only() {
    let mut gate = Gate::new();
    gate.window.round = Round(10);
    let (nothing, forward) = ((Verdict::Ignore, false), (Verdict::Accept, true));
    for (height, round, expected) in [
        (HEIGHT, 1, nothing),
        (HEIGHT, 2, forward),
        (HEIGHT, 10, forward),
        (HEIGHT, 12, forward),
        (HEIGHT, 13, nothing),
        (HEIGHT, u32::MAX, nothing),
        (HEIGHT + 1, 0, forward),
        (HEIGHT + 1, 2, forward),
        (HEIGHT + 1, 3, nothing),
        (HEIGHT + 2, 0, nothing),
        (HEIGHT - 2, 0, nothing),
    ] {
        let vote = gate.vote(1, height, round, 1);
        assert_eq!(gate.outcome(&vote), expected, "vote {height}/{round}");
    }
    for (round, expected) in [(1, nothing), (2, forward), (12, forward), (13, nothing)] {
        let proposal = gate.proposal(round, 0);
        assert_eq!(gate.outcome(&proposal), expected, "proposal in round {round}");
    }
    let before = gate.jobs;
    let far = gate.vote(1, HEIGHT, 13, 1);
    gate.outcome(&far);
    assert_eq!(gate.jobs, before, "what is outside is not verified");
}

#[test]
fn of_the_last_height_only_late_precommits_go_on() {
    let mut gate = Gate::new();
    let tip = gate.window.tip.expect("three blocks are final").1;
    let of = |gate: &Gate, kind, round, block| {
        let vote = Vote {
            kind,
            height: Height(HEIGHT - 1),
            round: Round(round),
            block,
            valid_round: None,
            signer: 2,
            signature: Signature::from_bytes(&[0; 64]),
        };
        ConsensusMessage::Vote(gate.fixture.vote(2, vote))
    };
    let late = of(&gate, VoteKind::Precommit, 0, Some(tip));
    assert_eq!(gate.outcome(&late), (Verdict::Accept, true));
    let behind = of(&gate, VoteKind::Prevote, 1, None);
    assert_eq!(gate.outcome(&behind), (Verdict::Ignore, true), "a neighbour helps it");
    let far = of(&gate, VoteKind::Prevote, 3, None);
    assert_eq!(gate.outcome(&far), (Verdict::Ignore, false));
    let mut block = gate.fixture.block(vec![]);
    block.header.height = Height(HEIGHT - 1);
    block.header.proposer = gate.chain.masternodes.proposer(Height(HEIGHT - 1), Round(0));
    let proposal = gate.fixture.propose(&block, Round(0), None);
    let proposal = ConsensusMessage::Proposal(Box::new(proposal));
    assert_eq!(gate.outcome(&proposal), (Verdict::Ignore, false), "its proposals are over");
}

#[test]
fn one_value_of_a_slot_is_forwarded_and_a_second_one_delivered() {
    let mut gate = Gate::new();
    let votes: Vec<_> = (1..4).map(|block| gate.vote(1, HEIGHT, 0, block)).collect();
    assert_eq!(gate.outcome(&votes[0]), (Verdict::Accept, true));
    assert_eq!(gate.outcome(&votes[1]), (Verdict::Ignore, true), "it proves an offence here");
    let jobs = gate.jobs;
    assert_eq!(gate.outcome(&votes[2]), (Verdict::Ignore, false));
    assert_eq!(gate.jobs, jobs, "the third is not even verified");
    let proposals: Vec<_> = (0..3).map(|time| gate.proposal(0, time)).collect();
    assert_eq!(gate.outcome(&proposals[0]), (Verdict::Accept, true));
    assert_eq!(gate.outcome(&proposals[1]), (Verdict::Ignore, true));
    assert_eq!(gate.outcome(&proposals[2]), (Verdict::Ignore, false));
    gate.now = gate.now.plus(Millis(400));
    assert_eq!(gate.outcome(&votes[0]), (Verdict::Accept, true), "the first is repeated");
}

#[test]
fn certificates_may_come_from_later_rounds_and_commits_from_any_later_height() {
    let mut gate = Gate::new();
    for height in [HEIGHT, HEIGHT + 1, HEIGHT + 1_000] {
        let commit = ConsensusMessage::Certificate(gate.commit(height));
        assert_eq!(gate.outcome(&commit), (Verdict::Accept, true), "height {height}");
    }
    let block = gate.fixture.block(vec![]);
    let polka = gate.fixture.certificate(&[0, 1, 2], &prevote_of(&block, Round(50)));
    let polka = ConsensusMessage::Certificate(polka);
    assert_eq!(gate.outcome(&polka), (Verdict::Accept, true));
    assert_eq!(gate.outcome(&polka), (Verdict::Ignore, false), "once in a period");
    let others = gate.fixture.certificate(&[0, 1, 2, 3], &prevote_of(&block, Round(50)));
    let others = ConsensusMessage::Certificate(others);
    assert_eq!(gate.outcome(&others), (Verdict::Ignore, false), "with any signers");
}

#[test]
fn evidence_counts_once_for_each_masternode() {
    let mut gate = Gate::new();
    let evidence = |gate: &Gate, signer, round| {
        let of = |block| match gate.vote(signer, HEIGHT, round, block) {
            ConsensusMessage::Vote(vote) => vote,
            _ => unreachable!(),
        };
        ConsensusMessage::Evidence(Evidence::of_votes(&of(1), &of(2)).expect("they conflict"))
    };
    let (one, again, other) = (evidence(&gate, 1, 0), evidence(&gate, 1, 1), evidence(&gate, 2, 0));
    assert_eq!(gate.outcome(&one), (Verdict::Accept, true));
    assert_eq!(gate.outcome(&again), (Verdict::Ignore, false));
    assert_eq!(gate.outcome(&other), (Verdict::Accept, true));
}

#[test]
fn after_a_reject_nothing_of_the_peer_is_verified() {
    let mut gate = Gate::new();
    let bad = gate.forged_vote(0, 9);
    let rejected = gate.say(PEER, &bad);
    // More than are in work at a time: the rest waits.
    let waiting: Vec<Ticket> = (0..40)
        .map(|mark| {
            let forged = forged(&gate.commit(HEIGHT), 100 + mark);
            gate.say(PEER, &forged)
        })
        .collect();
    gate.work_once();
    let verdict = gate.verdict(rejected);
    assert!(matches!(verdict, Some(Verdict::Reject(_))), "{verdict:?}");
    let jobs = gate.jobs;
    gate.work();
    assert_eq!(gate.jobs, jobs, "nothing that waited was verified");
    assert!(gate.verdict(waiting[39]) == Some(Verdict::Ignore));
    let vote = gate.vote(1, HEIGHT, 0, 1);
    assert_eq!(gate.outcome(&vote), (Verdict::Ignore, false));
    let ticket = gate.say(Peer(2), &vote);
    gate.work();
    assert_eq!(gate.verdict(ticket), Some(Verdict::Accept), "from another peer it is taken");
    gate.now = gate.now.plus(Millis(10_000));
    let vote = gate.vote(2, HEIGHT, 0, 1);
    assert_eq!(gate.outcome(&vote), (Verdict::Accept, true), "and later from this one");
}

#[test]
fn bytes_that_no_honest_node_sends_are_rejected() {
    let mut gate = Gate::new();
    let vote = gate.vote(1, HEIGHT, 0, 1);
    let (_, bytes) = encode_message(&vote);
    let cut = bytes[..bytes.len() - 1].to_vec();
    let cases = [
        (Topic::Votes, cut),
        (Topic::Votes, vec![]),
        (Topic::Proposals, bytes.clone()),
        (Topic::Transactions, bytes),
        (Topic::Transactions, codec::encode(&TransactionBatch(vec![]))),
        (Topic::Proposals, vec![0xff; 100_000]),
    ];
    for (peer, (topic, bytes)) in (10..).zip(cases) {
        let ticket = gate.gossip(Peer(peer), topic, bytes);
        gate.work();
        let verdict = gate.verdict(ticket);
        assert!(matches!(verdict, Some(Verdict::Reject(_))), "{topic:?}: {verdict:?}");
    }
}
