//! Rules of blocks, and of transactions that meet in one block.
use crate::fixture::{BLOCK_BYTES, Fixture, SPACING_MS, pay, precommit_of, prevote_of, seal};
use timecoin_chain::{
    codec::encode,
    crypto::Signature,
    genesis::ChainId,
    ledger::ExecuteError,
    limits::{BLOCK_SIGNATURES_MAX, BLOCK_TRANSACTIONS_MAX, EVIDENCE_PER_BLOCK_MAX},
    rules::{EvidenceError, RuleError, VoteError},
    types::{
        Amount, Block, BlockHash, Evidence, Header, Height, OutPoint, Output, Round, SignerSet,
        Timestamp, Transaction, TxBody, Vote, Witness,
    },
};

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

pub(super) fn rows() -> Vec<Row> {
    let mut rows = header_rows();
    rows.extend(body_rows());
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

fn body_rows() -> Vec<Row> {
    // The header commits to the body as it was: a change that is not sealed shows in its root.
    let unsealed = |name, change: fn(&mut Block), error| {
        let fixture = Fixture::at_height(2);
        let mut block = valid_block(&fixture);
        change(&mut block);
        Row { name, fixture, block, error }
    };
    let large = {
        let mut block = valid_block(&Fixture::at_height(2));
        swell(&mut block);
        RuleError::BlockTooLarge { bytes: encode(&block).len(), max: BLOCK_BYTES }
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
            |b| b.evidence = vec![double_vote(&Fixture::new(), 0, 1)],
            RuleError::WrongEvidenceHash,
        ),
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
                b.transactions[0].witnesses =
                    vec![Witness::Multi(vec![signature; BLOCK_SIGNATURES_MAX + 1])];
            },
            RuleError::TooManySignatures { signatures: 32_001, max: 32_000 },
        ),
    ]
}

/// Adds outputs until the block is just above its limit. They keep no other rule.
fn swell(block: &mut Block) {
    let missing = BLOCK_BYTES - encode(block).len();
    let count = missing / encode(&pay(1)).len() + 1;
    block.transactions[0].body.outputs.extend(vec![pay(1); count]);
}

/// A block and nil, precommitted by one masternode in one round.
fn double_vote(fixture: &Fixture, signer: u16, height: u64) -> Evidence {
    let vote = Vote { height: Height(height), ..precommit_of(&fixture.block(vec![])) };
    let nil = fixture.vote(signer, Vote { block: None, ..vote.clone() });
    Evidence::of_votes(&fixture.vote(signer, vote), &nil).unwrap()
}

/// At height 3, with a block at height 2 that recorded an offence of masternode 1.
fn with_record(name: &'static str, evidence: fn(&Fixture) -> Evidence, error: RuleError) -> Row {
    let mut fixture = Fixture::at_height(1);
    let mut block = fixture.block(vec![]);
    block.evidence = vec![double_vote(&fixture, 1, 1)];
    seal(&mut block);
    fixture.apply(&block);
    let mut block = valid_block(&fixture);
    block.evidence = vec![evidence(&fixture)];
    seal(&mut block);
    Row { name, fixture, block, error }
}

fn evidence_rows() -> Vec<Row> {
    let wrong = |index, error: EvidenceError| {
        let reason = error.to_string();
        RuleError::WrongEvidence { index, reason }
    };
    let late = Fixture::at_height(7);
    let mut too_old = valid_block(&late);
    too_old.evidence = vec![double_vote(&late, 0, 2)];
    seal(&mut too_old);
    vec![
        contents(
            "more evidence than a block may carry",
            |f, b| b.evidence = vec![double_vote(f, 0, 1); EVIDENCE_PER_BLOCK_MAX + 1],
            RuleError::TooMuchEvidence { count: 9, max: 8 },
        ),
        contents(
            "one offender twice",
            |f, b| b.evidence = vec![double_vote(f, 0, 1), double_vote(f, 0, 2)],
            RuleError::EvidenceOrder { index: 1 },
        ),
        contents(
            "offenders out of order",
            |f, b| b.evidence = [1, 2, 0].map(|signer| double_vote(f, signer, 1)).to_vec(),
            RuleError::EvidenceOrder { index: 2 },
        ),
        contents(
            "evidence of a later height",
            |f, b| b.evidence = vec![double_vote(f, 0, 4)],
            RuleError::EvidenceFromFuture { height: Height(4), block: Height(3) },
        ),
        Row {
            name: "evidence of six blocks ago",
            fixture: late,
            block: too_old,
            error: RuleError::EvidenceTooOld { height: Height(2), oldest: Height(3) },
        },
        with_record(
            "another offence of a masternode that is recorded",
            |f| double_vote(f, 1, 2),
            RuleError::OffenceRecorded { offender: 1, recorded: Height(2) },
        ),
        contents(
            "evidence that somebody else signed",
            |f, b| {
                let Evidence::Votes(one, other) = double_vote(f, 0, 1) else { panic!() };
                let stolen = |vote| Vote { signer: 1, ..vote };
                b.evidence =
                    vec![double_vote(f, 0, 1), Evidence::Votes(stolen(one), stolen(other))];
            },
            wrong(1, EvidenceError::BadSignature),
        ),
    ]
}

#[test]
fn evidence_of_the_oldest_height_allowed_and_of_the_block_s_own_is_recorded() {
    let fixture = Fixture::at_height(7);
    let mut block = valid_block(&fixture);
    block.evidence = vec![double_vote(&fixture, 0, 3), double_vote(&fixture, 2, 8)];
    seal(&mut block);
    let delta = fixture.execute(&block).unwrap();
    assert_eq!(delta.state.offences, [Some(Height(8)), None, Some(Height(8)), None]);
    let without = fixture.execute(&valid_block(&fixture)).unwrap();
    assert_ne!(delta.state.root(), without.state.root(), "the root commits to the record");
}

fn last_commit_rows() -> Vec<Row> {
    let wrong = |reason: &str| RuleError::WrongLastCommit { reason: reason.into() };
    let other = || wrong("it certifies something else");
    let because = |error: VoteError| wrong(&error.to_string());
    let mut first = Fixture::new();
    let mut with_commit = first.block(vec![]);
    with_commit.last_commit = Some(first.certify(&with_commit));
    seal(&mut with_commit);
    first.commit = None;
    vec![
        Row {
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

fn in_rows() -> Vec<Row> {
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
        Row {
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
