//! `timecoin wallet send`: shows a payment, asks, sends it, and follows it until it is final.
use super::{
    coins,
    follow::{self, Accepted, Decided, NotAccepted},
    place::PlaceArgs,
};
use crate::{
    api::{ChainInfo, FinalityStatus, GetBlockchainInfo, GetFinality, GetMempoolInfo},
    cli::target::NodesAt,
    genesis_file::network_by_name,
    rpc_client::RpcClient,
    terminal::{
        CliError, Exit,
        output::{self, confirm, money},
    },
    wallet::{
        Payment, PaymentError, PaymentRequest, Pending, SelectError, WalletFile, WalletFileError,
        pay,
    },
};
use clap::Args;
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use timecoin_chain::{
    address::{address_of_lock, parse_address},
    codec,
    genesis::{GenesisHash, Network},
    types::{Amount, Height, Lock},
};

/// Pages of coins that are read before a payment fails.
const PAGES_MAX: usize = 100;

#[derive(Debug, Clone, Args)]
pub(super) struct SendArgs {
    /// The wallet that pays.
    #[arg(long, value_name = "WALLET")]
    pub(super) from: String,
    /// The recipient: a wallet or an address.
    #[arg(long, value_name = "WALLET|ADDRESS")]
    to: String,
    /// How much, in TIME.
    amount: Amount,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
    /// Wait until the payment is final.
    #[arg(long)]
    wait: bool,
    /// With --wait, give up after this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(super) timeout: u64,
    /// Units for each byte; 100,000,000 units are one TIME [default: the node's minimum]
    #[arg(long, value_name = "UNITS")]
    fee_rate: Option<u64>,
    /// Pay, although the same payment was sent before and is not known to be final.
    #[arg(long)]
    pub(super) again: bool,
    /// Pay even if the fee is more than a tenth of the amount.
    #[arg(long)]
    allow_high_fee: bool,
    /// The payment expires after this many blocks.
    #[arg(long, value_name = "BLOCKS", default_value_t = 1_000)]
    expiry: u64,
    /// Pay again this often, until interrupted. A payment that fails is reported, and the next one follows.
    #[arg(long, value_name = "SECONDS", requires = "yes", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) every: Option<u64>,
}

pub(super) fn run(place: &PlaceArgs, args: &SendArgs) -> Result<(), CliError> {
    if args.amount == Amount::ZERO {
        return Err(
            CliError::new(Exit::Usage, "the amount is zero").next("timecoin wallet send --help")
        );
    }
    let path = place.file(&args.from)?;
    let wallet = WalletFile::load(&path)?;
    let target = place.node.find()?;
    let chain = target.client.ask(&GetBlockchainInfo {})?;
    let network = check_network(place, &wallet, &chain)?;
    let request = request(place, args, &target.client, &chain, network)?;
    let mut pending = waiting(&target.client, path, chain.blocks)?;
    let pays = (address(network, &request.to), request.amount.to_string());
    if !args.again {
        refuse_twice(place, args, &pending, &pays, &target.client)?;
    }
    let payment = choose(&target.client, &args.from, &wallet, &request, &pending)?;
    check_fee(args, &payment)?;
    if !place.json {
        describe(network, &request, &payment);
    }
    if !args.yes {
        confirm("Send?")?;
    }
    let local = |error| CliError::new(Exit::Failure, format!("the wallet's notes: {error}"));
    pending.add(&payment.transaction, pays).map_err(local)?;
    let sent = follow::Payment {
        place,
        wallet: &args.from,
        txid: payment.transaction.txid().to_string(),
        hex: hex::encode(codec::encode(&payment.transaction)),
    };
    let accepted = match sent.submit(target) {
        Ok(accepted) => accepted,
        Err(NotAccepted::Refused(error)) => {
            return Err(match pending.remove(&sent.txid) {
                Ok(()) => error,
                Err(failed) => error.why(format!("the wallet's notes: {failed}")),
            });
        }
        Err(NotAccepted::Unknown(error)) => return Err(error),
    };
    let patience = Duration::from_secs(args.timeout);
    let decided = args.wait.then(|| sent.follow(&accepted, patience)).transpose();
    report(&sent, &payment, &accepted, decided.as_ref().ok().and_then(Option::as_ref))?;
    decided.map(drop)
}

/// The error if this payment was sent before and is not known to be final.
fn refuse_twice(
    place: &PlaceArgs,
    args: &SendArgs,
    pending: &Pending,
    pays: &(String, String),
    client: &RpcClient,
) -> Result<(), CliError> {
    for sent in pending.iter().filter(|sent| sent.pays.as_ref() == Some(pays)) {
        if status(client, &sent.txid)? != FinalityStatus::Final {
            let what = format!("tx {} pays the same and is not known to be final", sent.txid);
            let (from, place) = (&args.from, place.flag());
            return Err(CliError::new(Exit::Sent, what)
                .why("it was sent before; a new payment could pay twice")
                .why("to pay once more on purpose, give the command with --again")
                .next(format!(
                    "timecoin wallet resend --from {from}{place}   (never pays twice)"
                )));
        }
    }
    Ok(())
}

fn status(client: &RpcClient, txid: &str) -> Result<FinalityStatus, CliError> {
    Ok(client.ask(&GetFinality { txid: txid.to_owned() })?.status)
}

fn check_network(
    place: &PlaceArgs,
    wallet: &WalletFile,
    chain: &ChainInfo,
) -> Result<Network, CliError> {
    if let NodesAt::Net(_, state) = place.node.place()?
        && state.genesis != chain.genesis
    {
        let what = "the node follows another chain than the network's directory says";
        return Err(CliError::new(Exit::Answered, what)
            .why(format!("directory: {}\nnode:      {}", state.genesis, chain.genesis))
            .next("timecoin testnet status"));
    }
    match network_by_name(&chain.chain) {
        Some(network) if network == wallet.network => Ok(network),
        _ => Err(CliError::new(
            Exit::Failure,
            format!("the wallet is not of network `{}`, which the node follows", chain.chain),
        )
        .next("timecoin wallet list")),
    }
}

fn request(
    place: &PlaceArgs,
    args: &SendArgs,
    client: &RpcClient,
    chain: &ChainInfo,
    network: Network,
) -> Result<PaymentRequest, CliError> {
    let genesis: GenesisHash = chain.genesis.parse().map_err(|error| {
        CliError::new(Exit::Answered, format!("getblockchaininfo: genesis: {error}"))
    })?;
    let fee_rate = match args.fee_rate {
        Some(rate) => rate,
        None => client.ask(&GetMempoolInfo {})?.min_fee_rate,
    };
    let expiry_height = Height(chain.blocks.saturating_add(args.expiry));
    let to = recipient(place, network, &args.to)?;
    Ok(PaymentRequest { genesis, to, amount: args.amount, fee_rate, expiry_height })
}

/// An address, or the name of a local wallet. A text that looks like an address is never read as a name.
fn recipient(place: &PlaceArgs, network: Network, text: &str) -> Result<Lock, CliError> {
    let failed = |error| CliError::new(Exit::Usage, format!("--to {text}: {error}"));
    match parse_address(network, text) {
        Ok(lock) => Ok(lock),
        Err(error) if text.contains("time1") => {
            Err(failed(error).next("check each character of the address"))
        }
        Err(_) => {
            let path = place.file(text).map_err(|_| neither(place, text))?;
            let wallet = WalletFile::load(&path).map_err(|error| match error {
                WalletFileError::Missing { .. } => neither(place, text),
                error => error.into(),
            })?;
            parse_address(network, &wallet.address).map_err(failed)
        }
    }
}

/// Never advises to make a wallet of this name: the text may be an address of another network, and a payment to that
/// wallet would pay oneself.
fn neither(place: &PlaceArgs, text: &str) -> CliError {
    let what = format!("--to {text}: neither an address of this network nor a wallet here");
    CliError::new(Exit::Usage, what)
        .why("nothing was sent")
        .next(format!("timecoin wallet list{}", place.node.flag()))
}

/// This wallet's payments that may still become final.
pub(super) fn waiting(client: &RpcClient, path: PathBuf, height: u64) -> Result<Pending, CliError> {
    let mut pending = load(&path)?;
    pending.retain(|sent| {
        Ok::<_, CliError>(match status(client, &sent.txid)? {
            FinalityStatus::Pending => true,
            FinalityStatus::Final => false,
            FinalityStatus::Unknown => height < sent.expires,
        })
    })?;
    Ok(pending)
}

fn load(path: &Path) -> Result<Pending, CliError> {
    Pending::load(path).map_err(|error| {
        CliError::new(Exit::Failure, error)
            .why("it names the payments that may not be final yet: without it one could be paid twice")
            .next(format!("ls -l {}", path.with_extension("pending").display()))
    })
}

fn address(network: Network, lock: &Lock) -> String {
    address_of_lock(network, lock).unwrap_or_else(|| "a script".into())
}

/// Reads coins until they suffice, and spends the largest of those read.
fn choose(
    client: &RpcClient,
    from: &str,
    wallet: &WalletFile,
    request: &PaymentRequest,
    pending: &Pending,
) -> Result<Payment, CliError> {
    let mut known = Vec::new();
    let mut shortage = None;
    for page in coins::Pages::new(client, &wallet.address).take(PAGES_MAX) {
        for coin in page? {
            known.extend(coins::spendable(&coin)?.filter(|coin| !pending.spends(&coin.outpoint)));
        }
        match pay(request, &wallet.secret, known.clone()) {
            Ok(payment) => return Ok(payment),
            Err(error) => shortage = Some(error),
        }
    }
    let no_coins = SelectError::NotEnough {
        available: Amount::ZERO,
        coins: 0,
        amount: request.amount,
        fee: Amount::ZERO,
    };
    let PaymentError::Select(shortage) = shortage.unwrap_or(PaymentError::Select(no_coins));
    let error = CliError::new(Exit::Failure, &shortage);
    Err(match (&shortage, pending.len()) {
        (SelectError::TooManyCoins { available, .. }, _) => {
            // Merges the largest coins into one, less the fee.
            let part = Amount(available.0 / 10 * 9);
            error.next(format!("timecoin wallet send --from {from} --to {from} {part}"))
        }
        (_, 0) => error.next("timecoin wallet list"),
        _ => error
            .why("coins and change of payments that are not final yet cannot be spent")
            .next("wait a second and try again"),
    })
}

fn check_fee(args: &SendArgs, payment: &Payment) -> Result<(), CliError> {
    let (fee, amount) = (payment.selection.fee, args.amount);
    if args.allow_high_fee || u128::from(fee.0) * 10 <= u128::from(amount.0) {
        return Ok(());
    }
    let what = format!("the fee of {fee} TIME is more than a tenth of {amount} TIME");
    Err(CliError::new(Exit::Failure, what)
        .why("nothing was sent")
        .next("give the command with --allow-high-fee, or pay more at once"))
}

fn describe(network: Network, request: &PaymentRequest, payment: &Payment) {
    let to = address(network, &request.to);
    let selection = &payment.selection;
    output::line(format_args!("  pay     {:>24} TIME to {to}", money(request.amount)));
    output::line(format_args!(
        "  fee     {:>24} TIME ({} bytes, {} units each)",
        money(selection.fee),
        payment.bytes,
        selection.fee.0 / payment.bytes as u64
    ));
    let change = selection.change.unwrap_or(Amount::ZERO);
    let inputs = output::count(selection.coins.len(), "coin");
    output::line(format_args!("  change  {:>24} TIME (spends {inputs})", money(change)));
}

fn report(
    sent: &follow::Payment<'_>,
    payment: &Payment,
    accepted: &Accepted,
    decided: Option<&Decided>,
) -> Result<(), CliError> {
    if sent.place.json {
        return output::json(&json!({
            "txid": sent.txid,
            "fee": payment.selection.fee.to_string(),
            "change": payment.selection.change.unwrap_or(Amount::ZERO).to_string(),
            "bytes": payment.bytes,
            "accepted_ms": accepted.ms,
            "final": decided.and_then(Decided::view),
        }));
    }
    match decided {
        Some(decided) => decided.tell(),
        None => output::note(format_args!(
            "is it final?  timecoin rpc getfinality {}{}",
            sent.txid,
            sent.place.node.flag()
        )),
    }
    Ok(())
}
