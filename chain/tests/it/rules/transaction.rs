//! Rules of transactions, of what they spend and of their signatures.
use crate::fixture::{
    COIN, Fixture, PREIMAGE, hash_lock, key, open, pay, secret, sorted_keys, two_of_three,
};
use timecoin_chain::{
    codec::encode,
    crypto::{Ed25519, PublicKey, Signature, Signer, hash},
    genesis::{ChainId, GenesisHash},
    limits::{TX_BYTES_MAX, TX_INPUTS_MAX, TX_OUTPUTS_MAX},
    rules::{RuleError, Spend, check_spend, check_transaction, verify_spends},
    types::{
        Amount, Height, Lock, OutPoint, Output, Transaction, TxBody, TxId, Witness, signing_message,
    },
};

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
        let transaction =
            Transaction { body: self.body.clone(), witnesses: self.witnesses.clone() };
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

fn structure_rows() -> Vec<Row> {
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
        Row { error: too_large(), ..body("too many bytes", fill, RuleError::NoInputs) },
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

fn witness_rows() -> Vec<Row> {
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
        witness("no signature", multi(), |d| d.witnesses[0] = multi_witness(d, &[]), count()),
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

fn signature_rows() -> Vec<Row> {
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
