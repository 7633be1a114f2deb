//! Whole machines, never restarted, one message at a time in any order: each state on such a walk
//! must be among those that the search found.
use super::{
    local::{Core, KINDS, Local, Said, hash, kind_index, number, said, small, vote},
    search::{Search, State},
    view::HONEST,
};
use crate::{oracle::Violation, rng::Rng};
use std::collections::VecDeque;
use timecoin_chain::{
    consensus::{Consensus, Input, Output, Step},
    types::{Round, VoteKind},
};

/// Messages and timers of one walk.
const STEPS: usize = 400;

/// One honest masternode, whole.
struct Walker {
    me: u16,
    machine: Consensus,
    local: Local,
    timers: Vec<(Round, Step)>,
}

/// Takes random walks. Returns how many states were looked up, repetitions included.
pub(super) fn walk(search: &Search, rng: &mut Rng, walks: u64) -> Result<u64, Violation> {
    (0..walks).try_fold(0, |sum, _| Ok(sum + one_walk(search, rng)?))
}

fn one_walk(search: &Search, rng: &mut Rng) -> Result<u64, Violation> {
    let mut walkers = search.members.map(|member| Walker {
        me: member,
        machine: search.machines.machine(member),
        local: Local::new(),
        timers: Vec::new(),
    });
    for walker in &mut walkers {
        let outputs = walker.machine.start(None);
        walker.carry_out(search, rng, outputs);
    }
    let mut looked_up = 0;
    for _ in 0..STEPS {
        let place = rng.index(HONEST);
        if walkers[place].local.decided.is_some() {
            continue;
        }
        let Some(input) = draw(search, rng, &walkers, place) else { continue };
        let outputs = walkers[place].machine.handle(input);
        walkers[place].carry_out(search, rng, outputs);
        look_up(search, &walkers)?;
        looked_up += 1;
    }
    Ok(looked_up)
}

impl Walker {
    fn carry_out(&mut self, search: &Search, rng: &mut Rng, outputs: Vec<Output>) {
        let mut outputs = VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Cast { kind, round, block, valid_round, .. } => {
                    let (round, said) = (small(round), said(block, valid_round));
                    self.local.votes[usize::from(round)][kind_index(kind)] = Some(said);
                    if rng.chance(900) {
                        let own = vote(kind, round, said, self.me);
                        outputs.extend(self.machine.handle(Input::Vote(own)));
                    }
                }
                Output::Propose { round, valid } if round.0 < search.rounds.into() => {
                    let again = valid.as_ref().and_then(|polka| Some((polka.round, polka.block?)));
                    let proposal = match again {
                        Some((round, block)) => said(Some(block), Some(round)),
                        None if round == Round(0) => Said { block: Some(0), valid_round: None },
                        None => pick(rng, &search.proposable[0]),
                    };
                    let _ = self.local.proposals[round.0 as usize].get_or_insert(proposal);
                }
                Output::SetTimer { round, step } => self.timers.push((round, step)),
                Output::Decide(commit) => {
                    self.local.decided =
                        commit.block.map(|block| (small(commit.round), number(block)));
                }
                _ => {}
            }
        }
        self.local.core = Core::of(&self.machine.resume());
    }
}

/// Something that may happen to one of the three.
fn draw(search: &Search, rng: &mut Rng, walkers: &[Walker; HONEST], place: usize) -> Option<Input> {
    let is_beyond = walkers[place].local.core.round >= search.rounds;
    let round = small(Round(u32::try_from(rng.below(search.rounds.into())).ok()?));
    match if is_beyond { 9 } else { rng.below(10) } {
        0 => {
            let timers = &walkers[place].timers;
            let (round, step) = *timers.get(rng.index(timers.len().max(1)))?;
            Some(Input::Timeout { round, step })
        }
        1 => Some(Input::Validity { block: hash(any_block(search, rng)), valid: true }),
        2 | 3 => {
            let proposals = proposals(search, walkers, round);
            let said = *proposals.get(rng.index(proposals.len().max(1)))?;
            Some(Input::Proposal {
                round: Round(round.into()),
                block: hash(said.block?),
                valid_round: said.valid_round.map(|round| Round(round.into())),
            })
        }
        _ => {
            let kind = if is_beyond { VoteKind::Precommit } else { KINDS[rng.index(2)] };
            let from = rng.index(HONEST + 1);
            let (signer, said) = match walkers.get(from) {
                Some(walker) => (walker.me, walker.local.vote(kind, round)?),
                None => (search.byzantine(), pick(rng, &search.machines.sayable(kind, round))),
            };
            Some(Input::Vote(vote(kind, round, said, signer)))
        }
    }
}

fn any_block(search: &Search, rng: &mut Rng) -> u8 {
    pick(rng, &search.proposable[0]).block.unwrap_or(0)
}

fn pick(rng: &mut Rng, said: &[Said]) -> Said {
    said[rng.index(said.len())]
}

/// What is proposed in a round.
fn proposals(search: &Search, walkers: &[Walker; HONEST], round: u8) -> Vec<Said> {
    match walkers.iter().find(|walker| walker.me == u16::from(round)) {
        Some(walker) => walker.local.proposals[usize::from(round)].into_iter().collect(),
        None => search.proposable[usize::from(round)].clone(),
    }
}

fn look_up(search: &Search, walkers: &[Walker; HONEST]) -> Result<(), Violation> {
    let numbers: Option<Vec<u32>> =
        walkers.iter().map(|walker| search.locals.find(&walker.local)).collect();
    let state = numbers.and_then(|numbers| State::try_from(numbers).ok());
    match state.is_some_and(|state| search.has(search.canonical(state))) {
        true => Ok(()),
        false => {
            let text: Vec<String> =
                walkers.iter().map(|w| format!("m{} {}", w.me, w.local)).collect();
            Err(Violation::new("reduction", format!("not found: {}", text.join(" | "))))
        }
    }
}
