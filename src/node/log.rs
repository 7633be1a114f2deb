//! Logs the engine's reports: a short message, and figures as fields. WARN means that the operator
//! may need to act.
use timecoin_chain::{
    engine::{EngineStatus, Report, Signing},
    types::{BlockHash, VoteKind},
};
use tracing::{debug, info, warn};

/// Logs once that blocks have stopped and which masternodes are missing, again when others are
/// missing, and once that blocks continue.
pub(super) fn stall(before: &EngineStatus, now: &EngineStatus) {
    let height = now.deciding.0;
    match (before.stall_reason(), now.stall_reason()) {
        (was, Some(reason)) if was.as_ref() != Some(&reason) => warn!(
            height,
            online_weight = now.online_weight,
            total_weight = now.total_weight,
            "{reason}"
        ),
        (Some(_), None) => info!(height, "resumed at height {height}"),
        _ => {}
    }
}

/// Writes one report to the log.
pub(super) fn report(report: &Report) {
    match report {
        Report::Final { .. } => committed(report),
        Report::Round { height, round, why, proposer } if report.is_trouble() => {
            info!(height = height.0, round = round.0, proposer, "round: {why}");
        }
        Report::Round { height, round, proposer, .. } => {
            debug!(height = height.0, round = round.0, proposer, "round");
        }
        Report::Proposed { height, round, block, transactions } => debug!(
            height = height.0,
            round = round.0,
            txs = transactions,
            block = %short(block),
            "proposed"
        ),
        Report::Nil { height, round, kind, why } => {
            let kind = match kind {
                VoteKind::Prevote => "prevote",
                VoteKind::Precommit => "precommit",
            };
            info!(height = height.0, round = round.0, kind, "nil {kind}: {why}");
        }
        Report::InvalidBlock { height, block, .. } => {
            warn!(height = height.0, block = %block, "{report}");
        }
        Report::ClockSkew { height, proposer, timestamp, clock } => {
            let ahead_ms = timestamp.0.saturating_sub(clock.0);
            warn!(height = height.0, masternode = proposer, ahead_ms, "{report}");
        }
        Report::ClockAhead { by, .. } => warn!(ahead_ms = by.0, "{report}"),
        Report::Evidence(evidence) => warn!(
            height = evidence.height().0,
            round = evidence.round().0,
            masternode = evidence.offender(),
            kind = evidence.kind().name(),
            "{report}"
        ),
        Report::Behind { height, target } => {
            info!(height = height.0, target_height = target.0, "behind: catching up");
        }
        Report::Refused { height, round, refusal } => {
            info!(height = height.0, round = round.0, "not signed: {refusal}");
        }
        Report::Signing(signing @ (Signing::Observing { .. } | Signing::From(_))) => {
            warn!(signing = signing.name(), "signing: {signing}");
        }
        Report::Signing(signing) => info!(signing = signing.name(), "signing: {signing}"),
    }
}

fn committed(report: &Report) {
    let Report::Final {
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
    } = report
    else {
        return;
    };
    info!(
        height = height.0,
        round = round.0,
        proposer,
        txs = transactions,
        weight,
        total_weight = total,
        took_ms = took.0,
        block = %short(block),
        missed = (!missed.is_empty()).then(|| tracing::field::debug(missed)),
        "{}",
        if *synced { "synced" } else { "final" }
    );
}

/// A prefix of a hash, long enough to find it.
fn short(hash: &BlockHash) -> String {
    let mut text = hash.to_string();
    text.truncate(12);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::tests::{human_lines, json_lines};
    use serde_json::json;
    use timecoin_chain::{
        engine::NilWhy,
        types::{Height, Millis, Round},
    };

    fn committed(missed: Vec<u16>) -> Report {
        Report::Final {
            height: Height(12),
            round: Round(1),
            block: BlockHash([9; 32]),
            proposer: 2,
            transactions: 5,
            weight: 3,
            total: 4,
            took: Millis(87),
            missed,
            synced: false,
        }
    }

    #[test]
    fn a_final_block_is_a_line_of_fields() {
        let lines = json_lines(|| report(&committed(vec![3])));
        let [line] = &lines[..] else { unreachable!("{lines:?}") };
        for (field, expected) in [
            ("message", json!("final")),
            ("level", json!("INFO")),
            ("height", json!(12)),
            ("round", json!(1)),
            ("proposer", json!(2)),
            ("txs", json!(5)),
            ("weight", json!(3)),
            ("total_weight", json!(4)),
            ("took_ms", json!(87)),
            ("block", json!("090909090909")),
            ("missed", json!("[3]")),
        ] {
            assert_eq!(line[field], expected, "{field} of {line}");
        }
        let human = human_lines(|| report(&committed(vec![])));
        assert_eq!(
            human,
            ["INFO final height=12 round=1 proposer=2 txs=5 weight=3 total_weight=4 took_ms=87 \
              block=090909090909"]
        );
    }

    #[test]
    fn what_went_wrong_names_height_round_and_masternode() {
        let nil = Report::Nil {
            height: Height(7),
            round: Round(2),
            kind: VoteKind::Prevote,
            why: NilWhy::ProposerSilent { proposer: 3 },
        };
        let lines = json_lines(|| report(&nil));
        assert_eq!((&lines[0]["height"], &lines[0]["round"]), (&json!(7), &json!(2)));
        assert_eq!(lines[0]["kind"], "prevote");
        assert!(lines[0]["message"].as_str().is_some_and(|text| text.starts_with("nil prevote: ")));

        let skew = Report::ClockSkew {
            height: Height(7),
            proposer: 3,
            timestamp: timecoin_chain::types::Timestamp(15_000),
            clock: timecoin_chain::types::Timestamp(1_000),
        };
        let lines = json_lines(|| report(&skew));
        assert_eq!((&lines[0]["masternode"], &lines[0]["ahead_ms"]), (&json!(3), &json!(14_000)));
        assert_eq!(lines[0]["level"], "WARN");
    }
}
