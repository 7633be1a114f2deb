//! Rules of transactions that meet in one block.
use super::*;
use timecoin_chain::types::{Amount, TxBody};

/// Puts other transactions in the block.
fn transactions(
    name: &'static str,
    make: fn(&Fixture) -> Vec<Transaction>,
    error: fn(&[Transaction]) -> RuleError,
) -> Row {
    let fixture = Fixture::at_height(2);
    let block = fixture.block(make(&fixture));
    let error = error(&block.transactions);
    Row { name, fixture, block, error }
}

fn within(index: usize, error: RuleError) -> RuleError {
    RuleError::InTransaction { index, error: Box::new(error) }
}

pub(super) fn in_rows() -> Vec<Row> {
    let mut rows = double_spend_rows();
    rows.extend(missing_input_rows());
    rows.extend(own_rule_rows());
    rows
}

fn double_spend_rows() -> Vec<Row> {
    vec![
        transactions(
            "two transactions that spend one coin, as in CVE-2018-17144",
            |f| {
                let coin = [f.coin(1, 0)];
                vec![f.spend(&coin, vec![pay(99)]), f.spend(&coin, vec![pay(98)])]
            },
            |txs| within(1, RuleError::DoubleSpend { outpoint: txs[0].body.inputs[0] }),
        ),
        transactions(
            "one transaction twice",
            |f| vec![f.spend(&[f.coin(1, 0)], vec![pay(99)]); 2],
            |txs| within(1, RuleError::DoubleSpend { outpoint: txs[0].body.inputs[0] }),
        ),
        transactions(
            "two children of one output",
            |f| {
                let parent = f.spend(&[f.coin(1, 0)], vec![pay(99)]);
                let output = outputs_of(&parent);
                vec![parent, f.spend(&output, vec![pay(98)]), f.spend(&output, vec![pay(97)])]
            },
            |txs| within(2, RuleError::DoubleSpend { outpoint: txs[1].body.inputs[0] }),
        ),
        transactions(
            "one coin twice in one transaction",
            |f| vec![f.spend(&[f.coin(1, 0), f.coin(1, 0)], vec![pay(199)])],
            |txs| within(0, RuleError::DuplicateInput { outpoint: txs[0].body.inputs[0] }),
        ),
    ]
}

fn missing_input_rows() -> Vec<Row> {
    let mut spent_before = Fixture::at_height(1);
    let coin = spent_before.coin(2, 0);
    let tx = spent_before.spend(std::slice::from_ref(&coin), vec![pay(99)]);
    let block = spent_before.block(vec![tx.clone()]);
    spent_before.apply(&block);
    let again = spent_before.block(vec![tx]);
    vec![
        transactions(
            "a child before its parent",
            |f| valid_block(f).transactions.into_iter().rev().collect(),
            |txs| within(0, RuleError::MissingInput { outpoint: txs[0].body.inputs[0] }),
        ),
        transactions(
            "an output that never was",
            |f| {
                let (outpoint, output) = f.coin(1, 0);
                vec![f.spend(&[(OutPoint { vout: 9, ..outpoint }, output)], vec![pay(99)])]
            },
            |txs| within(0, RuleError::MissingInput { outpoint: txs[0].body.inputs[0] }),
        ),
        transactions(
            "an output of a transaction in the block that it does not have",
            |f| {
                let mut txs = valid_block(f).transactions;
                txs[1].edit(|tx| tx.body.inputs[1].vout = 2);
                txs
            },
            |txs| within(1, RuleError::MissingInput { outpoint: txs[1].body.inputs[1] }),
        ),
        Row {
            name: "a coin spent by an earlier block",
            fixture: spent_before,
            block: again,
            error: within(0, RuleError::MissingInput { outpoint: coin.0 }),
        },
    ]
}

/// Rules of a single transaction hold in a block too.
fn own_rule_rows() -> Vec<Row> {
    vec![
        transactions(
            "more than the child's parent gave it",
            |f| {
                let parent = f.spend(&[f.coin(1, 0)], vec![pay(99)]);
                let child = f.spend(&outputs_of(&parent), vec![pay(100)]);
                vec![parent, child]
            },
            |_| {
                let (inputs, outputs) = (Amount::from_time(99), Amount::from_time(100));
                within(1, RuleError::Overspend { inputs, outputs })
            },
        ),
        transactions(
            "a transaction without inputs",
            |f| vec![f.spend(&[], vec![pay(1)])],
            |_| within(0, RuleError::NoInputs),
        ),
        transactions(
            "a transaction for a later height",
            |f| {
                let coin = f.coin(1, 0);
                let body = f.body(std::slice::from_ref(&coin), vec![pay(99)]);
                vec![f.sign(Height(3), TxBody { not_before: Height(4), ..body }, &[coin.1])]
            },
            |_| within(0, RuleError::NotYetValid { height: Height(3), not_before: Height(4) }),
        ),
        transactions(
            "a bad signature of a child",
            |f| {
                let mut txs = valid_block(f).transactions;
                let other = txs[0].witnesses[0].clone();
                txs[1].edit(|tx| tx.witnesses = vec![other, tx.witnesses[0].clone()]);
                txs
            },
            |_| within(1, RuleError::BadSignature),
        ),
    ]
}
