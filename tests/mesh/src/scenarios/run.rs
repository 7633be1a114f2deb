//! What scenarios are given, and what several of them do.
use crate::{
    ground::Ground,
    net::{Net, Shape},
    node::{Node, Program},
    outcome::{Outcome, failed},
    payments::Payments,
    row::Figure,
    watch::Finality,
};
use std::{net::IpAddr, time::Duration};
use timecoin_chain::{
    crypto::{SecretKey, Signature, Signer},
    types::{BlockHash, Height, Round, Vote, VoteKind},
};
use timecoin_hostile::{Act, Lies, Plan};
use timecoin_network::{Multiaddr, parse_address};

/// What a run is given.
pub(crate) struct Run<'a> {
    pub(crate) ground: &'a Ground,
    pub(crate) program: &'a Program,
    pub(crate) is_quick: bool,
    pub(crate) nodes: Option<u8>,
    pub(crate) seconds: Option<u64>,
}

impl<'a> Run<'a> {
    /// How long an attack lasts.
    pub(super) fn span(&self, quick: u64, full: u64) -> Duration {
        let usual = if self.is_quick { quick } else { full };
        Duration::from_secs(self.seconds.unwrap_or(usual))
    }

    /// A network of so many nodes that runs, each with at least three peers.
    pub(super) fn net(&self, masternodes: usize, full: usize, coins: u64) -> Outcome<Net<'a>> {
        let mut net = Net::new(self.ground, self.program, Shape { masternodes, full, coins })?;
        net.start_all((masternodes + full - 1).min(3))?;
        Ok(net)
    }

    /// How many nodes there are.
    pub(super) fn nodes(&self, quick: u8, full: u8) -> usize {
        self.nodes.unwrap_or(if self.is_quick { quick } else { full }).into()
    }
}

/// Payments in a second while finality is measured.
pub(super) const PER_SECOND: u32 = 10;

/// Payments for this time and the time before it.
pub(super) fn payments(net: &Net<'_>, spans: &[Duration]) -> Outcome<Payments> {
    let seconds: u64 = spans.iter().map(|span| span.as_secs() + 1).sum();
    Payments::sign(&net.chain, &net.purse, usize::try_from(seconds)? * PER_SECOND as usize)
}

/// Coins for so many seconds of payments.
pub(super) fn coins(seconds: u64) -> u64 {
    seconds * u64::from(PER_SECOND)
}

/// What an attack did to finality.
pub(super) fn slower(quiet: &Finality, then: &Finality) -> Vec<Figure> {
    let what = format!("finality p99 of {} payments (quiet {} ms)", then.ms.len(), quiet.p99());
    vec![
        Figure::at_most(what, then.p99(), 2 * quiet.p99(), " ms"),
        Figure::at_most("lost payments", then.lost as u64, 0, ""),
    ]
}

/// Where these nodes listen, for attacks.
pub(super) fn addresses(nodes: &[Node], is_ipv6: bool) -> Outcome<Vec<Multiaddr>> {
    nodes.iter().map(|node| Ok(parse_address(&node.address_of(is_ipv6))?)).collect()
}

/// An attack by one identity that tries again at once.
pub(super) fn plan(net: &Net<'_>, targets: Vec<Multiaddr>, from: &[IpAddr], act: Act) -> Plan {
    let (from, lies) = (from.to_vec(), Lies::default());
    Plan { tag: net.tag(), targets, from, identities: 1, again_ms: 100, fresh: false, act, lies }
}

/// A number is written here, so that each message is another one.
const MARK: [u8; 32] = [0xa7; 32];

/// A vote in the name of a masternode that a stranger signed.
pub(super) fn stranger_vote(net: &Net<'_>, height: Height, signer: u16) -> Vote {
    let mut vote = Vote {
        kind: VoteKind::Precommit,
        height,
        round: Round(0),
        block: Some(BlockHash(MARK)),
        valid_round: None,
        signer,
        signature: Signature::from_bytes(&[0; 64]),
    };
    let stranger = SecretKey::from_bytes(&[77; 32]);
    vote.signature = stranger.sign(&vote.signing_message(&net.chain.hash));
    vote
}

/// A message with such a vote, and where its mark is.
pub(super) fn marked(bytes: Vec<u8>) -> Outcome<(Vec<u8>, usize)> {
    let mark = bytes.windows(MARK.len()).position(|part| part == MARK);
    let mark = mark.ok_or_else(|| failed("the message names no block"))?;
    Ok((bytes, mark))
}
