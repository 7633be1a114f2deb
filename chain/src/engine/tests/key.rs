//! The node's own key: when it may sign, what it recognises, what it persists.
use super::{A, B, DRIFT, H, at, block, context, height, said, secrets, tip, vote};
use crate::{
    consensus::{Resume, Step},
    crypto::Signer,
    engine::{
        Recovered, Refusal, SafetyRecord, Signing,
        context::Context,
        license::{Tick, Witnessed},
        out::Out,
        own_key::OwnKey,
        voting::OwedVote,
    },
    types::{ConsensusMessage, Height, Round, Timestamp, Vote, VoteKind},
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

#[test]
fn four_quiet_ticks_one_after_the_other_grant_the_license() {
    let ctx = context(Some(ME));
    for (asking, granted_at) in [
        (vec![true; 6], Some(4)),
        (vec![true, true, true, false, true, true, true, true, true], Some(8)),
        (vec![false; 9], None),
    ] {
        let mut key = key(&ctx, Some(blank()));
        let ticks: Vec<Tick> = asking.into_iter().map(|is_asking| key.tick(is_asking)).collect();
        assert_eq!(ticks.iter().position(|tick| *tick == Tick::Granted), granted_at);
        let signing = key.signing(&ctx, false, H);
        assert_eq!(signing == Signing::Yes, granted_at.is_some());
    }
}

#[test]
fn without_a_record_a_whole_height_must_pass_without_the_key() {
    let ctx = context(Some(ME));
    let late = Timestamp(at(0).wall.0 + DRIFT.0 + 1);
    let early = Timestamp(late.0 - 1);
    let parent_time = Timestamp(1_000_000);
    for (is_open, synced, timestamp, voted, granted) in [
        (true, false, late, None, true),
        (false, false, late, None, false),
        (true, true, late, None, false),
        (true, false, early, None, false),
        (true, false, late, Some(H), false),
        (true, false, late, Some(Height(0)), true),
    ] {
        let mut key = key(&ctx, None);
        key.starts(at(0), 4);
        key.height_begins(H, is_open);
        if let Some(height) = voted {
            let own = Vote { height, ..vote(VoteKind::Prevote, 0, Some(A), ME) };
            assert_eq!(key.foreign_in(&ctx, &ConsensusMessage::Vote(own)), None);
        }
        let decided = Witnessed { height: H, timestamp, parent_time, synced };
        assert_eq!(key.height_ends(&ctx, decided), granted);
        assert_eq!(key.has_guard(), granted);
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
    assert_eq!((0..5).map(|_| key.tick(true)).last(), Some(Tick::Granted));
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
    assert_eq!(key.tick(true), Tick::Idle);
}
