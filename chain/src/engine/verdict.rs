//! The verdict on a gossiped batch of transactions, from what became of each.
use crate::{inbound::Verdict, mempool::Reject, types::TxId};

/// One transaction that no honest node forwards condemns it. It is forwarded as a
/// whole only if all of it was verified here: the next node may know more, and would blame this one for what it had
/// no reason to verify.
pub(super) fn verdict_on(results: &[Result<TxId, Reject>]) -> Verdict {
    let is_verified =
        |result: &Result<TxId, Reject>| matches!(result, Ok(_) | Err(Reject::AlreadyKnown { .. }));
    if results.iter().any(|result| matches!(result, Err(Reject::Rule(rule)) if rule.is_malice())) {
        Verdict::Reject("a transaction that breaks a rule at any height")
    } else if results.iter().any(Result::is_ok) && results.iter().all(is_verified) {
        Verdict::Accept
    } else {
        Verdict::Ignore
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rules::RuleError, types::OutPoint};

    #[test]
    fn a_batch_is_forwarded_as_it_is_only_if_all_of_it_was_verified() {
        let txid = TxId::default();
        let (good, known) = (Ok(txid), Err(Reject::AlreadyKnown { txid }));
        let outpoint = OutPoint { txid, vout: 0 };
        let unchecked = Err(Reject::Rule(RuleError::MissingInput { outpoint }));
        let malice = Err(Reject::Rule(RuleError::BadSignature));
        let reject = Verdict::Reject("a transaction that breaks a rule at any height");
        let cases = [
            (vec![good.clone()], Verdict::Accept),
            (vec![good.clone(), known.clone()], Verdict::Accept),
            (vec![known], Verdict::Ignore),
            (vec![good.clone(), unchecked], Verdict::Ignore),
            (vec![good, malice], reject),
        ];
        for (results, verdict) in cases {
            assert_eq!(verdict_on(&results), verdict, "{results:?}");
        }
    }
}
