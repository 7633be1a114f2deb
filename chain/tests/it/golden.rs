//! Frozen bytes: what is hashed, signed, stored and sent may not change by accident.
//!
//! `golden.txt` has one value of every encoded type with its hashes, and the state of a small chain;
//! `conformance.txt` has a hash over thousands of generated values of every type.
use crate::{
    fixture::{COIN, Fixture, hash_lock, key, two_of_three},
    generate::{Source, each_canonical_type},
};
use sha2::{Digest, Sha256};
use std::{
    fmt::{Debug, Write},
    path::PathBuf,
};
use timecoin_chain::{
    codec::{Canonical, decode, encode},
    crypto::{LtHash, PublicKey, Signature, hash},
    genesis::{Allocation, Chain, ChainId, Genesis, GenesisHash, Network, Params, Timeout},
    ledger::LedgerState,
    types::*,
};

const BLESS: &str = "TIMECOIN_BLESS";

#[test]
fn the_bytes_of_every_type_are_frozen() {
    let mut lines = Lines::default();
    transactions(&mut lines);
    blocks(&mut lines);
    consensus(&mut lines);
    requests(&mut lines);
    genesis(&mut lines);
    ledger(&mut lines);
    lines.compare("golden.txt");
}

#[test]
fn the_bytes_of_thousands_of_generated_values_are_frozen() {
    const VALUES: u64 = 2_000;
    let mut lines = Lines::default();
    macro_rules! hash_every_type {
        ($($name:ident,)*) => {$(
            let mut hasher = Sha256::new();
            for seed in 0..VALUES {
                let bytes = encode(&Source::new(seed).one::<$name>());
                hasher.update((bytes.len() as u64).to_le_bytes());
                hasher.update(bytes);
            }
            lines.hash(concat!(stringify!($name), ".2000"), &hasher.finalize().into());
        )*};
    }
    each_canonical_type!(hash_every_type);
    lines.compare("conformance.txt");
}

/// The text of a file of vectors: a name and hexadecimal bytes on each line.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        writeln!(self.0, "{name} {}", hex::encode(bytes)).unwrap();
    }

    fn hash(&mut self, name: &str, hash: &[u8; 32]) {
        self.bytes(name, hash);
    }

    /// The encoding of a value, which must also decode to it.
    fn value<T: Canonical + PartialEq + Debug>(&mut self, name: &str, value: &T) {
        let bytes = encode(value);
        assert_eq!(decode::<T>(&bytes).as_ref(), Ok(value), "{name}");
        self.bytes(name, &bytes);
    }

    fn compare(&self, file: &str) {
        let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "vectors", file].iter().collect();
        if is_blessed() {
            std::fs::write(&path, &self.0).unwrap();
        }
        let frozen = std::fs::read_to_string(&path).unwrap_or_default();
        let (mut now, mut then) = (self.0.lines(), frozen.lines());
        loop {
            match (now.next(), then.next()) {
                (None, None) => return,
                (now, then) => assert_eq!(
                    now, then,
                    "\ntests/vectors/{file} differs: left is what the code gives, right is frozen. \
                     Nodes that differ here split the chain. A difference is a decision and needs an \
                     ADR; with it, write the file again with {BLESS}=1"
                ),
            }
        }
    }
}

/// Whether the files are to be written again.
#[allow(clippy::disallowed_methods, reason = "a switch of the test, not a parameter of the chain")]
fn is_blessed() -> bool {
    std::env::var(BLESS).is_ok_and(|value| value == "1")
}

/// Bytes that show when they are exchanged or reversed: they ascend from the first.
fn bytes<const N: usize>(first: u8) -> [u8; N] {
    let mut next = first;
    [(); N].map(|()| {
        next = next.wrapping_add(1);
        next.wrapping_sub(1)
    })
}

fn public(first: u8) -> PublicKey {
    PublicKey(bytes(first))
}

fn signature(first: u8) -> Signature {
    Signature::from_bytes(&bytes(first))
}

fn locks() -> [(&'static str, Lock); 4] {
    [
        ("key", Lock::Key(public(0x10))),
        ("multi", Lock::Multi { threshold: 2, keys: vec![public(0x11), public(0x12)] }),
        ("timelock", Lock::Timelock { height: Height(0x0102_0304_0506_0708), key: public(0x13) }),
        (
            "hashlock",
            Lock::HashLock {
                hash: bytes(0x14),
                claim: public(0x15),
                refund_height: Height(0x1112_1314_1516_1718),
                refund: public(0x16),
            },
        ),
    ]
}

fn witnesses() -> [(&'static str, Witness); 4] {
    [
        ("key", Witness::Key(signature(0x20))),
        ("multi", Witness::Multi(vec![(0, signature(0x21)), (3, signature(0x22))])),
        ("claim", Witness::Claim { preimage: bytes(0x23), signature: signature(0x24) }),
        ("refund", Witness::Refund(signature(0x25))),
    ]
}

fn transaction(locks: &[Lock], witnesses: &[Witness]) -> Transaction {
    let inputs = (0..witnesses.len())
        .map(|index| OutPoint {
            txid: TxId(bytes(0x30)),
            vout: 0x0100 + u16::try_from(index).unwrap(),
        })
        .collect();
    let outputs = locks
        .iter()
        .map(|lock| Output { value: Amount(0x0807_0605_0403_0201), lock: lock.clone() })
        .collect();
    let body = TxBody {
        version: TxBody::VERSION,
        chain: ChainId([0xc0, 0xc1, 0xc2, 0xc3]),
        inputs,
        outputs,
        not_before: Height(0x0a0b),
        expiry_height: Height(u64::MAX),
        kind: TxKind::Transfer,
    };
    Transaction::new(body, witnesses.to_vec())
}

fn full_transaction() -> Transaction {
    transaction(&locks().map(|(_, lock)| lock), &witnesses().map(|(_, witness)| witness))
}

fn transactions(lines: &mut Lines) {
    for (name, lock) in locks() {
        let tx = transaction(std::slice::from_ref(&lock), &[]);
        lines.value(&format!("transaction.lock.{name}"), &tx);
        lines.hash(&format!("transaction.lock.{name}.txid"), &tx.txid().0);
        let outpoint = OutPoint { txid: TxId(bytes(0x31)), vout: 0x0201 };
        let output = Output { value: Amount(0x0102), lock };
        lines.value(&format!("coin.{name}"), &Coin { outpoint, height: Height(0x0304), output });
    }
    for (name, witness) in witnesses() {
        let tx = transaction(&[], &[witness]);
        lines.value(&format!("transaction.witness.{name}"), &tx);
        lines.hash(&format!("transaction.witness.{name}.wtxid"), &tx.wtxid().0);
    }
    let tx = full_transaction();
    lines.value("transaction", &tx);
    lines.hash("transaction.txid", &tx.txid().0);
    lines.hash("transaction.wtxid", &tx.wtxid().0);
    let spent: Vec<Output> =
        locks().map(|(_, lock)| Output { value: Amount(0x0506), lock }).to_vec();
    let message = signing_message(&GenesisHash(bytes(0x40)), &tx.body, &spent);
    lines.hash("transaction.signing_message", &message);
    lines.hash("preimage", &hash("tc/preimage", &[&bytes::<32>(0x23)]));
    lines.value("transaction_batch", &TransactionBatch(vec![tx.clone(), tx]));
}

fn header() -> Header {
    Header {
        version: Header::VERSION,
        chain: ChainId([0xc0, 0xc1, 0xc2, 0xc3]),
        height: Height(0x0102),
        parent: BlockHash(bytes(0x50)),
        timestamp: Timestamp(0x0001_0203_0405_0607),
        proposer: 0x0304,
        state_root: bytes(0x51),
        masternodes: bytes(0x52),
        transactions_root: bytes(0x53),
        witnesses_root: bytes(0x54),
        last_commit: bytes(0x55),
        evidence: bytes(0x56),
    }
}

fn vote(kind: VoteKind, block: Option<BlockHash>, valid_round: Option<Round>) -> Vote {
    let (height, round) = (Height(0x0102), Round(0x0304));
    Vote { kind, height, round, block, valid_round, signer: 0x0506, signature: signature(0x60) }
}

fn votes() -> [(&'static str, Vote); 4] {
    let block = Some(BlockHash(bytes(0x61)));
    [
        ("prevote", vote(VoteKind::Prevote, block, None)),
        ("prevote.nil", vote(VoteKind::Prevote, None, None)),
        ("prevote.valid_round", vote(VoteKind::Prevote, block, Some(Round(0x0203)))),
        ("precommit", vote(VoteKind::Precommit, block, None)),
    ]
}

fn signers() -> SignerSet {
    let mut signers = SignerSet::empty(12);
    [0, 3, 9, 11].iter().for_each(|&index| signers.insert(index));
    signers
}

fn certificate() -> Certificate {
    let (_, vote) = &votes()[3];
    Certificate {
        kind: vote.kind,
        height: vote.height,
        round: vote.round,
        block: vote.block,
        valid_round: None,
        signers: signers(),
        signatures: (0..4).map(|index| signature(0x70 + index)).collect(),
    }
}

fn polka() -> Certificate {
    let valid_round = Some(Round(0x0203));
    Certificate { kind: VoteKind::Prevote, valid_round, ..certificate() }
}

fn evidence() -> [(&'static str, Evidence); 3] {
    let [(_, one), (_, two), _, (_, precommit)] = votes();
    let statement = |valid_round, first| ProposalStatement {
        height: Height(0x0102),
        round: Round(0x0304),
        valid_round,
        block: BlockHash(bytes(first)),
        proposer: 0x0506,
        signature: signature(first + 1),
    };
    [
        ("votes", Evidence::Votes(one.clone(), two)),
        (
            "proposals",
            Evidence::Proposals(statement(None, 0x62), statement(Some(Round(0x0203)), 0x64)),
        ),
        ("amnesia", Evidence::Amnesia { precommit, prevote: one }),
    ]
}

fn evidences() -> Vec<Evidence> {
    evidence().map(|(_, evidence)| evidence).to_vec()
}

fn block() -> Block {
    Block {
        header: header(),
        transactions: vec![full_transaction(), transaction(&[], &[])],
        last_commit: Some(certificate()),
        evidence: evidences(),
    }
}

fn blocks(lines: &mut Lines) {
    let block = block();
    lines.bytes("header", &encode(&block.header));
    lines.hash("header.hash", &block.hash().0);
    lines.value("block", &block);
    let empty =
        Block { transactions: vec![], last_commit: None, evidence: vec![], ..block.clone() };
    lines.value("block.empty", &empty);
    for (name, block) in [("block", &block), ("block.empty", &empty)] {
        let ids: Vec<WTxId> = block.transactions.iter().map(Transaction::wtxid).collect();
        let transactions_root = Block::transactions_root(&block.transactions);
        let last_commit = Block::last_commit_hash(block.last_commit.as_ref());
        lines.hash(&format!("{name}.transactions_root"), &transactions_root);
        lines.hash(&format!("{name}.witnesses_root"), &Block::witnesses_root(&ids));
        lines.hash(&format!("{name}.last_commit"), &last_commit);
        lines.hash(&format!("{name}.evidence"), &Block::evidence_hash(&block.evidence));
    }
    lines.value("blocks_answer", &BlocksAnswer(vec![(empty, certificate())]));
}

fn proposal() -> Proposal {
    Proposal {
        round: Round(0x0405),
        valid_round: Some(Round(0x0304)),
        header: header(),
        transactions: vec![WTxId(bytes(0x80)), WTxId(bytes(0x81))],
        last_commit: Some(certificate()),
        evidence: evidences(),
        polka: Some(polka()),
        signature: signature(0x82),
    }
}

fn consensus(lines: &mut Lines) {
    let genesis = GenesisHash(bytes(0x40));
    for (name, vote) in votes() {
        lines.value(&format!("vote.{name}"), &vote);
        lines.hash(&format!("vote.{name}.signing_message"), &vote.signing_message(&genesis));
    }
    lines.value("certificate", &certificate());
    lines.hash("certificate.signing_message", &certificate().signing_message(&genesis));
    lines.value("certificate.polka", &polka());
    for (name, evidence) in evidence() {
        lines.value(&format!("evidence.{name}"), &evidence);
    }
    let votes = votes().map(|(_, vote)| vote).to_vec();
    let round = RoundCertificate { height: Height(0x0102), round: Round(0x0304), votes };
    lines.value("round_certificate", &round);
    let fresh = Proposal { valid_round: None, last_commit: None, polka: None, ..proposal() };
    for (name, proposal) in [("proposal.fresh", fresh), ("proposal", proposal())] {
        lines.value(name, &proposal);
        let (height, block) = (proposal.height(), proposal.block_hash());
        let (round, valid_round) = (proposal.round, proposal.valid_round);
        let message = Proposal::message(&genesis, height, round, valid_round, block);
        lines.hash(&format!("{name}.signing_message"), &message);
    }
    let heard = round.votes[..1].to_vec();
    let messages = [
        ("vote", ConsensusMessage::Vote(round.votes[0].clone())),
        ("proposal", ConsensusMessage::Proposal(Box::new(proposal()))),
        ("certificate", ConsensusMessage::Certificate(certificate())),
        ("round", ConsensusMessage::Round(round)),
        ("evidence", ConsensusMessage::Evidence(evidences().remove(2))),
    ];
    for (name, message) in &messages {
        lines.value(&format!("consensus_message.{name}"), message);
    }
    let (inquiry, height) = (inquiry(), Height(0x0102));
    let message = Attestation::message(&genesis, inquiry, height, &heard);
    let attestation =
        Attestation { inquiry, height, votes: heard, by: 0x0304, signature: signature(7) };
    lines.hash("attestation.signing_message", &message);
    let messages = messages.map(|(_, message)| message).to_vec();
    let answer = VotesAnswer { messages, attestation: None };
    lines.value("votes_answer", &answer);
    lines.value(
        "votes_answer.attested",
        &VotesAnswer { messages: vec![], attestation: Some(attestation) },
    );
}

fn inquiry() -> Inquiry {
    Inquiry { of: 0x0102, nonce: bytes(0xa0) }
}

fn requests(lines: &mut Lines) {
    lines.value("bodies_request", &BodiesRequest(vec![WTxId(bytes(0x90)), WTxId(bytes(0x91))]));
    let request = VotesRequest {
        height: Height(0x0102),
        round: Round(0x0304),
        prevotes: signers(),
        precommits: SignerSet::empty(12),
        has_proposal: true,
        inquiry: None,
    };
    lines.value("votes_request", &request);
    let own = VotesRequest { inquiry: Some(inquiry()), ..request };
    lines.value("votes_request.own", &own);
    lines.value("blocks_request", &BlocksRequest { from: Height(0x0102), count: 0x0304 });
    let genesis = GenesisHash(bytes(0x40));
    lines.value("status", &Status { genesis, tip: Some(certificate()) });
    lines.value("status.genesis", &Status { genesis, tip: None });
}

fn params() -> Params {
    let span = |base, step| Timeout { base: Millis(base), step: Millis(step) };
    Params {
        block_interval: Millis(10_000),
        min_block_spacing: Millis(250),
        propose_timeout: span(3_000, 500),
        vote_timeout: span(1_000, 400),
        timeout_max: Millis(60_000),
        clock_drift_max: Millis(9_000),
        epoch_blocks: 720,
        evidence_age_blocks: 17_280,
        block_bytes_max: 2 * 1024 * 1024,
        min_relay_fee: 7,
        issuance_per_day: Amount::from_time(14_400),
        treasury: two_of_three(),
    }
}

fn genesis(lines: &mut Lines) {
    let genesis = Genesis {
        network: Network::Test,
        time: Timestamp(0x0001_0203_0405_0607),
        params: params(),
        masternodes: [(0xa0, 1), (0xa1, 10), (0xa2, 100)]
            .map(|(first, weight)| Masternode {
                key: public(first),
                weight,
                payout: Lock::Key(public(first + 0x10)),
            })
            .to_vec(),
        allocations: locks()
            .map(|(_, lock)| Allocation { lock, value: Amount(0x0102_0304), outputs: 3 })
            .to_vec(),
    };
    lines.value("genesis", &genesis);
    let chain = Chain::new(genesis).unwrap();
    lines.hash("genesis.hash", &chain.hash.0);
    lines.bytes("genesis.chain_id", &chain.id().0);
    lines.hash("genesis.masternodes", &chain.masternodes.hash());
    let turns: Vec<u8> = (0..111)
        .map(|height| chain.masternodes.proposer(Height(height), Round(0)).to_le_bytes()[0])
        .collect();
    lines.bytes("genesis.proposers", &turns);
}

fn ledger(lines: &mut Lines) {
    let mut coins = LtHash::default();
    lines.hash("lthash.empty", &coins.digest());
    coins.add(b"coin");
    let state = LedgerState {
        height: Height(0x0102),
        block: BlockHash(bytes(0xb0)),
        timestamp: Timestamp(0x0001_0203_0405_0607),
        coins,
        next_position: 0x0304,
        supply: Amount(0x0506),
        accrued: vec![Amount(0x0708), Amount(0x090a)],
        accrued_treasury: Amount(0x0b0c),
        offences: vec![None, Some(Height(0x0d0e))],
        params: bytes(0xb1),
    };
    lines.value("ledger_state", &state);
    lines.hash("ledger_state.coins", &state.coins.digest());
    lines.hash("ledger_state.root", &state.root());
    chain(lines);
}

/// Three blocks with real keys up to the end of an epoch: the ids of genesis and reward outputs, the
/// elements of the coin commitment and the split of rewards are in these roots.
fn chain(lines: &mut Lines) {
    let params = Params { epoch_blocks: 3, ..params() };
    let mut fixture = Fixture::of(Genesis { params, ..crate::fixture::genesis(&[1, 1, 10, 100]) });
    lines.hash("chain.genesis", &fixture.chain.hash.0);
    lines.hash("chain.root.0", &fixture.state.root());
    for (number, lock) in [Lock::Key(key(4)), two_of_three(), hash_lock(9)].into_iter().enumerate()
    {
        let output = Output { value: Amount(COIN.0 - 1_000), lock };
        let tx = fixture.spend(&[fixture.coin(1, 0)], vec![output]);
        let block = fixture.block(vec![tx]);
        let delta = fixture.apply(&block);
        let height = number + 1;
        lines.hash(&format!("chain.block.{height}"), &block.hash().0);
        lines.hash(&format!("chain.root.{height}"), &fixture.state.root());
        for made in &delta.transactions {
            lines.hash(&format!("chain.txid.{height}"), &made.txid.0);
        }
    }
}
