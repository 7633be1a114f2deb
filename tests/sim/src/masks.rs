//! Runs a scenario of twins: several nodes with one key, and what passes between the nodes.
use crate::{
    byzantine::twins::{Masks, Scenario},
    wire::Payload,
    world::World,
};
use timecoin_chain::types::ConsensusMessage;

impl World {
    /// Makes the copies of the scenario's key.
    pub(crate) fn begin_twins(&mut self, scenario: Scenario) {
        let masks = Masks::new(&self.setup, scenario);
        self.oracle.corrupt(masks.key);
        for copy in 1..masks.nodes.len() {
            let mut twin = self.nodes[usize::from(masks.key)].twin(&self.setup);
            // Else they would propose the same block.
            twin.clock.offset_ms += 10 * i64::try_from(copy).expect("a few");
            self.nodes.push(twin);
        }
        self.trace.line(|| format!("{masks:?}"));
        self.masks = Some(masks);
    }

    /// Whether the scenario lets gossip pass.
    pub(crate) fn lets_gossip_pass(&self, from: usize, to: usize, payload: &Payload) -> bool {
        let Payload::Consensus(message) = payload else { return true };
        let Some(masks) = self.masks.as_ref().filter(|_| self.is_storm()) else { return true };
        let round = match &**message {
            ConsensusMessage::Vote(vote) => vote.round,
            ConsensusMessage::Proposal(proposal) => proposal.round,
            ConsensusMessage::Certificate(certificate) => certificate.round,
            ConsensusMessage::Round(certificate) => certificate.round,
            ConsensusMessage::Evidence(evidence) => evidence.round(),
        };
        masks.lets_pass(from, to, (message.height(), round))
    }

    /// Whether the scenario lets a request pass, by the asker's round.
    pub(crate) fn lets_question_pass(&self, from: usize, to: usize) -> bool {
        let Some(masks) = self.masks.as_ref().filter(|_| self.is_storm()) else { return true };
        let Some(running) = &self.nodes[from].running else { return true };
        let height = running.engine.height();
        let round = self.rounds.get(&(from, height)).copied().unwrap_or_default();
        masks.lets_pass(from, to, (height, round))
    }
}
