//! Sends what was sent before, by itself and others, of this height and of long ago. Each copy has
//! another attempt, so that no duplicate cache stops it.
use super::{Actor, Stage};
use timecoin_chain::types::ConsensusMessage;

/// Messages kept at the most.
const KEPT_MAX: usize = 64;
/// Messages at a time.
const AT_A_TIME: usize = 4;

/// A masternode that lives in the past.
#[derive(Default)]
pub(super) struct StaleResender {
    kept: Vec<ConsensusMessage>,
    heard: usize,
}

impl Actor for StaleResender {
    fn speak(&mut self, stage: &mut Stage, message: ConsensusMessage, attempt: u8) {
        self.keep(stage, message.clone());
        stage.say(message, attempt);
    }

    fn hear(&mut self, stage: &mut Stage, message: &ConsensusMessage) {
        self.keep(stage, message.clone());
    }

    fn tick(&mut self, stage: &mut Stage) {
        for _ in 0..AT_A_TIME.min(self.kept.len()) {
            let message = self.kept[stage.rng.index(self.kept.len())].clone();
            let attempt = 1 + u8::try_from(stage.rng.below(255)).unwrap_or(0);
            stage.works();
            stage.say(message, attempt);
        }
    }
}

impl StaleResender {
    /// Of all messages so far, each is as likely to be among the kept as any other.
    fn keep(&mut self, stage: &mut Stage, message: ConsensusMessage) {
        self.heard += 1;
        if self.kept.len() < KEPT_MAX {
            return self.kept.push(message);
        }
        let place = stage.rng.index(self.heard);
        if let Some(kept) = self.kept.get_mut(place) {
            *kept = message;
        }
    }
}
