//! Two final blocks at one height: compares each commit certificate with what this node knows to be
//! final, and stops it where they differ.
//!
//! Never picks one of the two: operators do.
use super::{Engine, evidence::Scene};
use crate::{
    ledger::{LedgerView, ViewError},
    rules,
    types::{Certificate, Evidence, Height},
};

impl<V: LedgerView> Engine<V> {
    /// Compares a verified commit certificate with ours of its height. False where they name two blocks:
    /// then the node has stopped.
    pub(super) fn agrees(&mut self, certificate: &Certificate) -> bool {
        let own = self.own_certificate(certificate.height);
        match self.out.or_stop(own) {
            Some(Some(own)) if own.block != certificate.block => {
                self.stop_on_fork(&own, certificate);
                false
            }
            known => known.is_some(),
        }
    }

    /// The commit certificate by which this node knows a height to be final.
    fn own_certificate(&self, height: Height) -> Result<Option<Certificate>, ViewError> {
        let stacked = self.tip.stack.certificate(height).map(|certificate| &**certificate);
        let (decided, tip) = (self.height.decided.as_deref(), self.tip.certificate.as_deref());
        let known = [decided, tip, self.peers.proof(), stacked];
        match known.into_iter().flatten().find(|own| own.height == height) {
            Some(own) => Ok(Some(own.clone())),
            None if height < self.tip.state.height => self.tip.view.certificate(height),
            None => Ok(None),
        }
    }

    /// Two blocks are final at one height. Says who is to blame, as far as this node can prove it.
    fn stop_on_fork(&mut self, own: &Certificate, other: &Certificate) {
        let height = own.height;
        let heard = self.watch.testimony(height).clone();
        let votes = own.votes().chain(other.votes()).chain(heard.votes().cloned());
        let guilty = rules::accuse(votes);
        let offenders: Vec<String> =
            guilty.iter().map(|evidence| evidence.offender().to_string()).collect();
        let weight = self.ctx.set.weight_of(guilty.iter().map(Evidence::offender));
        let total = self.ctx.set.total_weight();
        let scene = Scene::new(&self.ctx, &self.tip, &self.height);
        self.watch.accuse(&scene, guilty, &mut self.out);
        let name = |certificate: &Certificate| match certificate.block {
            Some(block) => format!("{block} (round {})", certificate.round),
            None => "nothing".into(),
        };
        self.out.stop_on_contradiction(format!(
            "two blocks have a commit certificate at height {height}: {} and {}. More than a third of \
             the masternodes' weight broke the rules; here it is proven of masternodes [{}] with weight \
             {weight} of {total}. Nothing after this height is final: the operators must decide which \
             block stands",
            name(own),
            name(other),
            offenders.join(", "),
        ));
    }
}
