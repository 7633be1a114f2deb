//! Sends payments: the open loop keeps a rate, the closed loop keeps a number in flight.
use super::{BenchError, Node, pace, payments::Payments, track::Track};
use crate::rpc_client::RpcClient;
use serde::Deserialize;
use std::{
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Duration,
};

/// Payments in one call of the closed loop.
pub(super) const BATCH: usize = 200;
/// How long the closed loop waits for room.
const PAUSE: Duration = Duration::from_millis(1);
/// The longest sleep of the open loop, so that it sees the end.
const NAP: Duration = Duration::from_millis(50);

/// The state shared by all senders.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) payments: &'a Payments,
    pub(super) track: &'a Track,
    /// The next payment of the closed loop.
    pub(super) next: &'a AtomicUsize,
}

impl Sender<'_> {
    /// Sends every `step`th payment from the `first` when it is due, one in a call.
    pub(super) fn open_loop(&self, node: &Node, rate: u64, first: usize, step: usize) {
        self.report(self.try_open_loop(node, rate, first, step));
    }

    /// Sends batches while there is room for them.
    pub(super) fn closed_loop(&self, node: &Node, outstanding: usize) {
        self.report(self.try_closed_loop(node, outstanding));
    }

    fn report(&self, outcome: Result<(), BenchError>) {
        if let Err(error) = outcome {
            self.track.fail(error);
        }
    }

    fn try_open_loop(
        &self,
        node: &Node,
        rate: u64,
        first: usize,
        step: usize,
    ) -> Result<(), BenchError> {
        let client = node.client();
        let mut body = Vec::new();
        for index in (first..self.payments.len()).step_by(step) {
            let due = pace::due(index, rate);
            loop {
                if self.track.is_stopped() {
                    return Ok(());
                }
                let wait = due.saturating_sub(self.track.begun().elapsed());
                if wait.is_zero() {
                    break;
                }
                thread::sleep(wait.min(NAP));
            }
            let late = self.track.begun().elapsed().saturating_sub(due);
            self.track.late(u64::try_from(late.as_micros()).unwrap_or(u64::MAX));
            body.clear();
            write_call(&mut body, index, self.payments.bytes(index));
            self.call(&client, &node.name, index..index + 1, &body)?;
        }
        Ok(())
    }

    fn try_closed_loop(&self, node: &Node, outstanding: usize) -> Result<(), BenchError> {
        let client = node.client();
        let mut body = Vec::new();
        while !self.track.is_stopped() {
            if self.track.on_their_way() + BATCH > outstanding {
                thread::sleep(PAUSE);
                continue;
            }
            let first = self.next.fetch_add(BATCH, Relaxed);
            let part = first..(first + BATCH).min(self.payments.len());
            if part.is_empty() {
                return Ok(());
            }
            write_batch(&mut body, self.payments, part.clone());
            self.call(&client, &node.name, part, &body)?;
        }
        Ok(())
    }

    fn call(
        &self,
        client: &RpcClient,
        node: &str,
        part: Range<usize>,
        body: &[u8],
    ) -> Result<(), BenchError> {
        self.track.sent(part);
        let failed = |error| BenchError::Rpc { node: node.to_owned(), error };
        let answer = client.post(body).map_err(failed)?;
        for (payment, reason) in refusals(&answer)
            .map_err(|reason| BenchError::Answer { node: node.to_owned(), reason })?
        {
            self.track.refused(payment, format!("{node}: {reason}"));
        }
        Ok(())
    }
}

fn write_batch(body: &mut Vec<u8>, payments: &Payments, part: Range<usize>) {
    body.clear();
    body.push(b'[');
    for index in part {
        if body.len() > 1 {
            body.push(b',');
        }
        write_call(body, index, payments.bytes(index));
    }
    body.push(b']');
}

/// One call whose id is the number of its payment.
fn write_call(body: &mut Vec<u8>, index: usize, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    body.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    body.extend_from_slice(index.to_string().as_bytes());
    body.extend_from_slice(b",\"method\":\"sendrawtransaction\",\"params\":[\"");
    for byte in bytes {
        body.push(DIGITS[usize::from(byte >> 4)]);
        body.push(DIGITS[usize::from(byte & 15)]);
    }
    body.extend_from_slice(b"\"]}");
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Replies {
    Many(Vec<Reply>),
    One(Reply),
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    id: Option<usize>,
    #[serde(default)]
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    message: String,
}

/// The payments that were refused, and why. An answer that does not contain "error" is not parsed.
fn refusals(answer: &[u8]) -> Result<Vec<(usize, String)>, String> {
    const ERROR: &[u8] = b"\"error\"";
    if !answer.windows(ERROR.len()).any(|window| window == ERROR) {
        return Ok(Vec::new());
    }
    let answers: Replies =
        serde_json::from_slice(answer).map_err(|error| format!("not JSON-RPC: {error}"))?;
    let answers = match answers {
        Replies::Many(answers) => answers,
        Replies::One(answer) => vec![answer],
    };
    answers
        .into_iter()
        .filter_map(|answer| Some((answer.id, answer.error?.message)))
        .map(|(id, message)| id.map(|id| (id, message.clone())).ok_or(message))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_carries_the_bytes_in_hex() {
        let mut body = Vec::new();
        write_call(&mut body, 7, &[0x00, 0xaf]);
        assert_eq!(
            String::from_utf8_lossy(&body),
            r#"{"jsonrpc":"2.0","id":7,"method":"sendrawtransaction","params":["00af"]}"#
        );
        write_batch(&mut body, &Payments::default(), 0..2);
        let calls: Vec<serde_json::Value> = serde_json::from_slice(&body).unwrap_or_default();
        assert_eq!(calls.len(), 2);
    }

    #[test]
    fn refusals_are_found_in_answers() {
        let answer = br#"[{"jsonrpc":"2.0","result":"aa","id":1},{"jsonrpc":"2.0","error":{"code":-26,"message":"no"},"id":2}]"#;
        assert_eq!(refusals(answer), Ok(vec![(2, "no".into())]));
        let one = br#"{"jsonrpc":"2.0","error":{"code":-26,"message":"no"},"id":5}"#;
        assert_eq!(refusals(one), Ok(vec![(5, "no".into())]));
        assert_eq!(refusals(br#"[{"jsonrpc":"2.0","result":"aa","id":1}]"#), Ok(vec![]));
        let whole = br#"{"result":null,"error":{"code":-32700,"message":"Parse error"},"id":null}"#;
        assert_eq!(refusals(whole), Err("Parse error".into()));
        assert!(refusals(b"\"error\"").is_err());
    }
}
