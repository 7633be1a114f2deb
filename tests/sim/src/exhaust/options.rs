//! The bounds of a search.

/// The bounds of a search.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The masternode that is Byzantine. Masternode R proposes in round R.
    pub byzantine: u16,
    /// Rounds, at most three.
    pub rounds: u8,
    /// Different blocks that may be proposed.
    pub blocks: u8,
    /// Random walks of whole machines to compare with.
    pub walks: u64,
    /// No further rank begins after this many states.
    pub states_max: u64,
    /// A planted fault.
    pub flaw: Flaw,
    /// Checks nothing but that no two honest masternodes decide different blocks.
    pub only_agreement: bool,
}

/// A planted fault, to check that it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flaw {
    /// None.
    #[default]
    None,
    /// A masternode forgets its lock at once.
    ForgetsLock,
}
