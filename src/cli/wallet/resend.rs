//! `timecoin wallet resend`: sends payments again that are not final yet, and follows them.
//!
//! Never signs: it sends the transactions that `send` has noted, so nothing is paid twice.
use super::{
    follow::{self, NotAccepted},
    place::PlaceArgs,
    send,
};
use crate::{
    api::GetBlockchainInfo,
    terminal::{CliError, output},
    wallet::WalletFile,
};
use clap::Args;
use serde_json::json;
use std::time::Duration;

#[derive(Debug, Args)]
pub(super) struct ResendArgs {
    /// The wallet that pays.
    #[arg(long, value_name = "WALLET")]
    pub(super) from: String,
    /// Give up after this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(super) timeout: u64,
}

pub(super) fn run(place: &PlaceArgs, args: &ResendArgs) -> Result<(), CliError> {
    let path = place.file(&args.from)?;
    WalletFile::load(&path)?;
    let height = place.node.find()?.client.ask(&GetBlockchainInfo {})?.blocks;
    let pending = send::waiting(&place.node.find()?.client, path, height)?;
    let (mut views, mut last) = (Vec::new(), Ok(()));
    for sent in pending.iter() {
        let payment = follow::Payment {
            place,
            wallet: &args.from,
            txid: sent.txid.clone(),
            hex: sent.hex.clone(),
        };
        let decided = match payment.submit(place.node.find()?) {
            Ok(accepted) => payment.follow(&accepted, Duration::from_secs(args.timeout)),
            // It stays noted: a node that is behind does not know the coins yet.
            Err(NotAccepted::Refused(error) | NotAccepted::Unknown(error)) => Err(error),
        };
        let view = decided.as_ref().ok().and_then(follow::Decided::view);
        views.push(json!({ "txid": sent.txid, "final": view }));
        match decided {
            Ok(decided) if !place.json => decided.tell(),
            Ok(_) => {}
            Err(error) => {
                if let Err(before) = std::mem::replace(&mut last, Err(error)) {
                    output::note(before);
                }
            }
        }
    }
    if place.json {
        output::json(&views)?;
    } else if pending.is_empty() {
        output::line(format_args!("no payment of {} waits", args.from));
    }
    last
}
