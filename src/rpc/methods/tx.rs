//! Transactions: sending, finding, and whether they are final.
use crate::rpc::{
    context::{Answer, Context, json},
    error::{Code, RpcError},
    params::{Params, parse_transaction},
    reads::block_at,
    view::{CommitView, InBlock, Money, Placed, TransactionView, confirmations},
};
use serde::Serialize;
use timecoin_chain::{
    codec,
    mempool::Reject,
    rules::RuleError,
    types::{Amount, Height, Transaction, TxId},
};
use timecoin_store::{Place, Store};

/// Transactions in one call of `testmempoolaccept`, as in Bitcoin Core.
const TEST_MAX: usize = 25;

pub(in crate::rpc) async fn send(context: &Context, params: Params<'_>) -> Answer {
    let mut answers = send_all(context, vec![Ok(params)]).await;
    answers.pop().expect("one answer for one call")
}

/// Sends many transactions to the node as one message. One answer for each, in order.
pub(in crate::rpc) async fn send_all(
    context: &Context,
    calls: Vec<Result<Params<'_>, RpcError>>,
) -> Vec<Answer> {
    let mut sound = Vec::with_capacity(calls.len());
    let mut answers: Vec<Option<Answer>> = Vec::with_capacity(calls.len());
    for call in calls {
        match read_sent(context, call).await {
            Ok(transaction) => {
                sound.push(transaction);
                answers.push(None);
            }
            Err(error) => answers.push(Some(Err(error))),
        }
    }
    let ids: Vec<TxId> = sound.iter().map(Transaction::txid).collect();
    let mut outcomes = Vec::with_capacity(ids.len());
    let results = match sound.is_empty() {
        true => Ok(Vec::new()),
        false => context.node.submit(sound).await,
    };
    match results {
        Ok(results) => {
            for (txid, result) in ids.into_iter().zip(results) {
                outcomes.push(sent(context, txid, result).await);
            }
        }
        Err(error) => outcomes.extend(ids.iter().map(|_| Err(error.into()))),
    }
    let mut outcomes = outcomes.into_iter();
    let unanswered = || Err(crate::node::NodeError::Stopping.into());
    answers
        .into_iter()
        .map(|answer| answer.or_else(|| outcomes.next()).unwrap_or_else(unanswered))
        .collect()
}

async fn read_sent(
    context: &Context,
    call: Result<Params<'_>, RpcError>,
) -> Result<Transaction, RpcError> {
    let params = call?;
    let transaction = parse_transaction(&params.text("hexstring")?.unwrap_or_default())?;
    let Some(max) = params.amount("maxfeerate")?.filter(|max| *max > Amount::ZERO) else {
        return Ok(transaction);
    };
    // What the node refuses anyway is refused with its reason when it is sent.
    if let Ok(acceptable) = context.node.test(transaction.clone()).await?
        && is_above(acceptable.fee, acceptable.bytes, max)
    {
        return Err(fee_exceeded(acceptable.fee, acceptable.bytes, max));
    }
    Ok(transaction)
}

/// Whether a fee is above a rate in TIME for 1,000 bytes.
fn is_above(fee: Amount, bytes: usize, max: Amount) -> bool {
    u128::from(fee.0) * 1_000 > u128::from(max.0) * bytes as u128
}

fn fee_exceeded(fee: Amount, bytes: usize, max: Amount) -> RpcError {
    let text = format!(
        "max-fee-exceeded: fee {fee} for {bytes} bytes is above maxfeerate, {max} for 1,000 bytes"
    );
    RpcError::new(Code::Verify, text).because("max-fee-exceeded")
}

async fn sent(context: &Context, txid: TxId, result: Result<TxId, Reject>) -> Answer {
    match result {
        Ok(txid) | Err(Reject::AlreadyKnown { txid }) => json(&txid.to_string()),
        Err(reject) => {
            // The inputs of a final transaction are spent: by itself.
            let is_missing = matches!(&reject, Reject::Rule(RuleError::MissingInput { .. }));
            if is_missing && context.node.mempool_entry(txid).await?.is_some() {
                return json(&txid.to_string()); // Decided already, and being written.
            }
            let place = match is_missing {
                true => context.reads.run(move |store| Ok(store.transaction(&txid)?)).await?,
                false => None,
            };
            Err(refusal(txid, &reject, place))
        }
    }
}

fn refusal(txid: TxId, reject: &Reject, place: Option<Place>) -> RpcError {
    if let Some(place) = place {
        let text = format!("transaction {txid} is already final at height {}", place.height);
        return RpcError::new(Code::AlreadyInChain, text).because("txn-already-known");
    }
    let code = match reject {
        Reject::Rule(RuleError::MissingInput { .. }) => Code::Verify,
        _ => Code::Rejected,
    };
    RpcError::new(code, format_args!("{}: {reject}", reject.code())).because(reject.code())
}

#[derive(Serialize)]
struct Tested {
    txid: String,
    wtxid: String,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    vsize: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fees: Option<Fees>,
    #[serde(rename = "reject-reason", skip_serializing_if = "Option::is_none")]
    reject_reason: Option<&'static str>,
    #[serde(rename = "reject-details", skip_serializing_if = "Option::is_none")]
    reject_details: Option<String>,
}

#[derive(Serialize)]
struct Fees {
    base: Money,
}

pub(in crate::rpc) async fn test(context: &Context, params: Params<'_>) -> Answer {
    let raw = params.texts("rawtxs")?.unwrap_or_default();
    if raw.is_empty() || raw.len() > TEST_MAX {
        let text = format!("rawtxs has {} transactions, 1 to {TEST_MAX} are allowed", raw.len());
        return Err(RpcError::new(Code::InvalidParameter, text));
    }
    let max = params.amount("maxfeerate")?.filter(|max| *max > Amount::ZERO);
    let transactions =
        raw.iter().map(|text| parse_transaction(text)).collect::<Result<Vec<_>, _>>()?;
    let mut tested = Vec::with_capacity(transactions.len());
    for transaction in transactions {
        let (txid, wtxid) = (transaction.txid().to_string(), transaction.wtxid().to_string());
        let (mut vsize, mut fees) = (None, None);
        let refused = match context.node.test(transaction).await? {
            Err(reject) => Some((reject.code(), reject.to_string())),
            Ok(acceptable) => {
                vsize = Some(acceptable.bytes);
                fees = Some(Fees { base: Money(acceptable.fee) });
                max.filter(|max| is_above(acceptable.fee, acceptable.bytes, *max)).map(|max| {
                    let error = fee_exceeded(acceptable.fee, acceptable.bytes, max);
                    ("max-fee-exceeded", error.message)
                })
            }
        };
        let (reject_reason, reject_details) = refused.unzip();
        let allowed = reject_reason.is_none();
        tested.push(Tested { txid, wtxid, allowed, vsize, fees, reject_reason, reject_details });
    }
    json(&tested)
}

pub(in crate::rpc) async fn decode(context: &Context, params: Params<'_>) -> Answer {
    let transaction = parse_transaction(&params.text("hexstring")?.unwrap_or_default())?;
    json(&TransactionView::new(context.network(), &transaction))
}

pub(in crate::rpc) async fn raw(context: &Context, params: Params<'_>) -> Answer {
    let txid: TxId = params.id("txid")?;
    let verbose = params.level("verbose", 0)? > 0;
    let network = context.network();
    if let Some(waiting) = context.node.mempool_entry(txid).await? {
        let hex = hex::encode(codec::encode(&*waiting.transaction));
        if !verbose {
            return json(&hex);
        }
        let transaction = TransactionView::new(network, &waiting.transaction);
        let (is_final, confirmations, block) = (false, 0, None);
        return json(&Placed { hex, transaction, is_final, confirmations, block });
    }
    let read = move |store: &Store| {
        let (transaction, height, block) = final_transaction(store, txid)?;
        let hex = hex::encode(codec::encode(&transaction));
        if !verbose {
            return json(&hex);
        }
        json(&Placed {
            hex,
            transaction: TransactionView::new(network, &transaction),
            is_final: true,
            confirmations: confirmations(store.state()?.height, height),
            block: Some(block),
        })
    };
    context.reads.run(read).await
}

fn final_transaction(
    store: &Store,
    txid: TxId,
) -> Result<(Transaction, Height, InBlock), RpcError> {
    let Some(place) = store.transaction(&txid)? else {
        let text = format!(
            "No such mempool or blockchain transaction: {txid} is neither final nor waiting here"
        );
        return Err(RpcError::new(Code::NotFound, text).because("unknown-transaction"));
    };
    let height = place.height;
    let Some(index) = place.index else {
        let text = format!(
            "transaction {txid} stands for rewards or genesis coins of height {height}: no block \
             holds it. Its outputs are shown by gettxout"
        );
        return Err(RpcError::new(Code::NotFound, text).because("no-body"));
    };
    let (mut block, _) = block_at(store, height)?;
    let (hash, time_ms) = (block.hash(), block.header.timestamp.0);
    let at = usize::try_from(index).unwrap_or(usize::MAX);
    if at >= block.transactions.len() {
        return Err(RpcError::store(format_args!("block {height} has no transaction {index}")));
    }
    let transaction = block.transactions.swap_remove(at);
    let block = InBlock {
        blockhash: hash.to_string(),
        height: height.0,
        index,
        time: time_ms / 1_000,
        blocktime: time_ms / 1_000,
        time_ms,
    };
    Ok((transaction, height, block))
}

/// Whether a transaction can still be undone: never once it is final.
#[derive(Serialize)]
struct Finality {
    txid: String,
    state: &'static str,
    #[serde(rename = "final")]
    is_final: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_ms: Option<u64>,
    #[serde(flatten)]
    block: Option<FinalIn>,
}

#[derive(Serialize)]
struct FinalIn {
    blockhash: String,
    index: Option<u32>,
    confirmations: u64,
    #[serde(flatten)]
    commit: Option<CommitSummary>,
    height: u64,
    certificate: Option<CommitView>,
}

#[derive(Serialize)]
struct CommitSummary {
    round: u32,
    weight: u64,
    total: u64,
}

pub(in crate::rpc) async fn finality(context: &Context, params: Params<'_>) -> Answer {
    let txid: TxId = params.id("txid")?;
    // The mempool first: what leaves it for a block between the two questions is found there.
    let waiting = context.node.mempool_entry(txid).await?;
    let chain = context.node.chain.clone();
    let found = context
        .reads
        .run(move |store| {
            let Some(place) = store.transaction(&txid)? else { return Ok(None) };
            let certificate = store.certificate(place.height)?;
            let hash = store.hash_at(place.height)?;
            Ok(Some((place, certificate, hash, store.state()?.height)))
        })
        .await?;
    let block = found.map(|(place, certificate, hash, tip)| FinalIn {
        blockhash: hash.map(|hash| hash.to_string()).unwrap_or_default(),
        index: place.index,
        confirmations: confirmations(tip, place.height),
        commit: certificate.as_ref().map(|certificate| CommitSummary {
            round: certificate.round.0,
            weight: certificate.weight(&chain.masternodes),
            total: chain.masternodes.total_weight(),
        }),
        height: place.height.0,
        certificate: certificate.map(|held| CommitView::new(&chain.masternodes, &held)),
    });
    let state = match (&block, &waiting) {
        (Some(_), _) => "final",
        (None, Some(_)) => "pending",
        (None, None) => "unknown",
    };
    json(&Finality {
        txid: txid.to_string(),
        state,
        is_final: block.is_some(),
        waiting_ms: waiting.filter(|_| block.is_none()).map(|entry| entry.waiting.0),
        block,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use timecoin_chain::types::OutPoint;

    #[test]
    fn a_refusal_names_its_code_and_its_numbers() {
        let txid = TxId([1; 32]);
        let fee = Reject::FeeTooLow { fee: Amount(5), needed: Amount(2_000), bytes: 200, rate: 10 };
        let error = refusal(txid, &fee, None);
        assert_eq!((error.code, error.reason), (Code::Rejected, Some("min relay fee not met")));
        assert_eq!(
            error.message,
            "min relay fee not met: fee 0.00000005 for 200 bytes is below 0.00002000: 10 units per \
             byte are relayed"
        );

        let outpoint = OutPoint { txid, vout: 0 };
        let missing = Reject::Rule(RuleError::MissingInput { outpoint });
        let error = refusal(txid, &missing, None);
        assert_eq!(error.code, Code::Verify);
        assert!(error.message.starts_with("bad-txns-inputs-missingorspent: "));

        let place = Place { height: Height(7), index: Some(0), first_position: 9 };
        let error = refusal(txid, &missing, Some(place));
        assert_eq!(error.code, Code::AlreadyInChain);
        assert!(error.message.ends_with("already final at height 7"), "{}", error.message);
    }

    #[test]
    fn a_fee_is_compared_with_a_rate_for_a_thousand_bytes() {
        let rate = Amount(10_000);
        assert!(!is_above(Amount(2_000), 200, rate));
        assert!(is_above(Amount(2_001), 200, rate));
        assert!(is_above(Amount(u64::MAX), 100_000, rate));
    }
}
