//! Failed calls: Bitcoin Core's code, a message with figures, and a name for programs.
use crate::{
    api::{Code, Failure, Reason},
    node::NodeError,
};
use serde::{Serialize, Serializer};
use std::fmt::Display;

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

    /// With a stable name, independent of the message.
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

impl Serialize for RpcError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = self.reason.map(|reason| Reason { reason: reason.into() });
        Failure { code: self.code, message: self.message.clone(), data }.serialize(serializer)
    }
}
