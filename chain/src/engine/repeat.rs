//! Messages get lost: own ones are sent again, missing ones are asked for, laggards are helped.
use super::{Engine, Peer, Request, SafetyRecord, Timer, height::HeightState, out::Out};
use crate::{
    crypto::hash,
    ledger::LedgerView,
    types::{ConsensusMessage, MasternodeSet, Millis, Now, VoteKind},
};

/// Between two repetitions, before jitter.
const REPEAT_PERIOD: Millis = Millis(800);
/// Jitter on top, so that not everybody repeats at once.
const REPEAT_JITTER_MS: u64 = 400;
/// Peers asked for votes at a time.
const PEERS_ASKED: usize = 2;

impl HeightState {
    /// Schedules the next repetition.
    fn schedule_repeat(&self, me: Option<u16>, now: Millis, out: &mut Out) {
        let seed = (me, self.height().0, self.repeats);
        let digest = hash("tc/jitter", &[&crate::codec::encode(&seed)]);
        let jitter = (u64::from(digest[0]) << 8 | u64::from(digest[1])) % REPEAT_JITTER_MS;
        out.set_timer(
            Timer::Rebroadcast(self.height()),
            now.plus(REPEAT_PERIOD).plus(Millis(jitter)),
        );
    }

    /// Sends round entry, polka, and the proposal and votes of the record again.
    fn repeat_own(&mut self, set: &MasternodeSet, record: Option<&SafetyRecord>, out: &mut Out) {
        let is_proposal_due = self.is_proposal_due_again(set);
        let entry = self.consensus.entry().cloned().map(ConsensusMessage::Round);
        let polka = self.consensus.valid().cloned().map(ConsensusMessage::Certificate);
        let proposal = record.filter(|_| is_proposal_due);
        let proposal = proposal.and_then(|record| record.proposal.clone()).map(Box::new);
        let votes = record.into_iter().flat_map(|record| [&record.prevote, &record.precommit]);
        let votes = votes.flatten().cloned().map(ConsensusMessage::Vote);
        let certificates = entry.into_iter().chain(polka);
        let own = proposal.map(ConsensusMessage::Proposal).into_iter().chain(votes);
        for message in certificates.chain(own) {
            out.repeat(message, self.attempt());
        }
    }

    /// Whether the proposal of the round, which may have 640 KB, is sent again. Not once two thirds have prevoted: they have
    /// it or do not need it any more, and the others ask for it. Before that with growing pauses, for the same reason.
    fn is_proposal_due_again(&mut self, set: &MasternodeSet) -> bool {
        let round = self.consensus.round();
        let voters = self.consensus.votes(round, VoteKind::Prevote).map(|vote| vote.signer);
        if set.is_quorum(set.weight_of(voters)) {
            return false;
        }
        self.proposal_repeats = self.proposal_repeats.saturating_add(1);
        self.proposal_repeats.is_power_of_two()
    }

    /// Never zero: that is the first sending.
    fn attempt(&self) -> u8 {
        u8::try_from(self.repeats % 255).expect("below 255") + 1
    }
}

impl<V: LedgerView> Engine<V> {
    pub(super) fn schedule_repeat(&mut self, now: Now) {
        self.height.schedule_repeat(self.ctx.me, now.mono, &mut self.out);
    }

    /// Sends own votes, proposal, polka and round entry again, and asks others for what is missing.
    pub(super) fn rebroadcast(&mut self, now: Now) {
        self.height.repeats += 1;
        self.schedule_repeat(now);
        self.peers.help_again();
        self.watch.repeat_evidence(&mut self.out);
        if self.is_idle(now) {
            return;
        }
        if self.ctx.me.is_some() {
            let record = self.own.record_of(self.height());
            self.height.repeat_own(&self.ctx.set, record, &mut self.out);
        }
        self.look_at_skewed_again(now);
        self.ask_for_votes(PEERS_ASKED);
        if let Some(request) = self.height.polka_request() {
            self.peers.ask_for_votes(PEERS_ASKED, &request, &mut self.out);
        }
    }

    /// A polka of a round that is over may have come to light: its block is asked for, once; repetitions ask again.
    pub(super) fn seek_polka(&mut self, from: Option<Peer>) {
        let unknown = self.height.unknown_polka();
        if unknown.is_none() || unknown == self.height.sought {
            return;
        }
        self.height.sought = unknown;
        let Some(request) = self.height.polka_request() else { return };
        match from {
            Some(from) => self.out.request(from, Request::Votes(request)),
            None => self.peers.ask_for_votes(1, &request, &mut self.out),
        }
    }

    pub(super) fn ask_for_votes(&mut self, peers: usize) {
        let request = self.votes_request();
        self.peers.ask_for_votes(peers, &request, &mut self.out);
    }

    /// Somebody votes on a height that is decided: show the certificate, once in a while, unless
    /// somebody else does.
    ///
    /// Not at first: the last votes of a height come when it is decided already, from everyone, and
    /// a node that is behind repeats its own.
    pub(super) fn help_laggard(&mut self, now: Now, message: &ConsensusMessage) {
        let Some(tip) = self.tip.decision(message.height()).cloned() else { return };
        let is_shown = matches!(message, ConsensusMessage::Certificate(shown) if shown.is_commit());
        let is_early = now.mono.since(self.height.started) < REPEAT_PERIOD;
        let may_help = self.ctx.me.is_some() && !is_early;
        if self.peers.is_to_be_helped(is_shown, may_help) {
            self.out.repeat(ConsensusMessage::Certificate((*tip).clone()), self.height.attempt());
        }
    }
}
