//! What must hold whatever goes wrong. Checked after every event, from outside of the nodes.
use crate::{
    fold::{self, Fold},
    setup::Setup,
};
use std::collections::BTreeMap;
use timecoin_chain::{
    engine::Message,
    ledger::LedgerState,
    mempool::Mempool,
    types::{Block, BlockHash, Certificate, Height, OutPoint, Round, Vote, VoteKind},
};

/// A property that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its name, the same in every run.
    pub property: &'static str,
    /// What was seen.
    pub detail: String,
}

impl Violation {
    /// A violation.
    pub fn new(property: &'static str, detail: impl Into<String>) -> Self {
        Self { property, detail: detail.into() }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.property, self.detail)
    }
}

/// The kinds of message of which one slot holds one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SlotKind {
    Proposal,
    Prevote,
    Precommit,
}

type Slot = (u16, Height, Round, SlotKind);
type Said = (Option<BlockHash>, Option<Round>);

struct FinalBlock {
    hash: BlockHash,
    root: [u8; 32],
}

/// The memory of the checker.
pub struct Oracle {
    said: BTreeMap<Slot, Said>,
    finals: Vec<FinalBlock>,
    /// The ledger after the last final block.
    pub ledger: Fold,
}

impl Oracle {
    /// Nothing has happened yet.
    pub fn new(setup: &Setup) -> Self {
        Self { said: BTreeMap::new(), finals: Vec::new(), ledger: Fold::new(setup) }
    }

    /// The greatest final height.
    pub fn height(&self) -> Height {
        self.ledger.height
    }

    /// A message leaves a node: nobody says two things in one slot, now or after a crash.
    pub fn message_leaves(&mut self, setup: &Setup, message: &Message) -> Result<(), Violation> {
        match message {
            Message::Vote(vote) => self.vote(vote),
            Message::Certificate(certificate) => self.certificate(certificate),
            Message::Round(certificate) => {
                certificate.votes.iter().try_for_each(|vote| self.vote(vote))
            }
            Message::Proposal(proposal) => {
                let (height, round) = (proposal.height(), proposal.round);
                let proposer = setup.chain.masternodes.proposer(height, round);
                let said = (Some(proposal.block_hash()), proposal.valid_round);
                self.say((proposer, height, round, SlotKind::Proposal), said)?;
                let certificates = [&proposal.polka, &proposal.last_commit];
                certificates.into_iter().flatten().try_for_each(|held| self.certificate(held))
            }
        }
    }

    fn certificate(&mut self, certificate: &Certificate) -> Result<(), Violation> {
        let kind = slot_kind(certificate.kind);
        let said = (certificate.block, certificate.valid_round);
        let (height, round) = (certificate.height, certificate.round);
        certificate
            .signers
            .iter()
            .try_for_each(|signer| self.say((signer, height, round, kind), said))
    }

    fn vote(&mut self, vote: &Vote) -> Result<(), Violation> {
        let slot = (vote.signer, vote.height, vote.round, slot_kind(vote.kind));
        self.say(slot, (vote.block, vote.valid_round))
    }

    fn say(&mut self, slot: Slot, said: Said) -> Result<(), Violation> {
        let before = *self.said.entry(slot).or_insert(said);
        if before == said {
            return Ok(());
        }
        let (signer, height, round, kind) = slot;
        let detail =
            format!("masternode {signer} at {height}/{round} {kind:?}: {before:?}, then {said:?}");
        Err(Violation::new("no double signing", detail))
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
        self.certificate(certificate)?;
        let invalid = |why| Violation::new("validity", format!("block {height} {hash:?}: {why}"));
        fold::check_certificate(setup, block, certificate).map_err(invalid)?;
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

fn slot_kind(kind: VoteKind) -> SlotKind {
    match kind {
        VoteKind::Prevote => SlotKind::Prevote,
        VoteKind::Precommit => SlotKind::Precommit,
    }
}
