//! `timecoin testnet init`: a new network that is not started, of processes or of containers.
use super::args::{NetArgs, ShapeArgs};
use crate::{
    devnet::network::{
        Layout, compose,
        create::{self, FUNDED, FUNDS},
    },
    terminal::{
        CliError, Exit,
        output::{self, count, short_id, short_money},
    },
};
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    net: NetArgs,
    /// For containers: also write DIR/compose.yml, which publishes RPC on 127.0.0.1 from the first port on.
    #[arg(long)]
    compose: bool,
    #[command(flatten)]
    shape: ShapeArgs,
}

pub(super) fn run(args: &InitArgs) -> Result<(), CliError> {
    let (layout, plan) = (Layout::new(&args.net.dir), args.shape.plan());
    if layout.state().exists() {
        let what = format!("{} already holds a network", layout.root().display());
        return Err(CliError::new(Exit::Usage, what)
            .next(format!("timecoin testnet up{}, or --dir OTHER", layout.dir_flag())));
    }
    let (genesis, next) = match args.compose {
        true => {
            let next = format!("docker compose -f {} up -d --wait", layout.compose().display());
            (compose::create(layout.root(), &plan)?, next)
        }
        false => {
            let next = format!("timecoin testnet up{}", layout.dir_flag());
            (create::create(&layout, &plan)?.genesis, next)
        }
    };
    if args.net.json {
        return output::json(&json!({ "dir": layout.root(), "genesis": genesis, "next": next }));
    }
    output::line(format_args!(
        "  network dev   genesis {}   {} + {}   {}",
        short_id(&genesis),
        count(plan.validators.into(), "masternode"),
        count(plan.full.into(), "full node"),
        layout.root().display()
    ));
    output::line(format_args!("  wallet \"{FUNDED}\" holds {} TIME", short_money(FUNDS)));
    output::line(format_args!("  Next:  {next}"));
    Ok(())
}
