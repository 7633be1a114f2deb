//! Which messages are heard, and what becomes of evidence.
use super::{A, B, H, context, height, said, tip, vote};
use crate::{
    engine::{
        evidence::{Scene, Watch},
        out::Out,
    },
    limits::{ROUNDS_AHEAD_MAX, ROUNDS_KEPT},
    types::{Evidence, Height, Vote, VoteKind},
};

#[test]
fn single_votes_are_heard_near_the_current_round_and_at_the_next_height() {
    let ctx = context(None);
    let (tip, height) = (tip(&ctx), height(&ctx));
    let scene = Scene::new(&ctx, &tip, &height);
    let (last, beyond) = (ROUNDS_AHEAD_MAX, ROUNDS_AHEAD_MAX + 1);
    for (at, round, heard) in [
        (H, 0, 1),
        (H, last, 1),
        (H, beyond, 0),
        (H.next(), last, 1),
        (H.next(), beyond, 0),
        (H.next().next(), 0, 0),
        (Height::GENESIS, 0, 1),
    ] {
        let (mut watch, mut out) = (Watch::default(), Out::default());
        let vote = Vote { height: at, ..vote(VoteKind::Prevote, round, Some(A), 1) };
        watch.hear_vote(&scene, &vote, &mut out);
        assert_eq!(watch.heard(), heard, "height {at} round {round}");
    }
}

#[test]
fn an_offender_is_accused_once() {
    let ctx = context(None);
    let (tip, height) = (tip(&ctx), height(&ctx));
    let scene = Scene::new(&ctx, &tip, &height);
    let (mut watch, mut out) = (Watch::default(), Out::default());
    watch.hear_vote(&scene, &vote(VoteKind::Prevote, 0, Some(A), 1), &mut out);
    watch.hear_vote(&scene, &vote(VoteKind::Prevote, 0, Some(A), 1), &mut out);
    assert_eq!(said(&mut out).len(), 0, "the same again proves nothing");
    watch.hear_vote(&scene, &vote(VoteKind::Prevote, 0, Some(B), 1), &mut out);
    let effects = said(&mut out);
    assert!(effects[0].starts_with("report") && effects[1] == "publish evidence 0", "{effects:?}");
    watch.hear_vote(&scene, &vote(VoteKind::Precommit, 0, Some(A), 1), &mut out);
    watch.hear_vote(&scene, &vote(VoteKind::Precommit, 0, Some(B), 1), &mut out);
    assert_eq!(said(&mut out).len(), 0, "it is accused already");
    for attempt in [1, 2] {
        watch.repeat_evidence(&mut out);
        assert_eq!(said(&mut out), [format!("publish evidence {attempt}")]);
    }
    assert_eq!(watch.evidence_for_block(&scene).len(), 1);
}

#[test]
fn evidence_that_no_block_can_record_any_more_is_forgotten() {
    let ctx = context(None);
    let (mut tip, height) = (tip(&ctx), height(&ctx));
    let (mut watch, mut out) = (Watch::default(), Out::default());
    let one = vote(VoteKind::Prevote, 0, Some(A), 1);
    let other = vote(VoteKind::Prevote, 0, Some(B), 1);
    let evidence = Evidence::of_votes(&one, &other).unwrap();
    assert!(watch.add(&Scene::new(&ctx, &tip, &height), &evidence, &mut out));
    let age = ctx.params().evidence_age_blocks;
    for (parent, kept) in [(H.0 + age - 1, 1), (H.0 + age, 0)] {
        let mut state = (*tip.state).clone();
        state.height = Height(parent);
        tip.state = state.into();
        watch.forget_old_evidence(&Scene::new(&ctx, &tip, &height));
        assert_eq!(watch.pool().count(), kept, "after height {parent}");
    }
    assert!(!watch.add(&Scene::new(&ctx, &tip, &height), &evidence, &mut out), "nor taken again");
    assert_eq!(watch.heard(), 0);
}

#[test]
fn evidence_against_a_masternode_whose_offence_is_recorded_is_not_taken() {
    let ctx = context(None);
    let (mut tip, height) = (tip(&ctx), height(&ctx));
    let [one, other] = [A, B].map(|block| vote(VoteKind::Prevote, 0, Some(block), 1));
    let evidence = Evidence::of_votes(&one, &other).unwrap();
    let mut state = (*tip.state).clone();
    state.offences[1] = Some(H);
    tip.state = state.into();
    let (mut watch, mut out) = (Watch::default(), Out::default());
    assert!(!watch.add(&Scene::new(&ctx, &tip, &height), &evidence, &mut out));
    assert_eq!(said(&mut out).len(), 0);
}

#[test]
fn rounds_long_over_are_forgotten() {
    let ctx = context(None);
    let (tip, height) = (tip(&ctx), height(&ctx));
    let scene = Scene::new(&ctx, &tip, &height);
    let (mut watch, mut out) = (Watch::default(), Out::default());
    watch.hear_vote(&scene, &vote(VoteKind::Prevote, 0, Some(A), 1), &mut out);
    for (round, heard) in [(ROUNDS_KEPT, 1), (ROUNDS_KEPT + 1, 0)] {
        watch.forget_old_rounds(H, crate::types::Round(round));
        assert_eq!(watch.heard(), heard, "in round {round}");
    }
}
