//! Messages get lost: own ones are sent again, missing ones are asked for, laggards are helped.
use super::{Effect, Engine, Request, Signing, Timer, peers::Turn};
use crate::{
    consensus::Step,
    crypto::hash,
    ledger::LedgerView,
    types::{ConsensusMessage, Millis, Now, Transaction, TxId, VoteKind, VotesRequest},
};
use std::{collections::BTreeSet, sync::Arc};

/// Between two repetitions, before jitter.
const REPEAT_PERIOD: Millis = Millis(800);
/// Jitter on top, so that not everybody repeats at once.
const REPEAT_JITTER_MS: u64 = 400;
/// Peers asked for votes at a time.
const PEERS_ASKED: usize = 2;
/// Own transactions sent again at a time.
const REGOSSIP_MAX: usize = 1_000;

impl<V: LedgerView> Engine<V> {
    pub(super) fn set_rebroadcast(&mut self, now: Now) {
        let seed = (self.me, self.height().0, self.repeats);
        let digest = hash("tc/jitter", &[&crate::codec::encode(&seed)]);
        let jitter = (u64::from(digest[0]) << 8 | u64::from(digest[1])) % REPEAT_JITTER_MS;
        let at = now.mono.plus(REPEAT_PERIOD).plus(Millis(jitter));
        self.set_timer(Timer::Rebroadcast(self.height()), at);
    }

    /// Sends own votes, proposal, polka and round entry again, and asks others for what is missing.
    pub(super) fn rebroadcast(&mut self, now: Now) {
        self.repeats += 1;
        self.set_rebroadcast(now);
        self.helped = false;
        self.repeat_evidence();
        if self.is_idle(now) {
            return;
        }
        if self.me.is_some() {
            self.repeat_own_messages();
        }
        self.ask_for_votes(PEERS_ASKED);
    }

    fn repeat_own_messages(&mut self) {
        let mut messages = Vec::new();
        if let Some(entry) = self.consensus.entry() {
            messages.push(ConsensusMessage::Round(entry.clone()));
        }
        if let Some(polka) = self.consensus.valid() {
            messages.push(ConsensusMessage::Certificate(polka.clone()));
        }
        if let Some(guard) = &self.guard {
            let record = guard.record();
            if record.height == self.height() {
                let proposal = record.proposal.iter().cloned().map(Box::new);
                messages.extend(proposal.map(ConsensusMessage::Proposal));
                let votes = [&record.prevote, &record.precommit].into_iter().flatten();
                messages.extend(votes.cloned().map(ConsensusMessage::Vote));
            }
        }
        let attempt = self.attempt();
        for message in messages {
            self.effects.push(Effect::Publish { message, attempt });
        }
    }

    /// Never zero: that is the first sending.
    fn attempt(&self) -> u8 {
        u8::try_from(self.repeats % 255).expect("below 255") + 1
    }

    /// Whether nothing is missing: the height's proposal is not due.
    pub(super) fn is_idle(&self, now: Now) -> bool {
        let is_waiting = self.consensus.step() == Step::Propose && self.consensus.round().0 == 0;
        is_waiting && now.mono < self.proposal_due(now)
    }

    /// What this node wants of a peer: the votes of its round that it lacks, or what leads further.
    pub(super) fn votes_request(&self) -> VotesRequest {
        let round = self.consensus.round();
        VotesRequest {
            height: self.height(),
            round,
            prevotes: self.consensus.voters(round, VoteKind::Prevote),
            precommits: self.consensus.voters(round, VoteKind::Precommit),
            has_proposal: self.consensus.has_proposal(round),
            signer: self.me.filter(|_| self.signing() == Signing::Listening),
        }
    }

    pub(super) fn ask_for_votes(&mut self, peers: usize) {
        let request = self.votes_request();
        for _ in 0..peers.min(self.sync.peers().count()) {
            if let Some(to) = self.next_peer(Turn::Votes) {
                self.effects.push(Effect::Request { to, request: Request::Votes(request.clone()) });
            }
        }
    }

    /// Somebody votes on a height that is decided: show the certificate, once in a while, unless
    /// somebody else does.
    ///
    /// Not at first: the last votes of a height come when it is decided already, from everyone, and
    /// whoever is behind repeats its own.
    pub(super) fn help_laggard(&mut self, now: Now, message: &ConsensusMessage) {
        let Some(tip) = self.decision(message.height()).cloned() else { return };
        let is_shown = matches!(message, ConsensusMessage::Certificate(shown) if shown.is_commit());
        self.helped |= is_shown;
        let is_late = now.mono.since(self.height_started) < REPEAT_PERIOD;
        if self.me.is_some() && !self.helped && !is_late {
            self.helped = true;
            let attempt = self.attempt();
            let message = ConsensusMessage::Certificate((*tip).clone());
            self.effects.push(Effect::Publish { message, attempt });
        }
    }

    pub(super) fn on_mempool_timer(&mut self, now: Now) {
        self.set_timer(Timer::Mempool, now.mono.plus(super::MEMPOOL_PERIOD));
        self.local.retain(|id| self.mempool.get_by_txid(id).is_some());
        let old = self.local.iter().filter_map(|id| self.mempool.get_by_txid(id));
        let old: Vec<TxId> = old
            .filter(|entry| now.mono.since(entry.added()) >= super::MEMPOOL_PERIOD)
            .take(REGOSSIP_MAX)
            .map(|entry| entry.txid())
            .collect();
        let transactions = self.with_ancestors(old);
        if !transactions.is_empty() {
            self.regossips = self.regossips % 255 + 1;
            let attempt = self.regossips;
            self.effects.push(Effect::Regossip { transactions, attempt });
        }
    }

    /// These waiting transactions and all that they depend on, parents first: whoever lost a parent
    /// cannot take the child.
    fn with_ancestors(&self, mut open: Vec<TxId>) -> Vec<Arc<Transaction>> {
        let mut wanted: BTreeSet<TxId> = open.iter().copied().collect();
        while let Some(entry) = open.pop().and_then(|id| self.mempool.get_by_txid(&id)) {
            let inputs = entry.transaction().body.inputs.iter().map(|input| input.txid);
            let parents = inputs.filter(|parent| self.mempool.contains_txid(parent));
            open.extend(parents.filter(|parent| wanted.insert(*parent)));
        }
        if wanted.is_empty() {
            return Vec::new();
        }
        let waiting = self.mempool.iter().filter(|entry| wanted.contains(&entry.txid()));
        waiting.map(|entry| Arc::clone(entry.transaction())).collect()
    }
}
