//! Carries effects out, at once and without a fault.
use super::{SAID_MAX, Shells, peer_of};
use timecoin_chain::{
    engine::{Effect, Input, Report, Timer},
    ledger::look_up,
    rules,
    types::{ConsensusMessage, Millis, Round},
    wire::{Peer, Protocol, Request, Response, Ticket},
};

impl Shells {
    pub(super) fn carry_out(&mut self, index: usize, effect: Effect) -> Result<(), String> {
        let shell = &mut self.shells[index];
        match effect {
            Effect::Execute(execution) => {
                let block = execution.block().hash();
                let (scheme, chain) = (&*self.setup.scheme, &*self.setup.chain);
                let result = execution.run(scheme, chain, shell.view.clone()).map(Box::new);
                self.queue.push_back((index, Input::Executed { block, result }));
            }
            Effect::Commit { delta, certificate, .. } => {
                shell.disk.state = delta.state.clone();
                shell.disk.tip = Some((*certificate).clone());
                self.tip = Some(certificate);
                shell.view.0.borrow_mut().apply(&delta);
                self.queue.push_back((index, Input::Durable { height: delta.height }));
            }
            Effect::LookUp { ticket, inputs } => {
                let coins = look_up(&shell.view, inputs);
                self.queue.push_back((index, Input::CoinsFound { ticket, coins }));
            }
            Effect::Verify { ticket, spends } => {
                let results =
                    rules::verify_spends(&*self.setup.scheme, &self.setup.chain.hash, spends);
                self.queue.push_back((index, Input::Verified { ticket, results }));
            }
            Effect::SetTimer { timer, at } => {
                shell.timers.insert(timer, at);
                if let Timer::Step(..) = timer {
                    self.note_wait(index, at);
                }
            }
            Effect::Report(Report::Round { round, .. }) if round > Round(0) => {
                self.later_rounds += 1;
            }
            Effect::Publish { message, .. } => self.publish(index, message),
            Effect::Run(job) => {
                let outcome = job.run(&*self.setup.scheme, &self.setup.chain);
                self.queue.push_back((index, Input::Done(outcome)));
            }

            Effect::Request { to, request } => self.request(index, to, request),
            Effect::Respond { ticket, response } => self.respond(ticket, response),
            Effect::Report(Report::Evidence(_)) => self.evidence += 1,
            Effect::Blame { peer, reason } => {
                return Err(format!("masternode {index} blames {peer:?}: {reason}"));
            }
            Effect::Stop { reason, .. } => {
                return Err(format!("masternode {index} stops: {reason}"));
            }
            Effect::Persist { record, blocks } => {
                let safety = &mut shell.disk.safety;
                safety.record = (*record).clone();
                safety.blocks.extend(blocks.iter().map(|block| (**block).clone()));
                let named = record.blocks();
                safety.blocks.retain(|block| named.contains(&block.hash()));
            }
            Effect::Announce(_)
            | Effect::KeepPlaces(_)
            | Effect::Cancel { .. }
            | Effect::Regossip { .. }
            | Effect::Relay { .. }
            | Effect::Admission { .. }
            | Effect::Judge { .. }
            | Effect::Serve { .. }
            | Effect::Refuse { .. }
            | Effect::Report(_) => {}
        }
        Ok(())
    }

    fn note_wait(&mut self, index: usize, at: Millis) {
        let now = self.now(index);
        let due_in = self.shells[index].engine.status(now).proposal_due_in.unwrap_or_default();
        let wait = at.since(now.mono.plus(due_in));
        self.longest_wait_ms = self.longest_wait_ms.max(wait.0);
    }

    fn publish(&mut self, index: usize, message: ConsensusMessage) {
        self.published += 1;
        for to in (0..self.shells.len()).filter(|to| *to != index) {
            if self.reaches(index, to, Some(&message)) {
                let input = self.gossip(peer_of(index), &message);
                self.send(to, input);
            }
        }
        if self.said.len() == SAID_MAX {
            self.said.remove(0);
        }
        self.said.push(message);
    }

    /// Votes are asked of the engine; for the rest this network has no answer.
    fn request(&mut self, index: usize, to: Peer, request: Request) {
        let peer = usize::try_from(to.0).unwrap_or(usize::MAX);
        let is_reached =
            peer < self.shells.len() && self.shells[peer].is_up && self.reaches(index, peer, None);
        if !is_reached || request.protocol() != Protocol::Votes {
            let input = Input::RequestFailed { from: to, request };
            return self.queue.push_back((index, input));
        }
        self.tickets += 1;
        let (protocol, bytes, ticket) =
            (request.protocol(), request.encode(), Ticket(self.tickets));
        self.asked.insert(self.tickets, (index, to, request));
        let from = Peer(index as u64);
        self.queue.push_back((peer, Input::Request { from, protocol, bytes, ticket }));
    }

    fn respond(&mut self, ticket: Ticket, response: Response) {
        if let Some((to, from, request)) = self.asked.remove(&ticket.0) {
            let bytes = response.encode();
            self.send(to, Input::Response { from, request, bytes });
        }
    }
}
