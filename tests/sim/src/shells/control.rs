//! What a test does to the masternodes: partitions, filters, crashes and restarts.
use super::{Disk, Filter, Shells, engine, peer_of};
use crate::setup::Setup;
use timecoin_chain::{
    engine::{Input, Recovered},
    types::{Height, Millis, Round},
};

impl Shells {
    /// The first so many and the others stop to reach each other. Connections do not break; questions
    /// fail. With none the network is whole.
    pub(crate) fn cut(&mut self, first: usize) {
        self.cut = first;
    }

    /// Only what this lets pass gets through; with none, everything does.
    pub(crate) fn filter(&mut self, filter: Option<Filter>) {
        self.filter = filter;
    }

    /// A masternode crashes. What it had persisted stays.
    pub(crate) fn kill(&mut self, index: usize) {
        self.shells[index].is_up = false;
        self.shells[index].timers.clear();
        let others = (0..self.shells.len()).filter(|other| *other != index);
        self.queue.extend(others.map(|other| (other, Input::PeerDown(peer_of(index)))));
    }

    /// It starts again, with its own safety record or another.
    pub(crate) fn restart(&mut self, index: usize, record: Option<Recovered>) {
        let shell = &mut self.shells[index];
        if let Some(safety) = record {
            shell.disk.safety = safety;
        }
        let signer = self.setup.masternodes[index].clone();
        shell.engine = engine(&self.setup, signer, &shell.view, shell.disk.clone());
        shell.is_up = true;
        self.queue.push_back((index, Input::Start));
        let is_other_up = |other: &usize| *other != index && self.shells[*other].is_up;
        let others: Vec<usize> = (0..self.shells.len()).filter(is_other_up).collect();
        for other in others {
            self.queue.push_back((index, Input::PeerUp(peer_of(other))));
            self.queue.push_back((other, Input::PeerUp(peer_of(index))));
        }
    }

    /// The height and round of one of them, and what it has persisted.
    pub(crate) fn masternode(&self, index: usize) -> (Height, Round, &Disk) {
        let shell = &self.shells[index];
        let status = shell.engine.status(self.now(index));
        (shell.engine.height(), status.round, &shell.disk)
    }

    /// The chain that they run.
    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Rounds that began beside the first of each height, at all of them together, and the longest wait
    /// that one of them set, since this was asked last.
    pub(crate) fn take_delays(&mut self) -> (u64, Millis) {
        let waited = std::mem::take(&mut self.longest_wait_ms);
        (std::mem::take(&mut self.later_rounds), Millis(waited))
    }
}
