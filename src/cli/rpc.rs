//! `timecoin rpc METHOD [PARAM...]`: any method of the JSON-RPC server.
use super::{pretty::pretty, target::NodeArgs};
use crate::terminal::{CliError, Exit, output};
use clap::Args;
use serde_json::value::{RawValue, to_raw_value};

#[derive(Debug, Args)]
pub(super) struct RpcArgs {
    /// The method, such as getblockchaininfo; `help` lists all.
    method: String,
    /// Its arguments: JSON if they parse as JSON, text otherwise.
    params: Vec<String>,
    #[command(flatten)]
    node: NodeArgs,
    /// Print the result as JSON even if it is a text.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &RpcArgs) -> Result<(), CliError> {
    let params = args.params.iter().map(|text| param(text)).collect::<Result<Vec<_>, _>>()?;
    let client = args.node.find()?.client;
    let result = client.call_raw(&args.method, &params)?;
    match serde_json::from_str::<String>(result.get()) {
        Ok(text) if !args.json => output::line(text),
        _ => output::line(pretty(result.get())),
    }
    Ok(())
}

/// A hexadecimal id may consist of digits only: a text of that length is never a number.
fn param(text: &str) -> Result<Box<RawValue>, CliError> {
    let is_hex = text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match RawValue::from_string(text.to_owned()) {
        Ok(raw) if !is_hex => Ok(raw),
        _ => to_raw_value(text).map_err(|error| CliError::new(Exit::Usage, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_json_where_they_can_be() {
        let digits = "1".repeat(64);
        let quoted = format!("\"{digits}\"");
        for (text, expected) in [
            ("12", "12"),
            ("12.50000000", "12.50000000"),
            ("true", "true"),
            ("[\"a\"]", "[\"a\"]"),
            ("dtime1q", "\"dtime1q\""),
            ("00ff", "\"00ff\""),
            (digits.as_str(), quoted.as_str()),
        ] {
            assert_eq!(param(text).map(|raw| raw.get().to_owned()), Ok(expected.to_owned()));
        }
    }
}
