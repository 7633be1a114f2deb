//! What must hold whatever goes wrong. Checked after every event, from outside of the nodes.
mod guilt;
mod locks;
#[cfg(test)]
mod tests;
mod violation;
pub(crate) mod votes;

use crate::{
    fold::{self, Fold},
    setup::Setup,
};
pub use guilt::guilty;
use std::collections::BTreeMap;
use timecoin_chain::{
    engine::Held,
    ledger::LedgerState,
    mempool::Mempool,
    types::{
        Block, BlockHash, Certificate, ConsensusMessage, Height, OutPoint, RoundCertificate, Vote,
    },
};
pub use violation::Violation;
use votes::Votes;

struct FinalBlock {
    hash: BlockHash,
    root: [u8; 32],
}

/// The memory of the checker.
pub struct Oracle {
    votes: Votes,
    finals: Vec<FinalBlock>,
    /// The ledger after the last final block.
    pub ledger: Fold,
}

impl Oracle {
    /// Nothing has happened yet.
    pub fn new(setup: &Setup) -> Self {
        Self { votes: Votes::new(setup), finals: Vec::new(), ledger: Fold::new(setup) }
    }

    /// The greatest final height.
    pub fn height(&self) -> Height {
        self.ledger.height
    }

    /// This masternode's key may say whatever it likes.
    pub fn corrupt(&mut self, member: u16) {
        self.votes.corrupt(member);
    }

    /// Whether everything that this masternode's key says must keep the rules.
    pub fn is_honest(&self, member: u16) -> bool {
        self.votes.is_honest(member)
    }

    /// Whether these members have more than two thirds of the weight.
    pub(crate) fn is_quorum(&self, members: votes::Members) -> bool {
        self.votes.is_quorum(members)
    }

    /// Every vote that was ever sent by anybody, once.
    pub fn votes(&self) -> &[Vote] {
        self.votes.all()
    }

    /// The first height at which votes for two blocks are enough to make each final.
    pub fn fork(&self) -> Option<Height> {
        self.votes.fork()
    }

    /// A message leaves a node with this key, should it have one. What an honest key says keeps the
    /// rules, whoever shows it; a certificate that an honest node shows has its weight.
    pub fn message_leaves(
        &mut self,
        setup: &Setup,
        from: Option<u16>,
        message: &ConsensusMessage,
    ) -> Result<(), Violation> {
        match message {
            ConsensusMessage::Vote(vote) => self.vote_leaves(from, vote),
            ConsensusMessage::Certificate(certificate) => self.certificate(from, certificate),
            ConsensusMessage::Round(certificate) => {
                self.round_certificate(certificate)?;
                certificate.votes.iter().try_for_each(|vote| self.vote_leaves(from, vote))
            }
            ConsensusMessage::Proposal(proposal) => {
                let (height, round) = (proposal.height(), proposal.round);
                let proposer = setup.proposer(height, round);
                // Until it is executed nobody vouches for its last commit but its proposer.
                let last_commit = proposal.last_commit.as_ref();
                let last_commit = last_commit.filter(|_| self.votes.is_honest(proposer));
                let mut certificates = proposal.polka.iter().chain(last_commit);
                certificates.try_for_each(|held| self.certificate(from, held))?;
                self.votes.propose(from, proposer, proposal)
            }
            // Whoever shows it has reported it.
            ConsensusMessage::Evidence(_) => Ok(()),
        }
    }

    /// The same with one vote.
    pub fn vote_leaves(&mut self, from: Option<u16>, vote: &Vote) -> Result<(), Violation> {
        match self.votes.vote(from, vote)? && self.votes.is_honest(vote.signer) {
            true => locks::check(&self.votes, vote),
            false => Ok(()),
        }
    }

    fn certificate(
        &mut self,
        from: Option<u16>,
        certificate: &Certificate,
    ) -> Result<(), Violation> {
        let members = votes::members(&certificate.signers);
        let (signers, signatures) = (members.count_ones(), certificate.signatures.len());
        if !self.votes.is_quorum(members) || usize::try_from(signers) != Ok(signatures) {
            let Certificate { kind, height, round, .. } = certificate;
            let detail = format!(
                "{signers} members {members:b} with {signatures} signatures at {height}/{round} \
                 {kind:?}"
            );
            return Err(Violation::new("certificates have a quorum", detail));
        }
        self.votes.new_in(certificate).iter().try_for_each(|vote| self.vote_leaves(from, vote))
    }

    fn round_certificate(&self, certificate: &RoundCertificate) -> Result<(), Violation> {
        let signers = certificate.votes.iter().map(|vote| vote.signer);
        let members = votes::members_of(signers);
        let distinct = usize::try_from(members.count_ones()) == Ok(certificate.votes.len());
        if distinct && self.votes.is_third(members) {
            return Ok(());
        }
        let RoundCertificate { height, round, .. } = certificate;
        let detail = format!("round certificate {height}/{round} of members {members:b}");
        Err(Violation::new("certificates have a quorum", detail))
    }

    /// A block became durable at a node.
    pub fn committed(
        &mut self,
        setup: &Setup,
        block: &Block,
        certificate: &Certificate,
        state: &LedgerState,
    ) -> Result<(), Violation> {
        let (height, hash) = (block.header.height, block.hash());
        self.certificate(None, certificate)?;
        let invalid = |why| Violation::new("validity", format!("block {height} {hash:?}: {why}"));
        fold::check_certificate(setup, (height, hash), certificate).map_err(invalid)?;
        let known = usize::try_from(height.0 - 1).ok().and_then(|index| self.finals.get(index));
        let root = state.root();
        match known {
            Some(known) if known.hash != hash => {
                let detail = format!("height {height}: {:?} and {hash:?} are final", known.hash);
                Err(Violation::new("agreement", detail))
            }
            Some(known) if known.root != root => {
                Err(Violation::new("state", format!("two state roots after height {height}")))
            }
            Some(_) => Ok(()),
            None => {
                let parent = self.finals.last().map(|parent| parent.root);
                if parent.is_some_and(|root| root != block.header.state_root) {
                    return Err(invalid("its state root is not its parent's".into()));
                }
                self.ledger.apply(setup, block).map_err(invalid)?;
                self.ledger.compare(state).map_err(invalid)?;
                self.finals.push(FinalBlock { hash, root });
                Ok(())
            }
        }
    }

    /// A mempool keeps its bounds.
    pub fn mempool(node: usize, mempool: &Mempool) -> Result<(), Violation> {
        let limits = mempool.limits();
        if mempool.len() > limits.transactions_max || mempool.bytes() > limits.bytes_max {
            let detail = format!("node {node}: {} with {} bytes", mempool.len(), mempool.bytes());
            return Err(Violation::new("mempool bound", detail));
        }
        Ok(())
    }

    /// What came too early, or too often, keeps its bounds.
    pub fn held(node: usize, held: &Held, most: &Held) -> Result<(), Violation> {
        if !held.is_within(most) {
            let detail = format!("node {node} holds {held:?}, more than {most:?}");
            return Err(Violation::new("bounded buffers", detail));
        }
        Ok(())
    }

    /// After a block: no two waiting transactions spend one output, and none spends a spent one.
    pub fn mempool_spends(
        node: usize,
        mempool: &Mempool,
        is_spent: impl Fn(&OutPoint) -> bool,
    ) -> Result<(), Violation> {
        let mut spenders = BTreeMap::new();
        for entry in mempool.iter() {
            for input in &entry.transaction().body.inputs {
                let other = spenders.insert(*input, entry.txid());
                if other.is_some() || is_spent(input) {
                    let detail = format!("node {node}: {} spends {input}", entry.txid());
                    return Err(Violation::new("mempool conflict", detail));
                }
            }
        }
        Ok(())
    }

    /// What a node finds after a crash is not less than what it told anybody.
    pub fn recovered(node: usize, found: Height, told: Height) -> Result<(), Violation> {
        if found < told {
            let detail = format!("node {node} told of {told} and comes back with {found}");
            return Err(Violation::new("durability", detail));
        }
        Ok(())
    }
}
