//! Errors and their codes.
use serde::{Deserialize, Serialize};

/// Bitcoin Core's numbers (src/rpc/protocol.h) and those of JSON-RPC 2.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "i64", from = "i64")]
pub enum Code {
    /// A wrong number of arguments, or anything without a code of its own.
    Misc,
    /// An argument of the wrong type.
    Type,
    /// A text that is not an address or id, or refers to something unknown.
    NotFound,
    /// An argument out of range.
    InvalidParameter,
    /// Bytes that are not a transaction.
    Decode,
    /// A transaction whose inputs are missing or spent.
    Verify,
    /// A transaction that breaks a rule or this node's policy.
    Rejected,
    /// A transaction that is already final.
    AlreadyInChain,
    /// A peer that is not connected.
    NotConnected,
    /// An address, subnet or peer id that cannot be banned or is not banned.
    InvalidSubnet,
    /// A peer or host that is banned already.
    AlreadyAdded,
    /// The node is starting.
    WarmingUp,
    /// Not a request.
    InvalidRequest,
    /// No such method.
    MethodNotFound,
    /// This node could not answer; `data.reason` is `busy`, `stopping` or `store`.
    Internal,
    /// Not JSON.
    Parse,
    /// A code of another server or version.
    Other(i64),
}

/// Every code with its number.
const NUMBERS: [(Code, i64); 16] = [
    (Code::Misc, -1),
    (Code::Type, -3),
    (Code::NotFound, -5),
    (Code::InvalidParameter, -8),
    (Code::Decode, -22),
    (Code::Verify, -25),
    (Code::Rejected, -26),
    (Code::AlreadyInChain, -27),
    (Code::AlreadyAdded, -23),
    (Code::WarmingUp, -28),
    (Code::NotConnected, -29),
    (Code::InvalidSubnet, -30),
    (Code::InvalidRequest, -32_600),
    (Code::MethodNotFound, -32_601),
    (Code::Internal, -32_603),
    (Code::Parse, -32_700),
];

impl From<Code> for i64 {
    fn from(code: Code) -> Self {
        match code {
            Code::Other(number) => number,
            code => NUMBERS
                .iter()
                .find_map(|(known, number)| (*known == code).then_some(*number))
                .expect("NUMBERS holds every code but Other"),
        }
    }
}

impl From<i64> for Code {
    fn from(number: i64) -> Self {
        let known = NUMBERS.iter().find(|(_, known)| *known == number);
        known.map_or(Self::Other(number), |(code, _)| *code)
    }
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub code: Code,
    /// In words, with numbers.
    pub message: String,
    /// For programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Reason>,
}

/// The machine-readable part of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A name that stays the same when the words change.
    pub reason: String,
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        i64::from(*self).fmt(f)
    }
}
