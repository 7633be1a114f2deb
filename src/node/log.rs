//! What the engine reports, in words an operator reads. WARN means that an operator may act.
use timecoin_chain::{
    engine::{EngineStatus, Report},
    types::{Evidence, VoteKind},
};
use tracing::{debug, info, warn};

/// Says once that blocks have stopped, and whom they wait for; again when others are missing; and once
/// that they go on.
pub(super) fn stall(before: &EngineStatus, now: &EngineStatus) {
    match (before.stall_reason(), now.stall_reason()) {
        (was, Some(reason)) if was.as_ref() != Some(&reason) => warn!("{reason}"),
        (Some(_), None) => info!("resumed at height {}", now.committed.next()),
        _ => {}
    }
}

/// Writes one report to the log.
pub(super) fn report(report: &Report) {
    match report {
        Report::Committed {
            height,
            round,
            block,
            proposer,
            transactions,
            weight,
            total,
            took,
            missed,
            synced,
        } => {
            let missed =
                if missed.is_empty() { String::new() } else { format!(" missed={missed:?}") };
            let how = if *synced { "synced" } else { "final" };
            info!(
                "{how} height={height} round={round} proposer={proposer} txs={transactions} \
                 votes={weight}/{total} time_to_finality={}ms block={}{missed}",
                took.0,
                &block.to_string()[..12],
            );
        }
        Report::Round { height, round, reason, proposer } if round.0 > 0 => {
            info!("round height={height} round={round} proposer={proposer} reason={reason:?}");
        }
        Report::Round { height, round, proposer, .. } => {
            debug!("round height={height} round={round} proposer={proposer}");
        }
        Report::Proposed { height, round, block, transactions } => {
            debug!(
                "proposed height={height} round={round} txs={transactions} block={}",
                &block.to_string()[..12]
            );
        }
        Report::Nil { height, round, kind, reason } => {
            let kind = match kind {
                VoteKind::Prevote => "prevote",
                VoteKind::Precommit => "precommit",
            };
            info!("nil {kind} height={height} round={round} reason={reason:?}");
        }
        Report::InvalidBlock { height, block, error } => {
            warn!("invalid block height={height} block={block}: {error}");
        }
        Report::ClockSkew { height, proposer, timestamp, clock } => warn!(
            "proposal of masternode {proposer} at height {height} is {} ms ahead of this clock: \
             check the clocks of both (chronyc tracking)",
            timestamp.0.saturating_sub(clock.0)
        ),
        Report::Behind { height, target } => {
            info!("behind height={height} target={target}: catching up");
        }
        Report::Refused { height, round, refusal } => {
            info!("not signed height={height} round={round}: {refusal}");
        }
        Report::Evidence(Evidence::Votes(first, second)) => warn!(
            "masternode {} signed two votes at height {} round {}: {:?} and {:?}",
            first.signer, first.height, first.round, first.block, second.block
        ),
    }
}
