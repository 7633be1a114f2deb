//! What a batch of seeds has met. A batch proves nothing about events that it never met.
use std::collections::BTreeMap;

/// Things that a batch of seeds must meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Met {
    /// A node reached round 2 or later.
    RoundTwo,
    /// A node signed in a later round than that of its lock.
    LockAcrossRounds,
    /// A lock moved to a later round.
    LockMoved,
    /// A lock gave way to the polka of another block in a later round.
    UnlockedByPolka,
    /// A block was proposed again with its polka.
    ProposedAgain,
    /// A crash between a durable record and the message it holds.
    CrashAfterPersist,
    /// A crash just before a record became durable.
    CrashBeforePersist,
    /// A crash while a block was being written.
    CrashInCommit,
    /// A vote for the next height left before the block below it was durable.
    SignedOverUndurable,
    /// A node came back with a record that decides a block again which its ledger had lost.
    DecisionRecovered,
    /// A node received a block by sync.
    SyncedBlock,
    /// All nodes crashed at once.
    WholeRestart,
    /// A partition healed.
    PartitionHealed,
    /// A seed ended without one masternode.
    OneStayedAway,
    /// A lying peer answered with a block that lacks a transaction.
    TamperedBlock,
    /// Bodies of a proposed block were asked for.
    BodiesAsked,
    /// Votes were asked for.
    VotesAsked,
    /// A payment became final.
    PaymentFinal,
    /// A payment was refused.
    PaymentRefused,
    /// An accepted payment lost against another that spends the same.
    PaymentLost,
    /// Rewards were paid.
    RewardsPaid,
    /// An observer applied a block.
    ObserverCommitted,
    /// A crash within the first inputs after a start.
    CrashInRecovery,
    /// A record survived a crash before it was reported durable.
    UnsyncedRecordKept,
    /// A record was lost in a crash before it was reported durable.
    UnsyncedRecordLost,
    /// A block survived a crash before it was reported durable.
    UnsyncedBlockKept,
    /// A machine resumed after a pause with many waiting events.
    BurstAfterPause,
    /// A wall clock jumped by more than what validators allow.
    ClockJumped,
    /// A wall clock stood still.
    ClockStoodStill,
    /// A node reached round 3 or later.
    RoundThree,
    /// A block came by sync during a partition.
    SyncedInPartition,
    /// Two groups that only some nodes reach both of.
    BridgePartition,
    /// A group that hears the others and is not heard.
    OneWayPartition,
    /// A link lost one kind of message.
    KindFiltered,
    /// A link delayed everything for a while.
    Clogged,
    /// A message with flipped bits was refused.
    CorruptionRefused,
    /// A message with flipped bits was taken.
    CorruptionTaken,
    /// A message of an earlier height came again.
    PastReplayed,
    /// A masternode was caught breaking the rules.
    EvidenceFound,
    /// A block recorded two votes in one slot.
    VotesRecorded,
    /// A block recorded two proposals in one round.
    ProposalsRecorded,
    /// A block recorded a vote against a lock.
    AmnesiaRecorded,
    /// A height was decided by precommits of a round that was over.
    DecidedPastRound,
    /// What a Byzantine masternode sent broke a rule that every receiver checks.
    ByzantineRefused,
    /// A proposer said nothing.
    Silent,
    /// A proposal went to 2f others only.
    SelectiveProposer,
    /// Two blocks were proposed in one round.
    EquivocatingProposer,
    /// A polka was shown to one masternode only.
    HiddenLock,
    /// A masternode prevoted what its engine would not.
    Amnesia,
    /// A vote was held back to the end of its timeout.
    Withholder,
    /// A masternode flooded others.
    Flooder,
    /// A masternode voted seconds late.
    LateVoter,
    /// Precommits of a round that was over came out.
    PastRoundDecider,
    /// Old messages came again.
    StaleResender,
    /// A changed message was signed again.
    Mutator,
    /// A masternode sent votes back as its own.
    Echo,
    /// In each round a masternode agreed with the first voter.
    Turncoat,
    /// An invalid block with many signatures was proposed.
    CostlyProposer,
    /// Two nodes had one key.
    Twin,
    /// A key signed while a host without its record ran with it.
    SecondHost,
    /// Such a host learned of the other and stopped.
    SecondHostStopped,
    /// A node that asked for blocks heard "busy".
    PeerBusy,
    /// A stranger answered a request.
    StrangerAnswered,
    /// A stranger was blamed for its answer.
    StrangerBlamed,
    /// A node keeps places for all masternodes.
    AllPresent,
    /// A stranger was thrown out because of what it sent.
    StrangerRefused,
}

impl Met {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::RoundTwo,
        Self::LockAcrossRounds,
        Self::LockMoved,
        Self::UnlockedByPolka,
        Self::ProposedAgain,
        Self::CrashAfterPersist,
        Self::CrashBeforePersist,
        Self::CrashInCommit,
        Self::SignedOverUndurable,
        Self::DecisionRecovered,
        Self::SyncedBlock,
        Self::WholeRestart,
        Self::PartitionHealed,
        Self::OneStayedAway,
        Self::TamperedBlock,
        Self::BodiesAsked,
        Self::VotesAsked,
        Self::PaymentFinal,
        Self::PaymentRefused,
        Self::PaymentLost,
        Self::RewardsPaid,
        Self::ObserverCommitted,
        Self::CrashInRecovery,
        Self::UnsyncedRecordKept,
        Self::UnsyncedRecordLost,
        Self::UnsyncedBlockKept,
        Self::BurstAfterPause,
        Self::ClockJumped,
        Self::ClockStoodStill,
        Self::RoundThree,
        Self::SyncedInPartition,
        Self::BridgePartition,
        Self::OneWayPartition,
        Self::KindFiltered,
        Self::Clogged,
        Self::CorruptionRefused,
        Self::CorruptionTaken,
        Self::PastReplayed,
        Self::EvidenceFound,
        Self::VotesRecorded,
        Self::ProposalsRecorded,
        Self::AmnesiaRecorded,
        Self::DecidedPastRound,
        Self::ByzantineRefused,
        Self::Silent,
        Self::SelectiveProposer,
        Self::EquivocatingProposer,
        Self::HiddenLock,
        Self::Amnesia,
        Self::Withholder,
        Self::Flooder,
        Self::LateVoter,
        Self::PastRoundDecider,
        Self::StaleResender,
        Self::Mutator,
        Self::Echo,
        Self::Turncoat,
        Self::CostlyProposer,
        Self::Twin,
        Self::SecondHost,
        Self::SecondHostStopped,
        Self::PeerBusy,
        Self::StrangerAnswered,
        Self::StrangerBlamed,
        Self::AllPresent,
        Self::StrangerRefused,
    ];
}

/// How often each was met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<Met, u64>);

impl Coverage {
    /// Counts one.
    pub fn met(&mut self, what: Met) {
        *self.0.entry(what).or_default() += 1;
    }

    /// How often.
    pub fn count(&self, what: Met) -> u64 {
        self.0.get(&what).copied().unwrap_or(0)
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(*what).or_default() += count;
        }
    }

    /// What was never met.
    pub fn missing(&self) -> Vec<Met> {
        Met::ALL.iter().copied().filter(|what| self.count(*what) == 0).collect()
    }
}
