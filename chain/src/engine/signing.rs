//! Whether this node's key signs, in words.
use crate::types::Height;
use std::fmt;

/// Whether this node's key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// It has no key of the masternode set.
    NotMasternode,
    /// It signs.
    Yes,
    /// It signs nothing below this height, which is not reached yet: its record was reset to begin there.
    From(Height),
    /// It has just started and asks masternodes for signatures that its record does not hold.
    Listening,
    /// Its record is missing.
    Observing {
        /// The last height at which its key was seen to sign.
        own_key: Option<Height>,
    },
    /// It has stopped for good.
    Stopped,
}

impl Signing {
    /// In one word, for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotMasternode => "no",
            Self::Yes => "yes",
            Self::From(_) => "from",
            Self::Listening => "listening",
            Self::Observing { .. } => "observing",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMasternode => f.write_str("no: the node has no key of the masternode set"),
            Self::Yes => f.write_str("yes"),
            Self::From(height) => write!(
                f,
                "from height {height}, where the key's safety record begins; nothing is signed \
                 before. If that is too high, stop the node: `timecoin keys guard reset` with a \
                 lower height corrects it"
            ),
            Self::Listening => f.write_str(
                "listening: the node has just started and asks masternodes for signatures of its \
                 key that its record does not hold",
            ),
            Self::Observing { own_key: None } => f.write_str(
                "observing: the key's safety record is missing, so nothing is signed. If another \
                 host has it: `timecoin keys guard export` there and `import` here. If it is lost \
                 and the key runs nowhere else: `timecoin keys guard reset`",
            ),
            Self::Observing { own_key: Some(height) } => write!(
                f,
                "observing: the key's safety record is missing and the key signed at height \
                 {height}, so nothing is signed. If the key runs on another host, stop one of \
                 them; `timecoin keys guard import` or `reset` lets it sign here"
            ),
            Self::Stopped => f.write_str("stopped for good"),
        }
    }
}
