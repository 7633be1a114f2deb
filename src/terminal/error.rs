//! Every failure of a command: what happened, why, the next command, and the exit code.
use crate::{
    config::{ConfigError, LogFormat},
    exit::Exit,
    genesis_file::GenesisFileError,
    keys::KeyError,
    rpc_client::RpcClientError,
    wallet::WalletFileError,
};
use nix::unistd::{getegid, geteuid};
use serde_json::json;
use std::{fmt, io};
use timecoin_store::StoreError;

/// A command that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    what: String,
    why: Vec<String>,
    next: Option<String>,
    exit: Exit,
    form: LogFormat,
}

impl CliError {
    /// What happened.
    pub fn new(exit: Exit, what: impl ToString) -> Self {
        Self { what: what.to_string(), why: Vec::new(), next: None, exit, form: LogFormat::Human }
    }

    /// Why; each line on its own.
    pub fn why(mut self, why: impl ToString) -> Self {
        self.why.extend(why.to_string().lines().map(str::to_owned));
        self
    }

    /// The next command to type.
    pub fn next(mut self, next: impl ToString) -> Self {
        self.next = Some(next.to_string());
        self
    }

    /// Adds who this process is if the system refused it a file: in a container, users are not those of the host.
    pub fn with_user_if_refused(self, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut causes = std::iter::successors(Some(error), |error| error.source());
        let is_refusal = causes.any(|cause| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        });
        match is_refusal {
            true => self.why(format_args!(
                "this process is user {}, group {}; the path must belong to it: chown {0}:{1} PATH",
                geteuid(),
                getegid()
            )),
            false => self,
        }
    }

    /// Written in the form of the log: a node that logs JSON reports its last error in JSON.
    pub fn in_form(self, form: LogFormat) -> Self {
        Self { form, ..self }
    }

    /// The exit code of the process.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.form == LogFormat::Json {
            let (level, target) = ("ERROR", env!("CARGO_PKG_NAME"));
            let Self { what, why, next, exit, .. } = self;
            return json!({
                "level": level, "target": target, "message": what, "why": why, "next": next, "exit": exit.code()
            })
            .fmt(f);
        }
        write!(f, "error: {}", self.what)?;
        for line in &self.why {
            write!(f, "\n  {line}")?;
        }
        match &self.next {
            Some(next) => write!(f, "\n  next: {next}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CliError {}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        let next = error.next();
        Self::new(Exit::Config, error).next(next)
    }
}

impl From<KeyError> for CliError {
    fn from(error: KeyError) -> Self {
        let next = error.next();
        Self::new(Exit::Config, &error).next(next).with_user_if_refused(&error)
    }
}

impl From<GenesisFileError> for CliError {
    fn from(error: GenesisFileError) -> Self {
        Self::new(Exit::Config, error).next("compare the file with the one its network publishes")
    }
}

impl From<WalletFileError> for CliError {
    fn from(error: WalletFileError) -> Self {
        let next = match &error {
            WalletFileError::Key(error) => error.next(),
            WalletFileError::Missing { .. } | WalletFileError::Exists { .. } => {
                "timecoin wallet list".into()
            }
            WalletFileError::MainNetwork => "use a test or dev network".into(),
            WalletFileError::Name { .. } => "timecoin wallet new bob".into(),
            WalletFileError::Malformed { path, .. } | WalletFileError::Io { path, .. } => {
                format!("ls -l {}", path.display())
            }
        };
        Self::new(Exit::Failure, error).next(next)
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::new(Exit::from(&error), &error).next(error.next()).with_user_if_refused(&error)
    }
}

impl From<RpcClientError> for CliError {
    fn from(error: RpcClientError) -> Self {
        let (exit, next) = match &error {
            RpcClientError::Unreachable { .. } => {
                (Exit::Unreachable, "start the node: timecoin start --config FILE".to_owned())
            }
            RpcClientError::Refused { .. } => {
                (Exit::Unreachable, "give the node's cookie: --cookie DATA_DIR/.cookie".to_owned())
            }
            RpcClientError::Malformed { .. } => {
                (Exit::Answered, "give the address of a node's RPC server: --rpc".to_owned())
            }
            RpcClientError::Answered { method, .. } if error.is_unknown_method() => {
                (Exit::Answered, format!("timecoin rpc help   (there is no `{method}`)"))
            }
            RpcClientError::Answered { .. } if error.is_warming_up() => {
                (Exit::Syncing, "timecoin status   (try again when it is ready)".to_owned())
            }
            RpcClientError::Answered { method, .. } => {
                (Exit::Answered, format!("timecoin rpc help {method}"))
            }
        };
        Self::new(exit, error).next(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_file_says_who_this_process_is() {
        let of = |kind: io::ErrorKind| {
            let path = "/run/secrets/node.key".into();
            CliError::from(KeyError::Io { path, source: kind.into() }).to_string()
        };
        let who = format!("this process is user {}, group {}", geteuid(), getegid());
        assert!(of(io::ErrorKind::PermissionDenied).contains(&who));
        assert!(!of(io::ErrorKind::NotADirectory).contains(&who));
    }

    #[test]
    fn an_error_says_what_why_and_what_next() {
        let error = CliError::new(Exit::AddressInUse, "port 21000 is taken")
            .why("another process listens there\nits name is unknown")
            .next("timecoin testnet up --base-port 22000");
        assert_eq!(
            error.to_string(),
            "error: port 21000 is taken\n  another process listens there\n  its name is unknown\n  \
             next: timecoin testnet up --base-port 22000"
        );
        assert_eq!(error.exit().code(), 6);
        let line = error.in_form(LogFormat::Json).to_string();
        let fields: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
        assert_eq!((&fields["level"], &fields["exit"]), (&"ERROR".into(), &6.into()));
        assert_eq!(fields["message"], "port 21000 is taken");
        assert_eq!(fields["next"], "timecoin testnet up --base-port 22000");
    }
}
