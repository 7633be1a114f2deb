//! How more than a third of the weight tries to fork the chain, and what is known of it.
use crate::role::Role;
use timecoin_chain::types::{Height, Vote};

/// How those who break the rules make a fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Plot {
    /// Each runs once in each group.
    Twins,
    /// They vote with both groups in the same round.
    Echoes,
    /// They vote with the second group in a later round.
    Turncoats,
}

impl Plot {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Twins, Self::Echoes, Self::Turncoats];

    /// What each of them does.
    pub fn role(self) -> Role {
        match self {
            Self::Twins => Role::Twin,
            Self::Echoes => Role::Echo,
            Self::Turncoats => Role::Turncoat,
        }
    }
}

/// What honest nodes got, to accuse with.
#[derive(Debug, Default)]
pub(crate) struct Trial {
    pub(crate) votes: Vec<Vote>,
    /// The height that has two final blocks.
    pub(crate) forked: Option<Height>,
}
