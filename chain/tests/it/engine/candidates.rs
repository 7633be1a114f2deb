//! Which proposed blocks are executed, when, and which work ends early.
use super::*;
use timecoin_chain::{
    limits::{CANDIDATES_MAX, UNSEEN_SIGNATURES_MAX},
    types::Witness,
};

impl Node {
    /// Work takes for ever from now on.
    fn slow(mut self) -> Self {
        self.executes = false;
        self
    }

    fn executions(&self) -> Vec<BlockHash> {
        let hash = |effect: &Effect| match effect {
            Effect::Execute(execution) => Some(execution.block().hash()),
            _ => None,
        };
        self.sent.iter().filter_map(hash).collect()
    }

    fn cancelled(&self) -> Vec<BlockHash> {
        let hash = |effect: &Effect| match effect {
            Effect::Cancel { block } => Some(*block),
            _ => None,
        };
        self.sent.iter().filter_map(hash).collect()
    }
}

#[test]
fn executing_blocks_keep_no_proposal_of_the_current_round_out() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me).slow();
    let prevote = prevote_of(&fixture.block(vec![]), Round(0));
    for round in (0..3 * 8).map(Round) {
        if fixture.chain.masternodes.proposer(node.height(), round) != me {
            let block = blocks(&fixture, round).nth(round.0 as usize).unwrap();
            node.proposal(fixture.propose(&block, round, None));
            assert_eq!(node.executions().last(), Some(&block.hash()), "{round:?}");
        }
        for signer in others(me) {
            let vote = Vote { kind: VoteKind::Precommit, round, block: None, ..prevote.clone() };
            node.vote(signer, &vote);
        }
        node.now.wall.0 += 1;
        node.input(Input::Timer(Timer::Step(node.height(), round, Step::Precommit)));
        let running = node.executions().len() - node.cancelled().len();
        assert!(running <= CANDIDATES_MAX, "{running} at a time");
    }
    assert!(node.executions().len() > 2 * CANDIDATES_MAX);
}

#[test]
fn only_the_first_proposal_of_a_round_is_executed_until_another_is_backed() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me).slow();
    let two: Vec<Block> = blocks(&fixture, Round(0)).take(2).collect();
    for block in &two {
        node.proposal(fixture.propose(block, Round(0), None));
    }
    assert_eq!(node.executions(), [two[0].hash()]);
    let [one, other, ..] = others(me)[..] else { panic!() };
    node.vote(one, &prevote_of(&two[1], Round(0)));
    assert_eq!(node.executions().len(), 1, "a quarter of the weight may lie");
    node.vote(other, &prevote_of(&two[1], Round(0)));
    assert_eq!(node.executions(), [two[0].hash(), two[1].hash()]);
}

#[test]
fn a_block_with_many_unseen_signatures_waits_until_it_is_backed() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    for (count, waits) in [(UNSEEN_SIGNATURES_MAX, false), (UNSEEN_SIGNATURES_MAX + 1, true)] {
        let mut node = Node::new(fixture.clone(), me).slow();
        let bodies: Vec<Transaction> = signed_often(&fixture, count);
        let block = fixture.block(bodies.clone());
        node.proposal(fixture.propose(&block, Round(0), None));
        fire(&mut node, Timer::Bodies(block.hash()));
        node.respond(Response::Bodies(bodies));
        assert_eq!(node.executions().is_empty(), waits, "{count}");
        let [one, other, ..] = others(me)[..] else { panic!() };
        node.vote(one, &prevote_of(&block, Round(0)));
        assert_eq!(node.executions().is_empty(), waits, "{count}");
        node.vote(other, &prevote_of(&block, Round(0)));
        assert_eq!(node.executions(), [block.hash()], "{count}");
    }
}

#[test]
fn a_final_block_is_executed_whatever_it_costs_and_ends_the_work_for_the_others() {
    let fixture = Fixture::at_height(1);
    let me = bystander(&fixture);
    let mut node = Node::new(fixture.clone(), me).slow();
    let two: Vec<Block> = blocks(&fixture, Round(0)).take(2).collect();
    node.proposal(fixture.propose(&two[0], Round(0), None));
    let certificate = fixture.certify_by(&others(me), &two[1]);
    node.syncs(certificate.clone(), vec![(two[1].clone(), certificate)]);
    assert_eq!(node.executions(), [two[0].hash(), two[1].hash()]);
    assert_eq!(node.cancelled(), []);
    let delta = fixture.execute(&two[1]).map(Box::new);
    node.input(Input::Executed { block: two[1].hash(), result: delta });
    assert_eq!(node.height(), Height(3));
    assert_eq!(node.cancelled(), [two[0].hash()]);
}

/// Transactions that nobody has checked, with so many signatures together.
fn signed_often(fixture: &Fixture, signatures: usize) -> Vec<Transaction> {
    let count = 3;
    let signature = (0, fixture.propose(&fixture.block(vec![]), Round(0), None).signature);
    (0..count)
        .map(|number| {
            let share = signatures / count + usize::from(number < signatures % count);
            let body = fixture.body(&[fixture.coin(1, number)], vec![pay(1)]);
            Transaction::new(body, vec![Witness::Multi(vec![signature; share])])
        })
        .collect()
}
