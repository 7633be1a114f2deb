//! Rules of blocks, and of transactions that meet in one block.
mod evidence;
mod last_commit;
mod transactions;

use crate::fixture::{BLOCK_BYTES, Fixture, SPACING_MS, pay, seal};
use evidence::{double_vote, evidence_rows};
use last_commit::last_commit_rows;
use timecoin_chain::{
    codec::encode,
    crypto::Signature,
    genesis::ChainId,
    ledger::ExecuteError,
    limits::{BLOCK_SIGNATURES_MAX, BLOCK_TRANSACTIONS_MAX},
    rules::RuleError,
    types::{Block, BlockHash, Header, Height, OutPoint, Output, Timestamp, Transaction, Witness},
};
use transactions::in_rows;

/// A ledger, a valid block for it, one thing broken in the block, and the error.
pub(super) struct Row {
    name: &'static str,
    fixture: Fixture,
    block: Block,
    pub(super) error: RuleError,
}

#[test]
fn a_block_that_breaks_one_rule_gives_exactly_its_error() {
    for row in rows() {
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
fn header(name: &'static str, change: fn(&mut Header), error: RuleError) -> Row {
    let fixture = Fixture::at_height(2);
    let mut block = valid_block(&fixture);
    change(&mut block.header);
    Row { name, fixture, block, error }
}

/// Breaks the body, to which the header commits as it then is.
fn contents(name: &'static str, change: fn(&Fixture, &mut Block), error: RuleError) -> Row {
    let fixture = Fixture::at_height(2);
    let mut block = valid_block(&fixture);
    change(&fixture, &mut block);
    seal(&mut block);
    Row { name, fixture, block, error }
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = header_rows();
    rows.extend(commitment_rows());
    rows.extend(limit_rows());
    rows.extend(evidence_rows());
    rows.extend(last_commit_rows());
    rows.extend(in_rows());
    rows
}

fn header_rows() -> Vec<Row> {
    let state = Fixture::at_height(2).state;
    let chain = Fixture::new().chain.id().to_string();
    let found = ChainId([9; 4]).to_string();
    let wrong_height = |found| RuleError::WrongHeight { found: Height(found), expected: Height(3) };
    let not_after =
        |timestamp| RuleError::TimeNotAfterParent { timestamp, parent: state.timestamp };
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
        header("the parent's time", |h| h.timestamp.0 -= SPACING_MS, not_after(state.timestamp)),
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

fn commitment_rows() -> Vec<Row> {
    // The header commits to the body as it was: a change that is not sealed shows in its root.
    let unsealed = |name, change: fn(&mut Block), error| {
        let fixture = Fixture::at_height(2);
        let mut block = valid_block(&fixture);
        change(&mut block);
        Row { name, fixture, block, error }
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
            |b| {
                let other = b.transactions[1].witnesses[0].clone();
                b.transactions[0].edit(|tx| tx.witnesses[0] = other);
            },
            RuleError::WrongWitnessesRoot,
        ),
        unsealed(
            "a signature taken out of the certificate",
            |b| _ = b.last_commit.as_mut().unwrap().signatures.pop(),
            RuleError::WrongLastCommitHash,
        ),
        unsealed(
            "evidence put in",
            |b| b.evidence = vec![double_vote(&Fixture::new(), 0, 1)],
            RuleError::WrongEvidenceHash,
        ),
    ]
}

fn limit_rows() -> Vec<Row> {
    let large = {
        let mut block = valid_block(&Fixture::at_height(2));
        swell(&mut block);
        RuleError::BlockTooLarge { bytes: encode(&block).len(), max: BLOCK_BYTES }
    };
    vec![
        contents("a few bytes too many", |_, b| swell(b), large),
        contents(
            "one transaction too many",
            |_, b| {
                let tx = b.transactions[0].clone();
                b.transactions = vec![tx; BLOCK_TRANSACTIONS_MAX + 1];
            },
            RuleError::TooManyTransactions { count: 20_001, max: 20_000 },
        ),
        contents(
            "one signature too many",
            |_, b| {
                let signature = (0, Signature::from_bytes(&[0; 64]));
                b.transactions.truncate(1);
                let witness = Witness::Multi(vec![signature; BLOCK_SIGNATURES_MAX + 1]);
                b.transactions[0].edit(|tx| tx.witnesses = vec![witness]);
            },
            RuleError::TooManySignatures { signatures: 32_001, max: 32_000 },
        ),
    ]
}

/// Adds outputs until the block is just above its limit. They keep no other rule.
fn swell(block: &mut Block) {
    let missing = BLOCK_BYTES - encode(block).len();
    let count = missing / encode(&pay(1)).len() + 1;
    block.transactions[0].edit(|tx| tx.body.outputs.extend(vec![pay(1); count]));
}
