//! What the node shows of itself. RPC, logs and metrics read this, never the engine's own state.
use super::{Engine, Held, Signing, Trouble, why::List};
use crate::{
    consensus::Step,
    crypto::PublicKey,
    ledger::LedgerView,
    limits::UNDURABLE_MAX,
    types::{BlockHash, Evidence, Height, Millis, Now, Round, Timestamp, VoteKind},
};
use std::collections::BTreeMap;

/// One masternode as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasternodeStatus {
    /// Its index in the set.
    pub index: u16,
    /// Its key.
    pub key: PublicKey,
    /// Its weight.
    pub weight: u64,
    /// Since it was last heard; none where it never was.
    pub silent_for: Option<Millis>,
    /// Whether it was heard of late: since the last block while blocks come, in this step when votes
    /// are overdue. This node itself always is.
    pub online: bool,
    /// Whether it prevoted in the current round.
    pub prevoted: bool,
    /// Whether it precommitted in the current round.
    pub precommitted: bool,
    /// The height of the block that recorded an offence of it.
    pub offence: Option<Height>,
}

/// The node at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineStatus {
    /// The last final height that is durable here.
    pub durable: Height,
    /// The height being decided: the next one, or while blocks are being written one or two later.
    pub deciding: Height,
    /// Its block.
    pub block: BlockHash,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// The state root after it.
    pub state_root: [u8; 32],
    /// The round of the height being decided.
    pub round: Round,
    /// The step of that round.
    pub step: Step,
    /// Index of the round's proposer.
    pub proposer: u16,
    /// Index of this node in the set, should it be a masternode.
    pub me: Option<u16>,
    /// The lock at this height.
    pub locked: Option<(Round, BlockHash)>,
    /// All masternodes.
    pub masternodes: Vec<MasternodeStatus>,
    /// The weight of all.
    pub total_weight: u64,
    /// The weight heard of late.
    pub online_weight: u64,
    /// How far this clock is ahead of the clocks of the others, in milliseconds: of their last
    /// proposals when they came, the median by weight. Below zero it is behind. None until one came.
    pub clock_ahead_ms: Option<i64>,
    /// Since the height began.
    pub height_age: Millis,
    /// How long until the round's proposal is due; none where it is.
    pub proposal_due_in: Option<Millis>,
    /// Decided blocks that are being written.
    pub undurable: usize,
    /// What is held of consensus messages.
    pub held: Held,
    /// What delayed blocks of late, the last one last.
    pub troubles: Vec<Trouble>,
    /// Whether the chain is halted: votes are overdue because too little weight is online.
    pub halted: bool,
    /// The greatest height proven final.
    pub sync_target: Height,
    /// Transactions in the mempool.
    pub mempool_transactions: usize,
    /// Their bytes.
    pub mempool_bytes: usize,
    /// Transactions not taken into it since the start, by the code of the reason.
    pub mempool_rejected: BTreeMap<&'static str, u64>,
    /// Evidence that no block has recorded yet, by ascending offender.
    pub evidence: Vec<Evidence>,
    /// Whether this node's key signs.
    pub signing: Signing,
    /// Why the engine stopped for good, should it have.
    pub stopped: Option<String>,
}

impl EngineStatus {
    /// Whether a later height is proven than is committed here.
    pub fn is_syncing(&self) -> bool {
        self.sync_target > self.deciding
    }

    /// In words, what this node waits for right now.
    pub fn waiting_for(&self) -> String {
        if self.is_syncing() {
            return format!("blocks {} to {} from peers", self.deciding, self.sync_target);
        }
        if self.undurable == UNDURABLE_MAX {
            return format!("the disk: {UNDURABLE_MAX} decided blocks are not written yet");
        }
        let without = |voted: fn(&MasternodeStatus) -> bool| -> (Vec<u16>, u64) {
            let missing = self.masternodes.iter().filter(|node| !voted(node));
            let weight = self.masternodes.iter().filter(|node| voted(node));
            (missing.map(|node| node.index).collect(), weight.map(|node| node.weight).sum())
        };
        let (kind, (missing, weight)) = match self.step {
            Step::Propose => {
                return match self.proposal_due_in {
                    Some(due) => {
                        format!("the proposal of masternode {}, due in {} ms", self.proposer, due.0)
                    }
                    None => format!("the proposal of masternode {}, which is due", self.proposer),
                };
            }
            Step::Prevote => ("prevotes", without(|node| node.prevoted)),
            Step::Precommit => ("precommits", without(|node| node.precommitted)),
        };
        format!(
            "{kind} of masternodes {}: {weight}/{} weight has voted, need more than 2/3 for one thing",
            List(&missing),
            self.total_weight
        )
    }

    /// In words, what is missing for blocks to go on; nothing where they do.
    pub fn halt_reason(&self) -> Option<String> {
        if !self.halted {
            return None;
        }
        let missing: Vec<String> = self
            .masternodes
            .iter()
            .filter(|node| !node.online)
            .map(|node| format!("masternode {} ({})", node.index, &node.key.to_string()[..8]))
            .collect();
        Some(format!(
            "halted at height {}: {}/{} weight online, need more than 2/3; missing: {}. Nothing is \
             lost; it resumes when enough return",
            self.deciding,
            self.online_weight,
            self.total_weight,
            missing.join(", "),
        ))
    }
}

impl<V: LedgerView> Engine<V> {
    fn proposal_due_in(&self, now: Now) -> Option<Millis> {
        let due = self.timing.proposal_due();
        (due > now.mono).then(|| due.since(now.mono))
    }

    /// The node now.
    pub fn status(&self, now: Now) -> EngineStatus {
        let round = self.height.consensus.round();
        let prevoters = self.height.consensus.voters(round, VoteKind::Prevote);
        let precommitters = self.height.consensus.voters(round, VoteKind::Precommit);
        let height_age = now.mono.since(self.height.started);
        let overdue = self.overdue(now.mono);
        let masternodes: Vec<MasternodeStatus> = (0..)
            .zip(self.ctx.set.members())
            .map(|(index, member)| {
                let silent_for = self.health.silent_for(index, now.mono);
                let is_heard = silent_for.is_some_and(|silence| overdue.is_online(index, silence));
                MasternodeStatus {
                    index,
                    key: member.key,
                    weight: member.weight,
                    silent_for,
                    online: Some(index) == self.ctx.me || is_heard,
                    prevoted: prevoters.contains(index),
                    precommitted: precommitters.contains(index),
                    offence: self.tip.state.offences.get(usize::from(index)).copied().flatten(),
                }
            })
            .collect();
        let durable = &self.tip.stack.durable;
        let online = masternodes.iter().filter(|node| node.online);
        let online_weight = online.map(|node| node.weight).sum();
        EngineStatus {
            durable: durable.height,
            block: durable.block,
            timestamp: durable.timestamp,
            state_root: durable.root(),
            deciding: self.height(),
            round,
            step: self.height.consensus.step(),
            proposer: self.ctx.set.proposer(self.height(), round),
            me: self.ctx.me,
            locked: self.height.consensus.resume().locked,
            total_weight: self.ctx.set.total_weight(),
            online_weight,
            clock_ahead_ms: self.health.clock_ahead_ms(&self.ctx),
            height_age,
            proposal_due_in: self.proposal_due_in(now),
            undurable: self.tip.view.layers().len(),
            held: self.held(),
            troubles: self.health.troubles().cloned().collect(),
            halted: overdue.is_any() && !self.ctx.set.is_quorum(online_weight),
            masternodes,
            sync_target: self.peers.target(),
            mempool_transactions: self.pool.mempool.len(),
            mempool_bytes: self.pool.mempool.bytes(),
            mempool_rejected: self.pool.rejected.clone(),
            evidence: self.watch.pool().cloned().collect(),
            signing: self.signing(),
            stopped: self.out.stopped().cloned(),
        }
    }
}
