//! `timecoin metrics`: what a node measures.
use crate::{
    metrics::{self, Row},
    terminal::{CliError, output},
};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(super) enum MetricsCommand {
    /// List every metric: its name, type, labels, unit and meaning. Needs no running node.
    List(ListArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Print the table of docs/metrics.md.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &MetricsCommand) -> Result<(), CliError> {
    let MetricsCommand::List(args) = command;
    if args.json {
        return output::json(&metrics::list());
    }
    if args.markdown {
        output::line(metrics::markdown().trim_end());
        return Ok(());
    }
    for Row { name, kind, labels, help, .. } in metrics::list() {
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        output::line(format_args!("{name}{labels}  ({kind})\n    {help}"));
    }
    Ok(())
}
