//! The node's own key: when it may sign, what it recognises, what it persists.
use super::{A, B, DRIFT, H, at, block, context, height, said, secrets, tip, vote};
use crate::{
    consensus::{Resume, Step},
    crypto::Signer,
    engine::{
        Recovered, Refusal, SafetyRecord, Signing, context::Context, license::Tick,
        license::Witnessed, out::Out, own_key::OwnKey, safety::OwedVote,
    },
    types::{Attestation, ConsensusMessage, Height, Inquiry, Round, Timestamp, Vote, VoteKind},
};
use std::sync::Arc;

const ME: u16 = 2;

fn key(ctx: &Context, record: Option<SafetyRecord>) -> OwnKey {
    let signer: Arc<dyn Signer> = Arc::new(secrets().remove(usize::from(ME)));
    let recovered = record.map(|record| Recovered { record, blocks: vec![] });
    OwnKey::new(ctx, Some(signer), recovered, true)
}

fn blank() -> SafetyRecord {
    SafetyRecord::first(secrets()[usize::from(ME)].public_key())
}

fn owed(kind: VoteKind, round: u32, byte: u8) -> OwedVote {
    let block = Some(crate::types::BlockHash([byte; 32]));
    OwedVote { kind, round: Round(round), block, valid_round: None }
}

fn resume() -> Resume {
    Resume { round: Round(0), step: Step::Propose, locked: None, valid: None, entry: None }
}

/// So many other masternodes attest at a height that they hold nothing.
fn hear(key: &mut OwnKey, ctx: &Context, count: usize, at: Height) -> bool {
    let inquiry = key.license.inquiry(ctx).unwrap();
    let mut others = (0..4).filter(|by| *by != ME).take(count);
    others.any(|by| attests(key, ctx, inquiry, by, at))
}

fn attests(key: &mut OwnKey, ctx: &Context, inquiry: Inquiry, by: u16, height: Height) -> bool {
    let signature = secrets()[usize::from(by)].sign(&[0; 32]);
    let attestation = Attestation { inquiry, height, votes: vec![], by, signature };
    key.license.attested(ctx, &attestation, H, true)
}

#[test]
fn only_answers_of_others_to_the_inquiry_of_this_start_count() {
    let ctx = context(Some(ME));
    let mut key = key(&ctx, Some(blank()));
    key.starts(&ctx, at(0));
    let asked = key.license.inquiry(&ctx).unwrap();
    for inquiry in [Inquiry { nonce: [7; 32], ..asked }, Inquiry { of: 0, ..asked }] {
        for by in 0..4 {
            assert!(!attests(&mut key, &ctx, inquiry, by, H), "{inquiry:?} by {by}");
        }
    }
    assert!(!attests(&mut key, &ctx, asked, ME, H));
    assert_eq!(key.license.tick(&ctx, H, true), Tick::Asks);
    assert!(!attests(&mut key, &ctx, asked, 0, H) && attests(&mut key, &ctx, asked, 1, H));
}

#[test]
fn a_quorum_at_the_height_grants_the_license_at_once_and_less_weight_later() {
    let ctx = context(Some(ME));
    let before = Height(H.0 - 1);
    for (count, height, at_tip, granted_after) in [
        (2, H, vec![], Some(0)),
        (2, before, vec![true; 30], Some(4)),
        (2, before, vec![true, true, true, false, true, true, true, true, true], Some(8)),
        (1, H, vec![true; 30], Some(20)),
        (0, H, vec![true; 30], None),
        (1, H, vec![false; 30], None),
    ] {
        let mut key = key(&ctx, Some(blank()));
        key.starts(&ctx, at(0));
        let mut after = hear(&mut key, &ctx, count, height).then_some(0);
        for (tick, is_at_tip) in (1..).zip(at_tip) {
            if key.license.tick(&ctx, H, is_at_tip) == Tick::Granted {
                after = after.or(Some(tick));
            }
        }
        assert_eq!(after, granted_after, "{count} masternodes at {height}");
        assert_eq!(key.signing(&ctx, false, H) == Signing::Yes, granted_after.is_some());
    }
}

#[test]
fn without_a_record_nothing_is_ever_granted_and_a_later_signature_is_another_hosts() {
    let ctx = context(Some(ME));
    let late = Timestamp(at(0).wall.0 + DRIFT.0 + 1);
    let early = Timestamp(late.0 - 1);
    let parent_time = Timestamp(1_000_000);
    let drift = ctx.params().clock_drift_max;
    for (is_open, synced, timestamp, own, is_foreign) in [
        (true, false, late, H.next(), true),
        (true, false, late, H, false),
        (false, false, late, H.next(), false),
        (true, true, late, H.next(), false),
        (true, false, early, H.next(), false),
    ] {
        for is_first in [true, false] {
            let mut key = key(&ctx, None);
            key.starts(&ctx, at(0));
            key.license.height_begins(H, is_open);
            let own = Vote { height: own, ..vote(VoteKind::Prevote, 0, Some(A), ME) };
            let decided = Witnessed { height: H, timestamp, parent_time, synced };
            let found = match is_first {
                true => {
                    assert_eq!(key.foreign_in_votes(&ctx, [&own]), None);
                    key.license.height_ends(drift, decided).is_some()
                }
                false => {
                    assert_eq!(key.license.height_ends(drift, decided), None);
                    key.foreign_in_votes(&ctx, [&own]).is_some()
                }
            };
            assert_eq!(found, is_foreign, "{timestamp:?} {own:?}");
            assert!(!key.has_guard() && key.license.tick(&ctx, H, true) == Tick::Idle);
        }
    }
}

#[test]
fn a_signature_that_the_record_does_not_hold_is_foreign() {
    let ctx = context(Some(ME));
    let mut key = key(&ctx, Some(blank()));
    key.sign_vote(&resume(), H, owed(VoteKind::Prevote, 0, 0xaa)).unwrap().unwrap();
    for (signer, round, block, is_foreign) in [
        (ME, 0, Some(A), false),
        (ME, 0, Some(B), true),
        (ME, 1, Some(A), true),
        (ME - 1, 0, Some(B), false),
    ] {
        let message = ConsensusMessage::Vote(vote(VoteKind::Prevote, round, block, signer));
        assert_eq!(key.foreign_in(&ctx, &message).is_some(), is_foreign);
    }
}

#[test]
fn a_precommit_waits_for_the_disk_and_everything_for_the_license() {
    let ctx = context(Some(ME));
    let tip = tip(&ctx);
    let mut key = key(&ctx, Some(blank()));
    assert!(!key.is_clear_for(VoteKind::Prevote, &tip.stack), "it listens");
    key.starts(&ctx, at(0));
    assert!(hear(&mut key, &ctx, 2, H));
    assert!(key.is_clear_for(VoteKind::Precommit, &tip.stack), "nothing is stacked");
}

#[test]
fn the_guard_signs_once_for_each_slot_and_the_record_is_persisted_with_its_blocks() {
    let ctx = context(Some(ME));
    let (tip, mut height) = (tip(&ctx), height(&ctx));
    let (mut key, mut out) = (key(&ctx, Some(blank())), Out::default());
    let first = key.sign_vote(&resume(), H, owed(VoteKind::Prevote, 0, 0xaa)).unwrap().unwrap();
    let again = key.sign_vote(&resume(), H, owed(VoteKind::Prevote, 0, 0xaa)).unwrap().unwrap();
    assert_eq!((first.is_new, again.is_new), (true, false));
    let other = key.sign_vote(&resume(), H, owed(VoteKind::Prevote, 0, 0xbb)).unwrap();
    assert_eq!(other.err(), Some(Refusal::Conflict));

    // A record that names a block is written with it, once.
    let named = Arc::new(block(&ctx, 1, vec![]));
    let pool = crate::engine::pool::Pool::new(
        ctx.chain.id(),
        crate::mempool::MempoolLimits::for_params(ctx.params()),
    );
    height.execute(&tip, &pool, named.clone(), &mut out);
    let votes: Vec<Vote> =
        (0..3).map(|signer| vote(VoteKind::Prevote, 0, Some(named.hash()), signer)).collect();
    let valid = crate::types::Certificate::collect(4, &votes);
    let with_valid = Resume { valid, ..resume() };
    key.sign_vote(&with_valid, H, owed(VoteKind::Precommit, 0, 0xaa)).unwrap().unwrap();
    out.take();
    key.persist(&tip.stack, &height.candidates, &mut out);
    key.persist(&tip.stack, &height.candidates, &mut out);
    assert_eq!(said(&mut out), ["persist 1/0 with 1 blocks", "persist 1/0 with 0 blocks"]);
}

#[test]
fn an_observer_signs_nothing() {
    let ctx = context(None);
    let mut key = OwnKey::new(&ctx, None, None, true);
    assert!(key.sign_vote(&resume(), H, owed(VoteKind::Prevote, 0, 0xaa)).is_none());
    assert_eq!(key.signing(&ctx, false, H), Signing::NotMasternode);
    assert_eq!(key.license.tick(&ctx, H, true), Tick::Idle);
}
