//! Who breaks the rules is found, told of and recorded; what cannot be true stops the node.
use super::*;
use crate::fixture::precommit_of;
use timecoin_chain::{
    engine::Report,
    types::{Evidence, EvidenceKind},
};

impl Node {
    /// Evidence that left, with how often it had been sent before.
    fn evidence_sent(&self) -> Vec<(Evidence, u8)> {
        let sent = self.sent.iter().filter_map(|effect| match effect {
            Effect::Publish { message: ConsensusMessage::Evidence(evidence), attempt } => {
                Some((evidence.clone(), *attempt))
            }
            _ => None,
        });
        sent.collect()
    }

    /// Whom the operator was told of.
    fn reported(&self) -> Vec<(u16, EvidenceKind)> {
        let reported = self.sent.iter().filter_map(|effect| match effect {
            Effect::Report(Report::Evidence(evidence)) => {
                Some((evidence.offender(), evidence.kind()))
            }
            _ => None,
        });
        reported.collect()
    }

    fn gossip(&mut self, evidence: &Evidence) {
        self.message(&ConsensusMessage::Evidence(evidence.clone()));
    }

    /// The others make a block final, on which this node then stands.
    fn follow(&mut self, block: &Block, voters: &[u16]) {
        self.proposal(self.fixture.propose(block, Round(0), None));
        self.certificate(self.fixture.certify_by(voters, block));
        self.fixture.apply(block);
        assert_eq!(self.height(), block.header.height.next());
    }

    fn why_stopped(&self) -> Option<&str> {
        let mut stops = self.sent.iter().filter_map(|effect| match effect {
            Effect::Stop { reason, .. } => Some(reason.as_str()),
            _ => None,
        });
        let first = stops.next();
        assert_eq!(stops.next(), None, "stopped once");
        first
    }

    /// The proposal of this node that left last.
    fn proposed(&self) -> Option<&Proposal> {
        self.sent.iter().rev().find_map(|effect| match effect {
            Effect::Publish { message: ConsensusMessage::Proposal(proposal), .. } => {
                Some(&**proposal)
            }
            _ => None,
        })
    }
}

/// The proposer of the next height, and somebody else.
fn proposer_and_other(fixture: &Fixture) -> (u16, u16) {
    let other = bystander(fixture);
    ((other + 3) % 4, other)
}

fn nil(vote: &Vote) -> Vote {
    Vote { block: None, ..vote.clone() }
}

/// A block and nil, prevoted by one masternode at the next height.
fn double_vote(fixture: &Fixture, signer: u16) -> Evidence {
    let vote = prevote_of(&fixture.block(vec![]), Round(0));
    let (one, other) = (fixture.vote(signer, vote.clone()), fixture.vote(signer, nil(&vote)));
    Evidence::of_votes(&one, &other).unwrap()
}

#[test]
fn two_votes_in_one_slot_are_told_of_once_and_recorded_in_the_next_own_block() {
    let fixture = Fixture::at_height(1);
    let (proposer, offender) = proposer_and_other(&fixture);
    let mut node = Node::new(fixture.clone(), proposer);
    let vote = prevote_of(&fixture.block(vec![]), Round(0));
    let two = [vote.clone(), nil(&vote)];
    two.iter().for_each(|vote| node.vote(offender, vote));
    let again = two.map(|vote| ConsensusMessage::Vote(fixture.vote(offender, vote)));
    node.shows(again.to_vec());
    let evidence = double_vote(&fixture, offender);
    assert_eq!(node.evidence_sent(), [(evidence.clone(), 0)]);
    assert_eq!(node.reported(), [(offender, EvidenceKind::Votes)]);
    assert_eq!(node.engine.status(node.now).evidence.first(), Some(&evidence));

    let due = Timer::Due(node.height());
    node.now.mono = node.timers[&due];
    node.input(Input::Timer(due));
    let proposal = node.proposed().unwrap().clone();
    assert_eq!(proposal.evidence, [evidence]);
    let block = proposal.block_hash();
    let precommit = Vote { block: Some(block), ..precommit_of(&fixture.block(vec![])) };
    node.certificate(fixture.certificate(&others(proposer), &precommit));
    assert_eq!(node.height(), Height(3));
    let status = node.engine.status(node.now);
    assert_eq!(status.evidence, []);
    assert_eq!(status.masternodes[usize::from(offender)].offence, Some(Height(2)));
    // Whatever else it does, its key is not trusted any more.
    let before = node.evidence_sent().len();
    node.fixture.state.height = Height(2);
    let later = Vote { height: Height(3), ..vote };
    node.vote(offender, &later);
    node.vote(offender, &nil(&later));
    node.gossip(&double_vote(&fixture, offender));
    assert_eq!(node.evidence_sent().len(), before);
    assert_eq!(node.reported().len(), 1);
}

#[test]
fn evidence_from_a_peer_is_kept_and_repeated_until_a_block_records_it() {
    let fixture = Fixture::at_height(1);
    let (proposer, me) = proposer_and_other(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let evidence = double_vote(&fixture, proposer);
    node.gossip(&evidence);
    node.now.mono.0 += REPEAT_MS;
    node.gossip(&evidence);
    assert_eq!(node.evidence_sent(), [], "gossip has passed it on");
    assert_eq!(node.reported(), [(proposer, EvidenceKind::Votes)]);
    let timer = Timer::Rebroadcast(node.height());
    for _ in 0..2 {
        node.now.mono = node.timers[&timer];
        node.input(Input::Timer(timer));
    }
    assert_eq!(node.evidence_sent(), [(evidence.clone(), 1), (evidence.clone(), 2)]);
    let mut block = fixture.block(vec![]);
    block.evidence = vec![evidence];
    seal(&mut block);
    node.follow(&block, &others(me));
    let timer = Timer::Rebroadcast(node.height());
    node.now.mono = node.timers[&timer];
    node.input(Input::Timer(timer));
    assert_eq!(node.evidence_sent().len(), 2);
}

#[test]
fn evidence_that_no_block_may_record_any_more_is_dropped() {
    let fixture = Fixture::at_height(1);
    let (proposer, me) = proposer_and_other(&fixture);
    let mut node = Node::believing(fixture.clone(), me);
    let evidence = double_vote(&fixture, proposer);
    node.gossip(&evidence);
    for _ in 0..fixture.chain.params().evidence_age_blocks {
        assert_eq!(node.engine.status(node.now).evidence.len(), 1, "height {}", node.height());
        let block = node.fixture.block(vec![]);
        node.follow(&block, &others(me));
    }
    assert_eq!(node.engine.status(node.now).evidence.len(), 1, "it is just in time");
    let block = node.fixture.block(vec![]);
    node.follow(&block, &others(me));
    assert_eq!(node.engine.status(node.now).evidence, []);
    node.gossip(&evidence);
    assert_eq!(node.engine.status(node.now).evidence, []);
}

#[test]
fn two_proposals_for_one_round_prove_the_proposer_guilty() {
    let fixture = Fixture::at_height(1);
    let (proposer, me) = proposer_and_other(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    for proposal in proposals(&fixture, Round(0)).take(2) {
        node.message(&proposal);
    }
    node.shows(proposals(&fixture, Round(0)).skip(2).take(3).collect());
    assert_eq!(node.reported(), [(proposer, EvidenceKind::Proposals)]);
    let sent = node.evidence_sent();
    assert_eq!(sent.len(), 1);
    node.gossip(&sent[0].0);
}

#[test]
fn a_vote_against_its_own_lock_proves_amnesia() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let offender = others(me)[0];
    let mut node = Node::new(fixture.clone(), me);
    let mut blocks = blocks(&fixture, Round(0));
    let (one, other) = (blocks.next().unwrap(), blocks.next().unwrap());
    node.vote(offender, &prevote_of(&other, Round(2)));
    assert_eq!(node.reported(), []);
    node.vote(offender, &precommit_of(&one));
    assert_eq!(node.reported(), [(offender, EvidenceKind::Amnesia)]);
    node.gossip(&node.evidence_sent()[0].0.clone());
}

#[test]
fn a_second_precommit_that_comes_after_the_decision_is_still_proof() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let block = fixture.block(vec![]);
    node.follow(&block, &others(me));
    let offender = others(me)[1];
    node.vote(offender, &nil(&precommit_of(&block)));
    assert_eq!(node.reported(), [(offender, EvidenceKind::Votes)]);
}

#[test]
fn votes_of_absurd_rounds_are_not_kept() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me);
    let far = Vote { round: Round(1_000), ..prevote_of(&fixture.block(vec![]), Round(0)) };
    node.vote(others(me)[0], &far);
    node.vote(others(me)[0], &nil(&far));
    assert_eq!(node.reported(), []);
}

/// A way to see a commit certificate, and how many heights before the last one it may be: the door ignores older gossip.
type Way = (&'static str, usize, fn(&mut Node, Certificate));

const WAYS: [Way; 2] = [("gossip", 0, Node::certificate), ("a peer's status", 2, Node::status)];

/// Checks that the node has stopped, names both blocks and these masternodes, and does nothing more.
fn assert_stopped(node: &mut Node, height: u64, blocks: [&Block; 2], offenders: &str) {
    let reason = node.why_stopped().expect("stopped").to_owned();
    for part in [format!("height {height}:"), format!("[{offenders}]")] {
        assert!(reason.contains(&part), "{part} in {reason}");
    }
    for block in blocks {
        assert!(reason.contains(&block.hash().to_string()), "{reason}");
    }
    assert!(matches!(node.sent.last(), Some(Effect::Stop { .. })), "nothing is done after it");
    let sent = node.sent.len();
    node.input(Input::Timer(Timer::Rebroadcast(node.height())));
    assert_eq!(node.sent.len(), sent);
}

#[test]
fn a_second_block_that_is_final_at_one_height_stops_the_node_and_names_who_did_it() {
    for (name, back, see) in WAYS {
        for later_blocks in 0..=back {
            let fixture = Fixture::at_height(1);
            let me = bystander(&fixture);
            let mut node = Node::believing(fixture.clone(), me);
            let mut two = blocks(&fixture, Round(0));
            let (ours, theirs) = (two.next().unwrap(), two.next().unwrap());
            node.follow(&ours, &[0, 1, 2]);
            for _ in 0..later_blocks {
                let block = node.fixture.block(vec![]);
                node.follow(&block, &[0, 1, 2]);
            }
            assert_eq!(node.why_stopped(), None, "{name}");
            see(&mut node, fixture.certify_by(&[1, 2, 3], &theirs));
            assert_stopped(&mut node, 2, [&ours, &theirs], "1, 2");
        }
    }
}

#[test]
fn a_fork_over_rounds_is_laid_to_those_who_forgot_their_lock() {
    let fixture = Fixture::at_height(1);
    let me = 0;
    let mut node = Node::believing(fixture.clone(), me);
    let mut two = blocks(&fixture, Round(0));
    let (ours, theirs) = (two.next().unwrap(), two.next().unwrap());
    let polka = fixture.certificate(&[1, 2, 3], &prevote_of(&theirs, Round(1)));
    node.certificate(polka);
    node.certificate(fixture.certify_by(&[0, 2, 3], &ours));
    let later = Vote { round: Round(1), ..precommit_of(&theirs) };
    node.certificate(fixture.certificate(&[1, 2, 3], &later));
    assert_stopped(&mut node, 2, [&ours, &theirs], "2, 3");
    assert_eq!(node.reported(), [(2, EvidenceKind::Amnesia), (3, EvidenceKind::Amnesia)]);
}

#[test]
fn a_final_block_on_another_parent_stops_the_node_and_names_both_parents() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::believing(fixture.clone(), me);
    let mut two = blocks(&fixture, Round(0));
    let (ours, theirs) = (two.next().unwrap(), two.next().unwrap());
    node.follow(&ours, &[0, 1, 2]);
    let mut elsewhere = fixture.clone();
    elsewhere.apply(&theirs);
    let child = elsewhere.block(vec![]);
    let certificate = elsewhere.certify(&child);
    node.syncs(certificate.clone(), vec![(child, certificate)]);
    let reason = node.why_stopped().expect("stopped");
    for block in [&ours, &theirs] {
        assert!(reason.contains(&block.hash().to_string()), "{reason}");
    }
}

#[test]
fn a_certificate_of_our_own_blocks_stops_nobody() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::believing(fixture.clone(), me);
    let block = fixture.block(vec![]);
    node.follow(&block, &[0, 1, 2]);
    let next = node.fixture.block(vec![]);
    node.follow(&next, &[0, 1, 2]);
    for (_, back, see) in WAYS {
        for block in [&next, &block].into_iter().take(1 + back) {
            see(&mut node, fixture.certify_by(&[1, 2, 3], block));
            let later = Vote { round: Round(3), ..precommit_of(block) };
            see(&mut node, fixture.certificate(&[1, 2, 3], &later));
        }
    }
    assert_eq!(node.why_stopped(), None);
    assert_eq!(node.reported(), []);
}
