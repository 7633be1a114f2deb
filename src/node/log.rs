//! Logs the engine's reports: a short message, and figures as fields. WARN means that the operator
//! may need to act.
use timecoin_chain::{
    engine::{EngineStatus, Report, Signing},
    types::{BlockHash, Millis, VoteKind},
};
use tracing::{debug, info, warn};

/// A halt that lasts is told again this often.
const HALT_PERIOD: Millis = Millis(60_000);

/// Tells that the chain is halted and which masternodes are missing: at once, when others are missing, and
/// each minute; then once that it resumed.
#[derive(Debug, Default)]
pub(super) struct Halts {
    told: Option<(String, Millis)>,
}

/// What is told of a halt.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Halted(String),
    Resumed,
}

impl Halts {
    pub(super) fn note(&mut self, status: &EngineStatus, now: Millis) {
        let height = status.deciding.0;
        match self.due(status.halt_reason(), now) {
            Some(Told::Halted(reason)) => warn!(
                height,
                online_weight = status.online_weight,
                total_weight = status.total_weight,
                "{reason}"
            ),
            Some(Told::Resumed) => info!(height, "resumed at height {height}"),
            None => {}
        }
    }

    fn due(&mut self, reason: Option<String>, now: Millis) -> Option<Told> {
        let Some(reason) = reason else { return self.told.take().map(|_| Told::Resumed) };
        let is_known =
            |(told, at): &(String, Millis)| *told == reason && now.since(*at) < HALT_PERIOD;
        if self.told.as_ref().is_some_and(is_known) {
            return None;
        }
        self.told = Some((reason.clone(), now));
        Some(Told::Halted(reason))
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
        types::{Height, Round},
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
    fn a_halt_is_told_at_once_each_minute_and_when_another_is_missing() {
        let mut halts = Halts::default();
        for (now, reason, is_told) in [
            (0, None, false),
            (1_000, Some("1 is missing"), true),
            (60_999, Some("1 is missing"), false),
            (61_000, Some("1 is missing"), true),
            (62_000, Some("1 and 2 are missing"), true),
            (121_999, Some("1 and 2 are missing"), false),
            (122_000, Some("1 and 2 are missing"), true),
        ] {
            let told = halts.due(reason.map(str::to_owned), Millis(now));
            let expected = reason.filter(|_| is_told).map(|reason| Told::Halted(reason.into()));
            assert_eq!(told, expected, "after {now} ms");
        }
        assert_eq!(halts.due(None, Millis(123_000)), Some(Told::Resumed));
        assert_eq!(halts.due(None, Millis(124_000)), None);
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
