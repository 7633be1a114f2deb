//! `timecoin status`: one screen about a running node.
use super::target::{NodeArgs, NodesAt};
use crate::{
    rpc_client::NodeStatus,
    terminal::{
        CliError,
        output::{self, count, span},
    },
};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &StatusArgs) -> Result<(), CliError> {
    let target = args.node.find()?;
    let mut status = NodeStatus::ask(&target.client)?;
    if let NodesAt::Net(_, state) = args.node.place()? {
        status.halted = status.halted.map(|reason| state.name_keys(reason));
    }
    if args.json {
        return output::json(&status);
    }
    output::line(format_args!(
        "{}   {} network, genesis {}",
        target.name,
        status.network,
        output::short_id(&status.genesis)
    ));
    output::line(format_args!(
        "height {}   final {} ago   round {}   masternodes {}/{} voting   {}   mempool {}   sync {}",
        status.height,
        span(status.block_age_ms),
        status.round,
        status.masternodes_voting,
        status.masternodes,
        count(usize::try_from(status.peers).unwrap_or(usize::MAX), "peer"),
        count(usize::try_from(status.mempool_transactions).unwrap_or(usize::MAX), "transaction"),
        status.sync(),
    ));
    if !matches!(status.signing.as_str(), "yes" | "no") {
        output::line(format_args!("signing: {}", status.signing_reason));
    }
    for reason in [status.stopped, status.halted].into_iter().flatten() {
        output::line(reason);
    }
    Ok(())
}
