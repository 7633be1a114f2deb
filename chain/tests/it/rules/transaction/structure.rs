//! Rules of a transaction by itself, without what it spends.
use super::*;
use timecoin_chain::{
    codec::encode,
    genesis::ChainId,
    limits::{TX_BYTES_MAX, TX_INPUTS_MAX, TX_OUTPUTS_MAX},
};

pub(super) fn structure_rows() -> Vec<Row> {
    let mut rows = scope_rows();
    rows.extend(size_rows());
    rows.extend(amount_rows());
    rows.extend(lock_rows());
    rows.extend(witness_count_rows());
    rows
}

/// Version, chain and heights.
fn scope_rows() -> Vec<Row> {
    let chain = Draft::valid().genesis.chain_id();
    let (found, expected) = (ChainId([9; 4]).to_string(), chain.to_string());
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
            "no height at which it is valid",
            |d| d.body.not_before = Height(101),
            RuleError::EmptyHeightRange { not_before: Height(101), expiry: HEIGHT },
        ),
    ]
}

fn size_rows() -> Vec<Row> {
    vec![
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
    ]
}

fn amount_rows() -> Vec<Row> {
    vec![
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
    ]
}

fn lock_rows() -> Vec<Row> {
    let bad_lock = |index, reason| RuleError::BadLock { index, reason };
    let threshold = "the threshold must be between one and the number of keys";
    vec![
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
    ]
}

fn witness_count_rows() -> Vec<Row> {
    vec![
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
