//! The reasons for which connections and peers are turned away, and their names.

/// Why a connection or a peer was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its host or netgroup has its share of connections already.
    Share,
    /// Its host begins too many handshakes.
    Rate,
    /// Too many handshakes are in progress.
    Pending,
    /// All places are taken.
    Full,
    /// The process uses more memory than its limit.
    Memory,
    /// The peer has enough connections.
    Twice,
    /// The peer or its host is banned.
    Banned,
    /// The peer is not on the list of this private network.
    Unlisted,
    /// This node did not decide on the dial: Kademlia named the peer, whose signed record is asked for.
    Unwanted,
    /// It comes back too soon after it was turned away.
    Again,
    /// It serves another chain.
    Chain,
    /// This node dialled it, and it speaks only newer protocol versions: this node is too old for it.
    Newer,
    /// It speaks only other protocol versions.
    Older,
    /// It did not identify itself in time.
    Silent,
    /// It broke a rule or went on over its quotas.
    Offence,
}

impl Why {
    /// All reasons, in the order of [`Why::index`].
    pub const ALL: [Why; 15] = [
        Why::Share,
        Why::Rate,
        Why::Pending,
        Why::Full,
        Why::Memory,
        Why::Twice,
        Why::Banned,
        Why::Unlisted,
        Why::Unwanted,
        Why::Again,
        Why::Chain,
        Why::Newer,
        Why::Older,
        Why::Silent,
        Why::Offence,
    ];

    /// The name in counters and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Why::Share => "share",
            Why::Rate => "rate",
            Why::Pending => "pending",
            Why::Full => "full",
            Why::Memory => "memory",
            Why::Twice => "twice",
            Why::Banned => "banned",
            Why::Unlisted => "unlisted",
            Why::Unwanted => "unwanted",
            Why::Again => "again",
            Why::Chain => "chain",
            Why::Newer => "newer",
            Why::Older => "older",
            Why::Silent => "silent",
            Why::Offence => "offence",
        }
    }

    /// The reason in words.
    pub const fn text(self) -> &'static str {
        match self {
            Why::Share => "its host or netgroup has its share of connections already",
            Why::Rate => "its host begins too many handshakes",
            Why::Pending => "too many handshakes are in progress",
            Why::Full => "all places are taken",
            Why::Memory => "this process uses more memory than its limit",
            Why::Twice => "the peer has enough connections",
            Why::Banned => "the peer or its host is banned",
            Why::Unlisted => "the peer is not on the list of this private network",
            Why::Unwanted => "this node did not decide on the dial",
            Why::Again => "it comes back too soon after it was turned away",
            Why::Chain => "it serves another chain",
            Why::Newer => "it speaks only newer protocol versions",
            Why::Older => "it speaks only other protocol versions",
            Why::Silent => "it did not identify itself in time",
            Why::Offence => "it broke a rule or went on over its quotas",
        }
    }

    /// The position in [`Why::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}
