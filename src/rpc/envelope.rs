//! Requests and replies as bytes.
//!
//! A request with `"jsonrpc": "2.0"` is answered by that specification, any other in Bitcoin Core's
//! legacy form: `{result, error, id}` with an HTTP status that depends on the kind of failure. Values stay as they were written until a method reads them, so that no number passes
//! through a float.
use super::{
    error::RpcError,
    params::{Arguments, read},
};
use crate::api::Code;
use axum::http::StatusCode;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Requests in one batch.
pub(super) const BATCH_MAX: usize = 1_000;

/// A method's answer.
pub(super) type Json = Box<RawValue>;

/// What a body holds.
#[derive(Debug)]
pub(super) enum Payload<'a> {
    Single(Request<'a>),
    Batch(Vec<Request<'a>>),
}

/// Which rules the reply follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Legacy,
    Two,
}

/// A request as far as it could be read: a faulty one still gets its reply.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) version: Version,
    /// As it was written; none if it is absent, which differs from `null`.
    pub(super) id: Option<&'a RawValue>,
    pub(super) call: Result<Call<'a>, RpcError>,
}

/// The method and its arguments.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) method: String,
    pub(super) arguments: Arguments<'a>,
}

/// Reads a body. An error applies to the whole body.
pub(super) fn parse(body: &[u8]) -> Result<Payload<'_>, RpcError> {
    let not_json = |error| RpcError::new(Code::Parse, format_args!("Parse error: {error}"));
    let whole: &RawValue = serde_json::from_slice(body).map_err(not_json)?;
    match whole.get().as_bytes().first() {
        Some(b'[') => {
            let Entries(entries) = read(whole).ok_or_else(|| {
                RpcError::new(
                    Code::InvalidRequest,
                    format_args!("a batch may hold at most {BATCH_MAX} requests; send several"),
                )
                .because("batch-too-long")
            })?;
            Ok(Payload::Batch(entries.into_iter().map(Request::read).collect()))
        }
        Some(b'{') => Ok(Payload::Single(Request::read(whole))),
        _ => Err(RpcError::new(Code::Parse, "Top-level object parse error")),
    }
}

impl<'a> Request<'a> {
    fn read(raw: &'a RawValue) -> Self {
        let Some(fields) = read::<Fields>(raw) else {
            let error = invalid("Invalid Request object");
            return Self { version: Version::Legacy, id: None, call: Err(error) };
        };
        let (version, unknown) = match fields.jsonrpc.map(read::<String>) {
            None => (Version::Legacy, None),
            Some(None) => (Version::Legacy, Some("jsonrpc field must be a string")),
            Some(Some(text)) => match text.as_str() {
                "2.0" => (Version::Two, None),
                "1.0" | "1.1" => (Version::Legacy, None),
                _ => (Version::Legacy, Some("JSON-RPC version not supported")),
            },
        };
        let call = match unknown {
            Some(reason) => Err(invalid(reason)),
            None => Call::read(fields.method, fields.params),
        };
        Self { version, id: fields.id, call }
    }

    /// Whether no reply is wanted: version 2.0 without an id.
    pub(super) fn is_notification(&self) -> bool {
        self.version == Version::Two && self.id.is_none()
    }

    /// The reply's bytes.
    pub(super) fn reply(&self, outcome: &Result<Json, RpcError>) -> String {
        reply(self.version, self.id, outcome)
    }
}

impl<'a> Call<'a> {
    fn read(method: Option<&'a RawValue>, params: Option<&'a RawValue>) -> Result<Self, RpcError> {
        let method = method.ok_or_else(|| invalid("Missing method"))?;
        let method = read(method).ok_or_else(|| invalid("Method must be a string"))?;
        Ok(Self { method, arguments: Arguments::read(params)? })
    }
}

/// The bytes of a reply.
pub(super) fn reply(
    version: Version,
    id: Option<&RawValue>,
    outcome: &Result<Json, RpcError>,
) -> String {
    #[derive(Serialize)]
    struct Legacy<'a> {
        result: Option<&'a RawValue>,
        error: Option<&'a RpcError>,
        id: Option<&'a RawValue>,
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Two<'a> {
        Success { jsonrpc: &'static str, result: &'a RawValue, id: Option<&'a RawValue> },
        Failure { jsonrpc: &'static str, error: &'a RpcError, id: Option<&'a RawValue> },
    }
    let text = match (version, outcome) {
        (Version::Legacy, outcome) => serde_json::to_string(&Legacy {
            result: outcome.as_deref().ok(),
            error: outcome.as_ref().err(),
            id,
        }),
        (Version::Two, Ok(result)) => {
            serde_json::to_string(&Two::Success { jsonrpc: "2.0", result, id })
        }
        (Version::Two, Err(error)) => {
            serde_json::to_string(&Two::Failure { jsonrpc: "2.0", error, id })
        }
    };
    text.expect("replies hold only texts, numbers and values that were JSON before")
}

/// The HTTP status of one reply outside a batch.
pub(super) fn status(version: Version, outcome: &Result<Json, RpcError>) -> StatusCode {
    match (version, outcome) {
        (Version::Two, _) | (_, Ok(_)) => StatusCode::OK,
        (Version::Legacy, Err(error)) => match error.code {
            Code::InvalidRequest => StatusCode::BAD_REQUEST,
            Code::MethodNotFound => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

fn invalid(reason: &str) -> RpcError {
    RpcError::new(Code::InvalidRequest, reason)
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

/// Keeps `null` apart from an absent field.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// The entries of a batch, up to the limit: a longer one fails before it takes memory.
struct Entries<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "at most {BATCH_MAX} requests")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = seq.next_element()? {
                    if entries.len() == BATCH_MAX {
                        return Err(serde::de::Error::invalid_length(BATCH_MAX + 1, &self));
                    }
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        from.deserialize_seq(Reader).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(body: &str) -> Request<'_> {
        match parse(body.as_bytes()) {
            Ok(Payload::Single(request)) => request,
            other => unreachable!("{other:?}"),
        }
    }

    fn json(text: &str) -> Json {
        RawValue::from_string(text.into()).expect("JSON")
    }

    #[test]
    fn a_request_without_a_version_is_answered_the_old_way() {
        let request = single(r#"{"version":"1.1","method":"uptime","params":[],"id":7}"#);
        assert_eq!((request.version, request.is_notification()), (Version::Legacy, false));
        assert_eq!(request.reply(&Ok(json("5"))), r#"{"result":5,"error":null,"id":7}"#);
        let error = RpcError::new(Code::NotFound, "no such block").because("unknown-block");
        assert_eq!(
            request.reply(&Err(error)),
            r#"{"result":null,"error":{"code":-5,"message":"no such block","data":{"reason":"unknown-block"}},"id":7}"#
        );
    }

    #[test]
    fn version_2_has_either_a_result_or_an_error() {
        let request = single(r#"{"jsonrpc":"2.0","method":"uptime","id":"a"}"#);
        assert_eq!(request.reply(&Ok(json("null"))), r#"{"jsonrpc":"2.0","result":null,"id":"a"}"#);
        let error = RpcError::new(Code::Misc, "x");
        assert_eq!(
            request.reply(&Err(error)),
            r#"{"jsonrpc":"2.0","error":{"code":-1,"message":"x"},"id":"a"}"#
        );
    }

    #[test]
    fn only_version_2_without_an_id_is_a_notification() {
        for (body, expected) in [
            (r#"{"jsonrpc":"2.0","method":"stop"}"#, true),
            (r#"{"jsonrpc":"2.0","method":"stop","id":null}"#, false),
            (r#"{"method":"stop"}"#, false),
            (r#"{"jsonrpc":"1.0","method":"stop"}"#, false),
        ] {
            assert_eq!(single(body).is_notification(), expected, "{body}");
        }
    }

    #[test]
    fn a_faulty_request_keeps_its_id_and_says_what_is_wrong() {
        for (body, message) in [
            (r#"{"id":1}"#, "Missing method"),
            (r#"{"id":1,"method":5}"#, "Method must be a string"),
            (r#"{"id":1,"method":null}"#, "Method must be a string"),
            (r#"{"id":1,"method":"m","params":5}"#, "Params must be an array or object"),
            (r#"{"id":1,"method":"m","jsonrpc":2}"#, "jsonrpc field must be a string"),
            (r#"{"id":1,"method":"m","jsonrpc":"3.0"}"#, "JSON-RPC version not supported"),
        ] {
            let request = single(body);
            let error = request.call.as_ref().expect_err(body);
            assert_eq!((error.code, error.message.as_str()), (Code::InvalidRequest, message));
            assert_eq!(request.id.map(RawValue::get), Some("1"));
        }
    }

    #[test]
    fn what_is_not_json_is_a_parse_error() {
        for body in ["", "{", "nonsense", r#"{"id":1}x"#, "[{]", "\u{0}", "5", "\"text\"", "null"] {
            let error = parse(body.as_bytes()).expect_err(body);
            assert_eq!(error.code, Code::Parse, "{body}");
        }
        assert_eq!(parse(b"\xff").expect_err("not UTF-8").code, Code::Parse);
    }

    #[test]
    fn a_batch_keeps_what_is_wrong_with_its_entries() {
        let Ok(Payload::Batch(entries)) =
            parse(br#"[{"method":"a","id":1}, 5, {"jsonrpc":"2.0","method":"b","id":2}]"#)
        else {
            unreachable!()
        };
        let codes: Vec<_> =
            entries.iter().map(|e| e.call.as_ref().err().map(|error| error.code)).collect();
        assert_eq!(codes, [None, Some(Code::InvalidRequest), None]);
    }

    #[test]
    fn a_batch_is_bounded() {
        let of = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert!(parse(of(BATCH_MAX).as_bytes()).is_ok());
        let error = parse(of(BATCH_MAX + 1).as_bytes()).err();
        assert_eq!(error.map(|error| error.code), Some(Code::InvalidRequest));
    }

    #[test]
    fn deep_nesting_is_not_followed() {
        let deep = format!(
            r#"{{"method":"m","id":1,"params":{}{}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        assert!(parse(deep.as_bytes()).is_ok());
    }

    #[test]
    fn the_http_status_of_the_old_dialect_tells_the_kind_of_failure() {
        let failed = |code| Err(RpcError::new(code, ""));
        for (version, outcome, expected) in [
            (Version::Legacy, Ok(json("1")), 200),
            (Version::Legacy, failed(Code::InvalidRequest), 400),
            (Version::Legacy, failed(Code::MethodNotFound), 404),
            (Version::Legacy, failed(Code::Rejected), 500),
            (Version::Two, failed(Code::InvalidRequest), 200),
        ] {
            assert_eq!(status(version, &outcome).as_u16(), expected);
        }
    }
}
