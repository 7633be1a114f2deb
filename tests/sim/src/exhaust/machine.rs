//! What the real state machine does with a batch of messages, one message after the other, until it
//! moves. Results are cached: the same machine with the same batch does the same.
//!
//! Knows no rule of the protocol: it delivers messages and observes the result.
use super::{
    Flaw,
    local::{
        At, Core, FoldMap, HEIGHT, HONEST_PART, KINDS, MEMBERS, QUORUM, Said, hash, kind_index,
        number, said, small, vote,
    },
};
use std::{collections::BTreeSet, rc::Rc, sync::Arc};
use timecoin_chain::{
    consensus::{Consensus, Input, Output, Step},
    crypto::PublicKey,
    types::{
        Certificate, Lock, Masternode, MasternodeSet, Round, RoundCertificate, Vote, VoteKind,
    },
};

/// What one masternode has to offer for one slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    Nothing,
    One(Said),
    /// Anything: a Byzantine masternode.
    Any,
}

/// Votes of one round that may be delivered, by signer and kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub(super) round: u8,
    pub(super) slots: [[Slot; 2]; MEMBERS as usize],
}

/// What may be delivered at once. Any part of it may be missing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Batch {
    /// A proposal of the machine's round, which comes first.
    pub(super) proposal: Option<Said>,
    pub(super) lane: Option<Lane>,
}

/// A move: the machine's position after it, and its outputs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Move {
    pub(super) core: Core,
    pub(super) casts: Vec<(VoteKind, u8, Said)>,
    /// Rounds in which it proposes: a block again, or a new one.
    pub(super) proposes: Vec<(u8, Option<At>)>,
    pub(super) decided: Option<At>,
}

/// The machines of all masternodes, and their observed behaviour.
pub(super) struct Machines {
    set: Arc<MasternodeSet>,
    blocks: u8,
    flaw: Flaw,
    known: FoldMap<(u16, Core, Batch), Rc<[Move]>>,
}

/// A machine while a batch is delivered.
#[derive(Clone)]
struct Branch {
    machine: Consensus,
    flaw: Flaw,
    outputs: Vec<Output>,
}

impl Machines {
    pub(super) fn new(blocks: u8, flaw: Flaw) -> Self {
        let member = |byte: u8| {
            let key = PublicKey([byte; 32]);
            Masternode { key, weight: 1, payout: Lock::Key(key) }
        };
        let members = (1..=4).map(member).collect();
        let set = MasternodeSet::new(members).expect("four different keys are a set");
        Self { set: Arc::new(set), blocks, flaw, known: FoldMap::default() }
    }

    /// A machine that has not started.
    pub(super) fn machine(&self, me: u16) -> Consensus {
        Consensus::new(self.set.clone(), Some(me), HEIGHT)
    }

    /// Everything that can be said in a slot.
    pub(super) fn sayable(&self, kind: VoteKind, round: u8) -> Vec<Said> {
        let rounds = if kind == VoteKind::Prevote { 0..round } else { 0..0 };
        let named: Vec<Option<u8>> = std::iter::once(None).chain(rounds.map(Some)).collect();
        let said = |block| named.iter().map(move |&valid_round| Said { block, valid_round });
        let nil = Said { block: None, valid_round: None };
        std::iter::once(nil).chain((0..self.blocks).map(Some).flat_map(said)).collect()
    }

    /// All moves of a machine that stands at `core` and is offered a batch.
    pub(super) fn moves(&mut self, me: u16, core: Core, batch: Batch) -> Rc<[Move]> {
        if let Some(known) = self.known.get(&(me, core, batch)) {
            return known.clone();
        }
        let mut moves = BTreeSet::new();
        self.offer(me, core, batch, &mut moves);
        let moves: Rc<[Move]> = moves.into_iter().collect();
        self.known.insert((me, core, batch), moves.clone());
        moves
    }

    /// How many different machines were offered how many different batches.
    pub(super) fn offered(&self) -> usize {
        self.known.len()
    }

    fn offer(&self, me: u16, core: Core, batch: Batch, moves: &mut BTreeSet<Move>) {
        let mut start = Branch { machine: self.machine(me), flaw: self.flaw, outputs: Vec::new() };
        start.outputs = start.machine.start(Some(core.resume()));
        if batch.proposal.is_none() && batch.lane.is_none() {
            start.fire_all(core, moves);
            for (round, step) in past_timers(core) {
                start.fire(core, round, step, moves);
            }
        }
        start.outputs.clear();
        // A block is checked in its own time, which may be late: then the votes come first.
        for checked in [false, true] {
            let mut branch = start.clone();
            let mut moved = false;
            for block in 0..self.blocks {
                let input = Input::Validity { block: hash(block), valid: true };
                moved = moved || (checked && branch.take(core, input, moves));
            }
            if let Some(Said { block: Some(block), valid_round }) = batch.proposal {
                let valid_round = valid_round.map(|round| Round(round.into()));
                let round = Round(core.round.into());
                let input = Input::Proposal { round, block: hash(block), valid_round };
                moved = moved || branch.take(core, input, moves);
            }
            if moved {
                continue;
            }
            branch.fire_all(core, moves);
            if let Some(lane) = batch.lane {
                self.deliver(&branch, core, &lane, 0, moves);
                self.deliver_whole(&branch, core, &lane, moves);
            }
        }
    }

    /// Delivers at most one vote of each signer for each kind, in every combination.
    fn deliver(
        &self,
        branch: &Branch,
        core: Core,
        lane: &Lane,
        place: usize,
        moves: &mut BTreeSet<Move>,
    ) {
        let Some(slots) = lane.slots.get(place / 2) else { return };
        self.deliver(branch, core, lane, place + 1, moves);
        let kind = KINDS[place % 2];
        let signer = u16::try_from(place / 2).expect("few signers");
        for said in self.offers(slots[place % 2], kind, lane.round) {
            let mut branch = branch.clone();
            if !branch.take(core, Input::Vote(vote(kind, lane.round, said, signer)), moves) {
                branch.fire_all(core, moves);
                self.deliver(&branch, core, lane, place + 1, moves);
            }
        }
    }

    fn offers(&self, slot: Slot, kind: VoteKind, round: u8) -> Vec<Said> {
        match slot {
            Slot::Nothing => Vec::new(),
            Slot::One(said) => vec![said],
            Slot::Any => self.sayable(kind, round),
        }
    }

    /// Delivers the same votes as the certificates they make.
    fn deliver_whole(&self, branch: &Branch, core: Core, lane: &Lane, moves: &mut BTreeSet<Move>) {
        let mut inputs = Vec::new();
        let (mut everyone, mut committed) = (Vec::new(), Vec::new());
        for kind in KINDS {
            for said in self.sayable(kind, lane.round) {
                let votes = self.votes(lane, kind, said);
                if votes.len() >= QUORUM && (kind == VoteKind::Prevote || said.block.is_some()) {
                    inputs.extend(
                        Certificate::collect(MEMBERS.into(), &votes).map(Input::Certificate),
                    );
                }
                everyone.extend(votes);
            }
        }
        everyone.sort_by_key(|vote| (vote.signer, vote.kind));
        committed.extend(everyone.iter().filter(|vote| vote.kind == VoteKind::Precommit).cloned());
        let round = Round(lane.round.into());
        for mut votes in [everyone, committed] {
            votes.dedup_by_key(|vote| vote.signer);
            if votes.len() >= HONEST_PART {
                inputs.push(Input::Round(RoundCertificate { height: HEIGHT, round, votes }));
            }
        }
        for input in inputs {
            let mut branch = branch.clone();
            if !branch.take(core, input, moves) {
                branch.fire_all(core, moves);
            }
        }
    }

    /// The votes in a lane that say this.
    fn votes(&self, lane: &Lane, kind: VoteKind, said: Said) -> Vec<Vote> {
        let says = |slot: Slot| slot == Slot::Any || slot == Slot::One(said);
        (0..MEMBERS)
            .zip(&lane.slots)
            .filter(|(_, slots)| says(slots[kind_index(kind)]))
            .map(|(signer, _)| vote(kind, lane.round, said, signer))
            .collect()
    }
}

impl Branch {
    /// Takes an input; returns true and records the move if the machine moved.
    fn take(&mut self, core: Core, input: Input, moves: &mut BTreeSet<Move>) -> bool {
        self.outputs.extend(self.machine.handle(input));
        let mut now = Core::of(&self.machine.resume());
        if self.flaw == Flaw::ForgetsLock {
            now.locked = None;
        }
        let is_move = now != core
            || self.outputs.iter().any(|o| matches!(o, Output::Decide(_) | Output::Cast { .. }));
        if is_move {
            moves.insert(read(now, &self.outputs));
        }
        is_move
    }

    /// Fires every timer set since the batch began.
    fn fire_all(&self, core: Core, moves: &mut BTreeSet<Move>) {
        for output in &self.outputs {
            if let Output::SetTimer { round, step } = output {
                self.fire(core, *round, *step, moves);
            }
        }
    }

    fn fire(&self, core: Core, round: Round, step: Step, moves: &mut BTreeSet<Move>) {
        self.clone().take(core, Input::Timeout { round, step }, moves);
    }
}

/// Timers that may have been set before and fire late.
fn past_timers(core: Core) -> Vec<(Round, Step)> {
    let steps = [Step::Propose, Step::Prevote, Step::Precommit];
    let past = (0..core.round).flat_map(|round| steps.map(|step| (round, step)));
    let here = (core.step > Step::Propose).then_some((core.round, Step::Propose));
    past.chain(here).map(|(round, step)| (Round(round.into()), step)).collect()
}

/// The effect of a batch on a machine.
pub(super) fn read(core: Core, outputs: &[Output]) -> Move {
    let mut done = Move { core, casts: Vec::new(), proposes: Vec::new(), decided: None };
    for output in outputs {
        match output {
            Output::Cast { kind, round, block, valid_round, .. } => {
                done.casts.push((*kind, small(*round), said(*block, *valid_round)));
            }
            Output::Propose { round, valid } => {
                let valid = valid.as_ref();
                let again =
                    valid.and_then(|polka| Some((small(polka.round), number(polka.block?))));
                done.proposes.push((small(*round), again));
            }
            Output::Decide(commit) => {
                done.decided = commit.block.map(|block| (small(commit.round), number(block)));
            }
            _ => {}
        }
    }
    done
}
