//! Listening after a start: whose attestations end it, and what they hold.
use super::*;

#[test]
fn after_a_start_a_node_listens_and_then_signs_what_it_owes() {
    // How many masternodes attest, how many heights behind, and the ticks after which that is enough.
    let cases = [(2, 0, Some(0)), (2, 1, Some(4)), (1, 0, Some(20)), (0, 0, None)];
    for (attesting, behind, ticks) in cases {
        let now = Fixture::at_height(1);
        let me = bystander(&now);
        let mut node = Node::with_record(now.clone(), me, Some(record_of(&now, me)));
        assert_eq!(node.signing(), Signing::Listening);
        node.input(Input::PeerUp(PEER));
        let inquiry = node.inquiry().expect("it asks for its own votes");
        assert_eq!(inquiry.of, me);
        let block = now.block(vec![]);
        node.proposal(now.propose(&block, Round(0), None));
        for by in others(me).into_iter().take(attesting) {
            assert_eq!((node.signing(), node.votes()), (Signing::Listening, vec![]));
            node.attestation(inquiry, by, Height(2 - behind), vec![]);
        }
        for tick in 0..ticks.unwrap_or(TICKS) {
            assert_eq!((node.signing(), node.votes()), (Signing::Listening, vec![]), "{tick}");
            node.tick();
        }
        let votes = match ticks {
            Some(_) => vec![(VoteKind::Prevote, Round(0), Some(block.hash()))],
            None => vec![],
        };
        assert_eq!(node.votes(), votes, "{attesting} masternodes, {behind} behind");
    }
}

#[test]
fn strangers_and_old_answers_do_not_end_the_listening() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let mut node = Node::with_record(now.clone(), me, Some(record_of(&now, me)));
    let peers = [1, 2, 3, 4, 5].map(timecoin_chain::engine::Peer);
    peers.into_iter().for_each(|peer| node.input(Input::PeerUp(peer)));
    let inquiry = node.inquiry().unwrap();
    let [a, b, c] = others(me)[..] else { panic!() };
    // Of an earlier start, of another key, and by this key itself.
    for by in [a, b, c] {
        node.attestation(Inquiry { nonce: [7; 32], ..inquiry }, by, Height(2), vec![]);
        node.attestation(Inquiry { of: a, ..inquiry }, by, Height(2), vec![]);
    }
    node.attestation(inquiry, me, Height(2), vec![]);
    // What they could have heard from anybody.
    let block = now.block(vec![]);
    node.proposal(now.propose(&block, Round(0), None));
    [a, b].into_iter().for_each(|voter| node.vote(voter, &prevote_of(&block, Round(0))));
    for _ in 0..TICKS {
        node.tick();
        assert_eq!((node.signing(), node.votes()), (Signing::Listening, vec![]));
    }
    [a, b].into_iter().for_each(|by| node.attestation(inquiry, by, Height(2), vec![]));
    assert_eq!(node.signing(), Signing::Yes);
}

#[test]
fn each_start_asks_with_another_number() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let asked = |later: u64| {
        let mut node = Node::with_record(now.clone(), me, Some(record_of(&now, me)));
        node.now.wall.0 += later;
        node.input(Input::Start);
        node.input(Input::PeerUp(PEER));
        node.inquiry().unwrap().nonce
    };
    assert_ne!(asked(0), asked(1));
}

#[test]
fn a_lock_of_long_ago_is_attested_whatever_the_round() {
    let now = Fixture::at_height(1);
    let me = bystander(&now);
    let mut node = Node::new(now.clone(), me);
    let [a, b, c] = others(me)[..] else { panic!() };
    let block = now.block(vec![]);
    let lock = Vote { round: Round(3), ..precommit_of(&block) };
    for round in 1..=50 {
        for voter in [a, b] {
            let nil = Vote { block: None, ..prevote_of(&block, Round(round)) };
            node.vote(voter, &nil);
        }
        if round == 3 {
            node.vote(c, &lock);
        }
    }
    assert_eq!(node.engine.status(node.now).round, Round(50));
    let inquiry = Inquiry { of: c, nonce: [7; 32] };
    let ask = VotesRequest { inquiry: Some(inquiry), ..nothing_of(Height(2)) };
    let Response::Votes(answer) = node.answer(Request::Votes(ask)) else { panic!() };
    let attestation = answer.attestation.expect("by a masternode");
    let held: Vec<_> = attestation.votes.iter().map(|vote| (vote.kind, vote.round)).collect();
    assert_eq!(held, [(VoteKind::Precommit, Round(3))]);
    let (hash, set) = (&now.chain.hash, &now.chain.masternodes);
    let scheme = &timecoin_chain::crypto::Ed25519;
    let is_valid = |attestation| rules::verify_attestation(scheme, hash, set, attestation).is_ok();
    assert!(is_valid(attestation.clone()));
    let mut without = attestation.clone();
    without.votes.clear();
    assert!(!is_valid(without), "nobody on the way can leave a vote out");
    assert!(!is_valid(timecoin_chain::types::Attestation { by: a, ..attestation }));

    // The backup of before the lock that is put back there finds it.
    let key = now.secrets[usize::from(c)].public_key();
    let record = SafetyRecord::blank(key, Height(2), Round(1));
    let mut back = Node::with_record(now.clone(), c, Some(record));
    back.input(Input::PeerUp(PEER));
    let votes = vec![now.vote(c, Vote { signer: c, ..lock })];
    back.attestation(back.inquiry().unwrap(), me, Height(2), votes);
    assert!(back.stop_reason().unwrap().contains("signed at height 2 round 3, and not here"));
}
