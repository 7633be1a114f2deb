//! From arrival to admission. Nothing here signs: verdicts on signatures are given.
use super::{context, said, tip};
use crate::{
    crypto::Signature,
    engine::{Source, Ticket, context::Context, out::Out, pool::Pool, tip::Tip},
    ledger::MemoryView,
    mempool::MempoolLimits,
    rules::RuleError,
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
    Transaction { body, witnesses: vec![Witness::Key(Signature::from_bytes(&[0; 64]))] }
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

#[test]
fn what_breaks_a_rule_before_signatures_is_answered_at_once() {
    let ctx = context(None);
    let (tip, mut pool, mut out) = (tip(&ctx), pool(&ctx), Out::default());
    let (parent, _) = parent_and_child(&ctx, &tip);
    let unknown = OutPoint { txid: TxId([7; 32]), vout: 0 };
    let stray = spend(&ctx, unknown, &parent.body.outputs[0]);
    pool.take(&tip, (SOURCE, Ticket(1)), vec![stray], &mut out).unwrap();
    pool.take(&tip, (SOURCE, Ticket(2)), vec![], &mut out).unwrap();
    assert_eq!(said(&mut out), ["admission 1 0/1", "admission 2 0/0"]);
}

#[test]
fn a_child_and_a_repetition_wait_for_the_verdict_on_their_parent() {
    let ctx = context(None);
    let (tip, mut pool, mut out) = (tip(&ctx), pool(&ctx), Out::default());
    let (parent, child) = parent_and_child(&ctx, &tip);
    pool.take(&tip, (SOURCE, Ticket(1)), vec![parent.clone()], &mut out).unwrap();
    pool.take(&tip, (SOURCE, Ticket(2)), vec![parent, child], &mut out).unwrap();
    assert_eq!(said(&mut out), ["verify 1 1"]);
    assert_eq!(pool.admissions.waiting(), 2);

    let now = super::at(1);
    let bad = vec![Err(RuleError::BadSignature)];
    let admitted = pool.admit_checked(&tip, now, Ticket(1), bad).unwrap();
    assert_eq!(admitted, Some(vec![]));
    pool.release(&tip, Ticket(1), &mut out).unwrap();
    // The repetition may have other witnesses: it is verified, and the child still waits.
    assert_eq!(said(&mut out), ["admission 1 0/1", "verify 2 1"]);
    assert_eq!(pool.admissions.waiting(), 1);

    let bad = vec![Err(RuleError::BadSignature)];
    pool.admit_checked(&tip, now, Ticket(2), bad).unwrap();
    pool.release(&tip, Ticket(2), &mut out).unwrap();
    assert_eq!(said(&mut out), ["admission 2 0/2"], "without its parent the child spends nothing");
    assert_eq!(pool.admissions.waiting(), 0);
}

#[test]
fn a_verdict_that_nobody_waits_for_changes_nothing() {
    let ctx = context(None);
    let (tip, mut pool) = (tip(&ctx), pool(&ctx));
    assert_eq!(pool.admit_checked(&tip, super::at(1), Ticket(9), vec![]).unwrap(), None);
}
