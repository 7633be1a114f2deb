//! Exit codes of the program: one type for the node and every command.
use timecoin_store::StoreError;

/// The meaning of an exit code other than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Something failed while running.
    Failure = 1,
    /// The command line is wrong. The parser of the command line uses the same code.
    Usage = 2,
    /// A configuration, key or genesis file is wrong.
    Config = 3,
    /// Another process uses the data directory.
    DirectoryInUse = 4,
    /// The database or its disk failed.
    Disk = 5,
    /// An address is in use.
    AddressInUse = 6,
    /// No node answers.
    Unreachable = 7,
    /// The node is not ready.
    Syncing = 8,
    /// The node answered with an error.
    Answered = 9,
    /// The chain is halted: too little weight is online.
    Halted = 10,
    /// The key signed elsewhere, or its record is not here.
    KeyElsewhere = 11,
    /// A payment was sent and is not known to be final.
    Sent = 12,
    /// The node stopped for good: the chain, its data or the program contradicts itself.
    Contradiction = 13,
    /// A second signal stopped the program at once; a shell shows an interrupted program the same way.
    Interrupted = 130,
}

impl Exit {
    /// Every code, ascending.
    pub const ALL: [Self; 14] = [
        Self::Failure,
        Self::Usage,
        Self::Config,
        Self::DirectoryInUse,
        Self::Disk,
        Self::AddressInUse,
        Self::Unreachable,
        Self::Syncing,
        Self::Answered,
        Self::Halted,
        Self::KeyElsewhere,
        Self::Sent,
        Self::Contradiction,
        Self::Interrupted,
    ];

    /// The code of the process.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The meaning of a process's code, if it is one of this program.
    pub fn of(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| i32::from(exit.code()) == code)
    }

    /// The meaning in a few words.
    fn meaning(self) -> &'static str {
        match self {
            Self::Failure => "any other failure",
            Self::Usage => "usage",
            Self::Config => "configuration",
            Self::DirectoryInUse => "data directory in use",
            Self::Disk => "database or disk",
            Self::AddressInUse => "address in use",
            Self::Unreachable => "no node answers",
            Self::Syncing => "node is syncing",
            Self::Answered => "the node answered with an error",
            Self::Halted => "chain is halted",
            Self::KeyElsewhere => "the key must not sign here",
            Self::Sent => "payment sent, not known to be final",
            Self::Contradiction => "contradiction in the chain",
            Self::Interrupted => "interrupted",
        }
    }

    /// All codes in one sentence, for the help text.
    pub fn list() -> String {
        let codes = Self::ALL.map(|exit| format!("{} {}", exit.code(), exit.meaning()));
        format!("Exit codes: 0 ok, {}.", codes.join(", "))
    }
}

impl From<&StoreError> for Exit {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::AlreadyOpen { .. } => Self::DirectoryInUse,
            _ => Self::Disk,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_lists_the_exit_codes() {
        let words: Vec<&str> = include_str!("../README.md").split_whitespace().collect();
        assert!(words.join(" ").contains(&Exit::list()), "README.md lacks: {}", Exit::list());
    }

    #[test]
    fn every_code_has_one_meaning() {
        assert!(Exit::ALL.is_sorted_by(|a, b| a.code() < b.code()));
        assert_eq!(Exit::of(130), Some(Exit::Interrupted));
        assert_eq!([Exit::of(0), Exit::of(-1), Exit::of(14)], [None; 3]);
    }
}
