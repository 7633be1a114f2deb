//! Peers without a key, and what they send: forgeries, garbage, what they overheard, and requests
//! without pause.
//!
//! Does not know nodes: `siege` connects strangers and carries what they send.
use crate::{
    faults::Flood,
    rng::Rng,
    setup::Setup,
    wire::{self, Gossip, Payload},
};
use std::{collections::VecDeque, rc::Rc};
use timecoin_chain::{
    crypto::Signature,
    limits::MASTERNODES_MAX,
    types::{
        Amount, BlockHash, BlocksRequest, BodiesRequest, Certificate, ConsensusMessage, Height,
        Inquiry, Lock, OutPoint, Output, Proposal, Round, SignerSet, Transaction, TxBody, TxId,
        TxKind, Vote, VoteKind, VotesRequest, WTxId, Witness,
    },
    wire::{Protocol, Request, Topic},
};

/// Overheard messages that are kept.
const HEARD_MAX: usize = 64;
/// Transactions in a batch at most.
const BATCH_MAX: u64 = 40;

/// Marks the connections of strangers.
const STRANGER: u64 = 1 << 61;

/// What a stranger sends.
pub(crate) enum Missile {
    /// Gossip.
    Gossip(Rc<Gossip>),
    /// A request.
    Request(Protocol, Rc<Vec<u8>>),
}

/// What a stranger sends mostly.
#[derive(Debug, Clone, Copy)]
enum Habit {
    Certificates,
    Votes,
    Proposals,
    Garbage,
    Replays,
    Transactions,
    Requests,
    Anything,
}

const HABITS: [Habit; 8] = [
    Habit::Certificates,
    Habit::Votes,
    Habit::Proposals,
    Habit::Garbage,
    Habit::Replays,
    Habit::Transactions,
    Habit::Requests,
    Habit::Anything,
];

/// A stranger. It returns under another identity whenever it is disconnected.
pub(crate) struct Stranger {
    /// The node that it sends to.
    pub(crate) target: usize,
    habit: Habit,
    /// Its connection, and the life of the target that it belongs to.
    pub(crate) link: Option<(u64, u64)>,
    /// Its connection is closed at this time.
    pub(crate) leaves_at: Option<u64>,
}

/// The state of the node that a stranger sends to.
pub(crate) struct Sight<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) height: Height,
    pub(crate) round: Round,
    /// A coin that somebody else owns.
    pub(crate) coin: Option<OutPoint>,
}

/// All of them.
pub(crate) struct Strangers {
    pub(crate) flood: Flood,
    pub(crate) rng: Rng,
    pub(crate) all: Vec<Stranger>,
    heard: VecDeque<Rc<Gossip>>,
    number: u64,
}

impl Strangers {
    /// The strangers of a seed, none of them connected.
    pub(crate) fn draw(flood: Flood, mut rng: Rng, nodes: usize) -> Self {
        let targets: Vec<usize> = (0..flood.targets).map(|_| rng.index(nodes)).collect();
        // All together can keep a node busier with one kind of message than with some of each.
        let common = rng.chance(500).then(|| match rng.chance(500) {
            true => Habit::Certificates,
            false => HABITS[rng.index(HABITS.len())],
        });
        let stranger = |rng: &mut Rng| Stranger {
            target: targets[rng.index(targets.len())],
            habit: common.unwrap_or(HABITS[rng.index(HABITS.len())]),
            link: None,
            leaves_at: None,
        };
        let all = (0..flood.strangers).map(|_| stranger(&mut rng)).collect();
        Self { flood, rng, all, heard: VecDeque::new(), number: 0 }
    }

    /// Lets them overhear a gossiped message.
    pub(crate) fn hear(&mut self, gossip: &Rc<Gossip>) {
        self.heard.push_back(gossip.clone());
        if self.heard.len() > HEARD_MAX {
            self.heard.pop_front();
        }
    }

    /// Votes that they overheard.
    pub(crate) fn votes_heard(&self) -> impl Iterator<Item = &Vote> {
        self.heard.iter().filter_map(|gossip| match &gossip.payload {
            Payload::Consensus(message) => match &**message {
                ConsensusMessage::Vote(vote) => Some(vote),
                _ => None,
            },
            Payload::Transactions(_) | Payload::Presence | Payload::Garbage => None,
        })
    }

    /// A new connection number.
    pub(crate) fn connection(&mut self) -> u64 {
        self.number += 1;
        STRANGER | self.number
    }

    /// The next thing that a stranger sends.
    pub(crate) fn next(&mut self, stranger: usize, sight: &Sight) -> Missile {
        self.number += 1;
        let habit = match self.all[stranger].habit {
            Habit::Anything => HABITS[self.rng.index(HABITS.len() - 1)],
            habit => habit,
        };
        match habit {
            Habit::Certificates => self.consensus(|own| own.certificate(sight)),
            Habit::Votes => self.consensus(|own| own.vote(sight)),
            Habit::Proposals => self.proposal(sight),
            Habit::Garbage => self.garbage(),
            Habit::Replays => self.replay(),
            Habit::Transactions => self.transactions(sight),
            Habit::Requests | Habit::Anything => self.request(sight),
        }
    }

    fn consensus(&mut self, draw: impl FnOnce(&mut Self) -> ConsensusMessage) -> Missile {
        let message = draw(self);
        Missile::Gossip(Rc::new(wire::gossip_message(&message, 0)))
    }

    /// A certificate for a block that does not exist: of a quorum of this set, or of more members
    /// than the set has.
    fn certificate(&mut self, sight: &Sight) -> ConsensusMessage {
        let members = sight.setup.masternodes.len();
        let (size, count) = match self.rng.chance(200) {
            true => (members, members),
            false => (MASTERNODES_MAX, self.rng.index(34) + 67),
        };
        let mut signers = SignerSet::empty(size);
        (0..count).for_each(|signer| signers.insert(u16::try_from(signer).unwrap_or(u16::MAX)));
        let is_commit = self.rng.chance(500);
        ConsensusMessage::Certificate(Certificate {
            kind: if is_commit { VoteKind::Precommit } else { VoteKind::Prevote },
            height: Height(sight.height.0 + if is_commit { self.rng.below(1_000) } else { 0 }),
            round: Round(sight.round.0 + u32::try_from(self.rng.below(10)).unwrap_or(0)),
            block: Some(BlockHash(self.bytes())),
            valid_round: None,
            signers,
            signatures: (0..count).map(|_| self.signature()).collect(),
        })
    }

    fn vote(&mut self, sight: &Sight) -> ConsensusMessage {
        let members = sight.setup.masternodes.len();
        ConsensusMessage::Vote(Vote {
            kind: if self.rng.chance(500) { VoteKind::Prevote } else { VoteKind::Precommit },
            height: sight.height,
            round: sight.round,
            block: self.rng.chance(800).then(|| BlockHash(self.bytes())),
            valid_round: None,
            signer: u16::try_from(self.rng.index(members)).unwrap_or(0),
            signature: self.signature(),
        })
    }

    /// An overheard proposal with an invalid signature and up to thousands of transactions.
    fn proposal(&mut self, sight: &Sight) -> Missile {
        let like = self.heard.iter().rev().find_map(|gossip| match &gossip.payload {
            Payload::Consensus(message) => match &**message {
                ConsensusMessage::Proposal(proposal) => Some(proposal.clone()),
                _ => None,
            },
            Payload::Transactions(_) | Payload::Presence | Payload::Garbage => None,
        });
        let Some(mut forged) = like else { return self.consensus(|own| own.vote(sight)) };
        forged.signature = self.signature();
        if self.rng.chance(100) {
            let first = self.rng.number();
            let ids = (0..self.rng.below(4_000)).map(|number| id(first.wrapping_add(number)));
            forged = Box::new(Proposal { transactions: ids.collect(), ..*forged });
        }
        self.consensus(|_| ConsensusMessage::Proposal(forged))
    }

    fn garbage(&mut self) -> Missile {
        const TOPICS: [Topic; 6] = [
            Topic::Votes,
            Topic::Proposals,
            Topic::Certificates,
            Topic::Evidence,
            Topic::Transactions,
            Topic::Presences,
        ];
        let topic = TOPICS[self.rng.index(TOPICS.len())];
        let length = 1 + self.rng.index(2_000);
        let mut bytes: Vec<u8> = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend(self.rng.number().to_le_bytes());
        }
        Missile::Gossip(Rc::new(wire::garbage(topic, bytes)))
    }

    fn replay(&mut self) -> Missile {
        let Some(place) = self.heard.len().checked_sub(1).map(|last| self.rng.index(last + 1))
        else {
            return self.garbage();
        };
        // Another attempt is another message to the duplicate cache.
        let mut again = (*self.heard[place]).clone();
        again.id[..8].copy_from_slice(&self.number.to_le_bytes());
        Missile::Gossip(Rc::new(again))
    }

    /// Payments that spend another owner's coin, or none that exists.
    fn transactions(&mut self, sight: &Sight) -> Missile {
        let is_missing = self.rng.chance(500);
        let count = self.rng.between(1, BATCH_MAX);
        let transactions: Vec<Transaction> = (0..count)
            .map(|_| {
                let nowhere = OutPoint { txid: TxId(self.bytes()), vout: 0 };
                let coin = sight.coin.filter(|_| !is_missing).unwrap_or(nowhere);
                self.payment(sight, coin)
            })
            .collect();
        Missile::Gossip(Rc::new(wire::gossip_transactions(&transactions, 0)))
    }

    fn payment(&mut self, sight: &Sight, coin: OutPoint) -> Transaction {
        let receiver = sight.setup.accounts[0].public_key();
        let value = Amount(self.rng.between(1_000, 100_000));
        let body = TxBody {
            version: TxBody::VERSION,
            chain: sight.setup.chain.id(),
            inputs: vec![coin],
            outputs: vec![Output { value, lock: Lock::Key(receiver) }],
            not_before: Height(0),
            expiry_height: Height(sight.height.0 + 1_000),
            kind: TxKind::Transfer,
        };
        Transaction::new(body, vec![Witness::Key(self.signature())])
    }

    fn request(&mut self, sight: &Sight) -> Missile {
        let request = match self.rng.below(4) {
            0 => Request::Status,
            1 => Request::Blocks(BlocksRequest { from: Height(1), count: 32 }),
            2 => Request::Bodies(BodiesRequest((0..8).map(|_| WTxId(self.bytes())).collect())),
            _ => {
                let none = SignerSet::empty(sight.setup.masternodes.len());
                Request::Votes(VotesRequest {
                    height: sight.height,
                    round: sight.round,
                    prevotes: none.clone(),
                    precommits: none,
                    has_proposal: false,
                    inquiry: Some(Inquiry { of: 0, nonce: self.bytes() }),
                })
            }
        };
        Missile::Request(request.protocol(), wire::request(&request).0)
    }

    fn signature(&mut self) -> Signature {
        let (one, other) = (self.bytes(), self.bytes());
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&one);
        bytes[32..].copy_from_slice(&other);
        Signature::from_bytes(&bytes)
    }

    fn bytes(&mut self) -> [u8; 32] {
        id(self.rng.number()).0
    }
}

/// An unused id.
fn id(number: u64) -> WTxId {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    WTxId(bytes)
}
