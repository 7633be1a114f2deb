//! Calls of methods by name: arguments in, JSON out, each counted by its error code.
use super::{
    catalog::{self, Method},
    context::{Context, Serve},
    dispatch::{Backend, SEND},
    envelope::Json,
    error::RpcError,
    methods::tx,
    params::{Arguments, Params},
};
use crate::{api::*, metrics::Metrics};
use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::value::to_raw_value;
use std::{sync::Arc, time::Instant};

type CallResult = Result<Json, RpcError>;

/// What a call runs.
type Run = for<'a> fn(&'a Context, Params<'a>) -> BoxFuture<'a, CallResult>;

/// The methods with what they run.
pub(super) struct Calls {
    pub(super) context: Context,
    metrics: Arc<Metrics>,
}

impl Calls {
    pub(super) fn new(context: Context, metrics: Arc<Metrics>) -> Self {
        Self { context, metrics }
    }

    fn count(&self, method: &'static str, answer: &CallResult, began: Instant) {
        let code = answer.as_ref().err().map_or(0, |error| error.code.into());
        self.metrics.on_call(method, code, began.elapsed());
    }
}

impl Backend for Calls {
    async fn call(&self, method: &str, arguments: &Arguments<'_>) -> CallResult {
        let began = Instant::now();
        let Some((method, run)) = catalog::find(method).zip(route(method)) else {
            let error = RpcError::new(Code::MethodNotFound, "Method not found");
            let answer = Err(error.because("unknown-method"));
            self.count("unknown", &answer, began);
            return answer;
        };
        let answer = match arguments.bind(method.params) {
            Ok(params) => run(&self.context, params).await,
            Err(error) => Err(error),
        };
        self.count(method.name, &answer, began);
        answer
    }

    async fn send(&self, calls: &[&Arguments<'_>]) -> Vec<CallResult> {
        let began = Instant::now();
        let declared = catalog::find(SEND).map_or(&[][..], |Method { params, .. }| *params);
        let read = |arguments: &&Arguments<'_>| arguments.bind(declared)?.read();
        let asked = calls.iter().map(read).collect();
        let sent = tx::send_all(&self.context, asked).await;
        let answers: Vec<CallResult> = sent.into_iter().map(|sent| json(&sent?)).collect();
        for answer in &answers {
            self.count(SEND, answer, began);
        }
        answers
    }
}

/// What a method runs.
fn route(method: &str) -> Option<Run> {
    Some(match method {
        AddNode::METHOD => run::<AddNode>,
        ClearBanned::METHOD => run::<ClearBanned>,
        DecodeRawTransaction::METHOD => run::<DecodeRawTransaction>,
        DisconnectNode::METHOD => run::<DisconnectNode>,
        GetBestBlockHash::METHOD => run::<GetBestBlockHash>,
        GetBlock::METHOD => run::<GetBlock>,
        GetBlockCount::METHOD => run::<GetBlockCount>,
        GetBlockHash::METHOD => run::<GetBlockHash>,
        GetBlockchainInfo::METHOD => run::<GetBlockchainInfo>,
        GetCommit::METHOD => run::<GetCommit>,
        GetConnectionCount::METHOD => run::<GetConnectionCount>,
        GetConsensusInfo::METHOD => run::<GetConsensusInfo>,
        GetFinality::METHOD => run::<GetFinality>,
        GetMempoolEntry::METHOD => run::<GetMempoolEntry>,
        GetMempoolInfo::METHOD => run::<GetMempoolInfo>,
        GetMeshBook::METHOD => run::<GetMeshBook>,
        GetMeshInfo::METHOD => run::<GetMeshInfo>,
        GetNetTotals::METHOD => run::<GetNetTotals>,
        GetNetworkInfo::METHOD => run::<GetNetworkInfo>,
        GetNodeAddresses::METHOD => run::<GetNodeAddresses>,
        GetPeerInfo::METHOD => run::<GetPeerInfo>,
        GetRawMempool::METHOD => run::<GetRawMempool>,
        GetRawTransaction::METHOD => run::<GetRawTransaction>,
        GetTxOut::METHOD => run::<GetTxOut>,
        Help::METHOD => run::<Help>,
        ListBanned::METHOD => run::<ListBanned>,
        ListEvidence::METHOD => run::<ListEvidence>,
        ListMasternodes::METHOD => run::<ListMasternodes>,
        ListUnspent::METHOD => run::<ListUnspent>,
        SendRawTransaction::METHOD => run::<SendRawTransaction>,
        SetBan::METHOD => run::<SetBan>,
        Stop::METHOD => run::<Stop>,
        TestMempoolAccept::METHOD => run::<TestMempoolAccept>,
        Uptime::METHOD => run::<Uptime>,
        ValidateAddress::METHOD => run::<ValidateAddress>,
        _ => return None,
    })
}

fn run<'a, A: Serve + 'static>(
    context: &'a Context,
    params: Params<'a>,
) -> BoxFuture<'a, CallResult>
where
    A::Answer: Send + 'static,
{
    Box::pin(async move {
        let asked: A = params.read()?;
        let answer = asked.serve(context).await?;
        match A::IS_LARGE {
            true => context.reads.off_thread(move || json(&answer)).await?,
            false => json(&answer),
        }
    })
}

/// A value as the JSON of an answer.
fn json(value: &impl Serialize) -> CallResult {
    to_raw_value(value).map_err(|error| {
        RpcError::new(Code::Internal, format_args!("writing the answer failed: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn every_documented_method_runs() {
        for method in catalog::METHODS {
            assert!(route(method.name).is_some(), "{}", method.name);
        }
        assert!(route("nothing").is_none());
    }

    #[test]
    fn requests_have_the_documented_arguments() {
        let mut requests = crate::api::tests::requests();
        for method in catalog::METHODS {
            let place = requests.iter().position(|(name, _)| *name == method.name);
            let given = place.map(|place| requests.swap_remove(place).1);
            let names: Vec<&str> = match &given {
                Some(Value::Object(fields)) => fields.keys().map(String::as_str).collect(),
                _ => vec![],
            };
            let mut declared: Vec<&str> = method.params.iter().map(|param| param.name).collect();
            declared.sort_unstable();
            assert_eq!(names, declared, "{}", method.name);
        }
        assert_eq!(requests, []);
    }
}
