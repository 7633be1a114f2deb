//! `timecoin health`: for container health checks and scripts.
use super::target::NodeArgs;
use crate::terminal::{CliError, Exit, output};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &HealthArgs) -> Result<(), CliError> {
    let target = args.node.find()?;
    let (status, text) = target.client.get("/readyz?verbose")?;
    let ready = status == 200;
    let text = text.trim_end();
    if args.json {
        output::json(&serde_json::json!({ "ready": ready, "status": status, "detail": text }))?;
    } else if ready {
        output::line(text);
    }
    if ready {
        return Ok(());
    }
    let is_halted = text.lines().any(|line| line.starts_with("[!] halted"));
    let exit = if is_halted { Exit::Halted } else { Exit::Syncing };
    Err(CliError::new(exit, format!("{} is not ready (HTTP {status})", target.name))
        .why(text)
        .next("timecoin status"))
}
