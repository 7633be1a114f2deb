//! A hostile peer of the same chain that sends arbitrary messages through the same network crate as
//! honest nodes.
//!
//! What cannot be sent through that crate (a raw stream, a compressed bomb: payloads that would unpack too
//! large travel unpacked) is in the crate's own tests.
use crate::{
    money::Purse,
    net::{Net, Node},
    room::Room,
    wait::eventually,
};
use std::collections::{BTreeMap, BTreeSet};
use timecoin::genesis_file::load_chain;
use timecoin_chain::{
    codec,
    crypto::{SecretKey, Signature, Signer},
    genesis::{Chain, ChainId},
    types::{
        Amount, Block, BlockHash, BlocksRequest, BodiesRequest, Certificate, ConsensusMessage,
        Evidence, Header, Height, Inquiry, Proposal, Round, RoundCertificate, SignerSet, Timestamp,
        Transaction, TransactionBatch, Vote, VoteKind, VotesRequest, WTxId, Witness,
    },
};
use timecoin_network::{
    Multiaddr, Network, NetworkConfig, PeerId, Protocol, PublishError, RequestError, Topic,
    parse_address, random_keypair, start,
};
use tokio::runtime::Runtime;

/// Messages of each kind: after ten a stranger is ignored.
const EACH: u32 = 12;
/// The minimum number of nodes, of five, that take a stranger's messages.
const MESHED: usize = 4;
/// Requests in each wave of the flood, and waves: more than the request rate allows.
const WAVE: usize = 30;
const WAVES: usize = 12;

/// How honest nodes treat a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Counted against its sender.
    Rejected,
    /// Dropped.
    Ignored,
}

/// Messages of one kind on one topic.
struct Attack {
    name: &'static str,
    topic: Topic,
    verdict: Verdict,
    message: Message,
}

/// What an attacker knows at the start.
struct Scene<'a> {
    chain: &'a Chain,
    /// The height being decided.
    height: Height,
    /// Another owner's coin.
    purse: Purse,
}

#[test]
fn whatever_a_stranger_gossips_payments_go_on_and_honest_nodes_keep_each_other() {
    let net = Net::five(Room::one());
    net.wallet(&["new", "bob"]).ok();
    let chain = load_chain(&net.genesis_file()).unwrap();
    let runtime = Runtime::new().unwrap();
    for Attack { name, topic, verdict, message } in ATTACKS {
        // Each kind has its own stranger, because nodes ignore the previous one.
        let stranger = Stranger::join(&runtime, &net, &chain);
        let heard_by = stranger.is_heard_by(*topic);
        let figure = match verdict {
            Verdict::Rejected => format!("timecoin_net_gossip_rejected_total{{topic=\"{topic}\"}}"),
            Verdict::Ignored => format!("timecoin_net_gossip_ignored_total{{topic=\"{topic}\"}}"),
        };
        let hearers = net.nodes.iter().zip(honest(&net)).filter(|(_, id)| heard_by.contains(id));
        let hearers: Vec<(&Node, u64)> =
            hearers.map(|(node, _)| (node, node.figure(&figure))).collect();
        let purse = Purse::open(&net, "alice");
        let height = Height(net.nodes[0].height() + 1);
        let scene = Scene { chain: &chain, height, purse };
        for index in 1..=EACH {
            stranger.publish(*topic, message(&scene, index));
        }
        for (node, before) in hearers {
            eventually(&format!("{name}: {verdict:?} by {}", node.name), || {
                let now = node.figure(&figure);
                (now > before).then_some(()).ok_or_else(|| format!("{figure} is {now}"))
            });
        }
        let paid = net.pay_and_wait("bob", "1");
        let ms = &paid["final"]["finality_ms"];
        println!("{EACH} x {name} on {topic}: {verdict:?}; a payment is final after {ms} ms");
    }
    assert_honest_nodes_are_connected(&net);
    net.assert_one_chain(1);
    net.assert_sound();
}

#[test]
fn whatever_a_stranger_asks_it_gets_an_answer_or_busy_and_payments_go_on() {
    let net = Net::five(Room::one());
    net.wallet(&["new", "bob"]).ok();
    let chain = load_chain(&net.genesis_file()).unwrap();
    let runtime = Runtime::new().unwrap();
    let stranger = Stranger::join(&runtime, &net, &chain);
    let honest = honest(&net);

    let mut outcomes: BTreeMap<(&str, String), u32> = BTreeMap::new();
    for (name, protocol, bytes) in questions() {
        for peer in &honest {
            let outcome = match stranger.ask(*peer, protocol, bytes.clone()) {
                Ok(answer) => format!("{} bytes", answer.len()),
                Err(RequestError::Busy) => "busy".into(),
                Err(error) => panic!("{name} to {peer}: {error}"),
            };
            *outcomes.entry((name, outcome)).or_default() += 1;
        }
    }
    for ((name, outcome), count) in outcomes {
        println!("{count} x {name}: {outcome}");
    }
    // The network crate refuses to send oversized messages.
    for protocol in Protocol::ALL {
        let bytes = vec![0; protocol.request_bytes_max() + 1];
        let refused = stranger.ask(honest[0], protocol, bytes);
        assert!(matches!(refused, Err(RequestError::TooLarge { .. })), "{refused:?}");
    }
    for topic in Topic::ALL {
        let bytes = vec![0; topic.bytes_max() + 1];
        let refused = stranger.network.handle.publish(topic, bytes.into(), 0);
        assert!(matches!(refused, Err(PublishError::TooLarge { .. })), "{refused:?}");
    }

    let refused = stranger.flood(honest[0]);
    let paid = net.pay_and_wait("bob", "1");
    println!(
        "of {} requests in waves of {WAVE} {refused} were refused; a payment is final after {} ms",
        WAVE * WAVES,
        paid["final"]["finality_ms"]
    );
    assert!(refused > 0, "a peer may ask without end");
    assert_honest_nodes_are_connected(&net);
    net.assert_one_chain(1);
    net.assert_sound();
}

#[test]
fn real_votes_sent_again_and_again_change_nothing() {
    let net = Net::five(Room::one());
    net.wallet(&["new", "bob"]).ok();
    let chain = load_chain(&net.genesis_file()).unwrap();
    let runtime = Runtime::new().unwrap();
    let mut stranger = Stranger::join(&runtime, &net, &chain);
    stranger.is_heard_by(Topic::Votes);
    let mut repeated = 0;
    for _ in 0..5 {
        let paid = net.pay_and_wait("bob", "1");
        // Replays every received message twenty times: accepted while new, never forwarded again.
        while let Ok(gossip) = stranger.network.fast.try_recv() {
            for attempt in 1..=20 {
                // The stranger's own queue may be full.
                let _ =
                    stranger.network.handle.publish(gossip.topic, gossip.bytes.clone(), attempt);
                repeated += 1;
            }
            gossip.ticket.accept();
        }
        println!("{repeated} repetitions so far; final after {} ms", paid["final"]["finality_ms"]);
    }
    assert!(repeated > 0);
    assert_honest_nodes_are_connected(&net);
    net.assert_one_chain(1);
    net.assert_sound();
}

/// A peer of the chain that is not a node.
pub(crate) struct Stranger<'a> {
    runtime: &'a Runtime,
    network: Network,
}

impl<'a> Stranger<'a> {
    /// Waits until it is connected to every node.
    pub(crate) fn join(runtime: &'a Runtime, net: &Net, chain: &Chain) -> Self {
        let bootstrap: Vec<Multiaddr> =
            net.nodes.iter().map(|node| parse_address(&node.address()).unwrap()).collect();
        let config = NetworkConfig {
            agent: "stranger/1".into(),
            listen: vec![parse_address("/ip4/127.0.0.1/tcp/0").unwrap()],
            bootstrap,
            allow_private: true,
            ..NetworkConfig::of_chain(format!("tc-{}", chain.id()))
        };
        let network = runtime.block_on(start(config, random_keypair())).unwrap();
        let stranger = Self { runtime, network };
        eventually("the stranger is connected to every node", || {
            let there = stranger.network.handle.peers().len();
            (there >= net.nodes.len()).then_some(()).ok_or_else(|| format!("{there} peers"))
        });
        stranger
    }

    /// Waits until most nodes take its messages on a topic; returns them. A gossip mesh need not
    /// include all nodes.
    pub(crate) fn is_heard_by(&self, topic: Topic) -> BTreeSet<PeerId> {
        eventually(&format!("the stranger is in the mesh of {topic}"), || {
            let peers = self.network.handle.peers();
            let meshed = peers.iter().filter(|peer| peer.mesh.contains(&topic));
            let meshed: BTreeSet<PeerId> = meshed.map(|peer| peer.peer).collect();
            (meshed.len() >= MESHED).then_some(meshed.clone()).ok_or_else(|| format!("{meshed:?}"))
        })
    }

    pub(crate) fn publish(&self, topic: Topic, bytes: Vec<u8>) {
        self.network.handle.publish(topic, bytes.into(), 0).unwrap();
    }

    fn ask(
        &self,
        peer: PeerId,
        protocol: Protocol,
        bytes: Vec<u8>,
    ) -> Result<bytes::Bytes, RequestError> {
        self.runtime.block_on(self.network.handle.request(peer, protocol, bytes.into()))
    }

    /// Sends requests to one node as fast as possible; returns how many failed for any reason.
    fn flood(&self, peer: PeerId) -> usize {
        let handle = &self.network.handle;
        let waves = (0..WAVES).map(|_| {
            let wave = (0..WAVE).map(|_| handle.request(peer, Protocol::Status, Vec::new().into()));
            let answers = self.runtime.block_on(futures::future::join_all(wave));
            answers.iter().filter(|answer| answer.is_err()).count()
        });
        waves.sum()
    }
}

impl Drop for Stranger<'_> {
    fn drop(&mut self) {
        self.runtime.block_on(self.network.handle.shutdown());
    }
}

fn honest(net: &Net) -> Vec<PeerId> {
    net.nodes.iter().map(|node| node.peer_id().parse().unwrap()).collect()
}

fn assert_honest_nodes_are_connected(net: &Net) {
    let all: BTreeSet<String> = net.nodes.iter().map(|node| node.peer_id()).collect();
    for node in &net.nodes {
        let others = all.iter().filter(|id| **id != node.peer_id());
        let (peers, own) = (node.peers(), &node.name);
        for other in others {
            assert!(peers.contains(other), "{own} has lost {other}");
        }
    }
}

/// Every kind of invalid message.
const ATTACKS: &[Attack] = &[
    rejected("garbage", Topic::Votes, |_, index| noise(index, 40 * index)),
    rejected("garbage", Topic::Proposals, |_, index| noise(index, 40 * index)),
    rejected("garbage", Topic::Certificates, |_, index| noise(index, 40 * index)),
    rejected("garbage", Topic::Evidence, |_, index| noise(index, 40 * index)),
    rejected("garbage", Topic::Transactions, |_, index| noise(index, 40 * index)),
    ignored("garbage", Topic::Presences, |_, index| noise(index, 40 * index)),
    rejected("largest garbage", Topic::Proposals, |_, index| noise(index, 1 << 20)),
    rejected("zeros", Topic::Transactions, |_, index| {
        [&index.to_le_bytes()[..], &vec![0; 100_000]].concat()
    }),
    rejected("votes of a stranger's key", Topic::Votes, |scene, index| {
        encode_vote(scene.vote(index))
    }),
    rejected("votes of nobody", Topic::Votes, |scene, index| {
        let signer = if index % 2 == 0 { 4 } else { u16::MAX };
        encode_vote(Vote { signer, ..scene.vote(index) })
    }),
    ignored("votes of the far future", Topic::Votes, |scene, index| {
        let height = if index % 2 == 0 { u64::MAX } else { scene.height.0 + 1_000 };
        encode_vote(Vote { height: Height(height), ..scene.vote(index) })
    }),
    rejected("votes on the wrong topic", Topic::Proposals, |scene, index| {
        encode_vote(scene.vote(index))
    }),
    rejected("forged proposals", Topic::Proposals, |scene, index| {
        codec::encode(&ConsensusMessage::Proposal(Box::new(scene.proposal(index))))
    }),
    rejected("forged certificates of the far future", Topic::Certificates, |scene, index| {
        let height = Height(scene.height.0 + 1_000_000);
        let vote = Vote { height, ..scene.vote(index) };
        let votes: Vec<Vote> = (0..4).map(|signer| Vote { signer, ..vote.clone() }).collect();
        let certificate = Certificate::collect(votes.len(), &votes).unwrap();
        codec::encode(&ConsensusMessage::Certificate(certificate))
    }),
    rejected("forged reasons for a later round", Topic::Certificates, |scene, index| {
        let vote = scene.vote(index);
        let (height, round) = (vote.height, vote.round);
        let round = RoundCertificate { height, round, votes: vec![vote] };
        codec::encode(&ConsensusMessage::Round(round))
    }),
    rejected("forged evidence", Topic::Evidence, |scene, index| {
        let evidence = Evidence::Votes(scene.vote(index), scene.vote(index + EACH));
        codec::encode(&ConsensusMessage::Evidence(evidence))
    }),
    rejected("payments of another chain", Topic::Transactions, |scene, index| {
        let mut payment = scene.payment(index);
        payment.edit(|tx| tx.body.chain = ChainId([1; 4]));
        encode_batch(vec![payment])
    }),
    rejected("payments with forged signatures", Topic::Transactions, |scene, index| {
        let mut payment = scene.payment(index);
        let witness = Witness::Key(Signature::from_bytes(&[1; 64]));
        payment.edit(|tx| tx.witnesses = vec![witness]);
        encode_batch(vec![payment])
    }),
    rejected("empty batches", Topic::Transactions, |_, _| encode_batch(vec![])),
];

type Message = fn(&Scene<'_>, u32) -> Vec<u8>;

const fn rejected(name: &'static str, topic: Topic, message: Message) -> Attack {
    Attack { name, topic, verdict: Verdict::Rejected, message }
}

const fn ignored(name: &'static str, topic: Topic, message: Message) -> Attack {
    Attack { name, topic, verdict: Verdict::Ignored, message }
}

impl Scene<'_> {
    /// A vote in the name of masternode 0 that a stranger signed.
    fn vote(&self, index: u32) -> Vote {
        let mut vote = Vote {
            kind: VoteKind::Precommit,
            height: self.height,
            round: Round(0),
            block: Some(hash(index)),
            valid_round: None,
            signer: 0,
            signature: Signature::from_bytes(&[0; 64]),
        };
        vote.signature = stranger_key().sign(&vote.signing_message(&self.chain.hash));
        vote
    }

    /// An empty block in the name of the proposer in turn, signed by a stranger.
    fn proposal(&self, index: u32) -> Proposal {
        let (chain, height) = (self.chain, self.height);
        let header = Header {
            version: Header::VERSION,
            chain: chain.id(),
            height,
            parent: hash(index),
            timestamp: Timestamp(u64::from(index)),
            proposer: chain.masternodes.proposer(height, Round(0)),
            state_root: [0; 32],
            masternodes: chain.masternodes.hash(),
            transactions_root: Block::transactions_root(&[]),
            witnesses_root: Block::witnesses_root(&[] as &[WTxId]),
            last_commit: Block::last_commit_hash(None),
            evidence: Block::evidence_hash(&[]),
        };
        let message = Proposal::message(&chain.hash, height, Round(0), None, header.hash());
        let block = Block { header, transactions: vec![], last_commit: None, evidence: vec![] };
        Proposal::of_block(&block, vec![], Round(0), None, stranger_key().sign(&message))
    }

    /// A valid payment by alice.
    fn payment(&self, index: u32) -> Transaction {
        let coin = self.purse.coins[usize::try_from(index).unwrap() % self.purse.coins.len()];
        self.purse.pay_from(coin, &self.purse.lock(), Amount(1_000 + u64::from(index)))
    }
}

fn encode_vote(vote: Vote) -> Vec<u8> {
    codec::encode(&ConsensusMessage::Vote(vote))
}

fn encode_batch(transactions: Vec<Transaction>) -> Vec<u8> {
    codec::encode(&TransactionBatch(transactions))
}

/// Requests that no honest node sends.
fn questions() -> Vec<(&'static str, Protocol, Vec<u8>)> {
    let blocks = |from, count| codec::encode(&BlocksRequest { from: Height(from), count });
    let votes = VotesRequest {
        height: Height(u64::MAX),
        round: Round(u32::MAX),
        prevotes: SignerSet::empty(4),
        precommits: SignerSet::empty(800),
        has_proposal: false,
        inquiry: Some(Inquiry { of: u16::MAX, nonce: [0xff; 32] }),
    };
    let bodies = BodiesRequest((0..512).map(|index| WTxId(hash(index).0)).collect());
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 1].to_vec();
    let mut questions = vec![
        ("status with a body", Protocol::Status, noise(1, 900)),
        ("all blocks there are", Protocol::Blocks, blocks(1, u32::MAX)),
        ("the genesis as a block", Protocol::Blocks, blocks(0, 1)),
        ("no blocks", Protocol::Blocks, blocks(1, 0)),
        ("blocks beyond the end", Protocol::Blocks, blocks(u64::MAX, u32::MAX)),
        ("a truncated request for blocks", Protocol::Blocks, cut(blocks(1, 1))),
        ("512 unknown bodies", Protocol::Transactions, codec::encode(&bodies)),
        ("a truncated request for bodies", Protocol::Transactions, cut(codec::encode(&bodies))),
        ("votes of the far future", Protocol::Votes, codec::encode(&votes)),
        ("a truncated request for votes", Protocol::Votes, cut(codec::encode(&votes))),
    ];
    for protocol in Protocol::ALL {
        let most = u32::try_from(protocol.request_bytes_max()).unwrap();
        questions.push(("garbage of the largest size", protocol, noise(2, most)));
        questions.push(("nothing", protocol, Vec::new()));
    }
    questions
}

fn stranger_key() -> SecretKey {
    SecretKey::from_bytes(&[77; 32])
}

fn hash(index: u32) -> BlockHash {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&index.to_le_bytes());
    BlockHash(bytes)
}

/// Random bytes, different for each seed.
fn noise(seed: u32, bytes: u32) -> Vec<u8> {
    let mut state = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}
