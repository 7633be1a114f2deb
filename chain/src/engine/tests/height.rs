//! The height being decided, alone.
use super::{
    A, B, H, INTERVAL, SPACING, at, block, context, height, params, proposal, said, tip, vote,
};
use crate::{
    consensus::{self, NilReason},
    engine::{
        Effect, NilWhy,
        candidates::{Gathered, Whose},
        height::HeightState,
        out::Out,
        pool::Pool,
        safety::OwedVote,
    },
    limits::{CANDIDATES_MAX, ROUNDS_AHEAD_MAX},
    mempool::MempoolLimits,
    types::{
        Millis, OutPoint, Round, SignerSet, Transaction, TxBody, TxId, TxKind, VoteKind,
        VotesRequest,
    },
};
use std::sync::Arc;

fn transaction(number: u8) -> Transaction {
    let body = TxBody {
        version: TxBody::VERSION,
        chain: context(None).chain.id(),
        inputs: vec![OutPoint { txid: TxId([number; 32]), vout: 0 }],
        outputs: vec![],
        not_before: H,
        expiry_height: H,
        kind: TxKind::Transfer,
    };
    Transaction::new(body, vec![])
}

#[test]
fn a_proposal_is_due_after_the_spacing_or_after_the_interval() {
    let from = Millis(1_000);
    let height = HeightState::new(&context(None), H, Millis(0), from, false);
    for (has_transactions, now, due) in [
        (true, 1_000, from.plus(SPACING)),
        (false, 1_000, from.plus(INTERVAL)),
        (true, 1_500, Millis(1_500)),
        (false, 20_000, Millis(20_000)),
    ] {
        assert_eq!(height.proposal_due(&params(), has_transactions, Millis(now)), due);
    }
}

#[test]
fn a_round_that_begins_voids_what_was_owed_to_the_last() {
    let mut height = height(&context(Some(0)));
    let owed =
        OwedVote { kind: VoteKind::Prevote, round: Round(0), block: None, valid_round: None };
    height.owes_proposal = Some(Round(0));
    height.owed_votes.push(owed);
    height.skewed = Some((Round(0), Millis(1)));
    height.patience = 2;
    height.shortened = true;
    height.repeats = 3;
    height.round_begins();
    assert_eq!((height.owes_proposal, height.owed_votes.len()), (None, 0));
    assert_eq!((height.skewed, height.patience), (None, 0));
    assert_eq!((height.shortened, height.repeats), (true, 3), "these are of the height");
}

#[test]
fn a_proposal_that_is_here_is_waited_for_a_bounded_number_of_times() {
    let ctx = context(Some(0));
    let (tip, pool) =
        (tip(&ctx), Pool::new(ctx.chain.id(), MempoolLimits::for_params(ctx.params())));
    let mut height = height(&ctx);
    assert!(!height.has_patience(Round(0)), "nothing is here");
    let block = block(&ctx, 1, vec![transaction(1)]);
    let hash = block.hash();
    height.candidates.note_proposal(Millis(0), None, &proposal(&block));
    height.consensus.handle(consensus::Input::Proposal {
        round: Round(0),
        block: hash,
        valid_round: None,
    });
    assert!(!height.has_patience(Round(1)), "of another round");
    assert!(height.has_patience(Round(0)), "gathered: once");
    assert!(!height.has_patience(Round(0)));
    let mut out = Out::default();
    height.execute(&tip, &pool, Arc::new(block.clone()), &mut out);
    height.execute(&tip, &pool, Arc::new(block), &mut out);
    assert_eq!(said(&mut out), ["execute, 0 verified"], "once");
    let waits: Vec<bool> = (0..3).map(|_| height.has_patience(Round(0))).collect();
    assert_eq!(waits, [true, true, false], "executed: three times in all");
}

#[test]
fn a_block_is_put_together_when_its_last_body_has_come() {
    let ctx = context(Some(0));
    let pool = Pool::new(ctx.chain.id(), MempoolLimits::for_params(ctx.params()));
    let mut height = height(&ctx);
    let block = block(&ctx, 1, vec![transaction(1), transaction(2)]);
    let (hash, proposal) = (block.hash(), proposal(&block));
    height.candidates.note_proposal(Millis(0), None, &proposal);
    height.candidates.gather(hash, &proposal, &pool.mempool);
    assert!(matches!(height.candidates.assemble(&hash, usize::MAX), Gathered::No));
    for (number, waiting) in [(1, 1), (2, 1), (2, 0), (3, 0)] {
        let body = Arc::new(transaction(number));
        assert_eq!(height.candidates.add_body(&body, false).len(), waiting);
    }
    assert!(matches!(height.candidates.assemble(&hash, 10), Gathered::TooLarge(_)));
    let Gathered::Block(built) = height.candidates.assemble(&hash, usize::MAX) else { panic!() };
    assert_eq!(*built, block);
    assert!(matches!(height.candidates.assemble(&A, usize::MAX), Gathered::Nothing));
}

#[test]
fn a_block_that_is_being_executed_gives_way_and_is_cancelled() {
    let ctx = context(Some(0));
    let (tip, pool) =
        (tip(&ctx), Pool::new(ctx.chain.id(), MempoolLimits::for_params(ctx.params())));
    let (mut height, mut out) = (height(&ctx), Out::default());
    let blocks: Vec<_> = (0..CANDIDATES_MAX).map(|n| block(&ctx, n as u64, vec![])).collect();
    for (number, block) in blocks.iter().enumerate() {
        height.execute(&tip, &pool, Arc::new(block.clone()), &mut out);
        // Two proposals each of the current round and of those ahead; two more blocks.
        let round = Round(u32::try_from(number / 2).unwrap());
        let block = block.hash();
        if round.0 <= ROUNDS_AHEAD_MAX {
            let valid_round = None;
            height.consensus.handle(consensus::Input::Proposal { round, block, valid_round });
        }
    }
    out.take();
    assert!(height.make_room(A, Whose::Others, &mut out), "the last two are of no round");
    assert_eq!(height.candidates.len(), CANDIDATES_MAX - 1);
    let first = Arc::new(block(&ctx, 100, vec![]));
    height.execute(&tip, &pool, first, &mut out);
    assert!(height.make_room(A, Whose::Others, &mut out));
    let second = Arc::new(block(&ctx, 101, vec![]));
    height.execute(&tip, &pool, second, &mut out);
    let cancelled = |out: &mut Out| -> usize {
        let effects = out.take().into_iter();
        effects.filter(|effect| matches!(effect, Effect::Cancel { .. })).count()
    };
    assert_eq!(cancelled(&mut out), 2);
    assert!(height.make_room(B, Whose::Needed, &mut out), "a proposal of the current round");
    assert_eq!(cancelled(&mut out), 1);
}

#[test]
fn the_reason_of_a_nil_vote_is_what_is_missing() {
    let ctx = context(Some(0));
    let pool = Pool::new(ctx.chain.id(), MempoolLimits::for_params(ctx.params()));
    let mut height = height(&ctx);
    let proposer = ctx.proposer(H, Round(0));
    let why = |height: &HeightState| height.nil_why(&ctx.set, Round(0), NilReason::NoProposal);
    assert_eq!(why(&height), NilWhy::ProposerSilent { proposer });
    let block = block(&ctx, 1, vec![transaction(1)]);
    let (hash, proposal) = (block.hash(), proposal(&block));
    height.candidates.note_proposal(Millis(0), None, &proposal);
    height.candidates.gather(hash, &proposal, &pool.mempool);
    height.consensus.handle(consensus::Input::Proposal {
        round: Round(0),
        block: hash,
        valid_round: None,
    });
    assert_eq!(why(&height), NilWhy::BodiesMissing { proposer, missing: 1 });
    let body = Arc::new(transaction(1));
    height.candidates.add_body(&body, false);
    assert_eq!(why(&height), NilWhy::NotChecked { proposer });
    height.skewed = Some((Round(0), Millis(7)));
    assert_eq!(why(&height), NilWhy::Ahead { proposer, by: Millis(7) });
}

#[test]
fn a_peer_is_given_the_votes_that_it_lacks() {
    let ctx = context(Some(0));
    let mut height = height(&ctx);
    for vote in [vote(VoteKind::Prevote, 0, Some(A), 1), vote(VoteKind::Precommit, 0, None, 2)] {
        height.consensus.handle(consensus::Input::Vote(vote));
    }
    let own = height.votes_request(None);
    assert_eq!((own.prevotes.len(), own.precommits.len(), own.has_proposal), (1, 1, false));
    let none = SignerSet::empty(4);
    for (prevotes, precommits, answered) in [
        (none.clone(), none.clone(), 2),
        (own.prevotes.clone(), none.clone(), 1),
        (none, own.precommits.clone(), 1),
        (own.prevotes.clone(), own.precommits.clone(), 0),
    ] {
        let request = VotesRequest { prevotes, precommits, ..own.clone() };
        assert_eq!(height.votes_for(&request).len(), answered);
    }
    let later = VotesRequest { round: Round(1), ..own };
    assert_eq!(height.votes_for(&later).len(), 0);
    assert_eq!(at(0).mono, height.started);
}
