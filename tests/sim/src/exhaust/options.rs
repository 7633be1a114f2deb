//! What to go through.

/// What to go through.
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
    /// No further rank is begun after so many states.
    pub states_max: u64,
    /// A planted fault.
    pub flaw: Flaw,
    /// Checks nothing but that no two honest masternodes decide different blocks.
    pub only_agreement: bool,
}

/// A planted fault, to see whether it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flaw {
    /// None.
    #[default]
    None,
    /// A masternode forgets its lock as soon as it has it.
    ForgetsLock,
}
