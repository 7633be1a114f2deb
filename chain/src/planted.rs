//! Small defects, planted one at a time to see whether the simulator finds them: `scripts/planted`.
//!
//! Without the feature `planted` none can be chosen and `is` is a constant, so a node holds no trace of
//! them; the node's crate does not compile with the feature.
//!
//! Invariant: the choice is made once, before anything runs. That cell is the one static of this
//! crate: one build serves all defects.

/// Whether this build can be given a defect.
pub const IS_POSSIBLE: bool = cfg!(feature = "planted");

macro_rules! bugs {
    ($($bug:ident: $what:literal,)*) => {
        /// A defect. Each is planted where this crate asks `is` for it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Bug {
            $(#[doc = $what] $bug,)*
        }

        #[cfg(feature = "planted")]
        impl Bug {
            /// All of them, each with its name and what is wrong.
            pub const ALL: &[(Self, &str, &str)] = &[$((Self::$bug, stringify!($bug), $what),)*];
        }
    };
}

bugs! {
    // The state machine.
    NoLockCheck: "a locked node votes for any block",
    LockNotSet: "a polka does not lock",
    UnlockByAnyPolka: "a polka from before the lock opens it",
    ValidNotKept: "the block of a polka is not proposed again",
    VoteBeforeVerdict: "a block is voted for before it is known to be valid",
    TwoFIsAQuorum: "two thirds of the weight but one are a quorum",
    TwoThirdsAreAQuorum: "exactly two thirds of the weight are a quorum",
    TimerOfAnyRound: "a timer that was set in one round works in a later one",
    TimerOfAnyStep: "a timer that was set for one step works in a later one",
    NoProposeTimer: "nobody waits for a proposal for a bounded time only",
    NoPrevoteTimer: "nobody waits for prevotes for a bounded time only",
    NoPrecommitTimer: "nobody waits for precommits for a bounded time only",
    SkipByOneVote: "one vote of a later round is enough to join it",
    TurnsByHead: "masternodes propose in turn, whatever their weight",
    EverybodyProposes: "every masternode proposes in every round",
    DecideOnPolka: "a polka decides",
    PrecommitsOfAnyRound: "precommits of other rounds count in the current one",
    VoteCountsEachTime: "a vote counts each time it arrives",
    NilPolkaIgnored: "a polka for nil is waited out",
    PastPolkaIgnored: "a polka of a round that is over is not proposed again",
    ValidRoundsMixed: "prevotes that rest on different rounds make a polka together",
    LastVoteCounts: "of two votes in one slot the later one counts too",
    // What is signed, and when.
    PublishBeforePersist: "a vote leaves before the record that holds it is durable",
    RecordNotLoaded: "a restarted node does not read its record",
    LockNotRecorded: "the record does not hold the lock",
    LockNotRecovered: "a restarted node takes everything from its record but the lock",
    DecisionNotRecovered: "a restarted node does not decide again what its record proves decided",
    ProposesTwice: "a restarted proposer makes a new block for a round it has proposed in",
    SignsFinalHeight: "a node signs for a height that it knows to be final",
    PrecommitOverUndurable: "a precommit does not wait for the blocks below it to be durable",
    OwedVotesForgotten: "a vote that waited for a durable block is never cast",
    NothingSentAgain: "nothing is sent again or asked for",
    BodiesNotAsked: "missing bodies are not asked for",
    // Votes, certificates and proposals.
    VoteNotChecked: "the signature of a vote is not checked",
    CertificateNotChecked: "the signatures of a certificate are not checked",
    QuorumNotChecked: "a certificate of any weight will do",
    SignerCountsTwice: "a round certificate may hold one signer twice",
    AnyPolkaWillDo: "a re-proposal needs no polka for its block",
    ContentsNotChecked: "a proposal's contents are not compared with its header",
    // The ledger and its rules.
    FeesLost: "fees go to nobody",
    RewardsPaidTwice: "accounts are not emptied when they are paid",
    RewardsByHead: "signers are paid alike, whatever their weight",
    IssuanceNotInSupply: "new money is not added to the supply",
    SpentCoinKept: "a spent coin stays in the commitment to the coins",
    PositionUsedTwice: "the first two outputs of a transaction have one position",
    SpentTwice: "a block may spend one output twice",
    MoneyFromNothing: "a transaction may pay more than it spends",
    BlockSignaturesSkipped: "signatures of a block's transactions are not checked",
    ExpiryNotChecked: "a transaction may stand in a block after its last height",
    TimeNotChecked: "a block's time need not be after its parent's",
    StateRootNotChecked: "a block may name any state root",
    ParentTimeIgnored: "a proposer's clock need not be after the parent's time",
    // The mempool.
    ConflictAdmitted: "two waiting transactions may spend one output",
    ConflictKept: "what a block contradicts stays in the mempool",
    ExpiredKept: "what can stand in no block any more stays in the mempool",
    MempoolUnbounded: "a full mempool takes more",
    ChildBeforeParent: "a child is proposed before its parent",
    // Sync.
    SyncSkipsAGap: "the lowest block that is held is applied, not the next one",
    TargetWithoutProof: "a hint of a later height counts as proof of it",
    BodyNotCompared: "the body of a synced block is not compared with its header",
}

/// Whether this defect is planted.
#[cfg(not(feature = "planted"))]
pub(crate) const fn is(_: Bug) -> bool {
    false
}

#[cfg(feature = "planted")]
static PLANTED: std::sync::OnceLock<Bug> = std::sync::OnceLock::new();

/// Whether this defect is planted.
#[cfg(feature = "planted")]
pub(crate) fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(&bug)
}

/// Plants a defect in this process for good.
#[cfg(feature = "planted")]
pub fn plant(bug: Bug) {
    PLANTED.set(bug).expect("a process has one defect at the most");
}
