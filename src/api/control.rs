//! The node itself, and help.
use super::ask::ask;
use serde::{Deserialize, Serialize};

ask! {
    Help("help") -> String;
    Stop("stop") -> String;
    Uptime("uptime") -> u64;
}

/// Asks for all methods, or for one with its arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Help {
    /// A method.
    #[serde(default)]
    pub command: Option<String>,
}

/// Stops the node gracefully.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {}

/// Asks for the seconds since the node began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uptime {}
