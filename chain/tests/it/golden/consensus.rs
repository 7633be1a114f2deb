//! Blocks, votes, certificates, evidence and proposals, and the requests for them.
use super::{
    transactions::{full_transaction, transaction},
    *,
};

pub(super) fn blocks(lines: &mut Lines) {
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

pub(super) fn consensus(lines: &mut Lines) {
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
    let (masternode, node) = (public(3), NodeKey([4; 32]));
    let presence =
        Presence { masternode, node, expires: Timestamp(0x0506), signature: signature(8) };
    lines.value("presence", &presence);
    let message = Presence::message(&genesis, node, presence.expires);
    lines.hash("presence.signing_message", &message);
    let messages = messages.map(|(_, message)| message).to_vec();
    let answer = VotesAnswer { messages, attestation: None };
    lines.value("votes_answer", &answer);
    lines.value(
        "votes_answer.attested",
        &VotesAnswer { messages: vec![], attestation: Some(attestation) },
    );
}

pub(super) fn requests(lines: &mut Lines) {
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

fn inquiry() -> Inquiry {
    Inquiry { of: 0x0102, nonce: bytes(0xa0) }
}
