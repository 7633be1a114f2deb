//! `GET /events?topics=block,tx`: final blocks and transactions as server-sent events.
//!
//! The id of an event is its height. A reader that falls behind receives an event `lagged` with the
//! number of blocks it missed, and continues with the oldest block that is still queued.
use super::connection::Kept;
use crate::{
    api::{BlockEvent, Lagged, TxEvent},
    node::{FinalBlock, NodeHandle},
};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt as _, stream};
use serde::Serialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::{
    OwnedSemaphorePermit,
    broadcast::{self, error::RecvError},
};

/// How often a comment shows proxies and readers that the stream is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Topics {
    block: bool,
    tx: bool,
}

impl Topics {
    /// Reads a list such as `block,tx`; without one, blocks only.
    pub(super) fn parse(list: Option<&str>) -> Result<Self, String> {
        let mut topics = Self { block: false, tx: false };
        for topic in list.unwrap_or("block").split(',') {
            match topic.trim() {
                "block" => topics.block = true,
                "tx" => topics.tx = true,
                other => return Err(format!("topic `{other}` is not known, block and tx are")),
            }
        }
        Ok(topics)
    }
}

/// The stream of one reader, until the node stops. It holds the reader's place.
pub(super) fn stream(
    node: &NodeHandle,
    topics: Topics,
    place: (OwnedSemaphorePermit, Kept),
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let reader = Reader {
        blocks: node.final_blocks(),
        topics,
        total: node.chain.masternodes.total_weight(),
        current: None,
        _place: place,
    };
    let node = node.clone();
    let events = stream::unfold(reader, Reader::next)
        .map(|item| Ok(item.event()))
        .take_until(async move { node.stopping().await });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

struct Reader {
    blocks: broadcast::Receiver<Arc<FinalBlock>>,
    topics: Topics,
    total: u64,
    /// The block being sent, and how many of its transactions were sent.
    current: Option<(Arc<FinalBlock>, usize)>,
    _place: (OwnedSemaphorePermit, Kept),
}

/// One event before it is written.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    name: &'static str,
    id: Option<u64>,
    data: String,
}

impl Item {
    fn new(name: &'static str, id: Option<u64>, data: &impl Serialize) -> Self {
        let data = serde_json::to_string(data).expect("events hold only texts and numbers");
        Self { name, id, data }
    }

    fn event(self) -> Event {
        let event = Event::default().event(self.name).data(self.data);
        match self.id {
            Some(id) => event.id(id.to_string()),
            None => event,
        }
    }
}

impl Reader {
    async fn next(mut self) -> Option<(Item, Self)> {
        loop {
            if let Some(item) = self.transaction() {
                return Some((item, self));
            }
            let block = match self.blocks.recv().await {
                Ok(block) => block,
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(missed)) => {
                    return Some((Item::new("lagged", None, &Lagged { missed }), self));
                }
            };
            let item = self.topics.block.then(|| block_item(&block, self.total));
            if self.topics.tx {
                self.current = Some((block, 0));
            }
            if let Some(item) = item {
                return Some((item, self));
            }
        }
    }

    /// The next transaction of the current block.
    fn transaction(&mut self) -> Option<Item> {
        let (block, told) = self.current.as_mut()?;
        let Some(txid) = block.txids.get(*told) else {
            self.current = None;
            return None;
        };
        *told += 1;
        let height = block.certificate.height.0;
        let (txid, block) = (txid.to_string(), block.hash.to_string());
        Some(Item::new("tx", Some(height), &TxEvent { txid, height, block }))
    }
}

fn block_item(block: &FinalBlock, total: u64) -> Item {
    let header = &block.block.header;
    let data = BlockEvent {
        height: header.height.0,
        hash: block.hash.to_string(),
        time: header.timestamp.0 / 1_000,
        time_ms: header.timestamp.0,
        txs: block.txids.len() as u64,
        round: block.certificate.round.0.into(),
        proposer: header.proposer,
        weight: block.weight,
        total,
        took_ms: block.took.0,
    };
    Item::new("block", Some(header.height.0), &data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use timecoin_chain::{
        genesis::ChainId,
        types::{
            Block, BlockHash, Certificate, Header, Height, Millis, Round, SignerSet, Timestamp,
            TxId, VoteKind,
        },
    };
    use tokio::sync::Semaphore;

    fn final_block(height: u64, txids: usize) -> Arc<FinalBlock> {
        let header = Header {
            version: 1,
            chain: ChainId([0; 4]),
            height: Height(height),
            parent: BlockHash([0; 32]),
            timestamp: Timestamp(1_234_567),
            proposer: 2,
            state_root: [0; 32],
            masternodes: [0; 32],
            transactions_root: [0; 32],
            witnesses_root: [0; 32],
            last_commit: [0; 32],
            evidence: [0; 32],
        };
        let block = Block { header, transactions: vec![], last_commit: None, evidence: vec![] };
        let certificate = Certificate {
            kind: VoteKind::Precommit,
            height: Height(height),
            round: Round(1),
            block: Some(BlockHash([9; 32])),
            valid_round: None,
            signers: SignerSet::empty(4),
            signatures: vec![],
        };
        Arc::new(FinalBlock {
            block: Arc::new(block),
            hash: BlockHash([9; 32]),
            certificate: Arc::new(certificate),
            txids: (0..txids).map(|at| TxId([u8::try_from(at).expect("few"); 32])).collect(),
            weight: 3,
            took: Millis(87),
            at: Timestamp(1_234_600),
        })
    }

    async fn told(topics: &str, blocks: &[Arc<FinalBlock>], room: usize) -> Vec<Item> {
        let (sender, receiver) = broadcast::channel(room);
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("free");
        let topics = Topics::parse(Some(topics)).expect("known");
        let reader = Reader {
            blocks: receiver,
            topics,
            total: 4,
            current: None,
            _place: (place, Kept::none()),
        };
        for block in blocks {
            sender.send(block.clone()).expect("a reader");
        }
        drop(sender);
        stream::unfold(reader, Reader::next).collect().await
    }

    #[tokio::test]
    async fn a_block_comes_before_its_transactions() {
        let items = told("block,tx", &[final_block(5, 2), final_block(6, 0)], 8).await;
        let short: Vec<_> = items.iter().map(|item| (item.name, item.id)).collect();
        assert_eq!(
            short,
            [("block", Some(5)), ("tx", Some(5)), ("tx", Some(5)), ("block", Some(6))]
        );
        let hash = "09".repeat(32);
        assert_eq!(
            items[0].data,
            format!(
                r#"{{"height":5,"hash":"{hash}","time":1234,"time_ms":1234567,"txs":2,"round":1,"proposer":2,"weight":3,"total":4,"took_ms":87}}"#
            )
        );
        let txid = "01".repeat(32);
        assert_eq!(items[2].data, format!(r#"{{"txid":"{txid}","height":5,"block":"{hash}"}}"#));
    }

    #[tokio::test]
    async fn only_what_was_asked_for_is_told() {
        let blocks = [final_block(5, 2), final_block(6, 1)];
        let names = |items: Vec<Item>| items.iter().map(|item| item.name).collect::<Vec<_>>();
        assert_eq!(names(told("tx", &blocks, 8).await), ["tx", "tx", "tx"]);
        assert_eq!(names(told("block", &blocks, 8).await), ["block", "block"]);
    }

    #[tokio::test]
    async fn a_slow_reader_receives_the_number_of_missed_blocks() {
        let blocks: Vec<_> = (1..=5).map(|height| final_block(height, 0)).collect();
        let items = told("block", &blocks, 2).await;
        assert_eq!(items[0], Item::new("lagged", None, &Lagged { missed: 3 }));
        let ids: Vec<_> = items[1..].iter().map(|item| item.id).collect();
        assert_eq!(ids, [Some(4), Some(5)]);
    }

    #[test]
    fn an_unknown_topic_is_refused() {
        assert_eq!(Topics::parse(None), Ok(Topics { block: true, tx: false }));
        assert_eq!(Topics::parse(Some("tx, block")), Ok(Topics { block: true, tx: true }));
        assert!(Topics::parse(Some("blocks")).is_err());
        assert!(Topics::parse(Some("")).is_err());
    }
}
