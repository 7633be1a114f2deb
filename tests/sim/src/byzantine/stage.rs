//! What an actor sees and may do: its own key, its place on the chain, who is connected, and parcels.
use crate::{rng::Rng, setup::Setup};
use timecoin_chain::{
    crypto::Signature,
    types::{BlockHash, ConsensusMessage, Header, Height, Proposal, Round, Vote, VoteKind, WTxId},
};

/// A message on its way to some nodes.
pub struct Parcel {
    /// The message.
    pub message: ConsensusMessage,
    /// As in [`timecoin_chain::engine::Effect::Publish`].
    pub attempt: u8,
    /// The nodes that get it.
    pub to: Vec<usize>,
    /// Sent so much later, in microseconds.
    pub after: u64,
}

/// One moment of an actor.
pub struct Stage<'a> {
    pub(crate) setup: &'a Setup,
    /// The seed's source of chance.
    pub rng: &'a mut Rng,
    /// The actor's index in the masternode set.
    pub me: u16,
    /// The height that the engine underneath decides.
    pub height: Height,
    /// Its round.
    pub round: Round,
    /// The nodes it is connected with.
    pub others: Vec<usize>,
    pub(crate) parcels: Vec<Parcel>,
    pub(crate) is_at_work: bool,
}

impl Stage<'_> {
    /// To all.
    pub fn say(&mut self, message: ConsensusMessage, attempt: u8) {
        let to = self.others.clone();
        self.later(0, to, message, attempt);
    }

    /// To some.
    pub fn tell(&mut self, to: &[usize], message: ConsensusMessage, attempt: u8) {
        self.later(0, to.to_vec(), message, attempt);
    }

    /// To some, later.
    pub fn later(&mut self, after: u64, to: Vec<usize>, message: ConsensusMessage, attempt: u8) {
        self.parcels.push(Parcel { message, attempt, to, after });
    }

    /// The actor does what it is there for.
    pub fn works(&mut self) {
        self.is_at_work = true;
    }

    /// How many masternodes may be Byzantine, were all of one weight.
    pub fn faulty_max(&self) -> usize {
        (self.setup.chain.masternodes.len() - 1) / 3
    }

    /// So many connected masternodes.
    pub fn some_masternodes(&mut self, count: usize) -> Vec<usize> {
        let members = self.setup.chain.masternodes.len();
        let mut some: Vec<usize> =
            self.others.iter().copied().filter(|&node| node < members).collect();
        shuffle(self.rng, &mut some);
        some.truncate(count);
        some
    }

    /// All who are connected, in two halves.
    pub fn halves(&mut self) -> (Vec<usize>, Vec<usize>) {
        let mut one = self.others.clone();
        shuffle(self.rng, &mut one);
        let other = one.split_off(one.len() / 2);
        (one, other)
    }

    /// The actor's own vote.
    pub fn vote(
        &self,
        kind: VoteKind,
        (height, round): (Height, Round),
        block: Option<BlockHash>,
        valid_round: Option<Round>,
    ) -> ConsensusMessage {
        let genesis = &self.setup.chain.hash;
        let message = Vote::message(genesis, kind, height, round, block, valid_round);
        let (signer, signature) = (self.me, self.sign(&message));
        ConsensusMessage::Vote(Vote { kind, height, round, block, valid_round, signer, signature })
    }

    /// A vote, signed by the actor whatever it says.
    pub fn sign_vote(&self, vote: &Vote) -> ConsensusMessage {
        self.vote(vote.kind, (vote.height, vote.round), vote.block, vote.valid_round)
    }

    /// A proposal, signed by the actor whatever it says.
    pub fn sign_proposal(&self, mut proposal: Proposal) -> Proposal {
        let (height, round) = (proposal.height(), proposal.round);
        let (genesis, block) = (&self.setup.chain.hash, proposal.block_hash());
        let message = Proposal::message(genesis, height, round, proposal.valid_round, block);
        proposal.signature = self.sign(&message);
        proposal
    }

    /// A new proposal with another's contents and this header.
    pub fn fresh_proposal(&self, like: &Proposal, round: Round, header: Header) -> Proposal {
        let (valid_round, polka) = (None, None);
        let header = Header { proposer: self.me, ..header };
        self.sign_proposal(Proposal { round, valid_round, polka, header, ..like.clone() })
    }

    /// A proposal that names other transactions.
    pub fn with_transactions(&self, proposal: &Proposal, ids: Vec<WTxId>) -> Proposal {
        let root = timecoin_chain::types::Block::witnesses_root(&ids);
        let header = Header { witnesses_root: root, ..proposal.header.clone() };
        let like = Proposal { transactions: ids, ..proposal.clone() };
        self.fresh_proposal(&like, proposal.round, header)
    }

    /// Whether this weight of distinct members is a quorum.
    pub fn is_quorum(&self, members: impl IntoIterator<Item = u16>) -> bool {
        let set = &self.setup.chain.masternodes;
        set.is_quorum(set.weight_of(members))
    }

    /// How many masternodes there are.
    pub fn members(&self) -> usize {
        self.setup.chain.masternodes.len()
    }

    /// Whether the actor proposes here.
    pub fn proposes(&self, height: Height, round: Round) -> bool {
        self.setup.chain.masternodes.proposer(height, round) == self.me
    }

    /// How long a vote may take in a round, in microseconds.
    pub fn vote_timeout(&self, round: Round) -> u64 {
        let timeout = self.setup.chain.params().vote_timeout;
        (timeout.base.0 + timeout.step.0 * u64::from(round.0)) * 1_000
    }

    fn sign(&self, message: &[u8; 32]) -> Signature {
        self.setup.masternodes[usize::from(self.me)].sign(message)
    }
}

fn shuffle(rng: &mut Rng, nodes: &mut [usize]) {
    for last in (1..nodes.len()).rev() {
        nodes.swap(last, rng.index(last + 1));
    }
}
