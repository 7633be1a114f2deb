//! The height being decided, and the masternodes.
use crate::{
    api::{
        ConsensusInfo, GetConsensusInfo, JsonAmount, ListMasternodes, Locked, MasternodeView,
        TroubleView, Voter,
    },
    rpc::{
        context::{Context, Serve},
        error::RpcError,
        view,
    },
};
use timecoin_chain::{
    consensus::Step,
    engine::{EngineStatus, MasternodeStatus},
    types::Amount,
};

impl Serve for GetConsensusInfo {
    async fn serve(self, context: &Context) -> Result<ConsensusInfo, RpcError> {
        Ok(info(&context.node.status()))
    }
}

fn info(status: &EngineStatus) -> ConsensusInfo {
    let step = match status.step {
        Step::Propose => "propose",
        Step::Prevote => "prevote",
        Step::Precommit => "precommit",
    };
    let locked = status
        .locked
        .map(|(round, block)| Locked { round: round.0.into(), block: block.to_string() });
    let troubles = status
        .troubles
        .iter()
        .map(|trouble| TroubleView { time: trouble.at.0, what: trouble.report.to_string() });
    ConsensusInfo {
        height: status.deciding.0,
        round: status.round.0.into(),
        step: step.into(),
        proposer: status.proposer,
        masternode: status.me,
        locked,
        height_age_ms: status.height_age.0,
        final_height: status.durable.0,
        final_hash: status.block.to_string(),
        sync_target: status.sync_target.0,
        syncing: status.is_syncing(),
        online_weight: status.online_weight,
        total_weight: status.total_weight,
        quorum_weight: status.total_weight * 2 / 3 + 1,
        halted: status.halt_reason(),
        signing: status.signing.name().into(),
        signing_reason: status.signing.to_string(),
        stopped: status.stopped.clone(),
        waiting_for: status.waiting_for(),
        troubles: troubles.collect(),
        masternodes: status.masternodes.iter().map(|node| voter(status, node)).collect(),
    }
}

fn voter(status: &EngineStatus, node: &MasternodeStatus) -> Voter {
    Voter {
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

impl Serve for ListMasternodes {
    async fn serve(self, context: &Context) -> Result<Vec<MasternodeView>, RpcError> {
        let state = context.reads.run(|store| Ok(store.state()?)).await?;
        let status = context.node.status();
        let network = context.network();
        let members = context.node.chain.masternodes.members();
        let accrued = state.accrued.iter().copied().chain(std::iter::repeat(Amount::ZERO));
        let masternodes = status.masternodes.iter().zip(members).zip(accrued);
        Ok(masternodes
            .map(|((node, member), accrued)| MasternodeView {
                voter: voter(&status, node),
                payout: view::lock(network, &member.payout),
                accrued: JsonAmount(accrued),
            })
            .collect())
    }
}
