//! From arrival to admission. Nothing here signs: verdicts on signatures are given.
use super::{at, context, said, tip};
use crate::{
    crypto::{Signature, Verified},
    engine::{Ticket, batch::Source, context::Context, out::Out, pool::Pool, tip::Tip},
    ledger::{Coins, FoundCoins, MemoryView},
    mempool::MempoolLimits,
    rules::{RuleError, Spend},
    types::{Amount, Height, OutPoint, Output, Transaction, TxBody, TxId, TxKind, Witness},
};

const SOURCE: Source = Source::Local;

fn pool(ctx: &Context) -> Pool {
    Pool::new(ctx.chain.id(), MempoolLimits::for_params(ctx.params()))
}

/// Spends all of an output, but for a fee.
fn spend(ctx: &Context, outpoint: OutPoint, output: &Output) -> Transaction {
    let value = Amount(output.value.0 - 100_000);
    let body = TxBody {
        version: TxBody::VERSION,
        chain: ctx.chain.id(),
        inputs: vec![outpoint],
        outputs: vec![Output { value, lock: output.lock.clone() }],
        not_before: Height(0),
        expiry_height: Height(u64::MAX),
        kind: TxKind::Transfer,
    };
    Transaction::new(body, vec![Witness::Key(Signature::from_bytes(&[0; 64]))])
}

/// A transaction of a genesis coin, and a child of it.
fn parent_and_child(ctx: &Context, tip: &Tip<MemoryView>) -> (Transaction, Transaction) {
    let delta = crate::ledger::genesis_delta(&ctx.chain);
    let coin = &delta.created.first().unwrap().coin;
    let parent = spend(ctx, coin.outpoint, &coin.output);
    let outpoint = OutPoint { txid: parent.txid(), vout: 0 };
    let child = spend(ctx, outpoint, &parent.body.outputs[0]);
    assert_eq!(tip.state.height, Height::GENESIS);
    (parent, child)
}

/// What the store says of the genesis coins that a batch asks for.
fn coins(ctx: &Context) -> FoundCoins {
    let delta = crate::ledger::genesis_delta(&ctx.chain);
    let mut found = FoundCoins::default();
    for created in &delta.created {
        found.insert(created.coin.outpoint, created.coin.output.clone());
    }
    found
}

#[test]
fn what_breaks_a_rule_before_signatures_is_answered_at_once() {
    let ctx = context(None);
    let (tip, mut pool, mut out) = (tip(&ctx), pool(&ctx), Out::default());
    let (parent, _) = parent_and_child(&ctx, &tip);
    let unknown = OutPoint { txid: TxId([7; 32]), vout: 0 };
    let stray = spend(&ctx, unknown, &parent.body.outputs[0]);
    let mut expired = parent;
    expired.edit(|tx| tx.body.expiry_height = Height(0));
    pool.take(&tip, at(0), (SOURCE, Ticket(1)), vec![stray], &mut out);
    pool.take(&tip, at(0), (SOURCE, Ticket(2)), vec![], &mut out);
    pool.take(&tip, at(0), (SOURCE, Ticket(3)), vec![expired], &mut out);
    assert_eq!(said(&mut out), ["look up 1 1", "admission 2 0/0", "admission 3 0/1"]);
    pool.coins_found(&tip, at(0), Ticket(1), FoundCoins::default(), &mut out);
    assert_eq!(said(&mut out), ["admission 1 0/1"]);
}

#[test]
fn a_child_and_a_repetition_wait_for_the_verdict_on_their_parent() {
    let ctx = context(None);
    let (tip, mut pool, mut out) = (tip(&ctx), pool(&ctx), Out::default());
    let (parent, child) = parent_and_child(&ctx, &tip);
    pool.take(&tip, at(0), (SOURCE, Ticket(1)), vec![parent.clone()], &mut out);
    pool.take(&tip, at(0), (SOURCE, Ticket(2)), vec![parent, child], &mut out);
    assert_eq!(said(&mut out), ["look up 1 1"]);
    assert_eq!(pool.admissions.waiting(), 2);
    pool.coins_found(&tip, at(0), Ticket(1), coins(&ctx), &mut out);
    assert_eq!(said(&mut out), ["verify 1 1"]);
    assert_eq!(pool.admissions.waiting(), 2);

    let bad = || vec![Err(RuleError::BadSignature)];
    assert_eq!(pool.admit_verified(&tip, at(1), Ticket(1), bad(), &mut out), []);
    // The repetition may have other witnesses: it is verified, and the child still waits.
    assert_eq!(said(&mut out), ["admission 1 0/1", "look up 2 1"]);
    pool.coins_found(&tip, at(1), Ticket(2), coins(&ctx), &mut out);
    assert_eq!(said(&mut out), ["verify 2 1"]);
    assert_eq!(pool.admissions.waiting(), 1);

    pool.admit_verified(&tip, at(1), Ticket(2), bad(), &mut out);
    assert_eq!(said(&mut out), ["look up 2 1"], "without its parent only the ledger may know");
    pool.coins_found(&tip, at(1), Ticket(2), FoundCoins::default(), &mut out);
    assert_eq!(said(&mut out), ["admission 2 0/2"], "without its parent the child spends nothing");
    assert_eq!(pool.admissions.waiting(), 0);
}

#[test]
fn an_admitted_parent_is_all_that_its_child_needs() {
    let ctx = context(None);
    let (tip, mut pool, mut out) = (tip(&ctx), pool(&ctx), Out::default());
    let (parent, child) = parent_and_child(&ctx, &tip);
    pool.take(&tip, at(0), (SOURCE, Ticket(1)), vec![parent.clone(), child], &mut out);
    pool.coins_found(&tip, at(0), Ticket(1), coins(&ctx), &mut out);
    assert_eq!(said(&mut out), ["look up 1 1", "verify 1 1"]);
    let output = coins(&ctx).output(&parent.body.inputs[0]).unwrap();
    let good = Verified::checked(Spend { transaction: parent, spent: vec![output] });
    pool.admit_verified(&tip, at(0), Ticket(1), vec![Ok(good)], &mut out);
    assert_eq!(said(&mut out), ["verify 1 1"]);
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    let ctx = context(None);
    let (tip, mut pool, mut out) = (tip(&ctx), pool(&ctx), Out::default());
    assert_eq!(pool.admit_verified(&tip, at(1), Ticket(9), vec![], &mut out), []);
    pool.coins_found(&tip, at(1), Ticket(9), FoundCoins::default(), &mut out);
    let (parent, _) = parent_and_child(&ctx, &tip);
    pool.take(&tip, at(0), (SOURCE, Ticket(1)), vec![parent], &mut out);
    pool.admit_verified(&tip, at(1), Ticket(1), vec![], &mut out);
    assert_eq!(said(&mut out), ["look up 1 1"]);
}
