//! What a client is told when a call fails: Bitcoin Core's code, words with numbers, and a name for
//! programs.
use crate::node::NodeError;
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::fmt::Display;

/// Bitcoin Core's numbers (src/rpc/protocol.h) and those of JSON-RPC 2.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// A wrong count of arguments, or anything without a number of its own.
    Misc = -1,
    /// An argument of the wrong type.
    Type = -3,
    /// A text that is no address or id, or names nothing known.
    NotFound = -5,
    /// An argument beyond its bounds.
    InvalidParameter = -8,
    /// Bytes that are not a transaction.
    Decode = -22,
    /// A transaction whose inputs are not there.
    Verify = -25,
    /// A transaction that breaks a rule or this node's policy.
    Rejected = -26,
    /// A transaction that is already final.
    AlreadyInChain = -27,
    /// Not a request.
    InvalidRequest = -32600,
    /// No such method.
    MethodNotFound = -32601,
    /// This node could not answer; `data.reason` is `busy`, `stopping` or `store`.
    Internal = -32603,
    /// Not JSON.
    Parse = -32700,
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RpcError {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) reason: Option<&'static str>,
}

impl RpcError {
    pub(super) fn new(code: Code, message: impl Display) -> Self {
        Self { code, message: message.to_string(), reason: None }
    }

    /// With a name that stays the same when the words change.
    pub(super) fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    pub(super) fn store(error: impl Display) -> Self {
        Self::new(Code::Internal, format_args!("reading the database failed: {error}"))
            .because("store")
    }
}

impl From<NodeError> for RpcError {
    fn from(error: NodeError) -> Self {
        let reason = match error {
            NodeError::Busy => "busy",
            NodeError::Stopping => "stopping",
        };
        Self::new(Code::Internal, error).because(reason)
    }
}

impl Code {
    pub(super) fn number(self) -> i32 {
        self as i32
    }
}

impl Serialize for RpcError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Data {
            reason: &'static str,
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", &self.code.number())?;
        map.serialize_entry("message", &self.message)?;
        if let Some(reason) = self.reason {
            map.serialize_entry("data", &Data { reason })?;
        }
        map.end()
    }
}
