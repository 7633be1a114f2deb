//! Rules of transactions, of what they spend and of their signatures.
mod signatures;
mod structure;
mod witnesses;

use crate::fixture::{
    Fixture, PREIMAGE, hash_lock, key, open, pay, secret, sorted_keys, two_of_three,
};
use signatures::signature_rows;
use structure::structure_rows;
use timecoin_chain::{
    crypto::{Ed25519, Signer},
    genesis::GenesisHash,
    rules::{RuleError, Spend, check_spend, check_transaction, verify_spends},
    types::{
        Amount, Height, Lock, OutPoint, Output, Transaction, TxBody, TxId, Witness, signing_message,
    },
};
use witnesses::witness_rows;

/// The height of the block that drafts would stand in.
const HEIGHT: Height = Height(100);

/// A transaction, what it spends, and where it would stand.
#[derive(Clone)]
struct Draft {
    body: TxBody,
    spent: Vec<Output>,
    witnesses: Vec<Witness>,
    genesis: GenesisHash,
}

impl Draft {
    /// Two coins of keys 1 and 2, two outputs, bounds that hold at [`HEIGHT`] only.
    fn valid() -> Self {
        let fixture = Fixture::new();
        let coins = [fixture.coin(1, 0), fixture.coin(2, 0)];
        let outputs = vec![pay(150), pay(49)];
        let body = fixture.body(&coins, outputs);
        Self {
            body: TxBody { not_before: HEIGHT, expiry_height: HEIGHT, ..body },
            spent: coins.map(|(_, output)| output).to_vec(),
            witnesses: vec![],
            genesis: fixture.chain.hash,
        }
        .signed()
    }

    /// The same with another lock on the first coin it spends.
    fn spending(lock: Lock) -> Self {
        let mut draft = Self::valid();
        draft.spent[0].lock = lock;
        draft.signed()
    }

    fn signed(mut self) -> Self {
        let message = self.message();
        self.witnesses =
            self.spent.iter().map(|output| open(&output.lock, HEIGHT, &message)).collect();
        self
    }

    fn message(&self) -> [u8; 32] {
        signing_message(&self.genesis, &self.body, &self.spent)
    }

    fn judge(&self) -> Result<Amount, RuleError> {
        let transaction = Transaction::new(self.body.clone(), self.witnesses.clone());
        check_transaction(self.genesis.chain_id(), &transaction)?;
        let fee = check_spend(HEIGHT, &transaction, &self.spent)?;
        let spend = Spend { transaction, spent: self.spent.clone() };
        let mut answers = verify_spends(&Ed25519, &self.genesis, vec![spend]);
        answers.pop().unwrap().map(|_| fee)
    }
}

#[test]
fn what_is_at_the_edge_of_a_rule_is_accepted() {
    let with = |change: &dyn Fn(&mut Draft)| {
        let mut draft = Draft::valid();
        change(&mut draft);
        draft.signed()
    };
    let wide = |inputs: u16, outputs: usize| {
        with(&|d| {
            d.body.inputs =
                (0..inputs).map(|vout| OutPoint { txid: TxId([1; 32]), vout }).collect();
            d.spent = vec![pay(1_000); usize::from(inputs)];
            d.body.outputs = vec![pay(1); outputs];
        })
    };
    let rows = [
        ("the plain one", Draft::valid(), 1),
        ("no fee", with(&|d| d.body.outputs = vec![pay(200)]), 0),
        ("no bounds", with(&|d| (d.body.not_before.0, d.body.expiry_height.0) = (0, u64::MAX)), 1),
        ("the last key of a multi lock", with(&|d| d.spent[0].lock = multi(3, &[1, 2, 3])), 1),
        ("one of one", with(&|d| d.spent[0].lock = multi(1, &[1])), 1),
        ("a lock of most keys", with(&|d| d.body.outputs[0].lock = multi(16, &range(16))), 1),
        ("a time lock on its first height", Draft::spending(timelock(HEIGHT.0)), 1),
        ("a claim before the refund", Draft::spending(hash_lock(HEIGHT.0 + 1)), 1),
        ("a refund on its first height", Draft::spending(hash_lock(HEIGHT.0)), 1),
        ("the most inputs", wide(700, 1), 699_999),
        ("the most outputs", wide(1, 1_000), 0),
    ];
    for (name, draft, fee) in rows {
        assert_eq!(draft.judge(), Ok(Amount::from_time(fee)), "{name}");
    }
    // From its refund height on, a hash lock still opens with the preimage.
    let mut late = Draft::spending(hash_lock(HEIGHT.0));
    late.witnesses[0] = claim(&late, PREIMAGE, 1);
    assert_eq!(late.judge(), Ok(Amount::from_time(1)));
    // Any two of the three keys open the multi lock.
    for indices in [[0, 1], [0, 2], [1, 2]] {
        let mut draft = Draft::spending(two_of_three());
        draft.witnesses[0] = multi_witness(&draft, &indices);
        assert_eq!(draft.judge(), Ok(Amount::from_time(1)), "{indices:?}");
    }
}

/// A valid draft, one thing broken, and the error it must give.
#[derive(Clone)]
pub(super) struct Row {
    name: &'static str,
    valid: Draft,
    broken: Draft,
    pub(super) error: RuleError,
}

#[test]
fn a_transaction_that_breaks_one_rule_gives_exactly_its_error() {
    for row in rows() {
        assert!(row.valid.judge().is_ok(), "{}: {:?}", row.name, row.valid.judge());
        assert_eq!(row.broken.judge(), Err(row.error), "{}", row.name);
    }
}

pub(super) fn rows() -> Vec<Row> {
    [structure_rows(), spend_rows(), witness_rows(), signature_rows()].concat()
}

/// Breaks the body or what it spends, and signs what came of it.
fn body(name: &'static str, change: fn(&mut Draft), error: RuleError) -> Row {
    let (valid, mut broken) = (Draft::valid(), Draft::valid());
    change(&mut broken);
    Row { name, valid, broken: broken.signed(), error }
}

/// Breaks a witness after everything was signed.
fn witness(name: &'static str, valid: Draft, change: fn(&mut Draft), error: RuleError) -> Row {
    let mut broken = valid.clone();
    change(&mut broken);
    Row { name, valid, broken, error }
}

fn spend_rows() -> Vec<Row> {
    let until = Height(101);
    vec![
        body(
            "before its first height",
            |d| (d.body.not_before.0, d.body.expiry_height.0) = (101, 101),
            RuleError::NotYetValid { height: HEIGHT, not_before: Height(101) },
        ),
        body(
            "after its last height",
            |d| (d.body.not_before.0, d.body.expiry_height.0) = (0, 99),
            RuleError::Expired { height: HEIGHT, expiry: Height(99) },
        ),
        body(
            "inputs whose sum overflows",
            |d| d.spent[0].value = Amount(u64::MAX),
            RuleError::InputOverflow,
        ),
        body(
            "one unit more than it spends",
            |d| {
                d.body.outputs[0].value = Amount::from_time(150);
                d.body.outputs[1].value = Amount(Amount::from_time(50).0 + 1);
            },
            RuleError::Overspend {
                inputs: Amount::from_time(200),
                outputs: Amount(Amount::from_time(200).0 + 1),
            },
        ),
        Row {
            valid: Draft::spending(timelock(HEIGHT.0)),
            ..body(
                "a time lock one height early",
                |d| d.spent[0].lock = timelock(101),
                RuleError::Locked { index: 0, until, height: HEIGHT },
            )
        },
        witness(
            "a refund one height early",
            Draft::spending(hash_lock(101)),
            |d| d.witnesses[0] = Witness::Refund(secret(2).sign(&d.message())),
            RuleError::Locked { index: 0, until, height: HEIGHT },
        ),
    ]
}

fn range(count: u8) -> Vec<u8> {
    (1..=count).collect()
}

fn multi(threshold: u8, keys: &[u8]) -> Lock {
    Lock::Multi { threshold, keys: sorted_keys(keys) }
}

fn timelock(height: u64) -> Lock {
    Lock::Timelock { height: Height(height), key: key(1) }
}

/// Parts of the two-of-three lock in the order of these indices, each signed by its key.
fn multi_witness(draft: &Draft, indices: &[u8]) -> Witness {
    let keys = sorted_keys(&[1, 2, 3]);
    let part = |&index: &u8| {
        let number = (1..=3).find(|&number| key(number) == keys[usize::from(index)]).unwrap();
        (index, secret(number).sign(&draft.message()))
    };
    Witness::Multi(indices.iter().map(part).collect())
}

fn claim(draft: &Draft, preimage: [u8; 32], by: u8) -> Witness {
    Witness::Claim { preimage, signature: secret(by).sign(&draft.message()) }
}
