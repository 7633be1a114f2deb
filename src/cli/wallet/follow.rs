//! Hands a signed payment to a node, and follows it until it is final.
//!
//! When a node dies, the others of the place are asked. Whatever happens, the txid is told; to send the same
//! transaction again never pays twice.
use super::place::PlaceArgs;
use crate::{
    api::{Code, FinalIn, FinalityStatus, GetFinality, SendRawTransaction},
    cli::target::Target,
    rpc_client::RpcClientError,
    terminal::{
        CliError, Exit,
        output::{self, span},
    },
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Between two questions whether a payment is final.
pub(super) const POLL: Duration = Duration::from_millis(20);
/// Between two rounds of nodes of which none answers.
const ROUND_PAUSE: Duration = Duration::from_millis(500);

/// A signed payment on its way.
pub(super) struct Payment<'a> {
    pub(super) place: &'a PlaceArgs,
    /// The wallet that pays.
    pub(super) wallet: &'a str,
    pub(super) txid: String,
    /// The encoded transaction.
    pub(super) hex: String,
}

/// What is known once a node has the payment.
pub(super) struct Accepted {
    /// The nodes, first the one that has it.
    nodes: Vec<Target>,
    pub(super) ms: u64,
    at: Instant,
}

/// A block with the payment, and how long that took.
pub(super) struct Decided {
    pub(super) block: FinalIn,
    pub(super) ms: u64,
}

/// Why nobody has the payment.
pub(super) enum NotAccepted {
    /// A node refuses it.
    Refused(CliError),
    /// No node said that it has it; one that died may have passed it on.
    Unknown(CliError),
}

impl Payment<'_> {
    /// Gives it to the first node that takes it.
    pub(super) fn submit(&self, first: Target) -> Result<Accepted, NotAccepted> {
        let at = Instant::now();
        let mut nodes = vec![first];
        let others = self.place.node.find_all().unwrap_or_default();
        let first = nodes[0].client.address();
        nodes.extend(others.into_iter().filter(|other| other.client.address() != first));
        let (mut silent, mut is_uncertain) = (Vec::new(), false);
        for index in 0..nodes.len() {
            let request = SendRawTransaction { hexstring: self.hex.clone(), maxfeerate: None };
            match nodes[index].client.ask(&request) {
                Ok(_) | Err(RpcClientError::Answered { code: Code::AlreadyInChain, .. }) => {
                    nodes.rotate_left(index);
                    let ms = elapsed_ms(at);
                    self.tell(&nodes[0], ms);
                    return Ok(Accepted { nodes, ms, at });
                }
                // Not a judgement on the payment: a node that stops may have passed it on.
                Err(error @ RpcClientError::Answered { code: Code::Internal, .. }) => {
                    is_uncertain = true;
                    silent.push(error.to_string());
                }
                Err(error @ RpcClientError::Answered { code: Code::WarmingUp, .. }) => {
                    silent.push(error.to_string());
                }
                Err(error @ RpcClientError::Answered { .. }) if !is_uncertain => {
                    return Err(NotAccepted::Refused(error.into()));
                }
                Err(error) => {
                    is_uncertain = true;
                    silent.push(error.to_string());
                }
            }
        }
        let what = format!("tx {} was sent, and no node said that it has it", self.txid);
        Err(NotAccepted::Unknown(self.not_known(what).why(silent.join("\n"))))
    }

    /// On standard output, or in JSON form on standard error: the result comes later, or never.
    fn tell(&self, node: &Target, ms: u64) {
        let text = format!("tx {} accepted by {} in {}", self.txid, node.name, span(ms));
        if self.place.json { output::note(text) } else { output::line(text) }
    }

    /// Asks until it is final, for a while.
    pub(super) fn follow(
        &self,
        accepted: &Accepted,
        patience: Duration,
    ) -> Result<Decided, CliError> {
        let mut is_told = false;
        loop {
            let mut answers = 0;
            for node in &accepted.nodes {
                let Ok(finality) = node.client.ask(&GetFinality { txid: self.txid.clone() }) else {
                    continue;
                };
                answers += 1;
                if let Some(block) = finality.block {
                    return Ok(Decided { block, ms: elapsed_ms(accepted.at) });
                }
                // A node that lost it asks nobody; the others may know more.
                if finality.status == FinalityStatus::Pending {
                    break;
                }
            }
            if accepted.at.elapsed() > patience {
                let what = format!("tx {} is not final after {} s", self.txid, patience.as_secs());
                return Err(self.not_known(what).why("it was sent, and may still become final"));
            }
            if answers == 0 && !is_told {
                let left = patience.saturating_sub(accepted.at.elapsed()).as_secs();
                output::note(format_args!("no node answers; asking for {left} s more"));
                is_told = true;
            }
            std::thread::sleep(if answers == 0 { ROUND_PAUSE } else { POLL });
        }
    }

    fn not_known(&self, what: String) -> CliError {
        let (wallet, place) = (self.wallet, self.place.flag());
        CliError::new(Exit::Sent, what)
            .next(format!("timecoin wallet resend --from {wallet}{place}   (never pays twice)"))
    }
}

impl Decided {
    /// As JSON; none for the genesis, which has no certificate.
    pub(super) fn view(&self) -> Option<Value> {
        let commit = self.block.commit.as_ref()?;
        Some(json!({
            "height": self.block.height,
            "round": commit.round,
            "weight": commit.weight,
            "total": commit.total,
            "finality_ms": self.ms,
        }))
    }

    /// For people.
    pub(super) fn tell(&self) {
        if let Some(commit) = &self.block.commit {
            output::line(format_args!(
                "FINAL at height {} after {} ms (round {}, certificate {}/{})",
                self.block.height, self.ms, commit.round, commit.weight, commit.total,
            ));
        }
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
