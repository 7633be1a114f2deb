//! Transactions: sending, finding, and whether they are final.
use crate::{
    api::{
        Code, CommitSummary, DecodeRawTransaction, Fees, FinalIn, Finality, FinalityStatus,
        GetFinality, GetRawTransaction, InBlock, JsonAmount, Level, Placed, SendRawTransaction,
        TestMempoolAccept, Tested, TransactionAnswer, TransactionView,
    },
    node::NodeError,
    rpc::{
        context::{Context, Serve},
        error::RpcError,
        params::{parse_id, parse_transaction},
        reads::block_at,
        view::{self, confirmations},
    },
};
use timecoin_chain::{
    codec,
    ledger::look_up,
    mempool::{Acceptable, Reject},
    rules::RuleError,
    types::{Amount, Height, Transaction, TxId},
};
use timecoin_store::{Store, TxPlace};

/// Transactions in one call of `testmempoolaccept`, as in Bitcoin Core.
const TEST_MAX: usize = 25;

impl Serve for SendRawTransaction {
    async fn serve(self, context: &Context) -> Result<String, RpcError> {
        let mut answers = send_all(context, vec![Ok(self)]).await;
        answers.pop().expect("one answer for one call")
    }
}

/// Sends many transactions to the node as one message. One answer for each, in order.
pub(in crate::rpc) async fn send_all(
    context: &Context,
    calls: Vec<Result<SendRawTransaction, RpcError>>,
) -> Vec<Result<String, RpcError>> {
    let mut sound = Vec::with_capacity(calls.len());
    let mut answers = Vec::with_capacity(calls.len());
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
                let outcome = sent(context, txid, result).await;
                match &outcome {
                    Ok(_) => tracing::debug!(%txid, "transaction sent"),
                    Err(error) => {
                        tracing::debug!(%txid, code = %error.code, "transaction refused: {}", error.message);
                    }
                }
                outcomes.push(outcome);
            }
        }
        Err(error) => outcomes.extend(ids.iter().map(|_| Err(error.into()))),
    }
    let mut outcomes = outcomes.into_iter();
    let unanswered = || Err(NodeError::Stopping.into());
    answers
        .into_iter()
        .map(|answer| answer.or_else(|| outcomes.next()).unwrap_or_else(unanswered))
        .collect()
}

async fn read_sent(
    context: &Context,
    call: Result<SendRawTransaction, RpcError>,
) -> Result<Transaction, RpcError> {
    let SendRawTransaction { hexstring, maxfeerate } = call?;
    let transaction = parse_transaction(&hexstring)?;
    let Some(max) = limit_of(maxfeerate) else { return Ok(transaction) };
    // What the node refuses anyway is refused with its reason when it is sent.
    if let Ok(acceptable) = tested(context, transaction.clone()).await?
        && is_above(acceptable.fee, acceptable.bytes, max)
    {
        return Err(fee_exceeded(acceptable.fee, acceptable.bytes, max));
    }
    Ok(transaction)
}

/// Whether the node would take a transaction. Its coins are read here, not on the node's loop.
async fn tested(
    context: &Context,
    transaction: Transaction,
) -> Result<Result<Acceptable, Reject>, RpcError> {
    let inputs = transaction.body.inputs.clone();
    // One list for each: an input that waits in the mempool does not end the lookup of the others.
    let lists = inputs.into_iter().map(|outpoint| vec![outpoint]);
    let found = context.reads.run(move |store| Ok(look_up(store, lists)?)).await?;
    Ok(context.node.test(transaction, found).await?)
}

/// The limit of a fee rate; 0 is none, as in Bitcoin Core.
fn limit_of(maxfeerate: Option<JsonAmount>) -> Option<Amount> {
    maxfeerate.map(|JsonAmount(max)| max).filter(|max| *max > Amount::ZERO)
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

async fn sent(
    context: &Context,
    txid: TxId,
    result: Result<TxId, Reject>,
) -> Result<String, RpcError> {
    match result {
        Ok(txid) | Err(Reject::AlreadyKnown { txid }) => Ok(txid.to_string()),
        Err(reject) => {
            // The inputs of a final transaction are spent: by itself.
            let is_missing = matches!(&reject, Reject::Rule(RuleError::MissingInput { .. }));
            if is_missing && context.node.mempool_entry(txid).await?.is_some() {
                return Ok(txid.to_string()); // Decided already, and being written.
            }
            let is_decided = matches!(&reject, Reject::Decided { .. });
            let place = match is_missing || is_decided {
                true => context.reads.run(move |store| Ok(store.transaction(&txid)?)).await?,
                false => None,
            };
            if is_decided && place.is_none() {
                return Ok(txid.to_string()); // Being written.
            }
            Err(refusal(txid, &reject, place))
        }
    }
}

fn refusal(txid: TxId, reject: &Reject, place: Option<TxPlace>) -> RpcError {
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

impl Serve for TestMempoolAccept {
    async fn serve(self, context: &Context) -> Result<Vec<Tested>, RpcError> {
        let raw = self.rawtxs;
        if raw.is_empty() || raw.len() > TEST_MAX {
            let text =
                format!("rawtxs has {} transactions, 1 to {TEST_MAX} are allowed", raw.len());
            return Err(RpcError::new(Code::InvalidParameter, text));
        }
        let max = limit_of(self.maxfeerate);
        let transactions =
            raw.iter().map(|text| parse_transaction(text)).collect::<Result<Vec<_>, _>>()?;
        let mut tested = Vec::with_capacity(transactions.len());
        for transaction in transactions {
            tested.push(test(context, transaction, max).await?);
        }
        Ok(tested)
    }
}

async fn test(
    context: &Context,
    transaction: Transaction,
    max: Option<Amount>,
) -> Result<Tested, RpcError> {
    let (txid, wtxid) = (transaction.txid().to_string(), transaction.wtxid().to_string());
    let (mut vsize, mut fees) = (None, None);
    let refused = match tested(context, transaction).await? {
        Err(reject) => Some((reject.code(), reject.to_string())),
        Ok(acceptable) => {
            vsize = Some(acceptable.bytes as u64);
            fees = Some(Fees { base: JsonAmount(acceptable.fee) });
            max.filter(|max| is_above(acceptable.fee, acceptable.bytes, *max)).map(|max| {
                let error = fee_exceeded(acceptable.fee, acceptable.bytes, max);
                ("max-fee-exceeded", error.message)
            })
        }
    };
    let allowed = refused.is_none();
    let (reject_reason, reject_details) =
        refused.map(|(reason, details)| (reason.to_owned(), details)).unzip();
    Ok(Tested { txid, wtxid, allowed, vsize, fees, reject_reason, reject_details })
}

impl Serve for DecodeRawTransaction {
    async fn serve(self, context: &Context) -> Result<TransactionView, RpcError> {
        Ok(view::transaction(context.network(), &parse_transaction(&self.hexstring)?))
    }
}

impl Serve for GetRawTransaction {
    async fn serve(self, context: &Context) -> Result<TransactionAnswer, RpcError> {
        let txid: TxId = parse_id("txid", &self.txid)?;
        let verbose = self.verbose.map_or(0, Level::number) > 0;
        let network = context.network();
        let answer = move |transaction: &Transaction, place: Option<(u64, InBlock)>| {
            let hex = hex::encode(codec::encode(transaction));
            if !verbose {
                return TransactionAnswer::Hex(hex);
            }
            let (confirmations, block) = place.unzip();
            TransactionAnswer::Placed(Box::new(Placed {
                hex,
                transaction: view::transaction(network, transaction),
                is_final: block.is_some(),
                confirmations: confirmations.unwrap_or_default(),
                block,
            }))
        };
        if let Some(waiting) = context.node.mempool_entry(txid).await? {
            return Ok(answer(&waiting.transaction, None));
        }
        let read = move |store: &Store| {
            let (transaction, height, block) = final_transaction(store, txid)?;
            let confirmations = confirmations(store.state()?.height, height);
            Ok(answer(&transaction, Some((confirmations, block))))
        };
        context.reads.run(read).await
    }
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
            "transaction {txid} is the rewards or genesis coins of height {height}: no block holds \
             it. gettxout shows its outputs"
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

impl Serve for GetFinality {
    async fn serve(self, context: &Context) -> Result<Finality, RpcError> {
        let txid: TxId = parse_id("txid", &self.txid)?;
        // The mempool first: what leaves it for a block between the two questions is found there.
        let waiting = context.node.mempool_entry(txid).await?;
        let set = &context.node.chain.masternodes;
        let read = move |store: &Store| {
            let Some(place) = store.transaction(&txid)? else { return Ok(None) };
            let certificate = store.certificate(place.height)?;
            let hash = store.hash_at(place.height)?;
            Ok(Some((place, certificate, hash, store.state()?.height)))
        };
        let found = context.reads.run(read).await?;
        let block = found.map(|(place, certificate, hash, tip)| FinalIn {
            blockhash: hash.map(|hash| hash.to_string()).unwrap_or_default(),
            index: place.index,
            confirmations: confirmations(tip, place.height),
            commit: certificate.as_ref().map(|certificate| CommitSummary {
                round: certificate.round.0.into(),
                weight: certificate.weight(set),
                total: set.total_weight(),
            }),
            height: place.height.0,
            certificate: certificate.map(|held| view::commit(set, &held)),
        });
        let status = match (&block, &waiting) {
            (Some(_), _) => FinalityStatus::Final,
            (None, Some(_)) => FinalityStatus::Pending,
            (None, None) => FinalityStatus::Unknown,
        };
        Ok(Finality {
            txid: txid.to_string(),
            status,
            is_final: block.is_some(),
            waiting_ms: waiting.filter(|_| block.is_none()).map(|entry| entry.waiting.0),
            block,
        })
    }
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

        let place = TxPlace { height: Height(7), index: Some(0), first_position: 9 };
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
