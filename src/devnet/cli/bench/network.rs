//! `timecoin bench network`: payments through a local network.
use super::{
    ending::{check_interrupts, failed},
    local::{Network, Shape},
};
use crate::{
    devnet::bench::{self, Ceiling, Load, Plan},
    terminal::{CliError, Exit, Interrupts, output},
};
use clap::Args;
use std::time::Duration;
use timecoin_chain::limits::GENESIS_OUTPUTS_MAX;

/// How long signatures are verified before the network starts.
const CEILING_WITHIN: Duration = Duration::from_millis(1_500);

#[derive(Debug, Args)]
pub(crate) struct NetworkArgs {
    #[command(flatten)]
    shape: Shape,
    /// Length of the window that is measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Load before the window.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    warmup: u64,
    /// Payments a second; 0 for none [default: as many as become final]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u64).range(0..=100_000))]
    rate: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// For the maximum: payments that are signed before the start. The window ends with the last of them.
    #[arg(long, value_name = "N", default_value_t = 250_000, hide_short_help = true,
          value_parser = clap::value_parser!(u64).range(1..GENESIS_OUTPUTS_MAX))]
    payments: u64,
    /// For the maximum: payments on their way at a time.
    #[arg(long, value_name = "N", default_value_t = 9_600, hide_short_help = true,
          value_parser = clap::value_parser!(u64).range(200..=100_000))]
    outstanding: u64,
}

/// `timecoin bench network`
pub(super) fn run(args: &NetworkArgs) -> Result<(), CliError> {
    let interrupts = Interrupts::listen()?;
    let plan = args.plan();
    let payments = plan.payments(usize::try_from(args.payments).unwrap_or(usize::MAX));
    output::note("measuring signatures");
    let ceiling = Ceiling::measure(CEILING_WITHIN);
    output::note(format_args!("starting the network with {payments} coins"));
    let network = Network::start(&args.shape, payments, &interrupts)?;
    let payments = network.sign(payments)?;
    check_interrupts(&interrupts)?;
    let seconds = args.warmup.saturating_add(args.seconds);
    output::note(format_args!("running for {seconds} s"));
    let is_interrupted = || interrupts.count() > 0;
    let report = bench::run(&plan, &network.nodes, &payments, ceiling, &is_interrupted)
        .map_err(|error| failed(&error))?;
    drop(network);
    match args.json {
        true => output::json(&report)?,
        false => output::line(&report),
    }
    let Some(failure) = report.failure() else { return Ok(()) };
    let error = CliError::new(Exit::Failure, failure);
    Err(report
        .first_refusals()
        .iter()
        .fold(error, CliError::why)
        .next("run it with --dir DIR and read the logs of the nodes there"))
}

impl NetworkArgs {
    fn plan(&self) -> Plan {
        let outstanding = usize::try_from(self.outstanding).unwrap_or(usize::MAX);
        Plan {
            load: match self.rate {
                None => Load::Maximum { outstanding },
                Some(0) => Load::Idle,
                Some(rate) => Load::Rate(rate),
            },
            warmup: Duration::from_secs(self.warmup),
            window: Duration::from_secs(self.seconds),
            validators: usize::from(self.shape.validators),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: NetworkArgs,
    }

    fn args(line: &str) -> NetworkArgs {
        Line::try_parse_from(std::iter::once("bench").chain(line.split_whitespace())).unwrap().args
    }

    #[test]
    fn the_rate_decides_the_load() {
        assert_eq!(args("").plan().load, Load::Maximum { outstanding: 9_600 });
        assert_eq!(args("--rate 0").plan().load, Load::Idle);
        assert_eq!(args("--rate 50").plan().load, Load::Rate(50));
    }
}
