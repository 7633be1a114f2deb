//! Questions to peers, and answers to theirs.
use super::{inbound, run_loop::Event};
use std::{collections::BTreeSet, sync::Arc};
use timecoin_chain::{
    codec::{self, Canonical},
    crypto::{Ed25519, Verified},
    engine::{Ask, Request},
    genesis::Chain,
    limits::SYNC_BYTES_MAX,
    rules,
    types::{
        Block, BlocksAnswer, BlocksRequest, BodiesRequest, Certificate, Status, TransactionBatch,
        VotesAnswer, VotesRequest, WTxId,
    },
};
use timecoin_network::{InboundRequest, NetworkHandle, PeerId, Protocol, Reply};
use timecoin_store::Store;
use tokio::{sync::mpsc, task::JoinSet};

/// Peers for whom the store is read at a time, one question of each protocol for each peer: whoever
/// asks without end finds itself busy and nobody else. More get `Busy`.
const READERS: usize = 8;

// An answer that the network does not carry helps nobody.
const _: () = assert!(Status::BYTES_MAX <= Protocol::Status.response_bytes_max());
const _: () = assert!(BlocksAnswer::BYTES_MAX <= Protocol::Blocks.response_bytes_max());
const _: () = assert!(TransactionBatch::BYTES_MAX <= Protocol::Transactions.response_bytes_max());
const _: () = assert!(VotesAnswer::BYTES_MAX <= Protocol::Votes.response_bytes_max());
const _: () = assert!(BlocksRequest::BYTES_MAX <= Protocol::Blocks.request_bytes_max());
const _: () = assert!(BodiesRequest::BYTES_MAX <= Protocol::Transactions.request_bytes_max());
const _: () = assert!(VotesRequest::BYTES_MAX <= Protocol::Votes.request_bytes_max());

/// Asks a peer; the answer or its failure becomes an event.
pub(super) async fn ask(
    chain: Arc<Chain>,
    network: NetworkHandle,
    peer: PeerId,
    request: Request,
    events: mpsc::Sender<Event>,
) {
    let answered = answer_to(&chain, &network, peer, &request).await;
    let outcome = answered.unwrap_or_else(|| vec![Event::RequestFailed { from: peer, request }]);
    for event in outcome {
        if events.send(event).await.is_err() {
            return;
        }
    }
}

async fn answer_to(
    chain: &Arc<Chain>,
    network: &NetworkHandle,
    peer: PeerId,
    request: &Request,
) -> Option<Vec<Event>> {
    let (protocol, bytes) = encode(request);
    let answer = network.request(peer, protocol, bytes.into()).await.ok()?;
    let (chain, request) = (chain.clone(), request.clone());
    // Certificates of a whole range take a while to verify.
    let read = move || read_answer(&chain, peer, &request, &answer);
    tokio::task::spawn_blocking(read).await.ok().flatten()
}

fn encode(request: &Request) -> (Protocol, Vec<u8>) {
    match request {
        Request::Status => (Protocol::Status, Vec::new()),
        Request::Blocks(request) => (Protocol::Blocks, codec::encode(request)),
        Request::Bodies(request) => (Protocol::Transactions, codec::encode(request)),
        Request::Votes(request) => (Protocol::Votes, codec::encode(request)),
    }
}

/// A checked answer, or nothing where the peer sent nonsense.
fn read_answer(
    chain: &Chain,
    from: PeerId,
    request: &Request,
    answer: &[u8],
) -> Option<Vec<Event>> {
    match request {
        Request::Status => {
            let status: Status = codec::decode(answer).ok()?;
            if status.genesis != chain.hash {
                return None;
            }
            let tip = match status.tip {
                Some(tip) => Some(verify(chain, tip)?),
                None => None,
            };
            Some(vec![Event::Status { from, tip }])
        }
        Request::Blocks(request) => {
            let BlocksAnswer(blocks) = codec::decode(answer).ok()?;
            let blocks = verify_blocks(chain, *request, blocks)?;
            Some(vec![Event::Blocks { from, blocks }])
        }
        Request::Bodies(BodiesRequest(asked)) => {
            let TransactionBatch(transactions) = codec::decode(answer).ok()?;
            let asked: BTreeSet<&WTxId> = asked.iter().collect();
            // Computing an id takes a while: whoever sends more than was asked for is not heard.
            let fits = transactions.len() <= asked.len()
                && transactions.iter().all(|transaction| asked.contains(&transaction.wtxid()));
            fits.then_some(())?;
            Some(vec![Event::Bodies { from, transactions }])
        }
        Request::Votes(_) => {
            let VotesAnswer(messages) = codec::decode(answer).ok()?;
            inbound::verify_all(chain, from, messages)
        }
    }
}

fn verify_blocks(
    chain: &Chain,
    request: BlocksRequest,
    blocks: Vec<(Block, Certificate)>,
) -> Option<Vec<(Block, Verified<Certificate>)>> {
    if blocks.len() > usize::try_from(request.count).ok()? {
        return None;
    }
    (request.from.0..)
        .zip(blocks)
        .map(|(height, (block, certificate))| {
            let fits = block.header.height.0 == height
                && certificate.height.0 == height
                && certificate.is_commit()
                && certificate.block == Some(block.hash())
                && rules::check_commitments(&block).is_ok();
            fits.then_some(())?;
            Some((block, verify(chain, certificate)?))
        })
        .collect()
}

fn verify(chain: &Chain, certificate: Certificate) -> Option<Verified<Certificate>> {
    rules::verify_certificate(&Ed25519, &chain.hash, &chain.masternodes, certificate).ok()
}

/// Answers peers until the network ends: status and blocks from the store, the rest by the engine.
pub(super) async fn serve(
    chain: Arc<Chain>,
    store: Arc<Store>,
    mut requests: mpsc::Receiver<InboundRequest>,
    events: mpsc::Sender<Event>,
) {
    let mut reading = JoinSet::new();
    let mut readers = BTreeSet::new();
    loop {
        let request = tokio::select! {
            biased;
            Some(read) = reading.join_next() => {
                // One that panicked stays busy: its peer is asked for nothing and told nothing.
                if let Ok(reader) = read {
                    readers.remove(&reader);
                }
                continue;
            }
            request = requests.recv() => request,
        };
        let Some(InboundRequest { from, protocol, bytes, reply }) = request else { return };
        match protocol {
            Protocol::Status | Protocol::Blocks => {
                if readers.len() >= READERS || !readers.insert((from, protocol)) {
                    reply.busy();
                    continue;
                }
                let (chain, store) = (chain.clone(), store.clone());
                reading.spawn_blocking(move || {
                    answer_from_store(&chain, &store, protocol, &bytes, reply);
                    (from, protocol)
                });
            }
            Protocol::Transactions => {
                let ask = decode::<BodiesRequest>(&bytes).map(Ask::Bodies);
                pass_on(ask, reply, &events).await;
            }
            Protocol::Votes => {
                let ask = decode::<VotesRequest>(&bytes).map(Ask::Votes);
                pass_on(ask, reply, &events).await;
            }
        }
    }
}

fn decode<T: Canonical>(bytes: &[u8]) -> Option<T> {
    codec::decode(bytes).ok()
}

async fn pass_on(ask: Option<Ask>, reply: Reply, events: &mpsc::Sender<Event>) {
    match ask {
        // The loop is gone only when the node stops; the peer then gets `Busy`.
        Some(ask) => drop(events.send(Event::Ask { ask, reply }).await),
        None => reply.busy(),
    }
}

fn answer_from_store(chain: &Chain, store: &Store, protocol: Protocol, bytes: &[u8], reply: Reply) {
    let answer = match protocol {
        Protocol::Status => store
            .tip_certificate()
            .ok()
            .map(|tip| codec::encode(&Status { genesis: chain.hash, tip })),
        _ => decode::<BlocksRequest>(bytes)
            .and_then(|request| {
                let count = request.count.min(timecoin_chain::limits::SYNC_BLOCKS_MAX);
                // Room for the lengths that the answer's encoding adds.
                store.blocks(request.from, count, SYNC_BYTES_MAX - 64 * 1024).ok()
            })
            .map(|blocks| codec::encode(&BlocksAnswer(blocks))),
    };
    match answer {
        Some(answer) => reply.send(answer.into()),
        None => reply.busy(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::genesis_file::devnet_params;
    use timecoin_chain::{
        crypto::{SecretKey, Signer},
        genesis::{Genesis, Network},
        limits::votes_answer_max,
        types::{
            ConsensusMessage, Height, Lock, Masternode, Round, SignerSet, Timestamp, Transaction,
            TxBody, TxKind, Vote, VoteKind,
        },
    };

    fn key() -> SecretKey {
        SecretKey::from_bytes(&[1; 32])
    }

    fn chain() -> Chain {
        let key = key().public_key();
        Chain::new(Genesis {
            network: Network::Dev,
            time: Timestamp(1_700_000_000_000),
            params: devnet_params(Lock::Key(key)),
            masternodes: vec![Masternode { key, weight: 1, payout: Lock::Key(key) }],
            allocations: vec![],
        })
        .unwrap()
    }

    fn vote(chain: &Chain, round: u32) -> Vote {
        let (kind, height, round) = (VoteKind::Prevote, Height(1), Round(round));
        let message = Vote::message(&chain.hash, kind, height, round, None, None);
        let signature = key().sign(&message);
        Vote { kind, height, round, block: None, valid_round: None, signer: 0, signature }
    }

    /// How many events come of an answer with votes.
    fn votes_read(chain: &Chain, votes: Vec<Vote>) -> Option<usize> {
        let none = SignerSet::empty(1);
        let request = Request::Votes(VotesRequest {
            height: Height(1),
            round: Round(0),
            prevotes: none.clone(),
            precommits: none,
            has_proposal: true,
            signer: None,
        });
        let answer = VotesAnswer(votes.into_iter().map(ConsensusMessage::Vote).collect());
        let answer = codec::encode(&answer);
        read_answer(chain, PeerId::random(), &request, &answer).map(|events| events.len())
    }

    fn payment(chain: &Chain, expiry: u64) -> Transaction {
        let body = TxBody {
            version: 1,
            chain: chain.id(),
            inputs: vec![],
            outputs: vec![],
            not_before: Height(0),
            expiry_height: Height(expiry),
            kind: TxKind::Transfer,
        };
        Transaction { body, witnesses: vec![] }
    }

    #[test]
    fn an_answer_with_a_wrong_vote_or_too_many_counts_for_nothing() {
        let chain = chain();
        let (one, other) = (vote(&chain, 0), vote(&chain, 1));
        assert_eq!(votes_read(&chain, vec![one.clone(), other.clone()]), Some(2));
        let forged = Vote { signature: one.signature, ..other };
        assert_eq!(votes_read(&chain, vec![one.clone(), forged]), None);
        let most = votes_answer_max(1);
        assert_eq!(votes_read(&chain, vec![one.clone(); most]), Some(most));
        assert_eq!(votes_read(&chain, vec![one; most + 1]), None);
    }

    #[test]
    fn bodies_that_were_not_asked_for_count_for_nothing() {
        let chain = chain();
        let (asked, other) = (payment(&chain, 5), payment(&chain, 6));
        let request = Request::Bodies(BodiesRequest(vec![asked.wtxid()]));
        let reads = |bodies| {
            let answer = codec::encode(&TransactionBatch(bodies));
            read_answer(&chain, PeerId::random(), &request, &answer).is_some()
        };
        assert!(reads(vec![asked.clone()]));
        assert!(reads(vec![]), "a peer may have none");
        assert!(!reads(vec![other]));
        assert!(!reads(vec![asked.clone(), asked]));
    }
}
