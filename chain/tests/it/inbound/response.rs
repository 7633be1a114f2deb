//! Responses to the node's requests: what counts, and what is verified.
use super::*;

fn votes_request() -> Request {
    let none = SignerSet::empty(4);
    Request::Votes(VotesRequest {
        height: Height(HEIGHT),
        round: Round(0),
        prevotes: none.clone(),
        precommits: none,
        has_proposal: true,
        inquiry: None,
    })
}

impl Gate {
    /// What a response leads to, beside verdicts.
    fn respond(&mut self, request: Request, bytes: Vec<u8>) -> Vec<Action> {
        self.actions.clear();
        self.arrive(|pass| pass.on_response(PEER, request, bytes));
        self.work();
        std::mem::take(&mut self.actions)
    }

    fn votes(&mut self, messages: Vec<ConsensusMessage>) -> Option<usize> {
        let actions = self
            .respond(votes_request(), codec::encode(&VotesAnswer { messages, attestation: None }));
        let is_message = |action: &Action| matches!(action, Action::Message(..));
        match actions.as_slice() {
            [Action::Blame(..), Action::Failed(..)] => None,
            messages if messages.iter().all(is_message) => Some(messages.len()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_response_with_a_wrong_vote_or_too_many_counts_for_nothing() {
    let mut gate = Gate::new();
    let (one, other) = (gate.vote(1, HEIGHT, 0, 1), gate.vote(2, HEIGHT, 0, 1));
    assert_eq!(gate.votes(vec![one.clone(), gate.forged_vote(1, 3)]), None);
    assert_eq!(gate.votes(vec![one.clone(), other.clone()]), Some(2));
    let most = timecoin_chain::limits::votes_answer_max(4);
    assert_eq!(gate.votes(vec![one.clone(); most + 1]), None);
}

#[test]
fn an_attestation_counts_if_it_is_valid_and_answers_the_inquiry() {
    let mut gate = Gate::new();
    let inquiry = Inquiry { of: 0, nonce: [5; 32] };
    let Request::Votes(request) = votes_request() else { panic!() };
    let request = Request::Votes(VotesRequest { inquiry: Some(inquiry), ..request });
    let other = Inquiry { nonce: [6; 32], ..inquiry };
    let height = Height(HEIGHT);
    for (asked, by, signed_by, taken) in
        [(inquiry, 1, 1, Some(1)), (inquiry, 1, 2, None), (other, 1, 1, Some(0))]
    {
        let message = Attestation::message(&gate.chain.hash, asked, height, &[]);
        let signature = gate.fixture.secrets[signed_by].sign(&message);
        let attestation = Attestation { inquiry: asked, height, votes: vec![], by, signature };
        let answer = VotesAnswer { messages: vec![], attestation: Some(attestation) };
        let actions = gate.respond(request.clone(), codec::encode(&answer));
        let found = match actions.as_slice() {
            [Action::Blame(..), Action::Failed(..)] => None,
            [] => Some(0),
            [Action::Attestation(it)] if it.by == by => Some(1),
            other => panic!("{other:?}"),
        };
        assert_eq!(found, taken);
    }
}

#[test]
fn what_a_response_repeats_is_verified_once() {
    let mut gate = Gate::new();
    let commit = ConsensusMessage::Certificate(gate.commit(HEIGHT));
    let price = |gate: &mut Gate, copies: usize| {
        let answer = codec::encode(&VotesAnswer {
            messages: vec![commit.clone(); copies],
            attestation: None,
        });
        gate.arrive(|pass| pass.on_response(PEER, votes_request(), answer));
        gate.pool.last().map_or(0, Job::price_us)
    };
    let once = price(&mut gate, 1);
    assert!(once > 0);
    gate.pool.clear();
    assert_eq!(price(&mut gate, 50), once);
    gate.work();
    assert_eq!(price(&mut gate, 50), 0, "and not again when it comes again");
}

#[test]
fn own_votes_of_any_round_are_taken_from_a_response() {
    let mut gate = Gate::new();
    gate.window.round = Round(50);
    let (own, other) = (gate.vote(0, HEIGHT, 3, 1), gate.vote(1, HEIGHT, 3, 1));
    assert_eq!(gate.votes(vec![other]), Some(0));
    assert_eq!(gate.votes(vec![own]), Some(1));
}

#[test]
fn bodies_that_were_not_requested_count_for_nothing() {
    let mut gate = Gate::new();
    let coins: Vec<_> = (0..2).map(|number| gate.fixture.coin(1, number)).collect();
    let spend = |coin: usize| gate.fixture.spend(&coins[coin..=coin], vec![pay(99)]);
    let (asked, other) = (spend(0), spend(1));
    let request = Request::Bodies(BodiesRequest(vec![asked.wtxid()]));
    let mut reads = |bodies| {
        let bytes = codec::encode(&TransactionBatch(bodies));
        matches!(gate.respond(request.clone(), bytes).as_slice(), [Action::Bodies(..)])
    };
    assert!(reads(vec![asked.clone()]));
    assert!(reads(vec![]), "a peer may have none");
    assert!(!reads(vec![other]));
    assert!(!reads(vec![asked.clone(), asked]));
}

#[test]
fn a_status_proves_itself() {
    let mut gate = Gate::new();
    let tip = gate.commit(HEIGHT + 7);
    let status = |genesis, tip: Option<Certificate>| codec::encode(&Status { genesis, tip });
    let genesis = gate.chain.hash;
    let good = gate.respond(Request::Status, status(genesis, Some(tip.clone())));
    assert!(matches!(good.as_slice(), [Action::Status(PEER, Some(_))]), "{good:?}");
    let none = gate.respond(Request::Status, status(genesis, None));
    assert!(matches!(none.as_slice(), [Action::Status(PEER, None)]), "{none:?}");
    let ConsensusMessage::Certificate(lie) = forged(&tip, 3) else { unreachable!() };
    let lie = gate.respond(Request::Status, status(genesis, Some(lie)));
    assert!(
        matches!(lie.as_slice(), [Action::Blame(PEER, _), Action::Failed(PEER, Request::Status)]),
        "{lie:?}"
    );
    let other = timecoin_chain::genesis::GenesisHash([9; 32]);
    let foreign = gate.respond(Request::Status, status(other, Some(tip)));
    assert!(
        matches!(
            foreign.as_slice(),
            [Action::Blame(PEER, _), Action::Failed(PEER, Request::Status)]
        ),
        "{foreign:?}"
    );
}

#[test]
fn blocks_must_be_those_that_were_requested() {
    let mut gate = Gate::new();
    let mut fixture = Fixture::new();
    let blocks: Vec<_> = (0..3)
        .map(|_| {
            let block = fixture.block(vec![]);
            fixture.apply(&block);
            (block.clone(), fixture.certify(&block))
        })
        .collect();
    let mut reads = |from: u64, count, blocks: &[_]| {
        let request = Request::Blocks(BlocksRequest { from: Height(from), count });
        let bytes = codec::encode(&BlocksAnswer(blocks.to_vec()));
        matches!(gate.respond(request, bytes).as_slice(), [Action::Blocks(..)])
    };
    assert!(reads(1, 3, &blocks));
    assert!(reads(1, 10, &blocks), "fewer are an answer");
    assert!(!reads(1, 2, &blocks));
    assert!(!reads(2, 3, &blocks));
    let mut swapped = blocks.clone();
    swapped[1].1 = swapped[0].1.clone();
    assert!(!reads(1, 3, &swapped), "a certificate names its block");
    let mut forged = blocks.clone();
    forged[2].1.signatures[0] = Signature::from_bytes(&[1; 64]);
    assert!(!reads(1, 3, &forged));
    let mut tampered = blocks;
    let coin = Fixture::new().coin(1, 0);
    tampered[0].0.transactions.push(Fixture::new().spend(&[coin], vec![pay(99)]));
    assert!(!reads(1, 3, &tampered), "a block holds what its header says");
}
