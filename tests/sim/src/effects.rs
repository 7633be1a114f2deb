//! What a node's effects do to the world, one effect after the other.
use crate::{
    cores::{self, Pool},
    coverage::Met,
    disk::Commit,
    events::describe,
    node::Ticketed,
    oracle::Violation,
    scheme::Counted,
    trace,
    wire::{self, Gossip, Payload},
    world::{Event, Work, World},
};
use std::{collections::BTreeSet, rc::Rc};
use timecoin_chain::{
    engine::{Effect, Report},
    inbound::Job,
    mempool::Reject,
    types::{
        ConsensusMessage, EvidenceKind, Height, NodeKey, Round, Transaction, TxId, Vote, VoteKind,
    },
    wire::{Peer, Ticket},
};

/// All nodes are up and connected when this height is decided.
const SETTLED_HEIGHT: u64 = 2;

impl World {
    pub(crate) fn carry_out(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Persist { record, blocks } => self.begin_persist(node, &record, blocks),
            Effect::Publish { message, attempt } if self.speaks(node, &message, attempt) => {}
            Effect::Publish { message, attempt } => {
                self.publish(node, wire::gossip_message(&message, attempt));
            }
            Effect::Regossip { transactions, attempt } => {
                self.publish(node, wire::gossip_transactions(&transactions, attempt));
            }
            Effect::Relay { transactions } => {
                self.publish(node, wire::gossip_transactions(&transactions, 0));
            }
            Effect::Announce(presence) => self.publish(node, wire::gossip_presence(&presence)),
            Effect::KeepPlaces(nodes) => self.keeps_places(node, nodes),
            Effect::Judge { ticket, verdict } => self.judged(node, ticket, verdict),
            Effect::Blame { peer, reason } => self.blame(node, peer, reason),
            Effect::Run(job) => self.run_job(node, job),
            Effect::Request { to, request } => self.request(node, to, &request),
            Effect::Respond { ticket, response } => {
                let ticketed = self.take_ticket(node, ticket);
                if let Some(Ticketed::Question { connection, call }) = ticketed
                    && !self.hides(node, &response)
                {
                    self.send_reply(node, connection, call, response);
                }
            }
            Effect::Serve { ticket, request } => self.serve(node, ticket, &request),
            // The asker is told that the node is busy; the simulator lets its patience run out.
            Effect::Refuse { ticket } => drop(self.take_ticket(node, ticket)),
            Effect::LookUp { ticket, inputs } => {
                self.auditor.detail(32, &ticket.0.to_le_bytes());
                let span = self.labour.exponential(self.faults.work);
                self.work_in(node, span, Work::LookUp { ticket, inputs });
            }
            Effect::Verify { ticket, spends } => {
                self.auditor.detail(20, &ticket.0.to_le_bytes());
                let price = cores::price_of_spends(&spends);
                self.work(node, Pool::Payments, price, Work::Verify { ticket, spends });
            }
            Effect::Admission { ticket, results } => self.admission(node, ticket, &results),
            Effect::Execute(execution) => {
                let (hash, number) = (execution.block().hash(), self.number());
                self.auditor.detail(21, &hash.0);
                self.nodes[node].duties.executes(hash);
                if let Some(running) = &mut self.nodes[node].running {
                    running.executing.insert(hash, number);
                }
                let price = cores::price_of_block(execution.block(), &execution.verified);
                self.work(node, Pool::Blocks, price, Work::Execute { number, execution });
            }
            Effect::Cancel { block } => {
                if let Some(running) = &mut self.nodes[node].running {
                    running.executing.remove(&block);
                }
            }
            Effect::Commit { block, certificate, delta } => {
                for evidence in &block.evidence {
                    self.coverage.met(match evidence.kind() {
                        EvidenceKind::Votes => Met::VotesRecorded,
                        EvidenceKind::Proposals => Met::ProposalsRecorded,
                        EvidenceKind::Amnesia => Met::AmnesiaRecorded,
                    });
                }
                self.begin_commit(node, Commit { block, certificate, delta });
            }
            Effect::SetTimer { timer, at } => {
                let generation = self.number();
                let incarnation = self.nodes[node].incarnation;
                let Some(running) = &mut self.nodes[node].running else { return };
                running.timers.insert(timer, (generation, at));
                let at = self.nodes[node].clock.moment(self.time, at);
                self.auditor.detail(23, &at.to_le_bytes());
                self.at(at, Event::Timer { node, incarnation, timer, generation });
            }
            Effect::Report(report) => self.report(node, &report),
            Effect::Stop { kind, reason } => {
                self.trace.append(|| format!(" | stops: {reason}"));
                if !self.retires(node, kind) && self.is_honest(node) {
                    let detail = format!("node {node}: {reason}");
                    let result = self.judge(Violation::new("no honest node stops", detail));
                    self.expect(result);
                }
            }
        }
    }

    /// A node accuses a peer. An honest one is accused only of what a lying peer did to its answer on the way.
    fn blame(&mut self, node: usize, peer: Peer, reason: &'static str) {
        self.trace.append(|| format!(" | blames {}: {reason}", peer.0));
        let Some(running) = &self.nodes[node].running else { return };
        let accused = running.peers.get(&peer.0).copied();
        let is_innocent = accused.is_some_and(|accused| self.is_honest(accused));
        if is_innocent && self.is_honest(node) && !self.alters_answers {
            let detail = format!("node {node} blames {accused:?}: {reason}");
            self.expect(Err(Violation::new("no honest node is blamed", detail)));
        }
        if accused.is_none() {
            self.coverage.met(Met::StrangerBlamed);
        }
    }

    fn keeps_places(&mut self, node: usize, nodes: BTreeSet<NodeKey>) {
        let members = &self.setup.masternodes;
        let is_member = |of: &NodeKey| members.iter().any(|member| member.public_key().0 == of.0);
        let (are_members, are_all) = (nodes.iter().all(is_member), nodes.len() == members.len());
        if self.is_honest(node) && !are_members {
            let detail = format!("node {node} keeps places for {nodes:?}");
            self.expect(Err(Violation::new("places are kept for masternodes only", detail)));
        }
        if are_all {
            self.coverage.met(Met::AllPresent);
        }
    }

    fn run_job(&mut self, node: usize, job: Job) {
        // A job is pure: it is done at once, for its price, and its outcome comes later.
        let (scheme, estimate) = (Counted::new(&*self.setup.scheme), job.price_us());
        let outcome = job.run(&scheme, &self.setup.chain);
        let (now, price) = (self.time, cores::price_of_job(scheme.checked(), estimate));
        if let Some(call) = self.answering {
            let checked = (scheme.checked(), self.setup.masternodes.len() as u64);
            let result = self.verdicts.answer_costs(call, checked);
            self.expect(result);
        }
        let Some(running) = &mut self.nodes[node].running else { return };
        let span = running.cores.take(now, Pool::Door, price);
        self.work_in(node, span, Work::Job(outcome, self.answering));
    }

    /// Work takes what it costs on the node's processor, and a while at random.
    fn work(&mut self, node: usize, pool: Pool, price: u64, work: Work) {
        let delay = self.labour.exponential(self.faults.work);
        let now = self.time;
        let Some(running) = &mut self.nodes[node].running else { return };
        let span = running.cores.take(now, pool, price);
        self.work_in(node, span + delay, work);
    }

    fn publish(&mut self, node: usize, gossip: Gossip) {
        let gossip = Rc::new(gossip);
        self.auditor.detail(25, &gossip.id);
        self.trace.append(|| format!(" | publish {}", describe(&gossip.payload)));
        if let Payload::Consensus(message) = &gossip.payload {
            self.leaves(node, message);
        }
        let Some(running) = &mut self.nodes[node].running else { return };
        if running.seen.insert(gossip.id) {
            self.spread(node, &gossip, None);
        }
        if let Some(strangers) = &mut self.strangers {
            strangers.hear(&gossip);
        }
    }

    pub(crate) fn leaves(&mut self, node: usize, message: &ConsensusMessage) {
        let from = self.nodes[node].key;
        let result = self.oracle.message_leaves(&self.setup, from, message);
        self.expect(result);
        if let ConsensusMessage::Vote(vote) = message
            && Some(vote.signer) == from
            && !self.is_second_host(node)
        {
            self.votes(node, vote);
        }
        let durable = self.nodes[node].disk.height();
        if let ConsensusMessage::Vote(vote) = message
            && Some(vote.signer) == from
            && self.is_honest(node)
            && !self.is_second_host(node)
            && vote.height > durable.next()
        {
            self.coverage.met(Met::SignedOverUndurable);
            if vote.kind == VoteKind::Precommit {
                let detail =
                    format!("node {node} precommits {} with {durable} durable", vote.height);
                self.expect(Err(Violation::new("precommits stand on durable blocks", detail)));
            }
        }
        if let ConsensusMessage::Proposal(proposal) = message
            && proposal.valid_round.is_some()
        {
            self.coverage.met(Met::ProposedAgain);
        }
    }

    /// A node shows a vote in an attestation.
    pub(crate) fn shows_vote(&mut self, node: usize, vote: &Vote) {
        let from = self.nodes[node].key;
        let result = self.oracle.vote_leaves(from, vote);
        self.expect(result);
    }

    /// The round that a node began last at the height that it decides.
    pub(crate) fn round_of(&self, node: usize) -> Round {
        let height = self.nodes[node].running.as_ref().map(|running| running.engine.height());
        let round = height.and_then(|height| self.rounds.get(&(node, height)));
        round.copied().unwrap_or(Round(0))
    }

    /// Beside costly bad blocks and few other faults, an honest proposal is decided in its round.
    fn check_round(&mut self, node: usize, height: Height, round: Round) {
        let Some(before) = round.0.checked_sub(1).map(Round) else { return };
        let proposer = self.setup.proposer(height, before);
        let is_settled = self.oracle.height().0 >= SETTLED_HEIGHT;
        let is_due = self.faults.bad_blocks && is_settled && self.oracle.is_honest(proposer);
        if is_due && self.is_honest(node) {
            let detail = format!("node {node} begins {height}/{round} after masternode {proposer}");
            self.expect(Err(Violation::new("bad blocks keep no honest proposal out", detail)));
        }
    }

    fn note_round(&mut self, node: usize, height: Height, round: Round) {
        self.check_round(node, height, round);
        self.rounds.insert((node, height), round);
        if round.0 >= 2 {
            self.coverage.met(Met::RoundTwo);
        }
        if round.0 >= 3 {
            self.coverage.met(Met::RoundThree);
        }
    }

    pub(crate) fn take_ticket(&mut self, node: usize, ticket: Ticket) -> Option<Ticketed> {
        self.nodes[node].running.as_mut()?.tickets.remove(&ticket.0)
    }

    fn admission(&mut self, node: usize, ticket: Ticket, results: &[Result<TxId, Reject>]) {
        let Some(ticketed) = self.take_ticket(node, ticket) else {
            let detail = format!("node {node} answered ticket {} twice or never got it", ticket.0);
            return self.expect(Err(Violation::new("one answer for a ticket", detail)));
        };
        let accepted: Vec<TxId> = results.iter().filter_map(|result| result.clone().ok()).collect();
        for result in results {
            self.auditor.detail(28, &[u8::from(result.is_ok())]);
            self.trace.append(|| match result {
                Ok(txid) => format!(" | accepted {txid:?}"),
                Err(reject) => format!(" | {}", reject.code()),
            });
            if result.is_err() {
                self.coverage.met(Met::PaymentRefused);
            }
        }
        match ticketed {
            Ticketed::Payments => {
                let incarnation = self.nodes[node].incarnation;
                for txid in &accepted {
                    if self.is_honest(node) {
                        self.payments.accepted(*txid, node, incarnation);
                    }
                }
                let Some(running) = &self.nodes[node].running else { return };
                let pool = running.engine.mempool();
                let batch: Vec<Transaction> = accepted
                    .iter()
                    .filter_map(|txid| pool.get_by_txid(txid))
                    .map(|entry| entry.transaction().clone())
                    .collect();
                if !batch.is_empty() {
                    self.publish(node, wire::gossip_transactions(&batch, 0));
                }
            }
            Ticketed::Gossiped { .. } | Ticketed::Question { .. } => {
                let detail = format!("node {node} answered a peer with an admission");
                self.expect(Err(Violation::new("one answer for a ticket", detail)));
            }
        }
    }

    fn report(&mut self, node: usize, report: &Report) {
        self.auditor.detail(29, format!("{report:?}").as_bytes());
        self.trace.append(|| format!(" | {}", trace::describe(report)));
        if let Some(traffic) = &mut self.traffic {
            traffic.reported(self.time, report);
        }
        self.reports(node, report);
        match report {
            Report::Round { height, round, .. } => self.note_round(node, *height, *round),
            Report::Final { height, round, synced, .. } => {
                if self.rounds.get(&(node, *height)).is_some_and(|reached| reached > round) {
                    self.coverage.met(Met::DecidedPastRound);
                }
                if self.nodes[node].disk.is_writing_block() {
                    let detail = format!("node {node} writes on before it tells of {height}");
                    self.expect(Err(Violation::new("a block is told of in its turn", detail)));
                }
                self.nodes[node].shows(*height);
                if *synced {
                    self.coverage.met(Met::SyncedBlock);
                    if self.net.current_cut().is_some() {
                        self.coverage.met(Met::SyncedInPartition);
                    }
                }
            }
            Report::Evidence(evidence) => {
                if self.oracle.is_honest(evidence.offender()) {
                    let detail = format!("node {node}: {evidence:?}");
                    self.expect(Err(Violation::new("no evidence against honest keys", detail)));
                }
                if self.is_honest(node) {
                    self.coverage.met(Met::EvidenceFound);
                }
            }
            _ => {}
        }
    }
}
