//! How the license of the node's key follows what the node sees: its start, decisions, attestations and
//! signatures of the key.
//!
//! Decides nothing: `license.rs` says when the key may sign, `own_key.rs` what is foreign.
use super::{
    Engine, Report, Signing, Stop, StopKind, Timer,
    license::{Tick, Witnessed},
    listening::{PEERS_ASKED, TICK_MIN},
    shown::Shown,
    work::Work,
};
use crate::{
    ledger::LedgerView,
    types::{Attestation, Certificate, ConsensusMessage, Height, Now, Round, Timestamp},
};

impl<V: LedgerView> Engine<V> {
    /// Whether the key signs, for the operator.
    pub(super) fn signing(&self) -> Signing {
        self.own.signing(&self.ctx, self.out.is_stopped(), self.tip.state.height)
    }

    /// The first thing a node does.
    pub(super) fn begin_signing(&mut self, now: Now) {
        self.own.starts(&self.ctx, now);
        self.report_signing();
        match self.own.stopped() {
            Some(Stop::Foreign(height, round)) => return self.stop_foreign(height, round, None),
            Some(Stop::Exported) => return self.stop_exported(),
            None => {}
        }
        if let Some(tip) = self.tip.certificate.clone() {
            self.check_own_certificate(&tip);
        }
        self.listen(now);
    }

    pub(super) fn report_signing(&mut self) {
        let signing = self.signing();
        if signing != Signing::NotMasternode {
            self.out.report(Report::Signing(signing));
        }
    }

    /// A height was decided, and the next one begins on its block, now on top of the stack.
    pub(super) fn license_at_decision(&mut self, parent_time: Timestamp) {
        let Some(decided) = self.tip.stack.top() else { return };
        let header = &decided.block.header;
        let (height, timestamp, synced) = (header.height, header.timestamp, decided.synced);
        let certificate = decided.certificate.clone();
        let last_commit = decided.block.last_commit.clone();
        self.check_own_certificate(&certificate);
        if let Some(last_commit) = last_commit {
            self.check_own_certificate(&last_commit);
        }
        let witnessed = Witnessed { height, timestamp, parent_time, synced };
        let drift = self.ctx.params().clock_drift_max;
        if let Some((height, round)) = self.own.license.height_ends(drift, witnessed) {
            self.stop_foreign(height, round, None);
        }
    }

    /// Looks for signatures of this node's key in what a peer showed.
    pub(super) fn check_own_key(&mut self, message: &ConsensusMessage) {
        if let Some(shown) = self.own.foreign_in(&self.ctx, message) {
            self.stop_for(&shown);
        }
    }

    /// The same for a verified certificate.
    pub(super) fn check_own_certificate(&mut self, certificate: &Certificate) {
        if let Some(shown) = self.own.foreign_in_certificate(&self.ctx, certificate) {
            self.stop_for(&shown);
        }
    }

    pub(super) fn stop_for(&mut self, shown: &Shown) {
        let last = self.own.stop(shown);
        self.persist_if(true);
        self.stop_foreign(shown.height, shown.round, last);
    }

    fn stop_foreign(&mut self, height: Height, round: Round, last: Option<(Height, Round)>) {
        let ends = last.map_or_else(String::new, |(height, round)| {
            format!(" (its safety record ends at height {height} round {round})")
        });
        let reason = format!(
            "this node's key signed at height {height} round {round}, and not here{ends}.\nEither \
             another host runs with this key, or the data directory was restored from an old \
             backup. To sign now could be a double signature, so this node signs nothing more"
        );
        self.out.stop(StopKind::KeyElsewhere, reason);
    }

    fn stop_exported(&mut self) {
        let reason = "this node's safety record was exported.\nThe key signs where the record is \
                      imported, so this node signs nothing more before it is imported here";
        self.out.stop(StopKind::KeyElsewhere, reason.into());
    }

    /// The first question, or a tick later.
    pub(super) fn listen(&mut self, now: Now) {
        let (height, is_at_tip) = (self.height(), self.is_at_tip());
        match self.own.license.tick(&self.ctx, height, is_at_tip) {
            Tick::Idle => {}
            Tick::Granted => self.begin_to_sign(),
            Tick::Asks => {
                self.ask_for_votes(PEERS_ASKED);
                let tick = TICK_MIN.max(self.ctx.params().vote_timeout.base);
                self.out.set_timer(Timer::Listen, now.mono.plus(tick));
            }
        }
    }

    /// Another height begins: what was attested before says less.
    pub(super) fn listen_at_height(&mut self) {
        if self.own.license.is_listening() {
            self.ask_for_votes(PEERS_ASKED);
        }
    }

    /// A masternode attests what it holds of this node's key, or of another.
    pub(super) fn on_attestation(&mut self, attestation: &Attestation) {
        attestation.votes.iter().for_each(|vote| self.watch_vote(vote));
        if let Some(shown) = self.own.foreign_in_votes(&self.ctx, &attestation.votes) {
            return self.stop_for(&shown);
        }
        let (height, is_at_tip) = (self.height(), self.is_at_tip());
        if self.own.license.attested(&self.ctx, attestation, height, is_at_tip) {
            self.begin_to_sign();
        }
    }

    fn is_at_tip(&self) -> bool {
        self.peers.target() < self.height()
    }

    /// What the state machine wanted signed meanwhile, as far as its round still goes on.
    fn begin_to_sign(&mut self) {
        self.report_signing();
        self.work.push(Work::Propose);
        self.pay_owed_votes();
    }
}
