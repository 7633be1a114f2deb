//! Whom to ask, what is proven, who is helped.
use super::{A, H, context, height, said, vote};
use crate::{
    engine::{
        Peer,
        out::Out,
        peers::{Peers, Turn},
    },
    types::{Certificate, Height, VoteKind},
};

fn peers(count: u64) -> Peers {
    let mut peers = Peers::default();
    (1..=count).for_each(|peer| peers.planner.peer_up(Peer(peer)));
    peers
}

fn commit(height: u64) -> Certificate {
    let votes: Vec<_> =
        (0..3).map(|signer| vote(VoteKind::Precommit, 0, Some(A), signer)).collect();
    Certificate { height: Height(height), ..Certificate::collect(4, &votes).unwrap() }
}

#[test]
fn each_kind_of_question_has_its_own_turn() {
    let mut peers = peers(3);
    let turns = [Turn::Status, Turn::Votes, Turn::Status, Turn::Bodies, Turn::Status, Turn::Status];
    let asked: Vec<_> = turns.map(|turn| peers.next(turn).unwrap().0).to_vec();
    assert_eq!(asked, [1, 1, 2, 1, 3, 1]);
    assert_eq!(Peers::default().next(Turn::Votes), None);
}

#[test]
fn a_hint_is_followed_once_until_the_next_round_of_questions() {
    let (mut peers, mut out) = (peers(2), Out::default());
    peers.hint(Peer(2), H, &mut out);
    peers.hint(Peer(1), H, &mut out);
    assert_eq!(said(&mut out), ["ask 2 Status"]);
    peers.forget_hint(false);
    peers.hint(Peer(1), H, &mut out);
    assert_eq!(said(&mut out), [""; 0], "a block that was not synced changes nothing");
    peers.forget_hint(true);
    peers.hint(Peer(1), H, &mut out);
    assert_eq!(said(&mut out), ["ask 1 Status"]);
    peers.ask_next_status(&mut out);
    peers.hint(Peer(2), H, &mut out);
    assert_eq!(said(&mut out), ["ask 1 Status", "ask 2 Status"]);
    peers.prove(Peer(1), &commit(9));
    peers.ask_next_status(&mut out);
    peers.hint(Peer(2), Height(8), &mut out);
    assert_eq!(said(&mut out), ["ask 2 Status"], "a greater height is proven already");
}

#[test]
fn only_the_greatest_proof_is_kept_and_taken_once_at_its_height() {
    let mut peers = peers(1);
    for (height, is_new, target) in [(5, true, 5), (4, false, 5), (5, false, 5), (7, true, 7)] {
        assert_eq!(peers.prove(Peer(1), &commit(height)), is_new, "{height}");
        assert_eq!(peers.target(), Height(target));
    }
    assert_eq!(peers.take_proof(Height(5)), None);
    assert_eq!(peers.take_proof(Height(7)), Some(commit(7)));
    assert_eq!(peers.take_proof(Height(7)), None);
    assert_eq!(peers.target(), Height(7), "what is proven stays proven");
}

#[test]
fn a_laggard_is_helped_once_and_not_where_somebody_else_does() {
    for (before, is_shown, may_help, helps, helped_after) in [
        (false, false, true, true, true),
        (false, false, false, false, false),
        (false, true, true, false, true),
        (true, false, true, false, true),
    ] {
        let mut peers = Peers::default();
        if before {
            peers.is_to_be_helped(true, false);
        }
        assert_eq!(peers.is_to_be_helped(is_shown, may_help), helps);
        assert_eq!(!peers.is_to_be_helped(false, true), helped_after);
        peers.help_again();
        assert!(peers.is_to_be_helped(false, true));
    }
}

#[test]
fn no_more_peers_are_asked_for_votes_than_there_are() {
    let request = height(&context(None)).votes_request(None);
    for (there, wanted, asked) in [(0, 2, 0), (1, 2, 1), (5, 2, 2)] {
        let (mut peers, mut out) = (peers(there), Out::default());
        peers.ask_for_votes(wanted, &request, &mut out);
        assert_eq!(said(&mut out).len(), asked);
    }
}
