//! What waits: how much of each peer, for how long, and what is done on the pool.
use super::*;

#[test]
fn a_peer_has_a_bounded_number_of_messages_waiting() {
    let mut gate = Gate::new();
    let commit = gate.commit(HEIGHT);
    let tickets: Vec<Ticket> =
        (0..200).map(|mark| gate.say(PEER, &forged(&commit, mark))).collect();
    let dropped =
        tickets.iter().filter(|ticket| gate.verdict(**ticket) == Some(Verdict::Ignore)).count();
    assert_eq!(dropped, 200 - 64);
    assert_eq!(gate.door.load().0, 64);
    let vote = gate.vote(1, HEIGHT, 0, 1);
    let ticket = gate.say(PEER, &vote);
    assert_eq!(gate.verdict(ticket), None, "each topic has its own share");
}

#[test]
fn a_full_queue_costs_the_peer_that_holds_the_most() {
    let mut gate = Gate::new();
    let batch = vec![0; 128 * 1024];
    let honest = gate.gossip(Peer(0), Topic::Transactions, vec![0; 1_000]);
    for peer in 1..30 {
        for _ in 0..32 {
            gate.gossip(Peer(peer), Topic::Transactions, batch.clone());
        }
    }
    let (_, bytes) = gate.door.load();
    assert!(bytes <= 64 * 1024 * 1024, "{bytes}");
    assert!(bytes > 60 * 1024 * 1024, "something filled it: {bytes}");
    assert_eq!(gate.verdict(honest), None);
}

#[test]
fn a_vote_does_not_wait_for_the_certificates_of_a_crowd() {
    let mut gate = Gate::new();
    let commit = gate.commit(HEIGHT);
    for peer in 10..60 {
        for mark in 0..20 {
            gate.say(Peer(peer), &forged(&commit, mark));
        }
    }
    let vote = gate.vote(1, HEIGHT, 0, 1);
    let ticket = gate.say(PEER, &vote);
    let mut before = 0;
    while gate.verdict(ticket).is_none() {
        before += gate.pool[0].price_us();
        gate.work_once();
    }
    // What was in work already, and at most one turn of another topic.
    assert!(before <= 10_000, "{before} us of other work before the vote");
}

#[test]
fn a_message_that_waited_too_long_is_not_verified() {
    let mut gate = Gate::new();
    let commit = gate.commit(HEIGHT);
    for mark in 0..60 {
        gate.say(PEER, &forged(&commit, mark));
    }
    let vote = gate.vote(1, HEIGHT, 0, 1);
    let in_work = gate.jobs;
    gate.now = gate.now.plus(Millis(4_000));
    let ticket = gate.say(Peer(2), &vote);
    gate.work_once();
    gate.work();
    assert_eq!(gate.verdict(ticket), Some(Verdict::Accept));
    assert_eq!(gate.jobs, in_work + 1, "only the vote was verified");
}

#[test]
fn a_large_proposal_is_decoded_on_the_pool() {
    let mut gate = Gate::new();
    let ConsensusMessage::Proposal(proposal) = gate.proposal(0, 0) else { unreachable!() };
    let ids = (0..2_000_u32).map(|id| {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&id.to_le_bytes());
        timecoin_chain::types::WTxId(bytes)
    });
    let large = Proposal { transactions: ids.collect(), ..*proposal };
    let ticket = gate.say(PEER, &ConsensusMessage::Proposal(Box::new(large)));
    assert_eq!(gate.jobs, 1);
    gate.work();
    // Its contents are not those of its header.
    assert!(matches!(gate.verdict(ticket), Some(Verdict::Reject(_))));
    assert_eq!(gate.jobs, 2);
}

#[test]
fn a_batch_of_transactions_counts_until_the_engine_has_judged_it() {
    let mut gate = Gate::new();
    let coin = gate.fixture.coin(1, 0);
    let spend = gate.fixture.spend(&[coin], vec![pay(99)]);
    let bytes = codec::encode(&TransactionBatch(vec![spend]));
    let ticket = gate.gossip(PEER, Topic::Transactions, bytes);
    gate.work();
    assert!(
        matches!(gate.actions.as_slice(), [Action::Transactions(PEER, of, _)] if *of == ticket)
    );
    assert_eq!(gate.door.load().0, 1);
    gate.arrive(|pass| pass.on_judged(ticket));
    assert_eq!(gate.door.load(), (0, 0));
}
