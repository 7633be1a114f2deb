//! What commands print, and what they ask.
use super::{CliError, Exit};
use serde::Serialize;
use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};
use timecoin_chain::types::Amount;

/// One line on standard output. A closed pipe, such as `head`, is not an error.
pub(crate) fn line(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// One line on standard error.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A line on standard error that the next one replaces; only on a terminal.
pub(crate) fn progress(text: impl Display) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r\x1b[K  {text}");
        let _ = stderr.flush();
    }
}

/// Removes the last progress line.
pub(crate) fn clear_progress() {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        let _ = write!(stderr, "\r\x1b[K");
        let _ = stderr.flush();
    }
}

/// A value as JSON on standard output.
pub(crate) fn json(value: &impl Serialize) -> Result<(), CliError> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| CliError::new(Exit::Failure, error))?;
    line(text);
    Ok(())
}

/// Asks for confirmation. Without a terminal this fails and names the flag.
pub(crate) fn confirm(question: &str) -> Result<(), CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError::new(Exit::Usage, format!("{question} Nobody can be asked here."))
            .why("standard input is not a terminal")
            .next("give the command with --yes"));
    }
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "  {question} [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(|error| CliError::new(Exit::Failure, error))?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::new(Exit::Failure, "not confirmed, nothing was done")),
    }
}

/// An amount for people: `1,000,000.00000000`.
pub(crate) fn money(amount: Amount) -> String {
    let text = amount.to_string();
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, "0"));
    format!("{}.{decimals}", grouped(whole))
}

/// An amount for people without decimals that are zero: `1,000,000`.
pub(crate) fn short_money(amount: Amount) -> String {
    money(amount).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Digits in groups of three.
pub(crate) fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The first and last characters of an id: `7f3a1b2c..c912`.
pub(crate) fn short_id(id: &str) -> String {
    match (id.get(..8), id.get(id.len().saturating_sub(4)..)) {
        (Some(head), Some(tail)) if id.len() > 14 => format!("{head}..{tail}"),
        _ => id.to_owned(),
    }
}

/// A span for people: `412 ms`, `1.2 s`, `3 min`.
pub(crate) fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

/// `1 block`, `2 blocks`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(money(Amount::from_time(1_234_567)), "1,234,567.00000000");
        assert_eq!(short_money(Amount::from_time(1_000_000)), "1,000,000");
        assert_eq!(short_money(Amount(1_250_000_000)), "12.5");
        assert_eq!(short_id(&"ab".repeat(32)), "abababab..abab");
        assert_eq!([span(7), span(1_234), span(150_000)], ["7 ms", "1.2 s", "2 min"]);
        assert_eq!([count(1, "peer"), count(0, "peer")], ["1 peer", "0 peers"]);
    }
}
