//! `timecoin wallet send --every`: pays again and again, until interrupted.
use super::{
    follow::POLL,
    place::PlaceArgs,
    resend::{self, ResendArgs},
    send::{self, SendArgs},
};
use crate::terminal::{CliError, Exit, Interrupts, output};
use std::time::{Duration, Instant};

/// Pays once, or as often as the arguments say.
pub(super) fn run(place: &PlaceArgs, args: &SendArgs) -> Result<(), CliError> {
    match args.every {
        Some(seconds) => steadily(place, args, Duration::from_secs(seconds)),
        None => send::run(place, args),
    }
}

/// Pays until interrupted; a failure if any payment failed.
fn steadily(place: &PlaceArgs, args: &SendArgs, interval: Duration) -> Result<(), CliError> {
    let interrupts = Interrupts::listen()?;
    // The same payment on purpose.
    let mut own = args.clone();
    own.again = true;
    let (mut paid, mut failed) = (0, 0);
    let mut next = Instant::now();
    while interrupts.count() == 0 {
        if next > Instant::now() {
            std::thread::sleep(POLL);
            continue;
        }
        next = (next + interval).max(Instant::now());
        let resend = || {
            let args = ResendArgs { from: args.from.clone(), timeout: args.timeout };
            resend::run(place, &args).is_ok()
        };
        match send::run(place, &own) {
            Ok(()) => paid += 1,
            Err(error) if error.exit() == Exit::Sent && resend() => paid += 1,
            Err(error) => {
                failed += 1;
                output::note(error);
            }
        }
    }
    match place.json {
        true => output::json(&serde_json::json!({ "paid": paid, "failed": failed }))?,
        false => output::line(format_args!("{paid} paid, {failed} failed")),
    }
    match failed {
        0 => Ok(()),
        _ => Err(CliError::new(Exit::Failure, format!("{failed} payments failed; see above"))),
    }
}
