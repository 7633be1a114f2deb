//! What the engine reports, in words an operator reads. WARN means that an operator may act.
use timecoin_chain::{
    engine::{EngineStatus, Report, Signing},
    types::VoteKind,
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
        Report::Round { height, round, why, proposer } if report.is_trouble() => {
            info!("round height={height} round={round} proposer={proposer}: {why}");
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
        Report::Nil { height, round, kind, why } => {
            let kind = match kind {
                VoteKind::Prevote => "prevote",
                VoteKind::Precommit => "precommit",
            };
            info!("nil {kind} height={height} round={round}: {why}");
        }
        Report::InvalidBlock { .. } | Report::ClockSkew { .. } | Report::Evidence(_) => {
            warn!("{report}");
        }
        Report::Behind { height, target } => {
            info!("behind height={height} target={target}: catching up");
        }
        Report::Refused { height, round, refusal } => {
            info!("not signed height={height} round={round}: {refusal}");
        }
        Report::Signing(signing @ Signing::Observing { .. }) => warn!("signing: {signing}"),
        Report::Signing(signing) => info!("signing: {signing}"),
    }
}
