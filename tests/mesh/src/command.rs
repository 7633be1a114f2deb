//! Commands of the system: `ip`, `nft`, `tc`.
use crate::outcome::{Outcome, failed};
use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Runs a command of the system to its end, with this as its input.
pub(crate) fn run(program: &str, words: &[&str], input: &str) -> Outcome<()> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(format!("{program}: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let ended = child.wait_with_output()?;
    match ended.status.success() {
        true => Ok(()),
        false => {
            let words = String::from_utf8_lossy(&ended.stderr);
            Err(failed(format!("{program}: {}: {input}", words.trim())))
        }
    }
}
