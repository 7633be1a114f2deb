//! All states of three honest masternodes and a Byzantine one.
//!
//! A move changes the position of a masternode, and a correct one only advances, so states are
//! visited by rank, and each rank is complete before the next begins.
use super::{
    Options, check,
    local::{Core, Local, Locals, MEMBERS, Said},
    machine::{Machines, Move},
    view::{HONEST, View},
};
use crate::oracle::Violation;
use std::{collections::BTreeMap, rc::Rc};
use timecoin_chain::types::VoteKind;

/// The numbers of three locals.
pub(super) type State = [u32; HONEST];

/// One state, how it was first reached, and the maximum number of moves that lead to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    state: State,
    depth: u32,
    from: State,
}

/// The states of one rank.
#[derive(Default)]
struct Rank {
    found: Vec<Found>,
    /// Their number at the last sort.
    sorted: usize,
}

/// The results.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Distinct states; those that differ only by exchanging two masternodes without a proposal
    /// count separately.
    pub states: u64,
    /// Moves between them.
    pub moves: u64,
    /// The maximum number of moves in one path.
    pub depth: u32,
    /// States in which a masternode has decided.
    pub decided: u64,
    /// States in which two masternodes are locked on different blocks.
    pub split_locks: u64,
    /// States in which a masternode is locked and votes in a later round.
    pub later_votes: u64,
    /// States without a successor.
    pub ends: u64,
}

/// The search for one Byzantine masternode.
pub(super) struct Search {
    pub(super) machines: Machines,
    pub(super) locals: Locals,
    pub(super) members: [u16; HONEST],
    pub(super) rounds: u8,
    blocks: u8,
    only_agreement: bool,
    pub(super) proposable: Vec<Vec<Said>>,
    pub(super) counts: Counts,
    ranks: BTreeMap<usize, Rank>,
}

impl Search {
    pub(super) fn new(options: &Options) -> Self {
        let Options { byzantine, rounds, blocks, only_agreement, .. } = *options;
        let machines = Machines::new(blocks, options.flaw);
        let proposable = (0..rounds).map(|round| {
            let mut said = machines.sayable(VoteKind::Prevote, round);
            said.retain(|said| said.block.is_some());
            said
        });
        let mut members = (0_u16..).filter(|&member| member != byzantine);
        Self {
            proposable: proposable.collect(),
            machines,
            locals: Locals::default(),
            members: [(); HONEST].map(|()| members.next().expect("there is always another number")),
            rounds,
            blocks,
            only_agreement,
            counts: Counts::default(),
            ranks: BTreeMap::new(),
        }
    }

    /// The Byzantine masternode.
    pub(super) fn byzantine(&self) -> u16 {
        (0..MEMBERS).find(|member| !self.members.contains(member)).expect("three of four")
    }

    /// Visits all states, rank by rank, until no rank is left or the state limit is reached; then
    /// it returns the first rank not visited. If a property is violated, it returns the property
    /// and how the state was reached.
    pub(super) fn run(
        &mut self,
        states_max: u64,
    ) -> Result<Option<usize>, (Violation, Vec<String>)> {
        let start = self.start();
        self.add(Found { state: start, depth: 0, from: start });
        let mut next = self.ranks.keys().next().copied();
        while let Some(rank) = next.filter(|_| self.counts.states < states_max) {
            let found = self.ranks.get_mut(&rank).map(Rank::take).unwrap_or_default();
            for one in &found {
                self.expand(one).map_err(|violation| {
                    self.ranks.insert(rank, Rank { found: found.clone(), sorted: 0 });
                    (violation, self.trace(rank, one.state))
                })?;
            }
            self.ranks.insert(rank, Rank { sorted: found.len(), found });
            next = self.ranks.range(rank + 1..).next().map(|(rank, _)| *rank);
        }
        Ok(next)
    }

    /// Whether a state was reached.
    pub(super) fn has(&self, state: State) -> bool {
        let rank = self.ranks.get(&self.rank(state));
        rank.is_some_and(|rank| {
            rank.found.binary_search_by_key(&state, |found| found.state).is_ok()
        })
    }

    pub(super) fn view(&self, state: State, is_silent: bool) -> View<'_> {
        View {
            locals: state.map(|number| self.locals.get(number)),
            members: self.members,
            rounds: self.rounds,
            proposable: &self.proposable,
            is_silent,
        }
    }

    /// Masternodes that never propose are interchangeable: they are sorted.
    pub(super) fn canonical(&self, mut state: State) -> State {
        let proposers = self.members.iter().filter(|&&member| member < self.rounds.into()).count();
        state[proposers..].sort_unstable();
        state
    }

    fn start(&mut self) -> State {
        let members = self.members;
        members.map(|member| {
            let mut local = Local::new();
            if member == 0 {
                // Which block it proposes first only changes names.
                local.proposals[0] = Some(Said { block: Some(0), valid_round: None });
            }
            self.locals.number(local)
        })
    }

    fn rank(&self, state: State) -> usize {
        state.iter().map(|&number| self.locals.get(number).rank()).sum()
    }

    fn add(&mut self, found: Found) {
        let rank = self.rank(found.state);
        let rank = self.ranks.entry(rank).or_default();
        rank.found.push(found);
        if rank.found.len() > 2 * rank.sorted + 1_000_000 {
            rank.sort();
        }
    }

    fn expand(&mut self, one: &Found) -> Result<(), Violation> {
        self.count(one);
        let before = self.counts.moves;
        for place in 0..HONEST {
            for done in self.moves(one.state, place) {
                for done in done.iter() {
                    self.take(one, place, done)?;
                }
            }
        }
        self.counts.ends += u64::from(self.counts.moves == before);
        self.check_not_stuck(one.state)
    }

    /// All moves of one of the three.
    fn moves(&mut self, state: State, place: usize) -> Vec<Rc<[Move]>> {
        let view = self.view(state, false);
        if view.locals[place].decided.is_some() {
            return Vec::new();
        }
        let core = view.locals[place].core;
        let batches = view.batches(place);
        let me = self.members[place];
        batches.into_iter().map(|batch| self.machines.moves(me, core, batch)).collect()
    }

    fn take(&mut self, one: &Found, place: usize, done: &Move) -> Result<(), Violation> {
        let view = self.view(one.state, false);
        let core = view.locals[place].core;
        let learns = Core { valid: core.valid, ..done.core } == core;
        if core.round >= self.rounds && done.decided.is_none() && !learns {
            return Ok(());
        }
        match self.only_agreement {
            true => check::check_agreement(&view, done)?,
            false => check::check(&view, place, done)?,
        }
        let local = check::after(&view, place, done);
        for local in self.proposed(local, &done.proposes) {
            let mut state = one.state;
            state[place] = self.locals.number(local);
            self.counts.moves += 1;
            let state = self.canonical(state);
            self.add(Found { state, depth: one.depth + 1, from: one.state });
        }
        Ok(())
    }

    /// The same masternode with each proposal that it may make: the one it has to make again, or any.
    fn proposed(&self, local: Local, proposes: &[(u8, Option<(u8, u8)>)]) -> Vec<Local> {
        let mut locals = vec![local];
        for &(round, again) in proposes.iter().filter(|(round, _)| *round < self.rounds) {
            let proposals: Vec<Said> = match again {
                Some((valid, block)) => {
                    vec![Said { block: Some(block), valid_round: Some(valid) }]
                }
                None => (0..self.blocks)
                    .map(|block| Said { block: Some(block), valid_round: None })
                    .collect(),
            };
            let with = |local: &Local, said: Said| {
                let mut local = local.clone();
                local.proposals[usize::from(round)].get_or_insert(said);
                local
            };
            locals = locals
                .iter()
                .flat_map(|local| proposals.iter().map(move |said| with(local, *said)))
                .collect();
        }
        locals
    }

    /// Without the Byzantine one, a masternode can always move until all have decided or passed the
    /// last round.
    fn check_not_stuck(&mut self, state: State) -> Result<(), Violation> {
        let locals = state.map(|number| self.locals.get(number));
        let waits = |local: &Local| local.decided.is_none() && local.core.round < self.rounds;
        let is_over = !locals.into_iter().any(waits);
        if is_over || (0..HONEST).any(|place| self.can_move(state, place)) {
            return Ok(());
        }
        Err(Violation::new("nobody is stuck", "no message and no timer leads on"))
    }

    fn can_move(&mut self, state: State, place: usize) -> bool {
        let view = self.view(state, true);
        let Local { core, decided, .. } = *view.locals[place];
        let is_inside = core.round < self.rounds;
        let counts = |done: &Move| is_inside || done.decided.is_some();
        let (me, batches) = (self.members[place], view.batches(place));
        decided.is_none()
            && batches
                .into_iter()
                .any(|batch| self.machines.moves(me, core, batch).iter().any(counts))
    }

    fn count(&mut self, one: &Found) {
        let locals = one.state.map(|number| self.locals.get(number));
        let locks = locals.map(|local| local.core.locked.map(|(_, block)| block));
        let is_split = locks.iter().flatten().any(|a| locks.iter().flatten().any(|b| a != b));
        let votes_later = |local: &&Local| {
            let later = local.core.locked.map_or(self.rounds, |(round, _)| round + 1);
            (later..self.rounds).any(|round| local.vote(VoteKind::Prevote, round).is_some())
        };
        let has_later = locals.iter().any(votes_later);
        let has_decided = locals.iter().any(|local| local.decided.is_some());
        let counts = &mut self.counts;
        counts.states += 1;
        counts.depth = counts.depth.max(one.depth);
        counts.split_locks += u64::from(is_split);
        counts.decided += u64::from(has_decided);
        counts.later_votes += u64::from(has_later);
    }

    /// One line for each move that leads to a state.
    fn trace(&self, mut rank: usize, mut state: State) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let locals = state.map(|number| self.locals.get(number));
            let text = self.members.iter().zip(locals).map(|(m, local)| format!("m{m} {local}"));
            lines.push(text.collect::<Vec<_>>().join(" | "));
            let found = self.ranks.get(&rank).map(|rank| &rank.found);
            let from = found.and_then(|found| found.iter().find(|one| one.state == state));
            match from {
                Some(one) if one.from != state => state = one.from,
                _ => break,
            }
            rank = self.rank(state);
        }
        lines.reverse();
        lines
    }
}

impl Rank {
    /// Keeps one of each state: the one that most moves lead to.
    fn sort(&mut self) {
        self.found.sort_unstable_by_key(|one| (one.state, std::cmp::Reverse(one.depth)));
        self.found.dedup_by_key(|one| one.state);
        self.sorted = self.found.len();
    }

    fn take(&mut self) -> Vec<Found> {
        self.sort();
        std::mem::take(&mut self.found)
    }
}
