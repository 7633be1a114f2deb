//! Work that a node does off its loop: when it is planned, and what comes of it.
use crate::{
    broken,
    coverage::Met,
    disk::Commit,
    oracle::{Oracle, Violation},
    scheme::Counted,
    world::{Event, Work, World},
};
use timecoin_chain::{
    engine::Input,
    ledger::{self, ExecuteError, Execution, Overlay},
    rules,
    types::Height,
};

impl World {
    /// Plans work of a node.
    pub(crate) fn work_in(&mut self, node: usize, span: u64, work: Work) {
        let incarnation = self.nodes[node].incarnation;
        self.after(span, Event::Work { node, incarnation, work });
    }

    pub(crate) fn on_work(&mut self, node: usize, work: Work) {
        match work {
            Work::Execute { number, execution } => {
                let Execution { parent, layers, .. } = execution.clone();
                let block = execution.block().clone();
                let hash = block.hash();
                let Some(running) = &mut self.nodes[node].running else { return };
                if running.executing.get(&hash) != Some(&number) {
                    return; // Cancelled, and perhaps begun anew.
                }
                running.executing.remove(&hash);
                let (setup, disk) = (&self.setup, &self.nodes[node].disk);
                let (scheme, chain) = (&*setup.scheme, &*setup.chain);
                let view = Overlay::new(disk.view().clone(), layers);
                let counted = Counted::new(scheme);
                let result = execution.run(&counted, chain, disk.view().clone());
                let bounded = self.verdicts.block_costs(self.life(node), hash, counted.checked());
                self.expect(bounded);
                // The ledger may have moved on: then nobody waits for this verdict any more.
                let is_current = self.nodes[node].disk.height() <= parent.height;
                let is_honest = self.oracle.is_honest(block.header.proposer);
                if let (Err(ExecuteError::Rule(error)), true) = (&result, is_current && is_honest) {
                    let detail = format!("node {node}: {hash:?} of an honest proposer: {error}");
                    self.expect(Err(Violation::new("honest block", detail)));
                }
                if result.is_ok() {
                    let broken = broken::refused(&self.setup, &view, &parent, &block);
                    self.expect(broken);
                }
                self.note(node, 6, &hash.0, || format!("executed {hash:?}: {}", result.is_ok()));
                self.feed(node, Input::Executed { block: hash, result: result.map(Box::new) });
            }
            Work::LookUp { ticket, inputs } => {
                let coins = ledger::look_up(self.nodes[node].disk.view(), inputs);
                self.note(node, 32, &ticket.0.to_le_bytes(), || "looked coins up".into());
                self.feed(node, Input::CoinsFound { ticket, coins });
            }
            Work::Verify { ticket, spends } => {
                let results =
                    rules::verify_spends(&*self.setup.scheme, &self.setup.chain.hash, spends);
                self.note(node, 7, &ticket.0.to_le_bytes(), || "checked payments".into());
                self.feed(node, Input::Verified { ticket, results });
            }
            Work::Job(outcome, call) => {
                self.note(node, 31, &[], || "a job of the door is done".into());
                self.answering = call;
                self.feed(node, Input::Done(outcome));
                self.answering = None;
            }
            Work::Commit => {
                let Some(commit) = self.nodes[node].disk.finish_commit() else { return };
                let height = commit.delta.height;
                self.became_durable(node, &commit);
                let pause = self.labour.below(2_000);
                self.work_in(node, pause, Work::Committed { height });
            }
            Work::Committed { height } => self.on_committed(node, height),
        }
    }

    /// A block is on a node's disk.
    pub(crate) fn became_durable(&mut self, node: usize, commit: &Commit) {
        let Commit { block, certificate, delta } = commit;
        let root = delta.state.root();
        self.note(node, 8, &root, || format!("durable {} {:?}", delta.height, delta.block));
        self.testify(node, certificate.votes());
        let result = self.oracle.committed(&self.setup, block, certificate, &delta.state);
        let result = result.or_else(|violation| self.judge(violation));
        self.expect(result);
        if self.nodes[node].key.is_none() {
            self.coverage.met(Met::ObserverCommitted);
        }
    }

    fn on_committed(&mut self, node: usize, height: Height) {
        self.note(node, 9, &height.0.to_le_bytes(), || format!("told that {height} is durable"));
        self.feed(node, Input::Durable { height });
        let Some(running) = &self.nodes[node].running else { return };
        let ledger = &self.oracle.ledger;
        let is_tip = ledger.height == self.nodes[node].disk.height();
        let is_spent = |input: &_| is_tip && ledger.spent.contains_key(input);
        let result = Oracle::mempool_spends(node, running.engine.mempool(), is_spent);
        self.expect(result);
        self.check_expired(node);
    }
}
