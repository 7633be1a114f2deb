//! One honest masternode as the others see it: the position of its state machine, and what it has
//! sent. Equal for two machines with the same future behaviour.
use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasherDefault, Hasher},
};
use timecoin_chain::{
    consensus::{Resume, Step},
    crypto::Signature,
    types::{BlockHash, Certificate, Height, Round, Vote, VoteKind},
};

/// Its proposers are the masternodes 0, 1, 2, 3 in rounds 0, 1, 2, 3.
pub(super) const HEIGHT: Height = Height(4);
/// Masternodes, all of the same weight.
pub(super) const MEMBERS: u16 = 4;
/// More than two thirds of four, computed independently.
pub(super) const QUORUM: usize = 3;
/// More than a third of four.
pub(super) const HONEST_PART: usize = 2;
/// The maximum number of rounds.
pub(super) const ROUNDS_MAX: usize = 3;
/// Both kinds of vote.
pub(super) const KINDS: [VoteKind; 2] = [VoteKind::Prevote, VoteKind::Precommit];

/// What a vote or a proposal says: a block or nil, and the valid round it rests on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Said {
    pub(super) block: Option<u8>,
    pub(super) valid_round: Option<u8>,
}

/// A block with a round.
pub(super) type At = (u8, u8);

/// The state that a state machine keeps across a restart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Core {
    pub(super) round: u8,
    pub(super) step: Step,
    pub(super) locked: Option<At>,
    pub(super) valid: Option<At>,
}

/// One honest masternode.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Local {
    pub(super) core: Core,
    /// By round and kind.
    pub(super) votes: [[Option<Said>; 2]; ROUNDS_MAX],
    pub(super) proposals: [Option<Said>; ROUNDS_MAX],
    pub(super) decided: Option<At>,
}

impl Core {
    /// What the machine would have to remember now.
    pub(super) fn of(resume: &Resume) -> Self {
        let at = |round: Round, block: BlockHash| (small(round), number(block));
        let valid = resume.valid.as_ref();
        Self {
            round: small(resume.round),
            step: resume.step,
            locked: resume.locked.map(|(round, block)| at(round, block)),
            valid: valid.and_then(|polka| Some(at(polka.round, polka.block?))),
        }
    }

    /// The same for the machine. Who signed a polka makes no difference to it.
    pub(super) fn resume(&self) -> Resume {
        let polka = |(round, block): At| {
            let said = Said { block: Some(block), valid_round: None };
            let votes: Vec<Vote> =
                (0..MEMBERS).map(|signer| vote(VoteKind::Prevote, round, said, signer)).collect();
            Certificate::collect(MEMBERS.into(), &votes).expect("there are votes")
        };
        Resume {
            round: Round(self.round.into()),
            step: self.step,
            locked: self.locked.map(|(round, block)| (Round(round.into()), hash(block))),
            valid: self.valid.map(polka),
            entry: None,
        }
    }
}

impl Local {
    /// At the beginning of the height.
    pub(super) fn new() -> Self {
        Self {
            core: Core { round: 0, step: Step::Propose, locked: None, valid: None },
            votes: [[None; 2]; ROUNDS_MAX],
            proposals: [None; ROUNDS_MAX],
            decided: None,
        }
    }

    pub(super) fn vote(&self, kind: VoteKind, round: u8) -> Option<Said> {
        self.votes[usize::from(round)][kind_index(kind)]
    }

    /// Grows with every move of a correct machine.
    pub(super) fn rank(&self) -> usize {
        let place = |at: Option<At>| at.map_or(0, |(round, _)| usize::from(round) + 1);
        let step = match self.core.step {
            Step::Propose => 0,
            Step::Prevote => 1,
            Step::Precommit => 2,
        };
        usize::from(self.core.round) * 3
            + step
            + place(self.core.locked)
            + place(self.core.valid)
            + usize::from(self.decided.is_some())
    }
}

pub(super) fn kind_index(kind: VoteKind) -> usize {
    match kind {
        VoteKind::Prevote => 0,
        VoteKind::Precommit => 1,
    }
}

/// The vote itself. Signatures are checked before the machine sees a vote.
pub(super) fn vote(kind: VoteKind, round: u8, said: Said, signer: u16) -> Vote {
    Vote {
        kind,
        height: HEIGHT,
        round: Round(round.into()),
        block: said.block.map(hash),
        valid_round: said.valid_round.map(|round| Round(round.into())),
        signer,
        signature: Signature::from_bytes(&[0; 64]),
    }
}

pub(super) fn said(block: Option<BlockHash>, valid_round: Option<Round>) -> Said {
    Said { block: block.map(number), valid_round: valid_round.map(small) }
}

pub(super) fn hash(block: u8) -> BlockHash {
    BlockHash([block; 32])
}

pub(super) fn number(block: BlockHash) -> u8 {
    block.0[0]
}

pub(super) fn small(round: Round) -> u8 {
    u8::try_from(round.0).expect("few rounds are looked at")
}

/// A fast hash for maps that are never iterated.
#[derive(Default, Clone, Copy)]
pub(super) struct Fold(u64);

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u8(byte));
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number.cast_unsigned() as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// A map with that hash.
pub(super) type FoldMap<K, V> = HashMap<K, V, BuildHasherDefault<Fold>>;

/// Locals by number: a global state is three numbers.
#[derive(Default)]
pub(super) struct Locals {
    numbers: FoldMap<Local, u32>,
    locals: Vec<Local>,
}

impl Locals {
    pub(super) fn number(&mut self, local: Local) -> u32 {
        let next = u32::try_from(self.locals.len()).expect("fewer locals than memory");
        *self.numbers.entry(local).or_insert_with_key(|local| {
            self.locals.push(local.clone());
            next
        })
    }

    pub(super) fn find(&self, local: &Local) -> Option<u32> {
        self.numbers.get(local).copied()
    }

    pub(super) fn get(&self, number: u32) -> &Local {
        &self.locals[number as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.locals.len()
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.block, self.valid_round) {
            (None, _) => f.write_str("nil"),
            (Some(block), None) => write!(f, "{}", char::from(b'A' + block)),
            (Some(block), Some(round)) => write!(f, "{}@{round}", char::from(b'A' + block)),
        }
    }
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |at: Option<At>| {
            at.map_or("-".into(), |(round, block)| format!("{}@{round}", char::from(b'A' + block)))
        };
        let Core { round, step, locked, valid } = self.core;
        write!(f, "{round}/{step:?} locked {} valid {}", at(locked), at(valid))?;
        for (round, (votes, proposal)) in self.votes.iter().zip(&self.proposals).enumerate() {
            let of = |name: &str, said: &Option<Said>| {
                said.map_or(String::new(), |said| format!(" {name}{round}={said}"))
            };
            let text = [of("proposal", proposal), of("pv", &votes[0]), of("pc", &votes[1])];
            f.write_str(&text.concat())?;
        }
        match self.decided {
            None => Ok(()),
            decided => write!(f, " DECIDED {}", at(decided)),
        }
    }
}
