//! What methods work with, and how a call finds its method.
use super::{
    dispatch::{Backend, SEND},
    envelope::Json,
    error::{Code, RpcError},
    methods,
    params::Arguments,
    reads::Reads,
    table,
};
use crate::{metrics::Metrics, node::NodeHandle};
use serde::Serialize;
use std::sync::Arc;
use timecoin_chain::genesis::Network;

/// What a method answers.
pub(super) type Answer = Result<Json, RpcError>;

/// Everything a method may use.
pub(super) struct Context {
    pub(super) node: NodeHandle,
    pub(super) reads: Reads,
    metrics: Arc<Metrics>,
}

impl Context {
    pub(super) fn new(node: NodeHandle, metrics: Arc<Metrics>) -> Self {
        Self { reads: Reads::new(node.store.clone()), node, metrics }
    }

    pub(super) fn network(&self) -> Network {
        self.node.chain.genesis.network
    }

    fn count(&self, method: &'static str, answer: &Answer) {
        self.metrics.on_call(method, answer.as_ref().err().map_or(0, |error| error.code.number()));
    }
}

impl Backend for Context {
    async fn call(&self, method: &str, arguments: &Arguments<'_>) -> Answer {
        let Some(method) = table::find(method) else {
            let error = RpcError::new(Code::MethodNotFound, "Method not found");
            let answer = Err(error.because("unknown-method"));
            self.count("unknown", &answer);
            return answer;
        };
        let answer = match arguments.bind(method.params) {
            Ok(params) => (method.run)(self, params).await,
            Err(error) => Err(error),
        };
        self.count(method.name, &answer);
        answer
    }

    async fn send(&self, calls: &[&Arguments<'_>]) -> Vec<Answer> {
        let declared = table::find(SEND).map_or(&[][..], |method| method.params);
        let bound = calls.iter().map(|arguments| arguments.bind(declared)).collect();
        let answers = methods::tx::send_all(self, bound).await;
        for answer in &answers {
            self.count(SEND, answer);
        }
        answers
    }
}

/// A value as the JSON of an answer.
pub(super) fn json(value: &(impl Serialize + ?Sized)) -> Answer {
    serde_json::value::to_raw_value(value).map_err(|error| {
        RpcError::new(Code::Internal, format_args!("writing the answer failed: {error}"))
    })
}
