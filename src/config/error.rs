//! Configuration errors, and where the faulty value was written.
use crate::genesis_file::GenesisFileError;
use std::{fmt, io, path::PathBuf};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In the configuration file.
    File(PathBuf),
    /// In an environment variable.
    Environment(String),
    /// On the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the defaults"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::Flag => f.write_str("the command line"),
        }
    }
}

/// Why a node cannot start from its configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration {}: {error}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file is not TOML.
    #[error("configuration {}: {reason}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What the parser says, with line and column.
        reason: String,
    },
    /// A key that this version does not know.
    #[error("unknown key `{key}` in {origin}{}", near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// The most similar key, if one is similar.
        near: Option<&'static str>,
    },
    /// An invalid value.
    #[error("`{key}` in {origin}: {reason}")]
    Value {
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// Why.
        reason: String,
    },
    /// The genesis cannot be read.
    #[error(transparent)]
    Genesis(#[from] GenesisFileError),
}

impl ConfigError {
    /// What to do next.
    pub fn next(&self) -> String {
        match self {
            Self::Read { .. } => "timecoin init --dir DIR --genesis FILE".into(),
            Self::Syntax { file, .. } => format!("correct {}", file.display()),
            Self::UnknownKey { origin, .. } | Self::Value { origin, .. } => match origin {
                Origin::File(file) => format!("correct {}", file.display()),
                Origin::Environment(variable) => format!("unset {variable}"),
                Origin::Flag | Origin::Default => "timecoin start --help".into(),
            },
            Self::Genesis(_) => {
                "ask the network's operators for its genesis file and set `genesis` to its path"
                    .into()
            }
        }
    }
}
