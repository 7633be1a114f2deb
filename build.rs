//! Tells the program which commit it is built from: `TIMECOIN_COMMIT` if it is set, otherwise what git says of
//! this directory, otherwise "unknown". A build from a tarball needs no git.
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// Digits of a commit's id.
const DIGITS: &str = "--short=12";

fn main() {
    println!("cargo::rerun-if-env-changed=TIMECOIN_COMMIT");
    let given = env::var("TIMECOIN_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(of_git).unwrap_or_else(|| "unknown".into());
    println!("cargo::rustc-env=TIMECOIN_COMMIT={commit}");
}

fn of_git() -> Option<String> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?).canonicalize().ok()?;
    // A tarball that was unpacked in another repository is not of its commits.
    let top = Path::new(&git(&["rev-parse", "--show-toplevel"])?).canonicalize().ok()?;
    if top != here {
        return None;
    }
    // Git adds a line to this file with each commit and checkout.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"])
        && Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", DIGITS, "HEAD"])
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
