//! From a decision to the next height: the block, its certificate and its delta go to the store, and
//! the next height begins when they are durable.
use super::{Effect, Engine, Report, Request, Timer};
use crate::{
    ledger::{BlockDelta, LedgerView},
    types::{Block, Certificate, Height, Millis, Now, Vote},
};
use std::sync::Arc;

/// A block on its way to the store.
#[derive(Debug)]
pub(super) struct Committing {
    pub(super) block: Arc<Block>,
    pub(super) certificate: Arc<Certificate>,
    pub(super) delta: Arc<BlockDelta>,
    /// When the proposal was first seen.
    pub(super) seen: Millis,
    pub(super) synced: bool,
}

impl<V: LedgerView> Engine<V> {
    pub(super) fn on_decided(&mut self, now: Now, certificate: Certificate) {
        self.decided.get_or_insert_with(|| Arc::new(certificate));
        self.try_commit(now);
    }

    /// Commits the decided block once it has been executed; looks for it where it is not known.
    pub(super) fn try_commit(&mut self, now: Now) {
        if self.committing.is_some() {
            return;
        }
        let Some(certificate) = self.decided.clone() else { return };
        let Some(hash) = certificate.block else { return };
        if self.candidates.is_invalid(&hash) {
            return self.halt(format!(
                "block {hash} at height {} has a commit certificate and breaks a rule here: this \
                 program or its data differs from the network's. Compare versions, then sync again \
                 from an empty data directory",
                certificate.height
            ));
        }
        let (Some(block), Some(delta)) =
            (self.candidates.block(&hash), self.candidates.delta(&hash))
        else {
            self.fetch_decided(now, certificate.height);
            return;
        };
        let synced = self.candidates.is_synced(&hash);
        let seen = self.candidates.seen(&hash).unwrap_or(now.mono);
        self.effects.push(Effect::Commit {
            block: block.clone(),
            certificate: certificate.clone(),
            delta: delta.clone(),
        });
        self.committing = Some(Committing { block, certificate, delta, seen, synced });
    }

    /// A block is decided and its body is not here: whoever has it can prove the height.
    fn fetch_decided(&mut self, now: Now, height: Height) {
        if self.sync.target() >= height {
            self.advance_sync(now);
        } else {
            self.ask_next_status();
        }
    }

    pub(super) fn on_committed(&mut self, now: Now, height: Height) {
        let Some(committing) = self.committing.take() else { return };
        if committing.block.header.height != height {
            return self.halt(format!(
                "the store committed height {height} while {} was being committed",
                committing.block.header.height
            ));
        }
        self.report_committed(now, &committing);
        self.mempool.on_block(&committing.block, height.next(), now.mono);
        self.state = Arc::new(committing.delta.state.clone());
        self.tip = Some(committing.certificate);
        // Spacing counts from one proposal to the next, so that the cadence does not drift.
        // Blocks went on while this node caught up: whoever speaks of a later height is asked again.
        self.hinted &= !committing.synced;
        self.spacing_from = if committing.synced { now.mono } else { committing.seen };
        self.start_height(now);
    }

    /// A precommit for the last block that came after its quorum: the next block pays its signer too.
    pub(super) fn collect_late_precommit(&mut self, vote: &Vote) {
        let committing = self.committing.as_mut().map(|committing| &mut committing.certificate);
        if let Some(certificate) = committing.or(self.tip.as_mut())
            && certificate.lacks(vote)
        {
            Arc::make_mut(certificate).add(vote);
        }
    }

    fn report_committed(&mut self, now: Now, committing: &Committing) {
        let certificate = &committing.certificate;
        let parent = committing.block.last_commit.as_ref();
        let voted = |index: u16| parent.is_none_or(|commit| commit.signers.contains(index));
        let members = u16::try_from(self.set.len()).expect("at most MASTERNODES_MAX members");
        self.effects.push(Effect::Report(Report::Committed {
            height: certificate.height,
            round: certificate.round,
            block: committing.delta.block,
            proposer: committing.block.header.proposer,
            transactions: committing.block.transactions.len(),
            weight: certificate.weight(&self.set),
            total: self.set.total_weight(),
            took: now.mono.since(committing.seen),
            missed: (0..members).filter(|index| !voted(*index)).collect(),
            synced: committing.synced,
        }));
    }

    /// Applies the next synced block, and asks for what is missing.
    pub(super) fn advance_sync(&mut self, now: Now) {
        if self.committing.is_none() {
            self.apply_synced(now);
        }
        let busy = self.busy_height();
        for (peer, request) in self.sync.plan(self.state.height, busy) {
            let request = Request::Blocks(request);
            self.effects.push(Effect::Request { to: peer, request });
        }
    }

    fn apply_synced(&mut self, now: Now) {
        let Some((block, certificate)) = self.sync.take_next(self.state.height) else { return };
        if certificate.block != Some(block.hash()) {
            return;
        }
        let decided = self.decided.get_or_insert(certificate);
        if decided.block != Some(block.hash()) {
            let (height, one, other) = (block.header.height, decided.block, block.hash());
            return self.halt(format!(
                "two blocks have a commit certificate at height {height}: {other} and {one:?}. More \
                 than a third of the masternodes' weight signed twice; the operators must decide"
            ));
        }
        self.execute_candidate(block);
        self.try_commit(now);
    }

    /// The height whose block is here already, or on its way into the store.
    fn busy_height(&self) -> Option<Height> {
        let committing = self.committing.as_ref().map(|committing| committing.block.header.height);
        let known = || {
            let block = self.decided.as_ref()?.block?;
            self.candidates.is_known(&block).then(|| self.height())
        };
        committing.or_else(known)
    }

    pub(super) fn on_sync_timer(&mut self, now: Now) {
        self.set_timer(Timer::Sync, now.mono.plus(super::SYNC_PERIOD));
        self.ask_next_status();
        self.advance_sync(now);
    }
}
