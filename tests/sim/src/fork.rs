//! More than a third of the weight breaks the rules, and the honest masternodes are in two groups
//! that do not reach each other. A fork is allowed. A fork without proof against its authors is
//! not.
//!
//! Invariant: all votes that honest nodes received together prove at least a third of the weight
//! guilty, and no honest masternode. The chain's rules and the oracle find the same offenders. When
//! the groups reach each other again, every honest node stops and continues on no branch.
use crate::{
    byzantine::plot::{Plot, Trial},
    net::{Cut, Group},
    oracle::{self, Violation},
    world::{Event, SECOND, World},
};
use std::collections::BTreeSet;
use timecoin_chain::{
    rules,
    types::{ConsensusMessage, Height, Vote},
};

/// Every honest node stops within this time after the groups reach each other again.
const VERDICT: u64 = 20 * SECOND;

impl World {
    /// Makes more than a third of the weight Byzantine and plans the partition.
    pub(crate) fn begin_fork(&mut self, plot: Plot) {
        self.trial = Some(Trial::default());
        let set = self.setup.chain.masternodes.clone();
        let members = self.setup.masternodes.len();
        let (first, mut weight) = (self.actors.index(members), 0);
        let (mut sides, mut bad): ([Group; 2], Group) = ([0; 2], 0);
        for (turn, node) in (first..first + members).map(|place| place % members).enumerate() {
            let Some(key) = self.nodes[node].key else { continue };
            if 3 * weight > set.total_weight() {
                sides[turn % 2] |= 1 << node;
                continue;
            }
            weight += set.weight_of([key]);
            bad |= 1 << node;
            self.corrupt(node, key, plot.role());
        }
        let cut = match plot {
            // The originals are in one group, the copies in the other.
            Plot::Twins => Cut::Halves(sides[0] | bad),
            Plot::Echoes | Plot::Turncoats => Cut::Bridge(sides[0] | bad, sides[1] | bad),
        };
        let after = self.actors.between(5 * SECOND, 15 * SECOND);
        self.after(after, Event::Schism { cut });
    }

    pub(crate) fn on_schism(&mut self, cut: Cut) {
        if self.has_forked() {
            return;
        }
        self.net.cut(cut);
        self.note(0, 33, format!("{cut:?}").as_bytes(), || format!("-- schism {cut:?}"));
    }

    /// An honest node gets a message.
    pub(crate) fn testify_to(&mut self, node: usize, message: &ConsensusMessage) {
        if self.trial.is_none() {
            return;
        }
        match message {
            ConsensusMessage::Vote(vote) => self.testify(node, [vote.clone()]),
            ConsensusMessage::Certificate(held) => self.testify(node, held.votes()),
            ConsensusMessage::Round(held) => self.testify(node, held.votes.iter().cloned()),
            ConsensusMessage::Evidence(_) => {}
            ConsensusMessage::Proposal(proposal) => {
                self.testify(node, proposal.polka.iter().flat_map(|polka| polka.votes()));
            }
        }
    }

    /// An honest node gets votes, or makes a block final by them.
    pub(crate) fn testify(&mut self, node: usize, votes: impl IntoIterator<Item = Vote>) {
        if self.is_honest(node)
            && let Some(trial) = &mut self.trial
        {
            trial.votes.extend(votes);
        }
    }

    /// A node finds a second final block, or stops because of it. Without a fork that is a failure;
    /// with one, the votes that honest nodes hold must prove its authors guilty.
    pub(crate) fn judge(&mut self, found: Violation) -> Result<(), Violation> {
        let (Some(trial), Some(height)) = (&mut self.trial, self.oracle.fork()) else {
            return Err(found);
        };
        if trial.forked.is_some() {
            return Ok(());
        }
        trial.forked = Some(height);
        if let Err(violation) = self.hold_to_account(height) {
            self.violation.get_or_insert(violation);
        }
        self.net.heal();
        self.note(0, 34, &height.0.to_le_bytes(), || {
            format!("-- two blocks are final at {height}")
        });
        self.after(VERDICT, Event::Verdict);
        Ok(())
    }

    fn hold_to_account(&mut self, height: Height) -> Result<(), Violation> {
        let Some(trial) = &mut self.trial else { return Ok(()) };
        let own = self.oracle.votes().iter().filter(|vote| self.oracle.is_honest(vote.signer));
        trial.votes.extend(own.cloned());
        trial.votes.retain(|vote| vote.height == height);
        let votes = std::mem::take(&mut trial.votes);
        let guilty = oracle::guilty(&votes, height);
        let accused = self.accuse(votes)?;
        let set = &self.setup.chain.masternodes;
        let weight = set.weight_of(accused.iter().copied());
        let is_honest = |member: &u16| self.oracle.is_honest(*member);
        if accused != guilty || accused.iter().any(is_honest) || 3 * weight < set.total_weight() {
            let detail = format!(
                "height {height} has two final blocks, {accused:?} are accused, {guilty:?} guilty"
            );
            return Err(Violation::new("accountability", detail));
        }
        Ok(())
    }

    /// Whether a fork was found: from then on two chains are both valid.
    pub(crate) fn has_forked(&self) -> bool {
        self.trial.as_ref().is_some_and(|trial| trial.forked.is_some())
    }

    pub(crate) fn on_verdict(&mut self) {
        self.is_over = true;
        let goes_on = (0..self.nodes.len()).find(|&node| {
            let now = self.nodes[node].clocks(self.time);
            let running = self.nodes[node].running.as_ref().filter(|_| self.is_honest(node));
            running.is_some_and(|running| running.engine.status(now).stopped.is_none())
        });
        if let Some(node) = goes_on {
            let seconds = VERDICT / SECOND;
            let detail = format!("node {node} goes on {seconds} s after it could know of a fork");
            self.violation.get_or_insert(Violation::new("a fork stops every honest node", detail));
        }
    }

    /// The masternodes that the chain's rules accuse for these votes, with evidence that anyone can
    /// verify.
    fn accuse(&self, votes: Vec<Vote>) -> Result<BTreeSet<u16>, Violation> {
        let (scheme, chain) = (&*self.setup.scheme, &self.setup.chain);
        let accusations = rules::accuse(votes).into_iter().map(|evidence| {
            let offender = evidence.offender();
            rules::verify_evidence(scheme, &chain.hash, &chain.masternodes, evidence)
                .map_err(|error| format!("evidence against {offender}: {error}"))
                .map(|evidence| evidence.offender())
        });
        accusations.collect::<Result<_, _>>().map_err(|why| Violation::new("accountability", why))
    }
}
