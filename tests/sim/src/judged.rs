//! The effects of a node's verdict on a gossiped message.
use crate::{
    coverage::Met,
    node::Ticketed,
    oracle::Violation,
    verdicts::Life,
    wire::{Gossip, Payload},
    world::World,
};
use timecoin_chain::{
    inbound::Verdict,
    types::ConsensusMessage,
    wire::{Ticket, Topic},
};

impl World {
    /// A message of a peer waits for its verdict from now on.
    pub(crate) fn arrives_at_door(&mut self, node: usize, peer: u64, topic: Topic) {
        if self.faults.flood.is_some() && self.is_honest(node) {
            let (life, members) = (self.life(node), self.setup.masternodes.len());
            let result = self.verdicts.arrives(life, (peer, topic), members);
            self.expect(result);
        }
    }

    pub(crate) fn judged(&mut self, node: usize, ticket: Ticket, verdict: Verdict) {
        let Some(Ticketed::Gossiped { gossip, peer, from, arrived, is_new }) =
            self.take_ticket(node, ticket)
        else {
            let detail = format!("node {node} judges {} twice or never got it", ticket.0);
            return self.expect(Err(Violation::new("one verdict for a message", detail)));
        };
        self.trace.append(|| format!(" | {verdict:?}"));
        if self.faults.flood.is_some() && self.is_honest(node) {
            self.verdicts.judged(self.life(node), (peer, gossip.topic));
            self.note_wait(node, &gossip, from, self.time - arrived, verdict);
        }
        match verdict {
            Verdict::Accept => self.accepted(node, &gossip, from, is_new),
            Verdict::Ignore => {}
            Verdict::Reject(_) if gossip.is_altered => {
                self.coverage.met(Met::CorruptionRefused);
            }
            Verdict::Reject(reason) => self.rejected(node, peer, &gossip, from, reason),
        }
    }

    pub(crate) fn life(&self, node: usize) -> Life {
        (node, self.nodes[node].incarnation)
    }

    /// Records how long an honest vote waited. A vote that is already known takes no time and does
    /// not count.
    fn note_wait(
        &mut self,
        node: usize,
        gossip: &Gossip,
        from: Option<usize>,
        span: u64,
        verdict: Verdict,
    ) {
        let Payload::Consensus(message) = &gossip.payload else { return };
        let ConsensusMessage::Vote(vote) = &**message else { return };
        let is_honest = !gossip.is_altered
            && from.is_some_and(|from| self.is_honest(from))
            && self.oracle.is_honest(vote.signer);
        if is_honest && (verdict == Verdict::Accept || span > 0) {
            self.verdicts.waited(node, span);
        }
    }

    fn accepted(
        &mut self,
        node: usize,
        gossip: &std::rc::Rc<Gossip>,
        from: Option<usize>,
        is_new: bool,
    ) {
        if gossip.is_altered {
            self.coverage.met(Met::CorruptionTaken);
        } else if self.is_honest(node) {
            self.note_forwarded(node, gossip);
        }
        if self.faults.forward && is_new && self.nodes[node].actor.is_none() {
            self.spread(node, gossip, from);
        }
    }

    fn note_forwarded(&mut self, node: usize, gossip: &Gossip) {
        let Payload::Consensus(message) = &gossip.payload else { return };
        let member = match &**message {
            ConsensusMessage::Vote(vote) => vote.signer,
            ConsensusMessage::Proposal(proposal) => {
                self.setup.proposer(proposal.height(), proposal.round)
            }
            _ => return,
        };
        if self.oracle.is_honest(member) {
            return;
        }
        let Some(running) = &self.nodes[node].running else { return };
        let place = (running.engine.height(), self.round_of(node));
        let life = self.life(node);
        let result = self.verdicts.forwards(life, self.time, place, message, member);
        self.expect(result);
    }

    fn rejected(
        &mut self,
        node: usize,
        peer: u64,
        gossip: &Gossip,
        from: Option<usize>,
        reason: &str,
    ) {
        match from {
            Some(from) if self.is_honest(from) => {
                let detail = format!("node {node} rejects what honest node {from} sent: {reason}");
                self.expect(Err(Violation::new("no honest node is blamed", detail)));
            }
            Some(_) => self.coverage.met(Met::ByzantineRefused),
            None => {
                if let (Payload::Consensus(message), true) = (&gossip.payload, self.is_honest(node))
                {
                    let result = self.verdicts.rejects(self.life(node), peer, message);
                    self.expect(result);
                }
                self.throw_out(node, peer);
            }
        }
    }
}
