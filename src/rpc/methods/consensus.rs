//! How the next block comes about, and who decides.
use crate::rpc::{
    context::{Answer, Context, json},
    params::Params,
    view::{LockView, Money},
};
use serde::Serialize;
use timecoin_chain::{
    consensus::Step,
    engine::{EngineStatus, MasternodeStatus},
    types::Amount,
};

#[derive(Serialize)]
struct ConsensusInfo {
    /// The height being decided.
    height: u64,
    round: u32,
    step: &'static str,
    proposer: u16,
    masternode: Option<u16>,
    locked: Option<Locked>,
    height_age_ms: u64,
    final_height: u64,
    final_hash: String,
    sync_target: u64,
    syncing: bool,
    online_weight: u64,
    total_weight: u64,
    quorum_weight: u64,
    stalled: bool,
    stall_reason: Option<String>,
    /// Whether this node's key signs, in one word and in a sentence.
    signing: &'static str,
    signing_reason: String,
    halted: Option<String>,
    waiting_for: String,
    troubles: Vec<TroubleView>,
    masternodes: Vec<VoterView>,
}

/// What delayed a block of late.
#[derive(Serialize)]
struct TroubleView {
    time: u64,
    what: String,
}

#[derive(Serialize)]
struct Locked {
    round: u32,
    block: String,
}

#[derive(Serialize)]
struct VoterView {
    index: u16,
    key: String,
    weight: u64,
    proposer: bool,
    prevoted: bool,
    precommitted: bool,
    silent_ms: Option<u64>,
    online: bool,
    #[serde(rename = "self")]
    is_self: bool,
    offence: Option<u64>,
}

impl VoterView {
    fn new(status: &EngineStatus, node: &MasternodeStatus) -> Self {
        Self {
            index: node.index,
            key: node.key.to_string(),
            weight: node.weight,
            proposer: node.index == status.proposer,
            prevoted: node.prevoted,
            precommitted: node.precommitted,
            silent_ms: node.silent_for.map(|silence| silence.0),
            online: node.online,
            is_self: status.me == Some(node.index),
            offence: node.offence.map(|height| height.0),
        }
    }
}

pub(in crate::rpc) async fn info(context: &Context, _: Params<'_>) -> Answer {
    let status = context.node.status();
    json(&ConsensusInfo {
        height: status.deciding.0,
        round: status.round.0,
        step: match status.step {
            Step::Propose => "propose",
            Step::Prevote => "prevote",
            Step::Precommit => "precommit",
        },
        proposer: status.proposer,
        masternode: status.me,
        locked: status
            .locked
            .map(|(round, block)| Locked { round: round.0, block: block.to_string() }),
        height_age_ms: status.height_age.0,
        final_height: status.committed.0,
        final_hash: status.block.to_string(),
        sync_target: status.sync_target.0,
        syncing: status.is_syncing(),
        online_weight: status.online_weight,
        total_weight: status.total_weight,
        quorum_weight: status.total_weight * 2 / 3 + 1,
        stalled: status.stalled,
        stall_reason: status.stall_reason(),
        signing: status.signing.name(),
        signing_reason: status.signing.to_string(),
        halted: status.halted.clone(),
        waiting_for: status.waiting_for(),
        troubles: status
            .troubles
            .iter()
            .map(|trouble| TroubleView { time: trouble.at.0, what: trouble.report.to_string() })
            .collect(),
        masternodes: status.masternodes.iter().map(|node| VoterView::new(&status, node)).collect(),
    })
}

#[derive(Serialize)]
struct MasternodeView {
    #[serde(flatten)]
    voter: VoterView,
    payout: LockView,
    /// Rewards of this epoch that are not paid yet.
    accrued: Money,
}

pub(in crate::rpc) async fn masternodes(context: &Context, _: Params<'_>) -> Answer {
    let state = context.reads.run(|store| Ok(store.state()?)).await?;
    let status = context.node.status();
    let network = context.network();
    let members = context.node.chain.masternodes.members();
    let accrued = state.accrued.iter().copied().chain(std::iter::repeat(Amount::ZERO));
    let views: Vec<MasternodeView> = status
        .masternodes
        .iter()
        .zip(members)
        .zip(accrued)
        .map(|((node, member), accrued)| MasternodeView {
            voter: VoterView::new(&status, node),
            payout: LockView::new(network, &member.payout),
            accrued: Money(accrued),
        })
        .collect();
    json(&views)
}
