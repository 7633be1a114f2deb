//! One row for each rule: a valid thing, one thing broken in it, and exactly the error of that rule.
use crate::fixture::{
    COIN, Fixture, PREIMAGE, hash_lock, key, precommit_of, prevote_of, seal, secret, sorted_keys,
    two_of_three,
};
use std::collections::BTreeSet;
use timecoin_chain::{
    codec::encode,
    crypto::{Ed25519, PublicKey, Signature, Signer, hash},
    genesis::{ChainId, GenesisHash},
    ledger::ExecuteError,
    limits::{BLOCK_TRANSACTIONS_MAX, TX_BYTES_MAX, TX_INPUTS_MAX, TX_OUTPUTS_MAX},
    rules::{RuleError, Spend, VoteError, check_spend, check_transaction, verify_spends},
    types::{
        Amount, Block, BlockHash, Evidence, Header, Height, Lock, OutPoint, Output, Round,
        SignerSet, Timestamp, Transaction, TxBody, TxId, Vote, Witness, signing_message,
    },
};

macro_rules! variants {
    ($($name:ident),* $(,)?) => {
        /// The name of a variant. Every variant must be here, or this does not compile.
        fn variant(error: &RuleError) -> &'static str {
            match error {
                $(RuleError::$name { .. } => stringify!($name),)*
            }
        }
        const VARIANTS: &[&str] = &[$(stringify!($name)),*];
    };
}
variants!(
    TransactionVersion,
    WrongChain,
    NoInputs,
    NoOutputs,
    TooManyInputs,
    TooManyOutputs,
    TransactionTooLarge,
    DuplicateInput,
    ZeroOutput,
    OutputOverflow,
    BadLock,
    WitnessCount,
    EmptyHeightRange,
    MissingInput,
    DoubleSpend,
    NotYetValid,
    Expired,
    InputOverflow,
    Overspend,
    WrongWitness,
    Locked,
    BadSignature,
    BlockVersion,
    BlockWrongChain,
    WrongHeight,
    WrongParent,
    TimeNotAfterParent,
    UnknownProposer,
    WrongStateRoot,
    WrongMasternodes,
    WrongTransactionsRoot,
    WrongWitnessesRoot,
    WrongLastCommitHash,
    WrongEvidenceHash,
    UnexpectedEvidence,
    LastCommitPresence,
    WrongLastCommit,
    TooManyTransactions,
    BlockTooLarge,
    InTransaction,
    SupplyOverflow,
);

#[test]
fn every_rule_has_a_row() {
    let mut seen = BTreeSet::from(["InTransaction"]);
    seen.extend(transaction_rows().iter().map(|row| variant(&row.error)));
    for row in block_rows() {
        match &row.error {
            RuleError::InTransaction { error, .. } => seen.insert(variant(error)),
            error => seen.insert(variant(error)),
        };
    }
    let missing: Vec<_> = VARIANTS.iter().filter(|name| !seen.contains(*name)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
}

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
        self.witnesses = self
            .spent
            .iter()
            .map(|output| crate::fixture::open(&output.lock, HEIGHT, &message))
            .collect();
        self
    }

    fn message(&self) -> [u8; 32] {
        signing_message(&self.genesis, &self.body, &self.spent)
    }

    fn judge(&self) -> Result<Amount, RuleError> {
        let transaction =
            Transaction { body: self.body.clone(), witnesses: self.witnesses.clone() };
        check_transaction(self.genesis.chain_id(), &transaction)?;
        let fee = check_spend(HEIGHT, &transaction, &self.spent)?;
        let spend = Spend { transaction, spent: self.spent.clone() };
        let mut answers = verify_spends(&Ed25519, &self.genesis, vec![spend]);
        answers.pop().unwrap().map(|_| fee)
    }
}

fn pay(time: u64) -> Output {
    Output { value: Amount::from_time(time), lock: Lock::Key(key(3)) }
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
            d.body.inputs = (0..inputs).map(|vout| OutPoint { txid: TxId([1; 32]), vout }).collect();
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
struct TransactionRow {
    name: &'static str,
    valid: Draft,
    broken: Draft,
    error: RuleError,
}

#[test]
fn a_transaction_that_breaks_one_rule_gives_exactly_its_error() {
    for row in transaction_rows() {
        assert!(row.valid.judge().is_ok(), "{}: {:?}", row.name, row.valid.judge());
        assert_eq!(row.broken.judge(), Err(row.error), "{}", row.name);
    }
}

fn transaction_rows() -> Vec<TransactionRow> {
    [structure_rows(), spend_rows(), witness_rows(), signature_rows()].concat()
}

/// Breaks the body or what it spends, and signs what came of it.
fn body(name: &'static str, change: fn(&mut Draft), error: RuleError) -> TransactionRow {
    let (valid, mut broken) = (Draft::valid(), Draft::valid());
    change(&mut broken);
    TransactionRow { name, valid, broken: broken.signed(), error }
}

/// Breaks a witness after everything was signed.
fn witness(
    name: &'static str,
    valid: Draft,
    change: fn(&mut Draft),
    error: RuleError,
) -> TransactionRow {
    let mut broken = valid.clone();
    change(&mut broken);
    TransactionRow { name, valid, broken, error }
}

impl Clone for TransactionRow {
    fn clone(&self) -> Self {
        let (valid, broken) = (self.valid.clone(), self.broken.clone());
        Self { name: self.name, valid, broken, error: self.error.clone() }
    }
}

fn structure_rows() -> Vec<TransactionRow> {
    let chain = Draft::valid().genesis.chain_id();
    let (found, expected) = (ChainId([9; 4]).to_string(), chain.to_string());
    let bad_lock = |index, reason| RuleError::BadLock { index, reason };
    let threshold = "the threshold must be between one and the number of keys";
    vec![
        body(
            "an unknown version",
            |d| d.body.version = 2,
            RuleError::TransactionVersion { version: 2, supported: 1 },
        ),
        body(
            "version zero",
            |d| d.body.version = 0,
            RuleError::TransactionVersion { version: 0, supported: 1 },
        ),
        body(
            "another chain",
            |d| d.body.chain = ChainId([9; 4]),
            RuleError::WrongChain { found, expected },
        ),
        body(
            "no inputs",
            |d| {
                d.body.inputs.clear();
                d.spent.clear();
            },
            RuleError::NoInputs,
        ),
        body("no outputs", |d| d.body.outputs.clear(), RuleError::NoOutputs),
        body(
            "one input too many",
            |d| {
                d.body.inputs =
                    (0..=700).map(|vout| OutPoint { txid: TxId([1; 32]), vout }).collect();
                d.spent = vec![pay(1); TX_INPUTS_MAX + 1];
            },
            RuleError::TooManyInputs { inputs: 701, max: 700 },
        ),
        body(
            "one output too many",
            |d| d.body.outputs = vec![pay(1); TX_OUTPUTS_MAX + 1],
            RuleError::TooManyOutputs { outputs: 1_001, max: 1_000 },
        ),
        TransactionRow { error: too_large(), ..body("too many bytes", fill, RuleError::NoInputs) },
        body(
            "one coin spent twice",
            |d| {
                d.body.inputs[1] = d.body.inputs[0];
                d.spent[1] = d.spent[0].clone();
            },
            RuleError::DuplicateInput { outpoint: Draft::valid().body.inputs[0] },
        ),
        body(
            "an output of nothing",
            |d| d.body.outputs[1].value = Amount::ZERO,
            RuleError::ZeroOutput { index: 1 },
        ),
        body(
            "outputs whose sum overflows",
            |d| d.body.outputs[1].value = Amount(u64::MAX),
            RuleError::OutputOverflow,
        ),
        body(
            "outputs whose sum is zero after overflow",
            |d| {
                d.body.outputs[0].value = Amount(1 << 63);
                d.body.outputs[1].value = Amount(1 << 63);
            },
            RuleError::OutputOverflow,
        ),
        body(
            "a threshold of zero",
            |d| d.body.outputs[1].lock = multi(0, &[1, 2]),
            bad_lock(1, threshold),
        ),
        body(
            "a threshold above the number of keys",
            |d| d.body.outputs[0].lock = multi(3, &[1, 2]),
            bad_lock(0, threshold),
        ),
        body(
            "a multi lock without keys",
            |d| d.body.outputs[0].lock = multi(0, &[]),
            bad_lock(0, threshold),
        ),
        body(
            "one key too many",
            |d| d.body.outputs[0].lock = multi(1, &range(17)),
            bad_lock(0, "more keys than allowed"),
        ),
        body(
            "keys that are not in order",
            |d| {
                let keys = sorted_keys(&[1, 2]).into_iter().rev().collect();
                d.body.outputs[0].lock = Lock::Multi { threshold: 1, keys };
            },
            bad_lock(0, "keys must be strictly ascending"),
        ),
        body(
            "a key that stands twice",
            |d| d.body.outputs[0].lock = multi(2, &[1, 1]),
            bad_lock(0, "keys must be strictly ascending"),
        ),
        witness(
            "no witness for an input",
            Draft::valid(),
            |d| _ = d.witnesses.pop(),
            RuleError::WitnessCount { witnesses: 1, inputs: 2 },
        ),
        witness(
            "a witness for no input",
            Draft::valid(),
            |d| d.witnesses.push(d.witnesses[0].clone()),
            RuleError::WitnessCount { witnesses: 3, inputs: 2 },
        ),
        body(
            "no height at which it is valid",
            |d| d.body.not_before = Height(101),
            RuleError::EmptyHeightRange { not_before: Height(101), expiry: HEIGHT },
        ),
    ]
}

/// Outputs with many keys: the counts hold, the bytes do not.
fn fill(draft: &mut Draft) {
    let lock = multi(1, &range(16));
    draft.body.outputs = vec![Output { value: Amount(1), lock }; 200];
}

fn too_large() -> RuleError {
    let mut draft = Draft::valid();
    fill(&mut draft);
    let draft = draft.signed();
    let bytes = encode(&(&draft.body, &draft.witnesses)).len();
    RuleError::TransactionTooLarge { bytes, max: TX_BYTES_MAX }
}

fn spend_rows() -> Vec<TransactionRow> {
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
        TransactionRow {
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

fn witness_rows() -> Vec<TransactionRow> {
    let wrong = |reason| RuleError::WrongWitness { index: 0, reason };
    let kind = || wrong("another kind of witness is needed");
    let count = || wrong("exactly the threshold of signatures is needed");
    let order = || wrong("key indices must be strictly ascending and exist");
    let multi = || Draft::spending(two_of_three());
    let locks = [
        Lock::Key(key(1)),
        two_of_three(),
        timelock(HEIGHT.0),
        hash_lock(HEIGHT.0 + 1),
        hash_lock(HEIGHT.0),
    ];
    let mut rows = vec![
        witness(
            "the wrong preimage",
            Draft::spending(hash_lock(101)),
            |d| d.witnesses[0] = claim(d, [1; 32], 1),
            wrong("the preimage does not hash to the lock"),
        ),
        witness(
            "the hash itself as preimage",
            Draft::spending(hash_lock(101)),
            |d| d.witnesses[0] = claim(d, hash("tc/preimage", &[&PREIMAGE]), 1),
            wrong("the preimage does not hash to the lock"),
        ),
        witness(
            "one signature too few",
            multi(),
            |d| d.witnesses[0] = multi_witness(d, &[1]),
            count(),
        ),
        witness(
            "no signature",
            multi(),
            |d| d.witnesses[0] = multi_witness(d, &[]),
            count(),
        ),
        witness(
            "one signature too many",
            multi(),
            |d| d.witnesses[0] = multi_witness(d, &[0, 1, 2]),
            count(),
        ),
        witness(
            "signatures out of order",
            multi(),
            |d| d.witnesses[0] = multi_witness(d, &[1, 0]),
            order(),
        ),
        witness(
            "one key that signs twice",
            multi(),
            |d| d.witnesses[0] = multi_witness(d, &[1, 1]),
            order(),
        ),
        witness(
            "a key that is not there",
            multi(),
            |d| {
                let signature = secret(1).sign(&d.message());
                d.witnesses[0] = Witness::Multi(vec![(0, signature), (3, signature)]);
            },
            order(),
        ),
    ];
    // Every kind of witness on every kind of lock, but for the pairs that fit.
    for lock in locks {
        let valid = Draft::spending(lock.clone());
        for other in [
            |d: &mut Draft| d.witnesses[0] = Witness::Key(secret(1).sign(&d.message())),
            |d: &mut Draft| d.witnesses[0] = multi_witness(d, &[0, 1]),
            |d: &mut Draft| d.witnesses[0] = claim(d, PREIMAGE, 1),
            |d: &mut Draft| d.witnesses[0] = Witness::Refund(secret(2).sign(&d.message())),
        ] {
            let mut changed = valid.clone();
            other(&mut changed);
            let fits = matches!(
                (&lock, &changed.witnesses[0]),
                (Lock::Key(_) | Lock::Timelock { .. }, Witness::Key(_))
                    | (Lock::Multi { .. }, Witness::Multi(_))
                    | (Lock::HashLock { .. }, Witness::Claim { .. } | Witness::Refund(_))
            );
            if !fits {
                rows.push(witness("another kind of witness", valid.clone(), other, kind()));
            }
        }
    }
    rows
}

fn signature_rows() -> Vec<TransactionRow> {
    let bad = |name, valid: Draft, change| witness(name, valid, change, RuleError::BadSignature);
    vec![
        bad("a signature with one bit changed", Draft::valid(), |d| {
            let Witness::Key(signature) = &d.witnesses[0] else { panic!("a key witness") };
            let mut bytes = signature.to_bytes();
            bytes[40] ^= 1;
            d.witnesses[0] = Witness::Key(Signature::from_bytes(&bytes));
        }),
        bad("another key's signature", Draft::valid(), |d| {
            d.witnesses[0] = Witness::Key(secret(3).sign(&d.message()));
        }),
        bad("the witnesses of two inputs swapped", Draft::valid(), |d| d.witnesses.swap(0, 1)),
        bad("a signature for another genesis with the same chain id", Draft::valid(), |d| {
            let mut genesis = d.genesis;
            genesis.0[31] ^= 1;
            let other = Draft { genesis, ..d.clone() }.signed();
            d.witnesses = other.witnesses;
        }),
        bad("a lie about the value of what is spent", Draft::valid(), |d| {
            d.spent[0].value = Amount(COIN.0 + 1);
        }),
        bad("a lie about the lock of another input", Draft::valid(), |d| {
            d.spent[1].lock = Lock::Key(key(3));
        }),
        bad("an output changed after signing", Draft::valid(), |d| {
            d.body.outputs[1].value = Amount::from_time(48);
        }),
        bad("a receiver changed after signing", Draft::valid(), |d| {
            d.body.outputs[1].lock = Lock::Key(key(4));
        }),
        bad("outputs swapped after signing", Draft::valid(), |d| d.body.outputs.swap(0, 1)),
        bad("an input changed after signing", Draft::valid(), |d| d.body.inputs[0].vout += 100),
        bad("a bound changed after signing", Draft::valid(), |d| d.body.not_before = Height(99)),
        bad("a key of small order, for which anyone can sign", Draft::valid(), |d| {
            let mut identity = [0; 32];
            identity[0] = 1;
            d.spent[0].lock = Lock::Key(PublicKey(identity));
            *d = d.clone().signed();
            let mut signature = [0; 64];
            signature[0] = 1;
            d.witnesses[0] = Witness::Key(Signature::from_bytes(&signature));
        }),
        bad("a time lock signed by another", Draft::spending(timelock(100)), |d| {
            d.witnesses[0] = Witness::Key(secret(2).sign(&d.message()));
        }),
        bad("a claim signed by the key of the refund", Draft::spending(hash_lock(101)), |d| {
            d.witnesses[0] = claim(d, PREIMAGE, 2);
        }),
        bad("a refund signed by the key of the claim", Draft::spending(hash_lock(100)), |d| {
            d.witnesses[0] = Witness::Refund(secret(1).sign(&d.message()));
        }),
        bad("a multi signature under another's index", Draft::spending(two_of_three()), |d| {
            let Witness::Multi(parts) = &mut d.witnesses[0] else { panic!("a multi witness") };
            parts[1].0 = 2;
        }),
        bad("one bad part of a multi signature", Draft::spending(two_of_three()), |d| {
            let Witness::Multi(parts) = &mut d.witnesses[0] else { panic!("a multi witness") };
            parts[1].1 = parts[0].1;
        }),
    ]
}

#[test]
fn one_bad_transaction_does_not_change_the_answers_of_the_others_in_its_batch() {
    let genesis = Draft::valid().genesis;
    let bad = signature_rows().remove(0).broken;
    for position in 0..5 {
        let mut drafts = vec![Draft::valid(); 4];
        drafts.insert(position, bad.clone());
        let spends = drafts.into_iter().map(|draft| Spend {
            transaction: Transaction { body: draft.body, witnesses: draft.witnesses },
            spent: draft.spent,
        });
        let answers = verify_spends(&Ed25519, &genesis, spends.collect());
        let valid: Vec<bool> = answers.iter().map(Result::is_ok).collect();
        let expected: Vec<bool> = (0..5).map(|index| index != position).collect();
        assert_eq!(valid, expected);
    }
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

/// A ledger, a valid block for it, one thing broken in the block, and the error.
struct BlockRow {
    name: &'static str,
    fixture: Fixture,
    block: Block,
    error: RuleError,
}

#[test]
fn a_block_that_breaks_one_rule_gives_exactly_its_error() {
    for row in block_rows() {
        let valid = row.fixture.execute(&valid_block(&row.fixture));
        assert!(valid.is_ok(), "{}: {valid:?}", row.name);
        let error = Err(ExecuteError::Rule(row.error));
        assert_eq!(row.fixture.execute(&row.block), error, "{}", row.name);
    }
}

#[test]
fn a_block_in_which_a_parent_comes_before_its_child_is_accepted() {
    let fixture = Fixture::at_height(2);
    let block = valid_block(&fixture);
    let delta = fixture.execute(&block).unwrap();
    let parent = block.transactions[0].txid();
    assert!(delta.created.iter().all(|coin| coin.coin.outpoint.txid != parent));
    assert_eq!(delta.spent.len(), 1);
}

#[test]
fn a_block_is_accepted_one_millisecond_after_its_parent_and_from_any_member() {
    let fixture = Fixture::at_height(2);
    let soon = fixture.block_at(Timestamp(fixture.state.timestamp.0 + 1), vec![]);
    assert!(fixture.execute(&soon).is_ok());
    for proposer in 0..4 {
        let mut block = fixture.block(vec![]);
        block.header.proposer = proposer;
        assert!(fixture.execute(&block).is_ok());
    }
}

#[test]
fn a_certificate_of_any_three_of_four_is_accepted() {
    let mut fixture = Fixture::at_height(1);
    let parent = fixture.block(vec![]);
    let before = fixture.clone();
    fixture.apply(&parent);
    for voters in [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]] {
        fixture.commit = Some(before.certify_by(&voters, &parent));
        assert!(fixture.execute(&valid_block(&fixture)).is_ok(), "{voters:?}");
    }
}

/// A parent and its child, which spends all that the parent made.
fn valid_block(fixture: &Fixture) -> Block {
    let coin = fixture.coin(1, 0);
    let parent = fixture.spend(&[coin], vec![pay(60), pay(39)]);
    let child = fixture.spend(&outputs_of(&parent), vec![pay(98)]);
    fixture.block(vec![parent, child])
}

fn outputs_of(tx: &Transaction) -> Vec<(OutPoint, Output)> {
    let txid = tx.txid();
    let outputs = tx.body.outputs.iter().cloned().enumerate();
    outputs.map(|(index, output)| (Transaction::outpoint(txid, index), output)).collect()
}

/// Breaks the header of a block whose body is as it was.
fn header(name: &'static str, change: fn(&mut Header), error: RuleError) -> BlockRow {
    let fixture = Fixture::at_height(2);
    let mut block = valid_block(&fixture);
    change(&mut block.header);
    BlockRow { name, fixture, block, error }
}

/// Breaks the body, to which the header commits as it then is.
fn contents(name: &'static str, change: fn(&Fixture, &mut Block), error: RuleError) -> BlockRow {
    let fixture = Fixture::at_height(2);
    let mut block = valid_block(&fixture);
    change(&fixture, &mut block);
    seal(&mut block);
    BlockRow { name, fixture, block, error }
}

/// Puts other transactions in the block.
fn transactions(
    name: &'static str,
    make: fn(&Fixture) -> Vec<Transaction>,
    error: fn(&[Transaction]) -> RuleError,
) -> BlockRow {
    let fixture = Fixture::at_height(2);
    let block = fixture.block(make(&fixture));
    let error = error(&block.transactions);
    BlockRow { name, fixture, block, error }
}

fn block_rows() -> Vec<BlockRow> {
    let mut rows = header_rows();
    rows.extend(body_rows());
    rows.extend(last_commit_rows());
    rows.extend(in_block_rows());
    rows
}

fn header_rows() -> Vec<BlockRow> {
    let state = Fixture::at_height(2).state;
    let chain = Fixture::new().chain.id().to_string();
    let found = ChainId([9; 4]).to_string();
    let wrong_height = |found| RuleError::WrongHeight { found: Height(found), expected: Height(3) };
    let not_after = |timestamp| RuleError::TimeNotAfterParent { timestamp, parent: state.timestamp };
    vec![
        header(
            "an unknown version",
            |h| h.version = 2,
            RuleError::BlockVersion { version: 2, supported: 1 },
        ),
        header(
            "another chain",
            |h| h.chain = ChainId([9; 4]),
            RuleError::BlockWrongChain { found, expected: chain },
        ),
        header("a height left out", |h| h.height = Height(4), wrong_height(4)),
        header("the parent's height", |h| h.height = Height(2), wrong_height(2)),
        header("another parent", |h| h.parent = BlockHash([9; 32]), RuleError::WrongParent),
        header(
            "the parent's time",
            |h| h.timestamp.0 -= crate::fixture::SPACING_MS,
            not_after(state.timestamp),
        ),
        header("a time before all others", |h| h.timestamp.0 = 0, not_after(Timestamp(0))),
        header(
            "a proposer that does not exist",
            |h| h.proposer = 4,
            RuleError::UnknownProposer { proposer: 4, members: 4 },
        ),
        header("another state", |h| h.state_root[0] ^= 1, RuleError::WrongStateRoot),
        header("other masternodes", |h| h.masternodes[0] ^= 1, RuleError::WrongMasternodes),
        header(
            "another transactions root",
            |h| h.transactions_root[31] ^= 1,
            RuleError::WrongTransactionsRoot,
        ),
        header(
            "another witnesses root",
            |h| h.witnesses_root[31] ^= 1,
            RuleError::WrongWitnessesRoot,
        ),
        header(
            "another last commit hash",
            |h| h.last_commit[31] ^= 1,
            RuleError::WrongLastCommitHash,
        ),
        header("another evidence hash", |h| h.evidence[31] ^= 1, RuleError::WrongEvidenceHash),
        header(
            "a time at which all money has been issued many times over",
            |h| h.timestamp = Timestamp(u64::MAX),
            RuleError::SupplyOverflow,
        ),
    ]
}

fn body_rows() -> Vec<BlockRow> {
    // The header commits to the body as it was: a change that is not sealed shows in its root.
    let unsealed = |name, change: fn(&mut Block), error| {
        let fixture = Fixture::at_height(2);
        let mut block = valid_block(&fixture);
        change(&mut block);
        BlockRow { name, fixture, block, error }
    };
    let large = {
        let mut block = valid_block(&Fixture::at_height(2));
        swell(&mut block);
        RuleError::BlockTooLarge { bytes: encode(&block).len(), max: 64 * 1024 }
    };
    vec![
        unsealed(
            "a transaction taken out",
            |b| _ = b.transactions.pop(),
            RuleError::WrongTransactionsRoot,
        ),
        unsealed(
            "the last transaction repeated, as in CVE-2012-2459",
            |b| b.transactions.push(b.transactions[1].clone()),
            RuleError::WrongTransactionsRoot,
        ),
        unsealed(
            "the order of transactions changed",
            |b| b.transactions.swap(0, 1),
            RuleError::WrongTransactionsRoot,
        ),
        unsealed(
            "a witness exchanged",
            |b| b.transactions[0].witnesses[0] = b.transactions[1].witnesses[0].clone(),
            RuleError::WrongWitnessesRoot,
        ),
        unsealed(
            "a signature taken out of the certificate",
            |b| _ = b.last_commit.as_mut().unwrap().signatures.pop(),
            RuleError::WrongLastCommitHash,
        ),
        unsealed(
            "evidence put in",
            |b| b.evidence = vec![evidence()],
            RuleError::WrongEvidenceHash,
        ),
        contents(
            "evidence, which version 1 does not know",
            |_, b| b.evidence = vec![evidence(), evidence()],
            RuleError::UnexpectedEvidence { count: 2 },
        ),
        contents("one byte too many", |_, b| swell(b), large),
        contents(
            "one transaction too many",
            |_, b| {
                let tx = b.transactions[0].clone();
                b.transactions = vec![tx; BLOCK_TRANSACTIONS_MAX + 1];
            },
            RuleError::TooManyTransactions { count: 20_001, max: 20_000 },
        ),
    ]
}

/// Adds outputs until the block is just above its 64 KiB. They keep no other rule.
fn swell(block: &mut Block) {
    while encode(block).len() <= 64 * 1024 {
        block.transactions[0].body.outputs.push(pay(1));
    }
}

fn evidence() -> Evidence {
    let vote: Vote = precommit_of(&Fixture::new().block(vec![]));
    Evidence::Votes(vote.clone(), Vote { block: None, ..vote })
}

fn last_commit_rows() -> Vec<BlockRow> {
    let wrong = |reason: &str| RuleError::WrongLastCommit { reason: reason.into() };
    let other = || wrong("it certifies something else");
    let because = |error: VoteError| wrong(&error.to_string());
    let mut first = Fixture::new();
    let mut with_commit = first.block(vec![]);
    with_commit.last_commit = Some(first.certify(&with_commit));
    seal(&mut with_commit);
    first.commit = None;
    vec![
        BlockRow {
            name: "a certificate at height 1",
            fixture: first,
            block: with_commit,
            error: RuleError::LastCommitPresence,
        },
        contents(
            "no certificate after height 1",
            |_, b| b.last_commit = None,
            RuleError::LastCommitPresence,
        ),
        contents(
            "a certificate for another block",
            |f, b| {
                let vote = Vote { block: Some(BlockHash([7; 32])), ..parent_vote(f) };
                b.last_commit = Some(f.certificate(&[0, 1, 2, 3], &vote));
            },
            other(),
        ),
        contents(
            "a certificate for another height",
            |f, b| {
                let vote = Vote { height: Height(1), ..parent_vote(f) };
                b.last_commit = Some(f.certificate(&[0, 1, 2, 3], &vote));
            },
            other(),
        ),
        contents(
            "a certificate for no block",
            |f, b| {
                let vote = Vote { block: None, ..parent_vote(f) };
                b.last_commit = Some(f.certificate(&[0, 1, 2, 3], &vote));
            },
            other(),
        ),
        contents(
            "a polka instead of a commit certificate",
            |f, b| {
                let kind = prevote_of(b, Round(0)).kind;
                let vote = Vote { kind, ..parent_vote(f) };
                b.last_commit = Some(f.certificate(&[0, 1, 2, 3], &vote));
            },
            other(),
        ),
        contents(
            "two of four",
            |f, b| b.last_commit = Some(f.certificate(&[1, 3], &parent_vote(f))),
            because(VoteError::NotEnoughWeight { weight: 2, total: 4 }),
        ),
        contents(
            "a signature that is not valid",
            |_, b| b.last_commit.as_mut().unwrap().signatures.swap(0, 1),
            because(VoteError::BadSignature),
        ),
        contents(
            "a signature for another chain",
            |f, b| {
                let mut other = f.clone();
                other.chain.hash.0[31] ^= 1;
                b.last_commit = Some(other.certificate(&[0, 1, 2, 3], &parent_vote(f)));
            },
            because(VoteError::BadSignature),
        ),
        contents(
            "a bitmap with a bit beyond the set",
            |_, b| {
                let commit = b.last_commit.as_mut().unwrap();
                commit.signers = SignerSet::empty(8);
                (0..3).chain([7]).for_each(|index| commit.signers.insert(index));
            },
            because(VoteError::BadBitmap),
        ),
        contents(
            "more signatures than signers",
            |_, b| {
                let commit = b.last_commit.as_mut().unwrap();
                commit.signatures.push(commit.signatures[0]);
            },
            because(VoteError::SignatureCount { signatures: 5, signers: 4 }),
        ),
        contents(
            "a certificate that names a valid round",
            |_, b| b.last_commit.as_mut().unwrap().valid_round = Some(Round(0)),
            because(VoteError::UnexpectedValidRound),
        ),
    ]
}

/// The precommit for the last final block.
fn parent_vote(fixture: &Fixture) -> Vote {
    let vote = fixture.commit.as_ref().unwrap().votes().next();
    vote.unwrap()
}

fn in_block_rows() -> Vec<BlockRow> {
    fn within(index: usize, error: RuleError) -> RuleError {
        RuleError::InTransaction { index, error: Box::new(error) }
    }
    let mut spent_before = Fixture::at_height(1);
    let coin = spent_before.coin(2, 0);
    let tx = spent_before.spend(std::slice::from_ref(&coin), vec![pay(99)]);
    let block = spent_before.block(vec![tx.clone()]);
    spent_before.apply(&block);
    let again = spent_before.block(vec![tx]);
    vec![
        transactions(
            "two transactions that spend one coin, as in CVE-2018-17144",
            |f| {
                let coin = [f.coin(1, 0)];
                vec![f.spend(&coin, vec![pay(99)]), f.spend(&coin, vec![pay(98)])]
            },
            |txs| {
                within(1, RuleError::DoubleSpend { outpoint: txs[0].body.inputs[0] })
            },
        ),
        transactions(
            "one transaction twice",
            |f| vec![f.spend(&[f.coin(1, 0)], vec![pay(99)]); 2],
            |txs| {
                within(1, RuleError::DoubleSpend { outpoint: txs[0].body.inputs[0] })
            },
        ),
        transactions(
            "two children of one output",
            |f| {
                let parent = f.spend(&[f.coin(1, 0)], vec![pay(99)]);
                let output = outputs_of(&parent);
                vec![parent, f.spend(&output, vec![pay(98)]), f.spend(&output, vec![pay(97)])]
            },
            |txs| {
                within(2, RuleError::DoubleSpend { outpoint: txs[1].body.inputs[0] })
            },
        ),
        transactions(
            "one coin twice in one transaction",
            |f| vec![f.spend(&[f.coin(1, 0), f.coin(1, 0)], vec![pay(199)])],
            |txs| {
                within(0, RuleError::DuplicateInput { outpoint: txs[0].body.inputs[0] })
            },
        ),
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
                txs[1].body.inputs[1].vout = 2;
                txs
            },
            |txs| within(1, RuleError::MissingInput { outpoint: txs[1].body.inputs[1] }),
        ),
        BlockRow {
            name: "a coin spent by an earlier block",
            fixture: spent_before,
            block: again,
            error: within(0, RuleError::MissingInput { outpoint: coin.0 }),
        },
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
                txs[1].witnesses.swap(0, 1);
                txs[1].witnesses[0] = txs[0].witnesses[0].clone();
                txs
            },
            |_| within(1, RuleError::BadSignature),
        ),
    ]
}
