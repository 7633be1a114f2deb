//! One request or a batch: calls in order, replies in order.
//!
//! Consecutive `sendrawtransaction` calls of a batch go to the node as one message: a batch of
//! hundreds costs one signature batch and one turn of the loop.
use super::{
    envelope::{self, Json, Payload, Request, Version},
    error::RpcError,
    params::Arguments,
};
use crate::api::{Ask, Code, SendRawTransaction};
use axum::http::StatusCode;

/// Bytes of all replies of one batch. Calls after that are not made.
const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The method whose calls are joined.
pub(super) const SEND: &str = SendRawTransaction::METHOD;

/// Executes calls.
pub(super) trait Backend: Sync {
    /// One call of any method.
    fn call(
        &self,
        method: &str,
        arguments: &Arguments<'_>,
    ) -> impl Future<Output = Result<Json, RpcError>> + Send;

    /// Several calls of [`SEND`]. One answer for each, in order.
    fn send(
        &self,
        calls: &[&Arguments<'_>],
    ) -> impl Future<Output = Vec<Result<Json, RpcError>>> + Send;
}

/// The HTTP reply; without a body for notifications.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Option<String>,
}

/// Answers a body.
pub(super) async fn answer(backend: &impl Backend, body: &[u8]) -> Reply {
    match envelope::parse(body) {
        Err(error) => {
            let outcome = Err(error);
            let status = envelope::status(Version::Legacy, &outcome);
            Reply { status, body: Some(envelope::reply(Version::Legacy, None, &outcome)) }
        }
        Ok(Payload::Single(request)) => single(backend, &request).await,
        Ok(Payload::Batch(requests)) => batch(backend, &requests).await,
    }
}

async fn single(backend: &impl Backend, request: &Request<'_>) -> Reply {
    let outcome = one(backend, request).await;
    if request.is_notification() {
        return Reply { status: StatusCode::NO_CONTENT, body: None };
    }
    let status = envelope::status(request.version, &outcome);
    Reply { status, body: Some(request.reply(&outcome)) }
}

async fn one(backend: &impl Backend, request: &Request<'_>) -> Result<Json, RpcError> {
    match &request.call {
        Ok(call) => backend.call(&call.method, &call.arguments).await,
        Err(error) => Err(error.clone()),
    }
}

async fn batch(backend: &impl Backend, requests: &[Request<'_>]) -> Reply {
    let mut replies = String::from("[");
    let mut rest = requests;
    while !rest.is_empty() {
        let sends: Vec<&Arguments<'_>> = rest.iter().map_while(as_send).collect();
        let outcomes = match sends.len() {
            _ if replies.len() > REPLY_BYTES_MAX => vec![Err(too_long())],
            0 | 1 => vec![one(backend, &rest[0]).await],
            _ => backend.send(&sends).await,
        };
        let (done, later) = rest.split_at(outcomes.len());
        for (request, outcome) in done.iter().zip(&outcomes) {
            if !request.is_notification() {
                if replies.len() > 1 {
                    replies.push(',');
                }
                replies.push_str(&request.reply(outcome));
            }
        }
        rest = later;
    }
    if replies.len() == 1 && !requests.is_empty() {
        return Reply { status: StatusCode::NO_CONTENT, body: None };
    }
    replies.push(']');
    Reply { status: StatusCode::OK, body: Some(replies) }
}

fn as_send<'r, 'a>(request: &'r Request<'a>) -> Option<&'r Arguments<'a>> {
    let call = request.call.as_ref().ok()?;
    (call.method == SEND).then_some(&call.arguments)
}

fn too_long() -> RpcError {
    let text = format!("the answers before this one exceed {REPLY_BYTES_MAX} bytes; ask for less");
    RpcError::new(Code::Misc, text).because("batch-reply-too-long")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;
    use std::sync::Mutex;

    /// Answers a call with its method's name and notes how calls were grouped.
    #[derive(Default)]
    struct Echo(Mutex<Vec<String>>);

    impl Echo {
        fn note(&self, text: String) {
            self.0.lock().expect("one test thread").push(text);
        }
    }

    impl Backend for Echo {
        async fn call(&self, method: &str, _: &Arguments<'_>) -> Result<Json, RpcError> {
            self.note(method.into());
            match method {
                "missing" => Err(RpcError::new(Code::MethodNotFound, "Method not found")),
                "fails" => Err(RpcError::new(Code::Misc, "failed")),
                _ => Ok(RawValue::from_string(format!("\"{method}\"")).expect("JSON")),
            }
        }

        async fn send(&self, calls: &[&Arguments<'_>]) -> Vec<Result<Json, RpcError>> {
            self.note(format!("{SEND} x {}", calls.len()));
            calls.iter().map(|_| Ok(RawValue::from_string("1".into()).expect("JSON"))).collect()
        }
    }

    async fn ask(body: &str) -> (u16, Option<String>, Vec<String>) {
        let echo = Echo::default();
        let reply = answer(&echo, body.as_bytes()).await;
        (reply.status.as_u16(), reply.body, echo.0.into_inner().expect("one test thread"))
    }

    #[tokio::test]
    async fn single_calls_in_both_dialects() {
        for (body, status, expected) in [
            (r#"{"method":"m","id":1}"#, 200, Some(r#"{"result":"m","error":null,"id":1}"#)),
            (
                r#"{"method":"missing","id":1}"#,
                404,
                Some(
                    r#"{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":1}"#,
                ),
            ),
            (
                r#"{"method":"fails","id":"x"}"#,
                500,
                Some(r#"{"result":null,"error":{"code":-1,"message":"failed"},"id":"x"}"#),
            ),
            (
                r#"{"jsonrpc":"2.0","method":"fails","id":1}"#,
                200,
                Some(r#"{"jsonrpc":"2.0","error":{"code":-1,"message":"failed"},"id":1}"#),
            ),
            (r#"{"jsonrpc":"2.0","method":"m"}"#, 204, None),
            (r#"{"jsonrpc":"2.0","method":"fails"}"#, 204, None),
        ] {
            let (got, reply, _) = ask(body).await;
            assert_eq!((got, reply.as_deref()), (status, expected), "{body}");
        }
    }

    #[tokio::test]
    async fn bad_json_gets_a_reply_without_an_id() {
        let (status, reply, calls) = ask("{").await;
        assert_eq!((status, calls.len()), (500, 0));
        let reply = reply.expect("a reply");
        assert!(reply.starts_with(r#"{"result":null,"error":{"code":-32700,"#), "{reply}");
        assert!(reply.ends_with(r#""id":null}"#), "{reply}");
    }

    #[tokio::test]
    async fn a_batch_answers_in_order_and_leaves_notifications_out() {
        let body = r#"[{"method":"a","id":1},5,{"jsonrpc":"2.0","method":"b"},
            {"jsonrpc":"2.0","method":"c","id":3}]"#;
        let (status, reply, calls) = ask(body).await;
        assert_eq!(status, 200);
        assert_eq!(calls, ["a", "b", "c"]);
        assert_eq!(
            reply.expect("a reply"),
            r#"[{"result":"a","error":null,"id":1},{"result":null,"error":{"code":-32600,"message":"Invalid Request object"},"id":null},{"jsonrpc":"2.0","result":"c","id":3}]"#
        );
    }

    #[tokio::test]
    async fn an_empty_batch_and_a_silent_one() {
        assert_eq!(ask("[]").await, (200, Some("[]".into()), vec![]));
        let (status, reply, calls) = ask(r#"[{"jsonrpc":"2.0","method":"a"}]"#).await;
        assert_eq!((status, reply, calls.len()), (204, None, 1));
    }

    #[tokio::test]
    async fn consecutive_sends_of_a_batch_go_together() {
        let send = format!(r#"{{"method":"{SEND}","params":["00"],"id":1}}"#);
        let other = r#"{"method":"a","id":2}"#;
        let body = format!("[{send},{send},{other},{send},{other},{send},{send},{send}]");
        let (_, reply, calls) = ask(&body).await;
        assert_eq!(
            calls,
            ["sendrawtransaction x 2", "a", "sendrawtransaction", "a", "sendrawtransaction x 3"]
        );
        let replies: Vec<serde_json::Value> =
            serde_json::from_str(&reply.expect("a reply")).expect("JSON");
        assert_eq!(replies.len(), 8);
    }
}
