//! Payments of peers: what they cost the engine's loop and the disk.
use crate::{
    fixture::{Fixture, pay},
    peer::{PEER, gossip_batch, respond},
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
};
use timecoin_chain::{
    crypto::Ed25519,
    engine::{Effect, Engine, EngineConfig, Input, Request, Stored, Ticket},
    inbound::Verdict,
    ledger::{LedgerView, MemoryView, PositionedCoin, ViewError, look_up},
    mempool::MempoolLimits,
    rules,
    types::{Certificate, Height, Millis, Now, OutPoint, Timestamp, Transaction, TxId},
    wire::Response,
};

/// A disk that counts the coins read from it.
#[derive(Clone, Default)]
struct Disk {
    view: Rc<RefCell<MemoryView>>,
    reads: Rc<Cell<u64>>,
}

impl LedgerView for Disk {
    fn coin(&self, outpoint: &OutPoint) -> Result<Option<PositionedCoin>, ViewError> {
        self.reads.set(self.reads.get() + 1);
        self.view.borrow().coin(outpoint)
    }

    fn certificate(&self, height: Height) -> Result<Option<Certificate>, ViewError> {
        self.view.borrow().certificate(height)
    }
}

/// An observer whose work is done at once, unless the test holds its lookups up.
struct Node {
    fixture: Fixture,
    engine: Engine<Disk>,
    disk: Disk,
    now: Now,
    tickets: u64,
    reads_in_handle: u64,
    /// The last request for final blocks.
    asked: Option<Request>,
    verdicts: Vec<(Ticket, Verdict)>,
    /// Lookups that the test holds up.
    held_up: Option<Vec<Lookup>>,
}

struct Lookup {
    ticket: Ticket,
    inputs: Vec<Vec<OutPoint>>,
}

impl Node {
    fn new(fixture: Fixture) -> Self {
        let chain = Arc::new(fixture.chain.clone());
        let disk = Disk::default();
        *disk.view.borrow_mut() = fixture.view.clone();
        let mempool = MempoolLimits::for_params(chain.params());
        let config = EngineConfig { chain, signer: None, node: None, mempool, doubts_record: true };
        let stored =
            Stored { state: fixture.state.clone(), tip: fixture.commit.clone(), safety: None };
        let wall = Timestamp(fixture.state.timestamp.0 + 20_000);
        let mut node = Self {
            engine: Engine::new(config, disk.clone(), stored),
            fixture,
            disk,
            now: Now { mono: Millis(0), wall },
            tickets: 0,
            reads_in_handle: 0,
            asked: None,
            verdicts: Vec::new(),
            held_up: None,
        };
        node.input(Input::Start);
        node.input(Input::PeerUp(PEER));
        node
    }

    fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let before = self.disk.reads.get();
            let effects = self.engine.handle(self.now, input);
            self.reads_in_handle += self.disk.reads.get() - before;
            inputs.extend(effects.into_iter().filter_map(|effect| self.carry_out(effect)));
        }
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Input> {
        let chain = &self.fixture.chain;
        match effect {
            Effect::Run(job) => Some(Input::Done(job.run(&Ed25519, chain))),
            Effect::Request { request: request @ Request::Blocks(_), .. } => {
                self.asked = Some(request);
                None
            }
            Effect::LookUp { ticket, inputs } => {
                let lookup = Lookup { ticket, inputs };
                match &mut self.held_up {
                    Some(held_up) => held_up.push(lookup),
                    None => return Some(self.look_up(lookup)),
                }
                None
            }
            Effect::Verify { ticket, spends } => {
                let results = rules::verify_spends(&Ed25519, &chain.hash, spends);
                Some(Input::Verified { ticket, results })
            }
            Effect::Execute(execution) => {
                let block = execution.block().hash();
                let result = execution.run(&Ed25519, chain, self.disk.clone()).map(Box::new);
                Some(Input::Executed { block, result })
            }
            Effect::Commit { certificate, delta, .. } => {
                self.disk.view.borrow_mut().apply(&delta);
                self.disk.view.borrow_mut().keep((*certificate).clone());
                Some(Input::Durable { height: delta.height })
            }
            Effect::Judge { ticket, verdict } => {
                self.verdicts.push((ticket, verdict));
                None
            }
            Effect::Stop { reason, .. } => panic!("{reason}"),
            _ => None,
        }
    }

    fn look_up(&self, lookup: Lookup) -> Input {
        let coins = look_up(&self.disk, lookup.inputs);
        Input::CoinsFound { ticket: lookup.ticket, coins }
    }

    /// A final block of a peer is applied and written.
    fn decide(&mut self, transactions: Vec<Transaction>) {
        let block = self.fixture.block(transactions);
        let certificate = self.fixture.certify(&block);
        self.fixture.apply(&block);
        let tip = Response::Status(self.fixture.chain.hash, Some(certificate.clone()));
        self.input(respond(PEER, Request::Status, tip));
        let request = self.asked.take().expect("the node asks for the block");
        self.input(respond(PEER, request, Response::Blocks(vec![(block, certificate)])));
        assert_eq!(self.engine.height(), self.fixture.state.height.next());
    }

    /// A batch of a peer.
    fn gossip(&mut self, transactions: Vec<Transaction>) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.input(gossip_batch(ticket, &transactions));
        ticket
    }
}

/// A payment of a coin that nobody has.
fn stray(fixture: &Fixture, number: u64) -> Transaction {
    let mut txid = TxId([0xee; 32]);
    txid.0[..8].copy_from_slice(&number.to_le_bytes());
    let (_, output) = fixture.coin(1, 0);
    fixture.spend(&[(OutPoint { txid, vout: 0 }, output)], vec![pay(1)])
}

#[test]
fn no_coin_is_read_on_the_loop() {
    let fixture = Fixture::at_height(1);
    let mut node = Node::new(fixture.clone());
    let parent = fixture.spend(&[fixture.coin(1, 0)], vec![pay(99)]);
    let outpoint = OutPoint { txid: parent.txid(), vout: 0 };
    let child = fixture.spend(&[(outpoint, pay(99))], vec![pay(98)]);
    let ticket = node.gossip(vec![parent, child]);
    assert!(node.verdicts.contains(&(ticket, Verdict::Accept)), "{:?}", node.verdicts);
    assert_eq!(node.engine.mempool().len(), 2);
    node.gossip(vec![stray(&fixture, 1)]);
    assert!(node.disk.reads.get() > 0);
    assert_eq!(node.reads_in_handle, 0);
}

#[test]
fn a_peer_without_end_of_missing_inputs_costs_a_bounded_number_of_reads() {
    let fixture = Fixture::at_height(1);
    let mut node = Node::new(fixture.clone());
    let (batches, batch) = (200, 50);
    for number in 0..batches {
        let transactions = (0..batch).map(|index| stray(&fixture, number * batch + index));
        node.gossip(transactions.collect());
        node.now.mono.0 += 10;
    }
    // Two seconds.
    let reads = node.disk.reads.get();
    assert!(reads < 2_000, "{reads} of {}", batches * batch);
    assert!(node.verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Ignore));
    assert_eq!(node.verdicts.len(), 200);
}

#[test]
fn what_was_decided_during_a_lookup_counts() {
    let fixture = Fixture::at_height(1);
    let mut node = Node::new(fixture.clone());
    let spent = fixture.spend(&[fixture.coin(1, 0)], vec![pay(99)]);
    let rival = fixture.spend(&[fixture.coin(1, 0)], vec![pay(98)]);
    let outpoint = OutPoint { txid: spent.txid(), vout: 0 };
    let child = fixture.spend(&[(outpoint, pay(99))], vec![pay(97)]);
    let other = fixture.spend(&[fixture.coin(2, 0)], vec![pay(99)]);
    let batches = [vec![rival], vec![child.clone()], vec![other.clone()], vec![spent.clone()]];
    for blocks in [1, 40] {
        let mut node = Node::new(fixture.clone());
        node.held_up = Some(Vec::new());
        // The rival's coin is read while it is there.
        let tickets = batches.clone().map(|batch| node.gossip(batch));
        let lookups = node.held_up.take().unwrap();
        assert_eq!(lookups.len(), 4);
        let answers: Vec<_> = lookups.into_iter().map(|lookup| node.look_up(lookup)).collect();
        node.decide(vec![spent.clone()]);
        for _ in 1..blocks {
            node.decide(vec![]);
        }
        answers.into_iter().for_each(|answer| node.input(answer));
        let pool = node.engine.mempool();
        let ids: Vec<TxId> = pool.iter().map(|entry| entry.txid()).collect();
        assert_eq!(ids, [child.txid(), other.txid()], "after {blocks} blocks");
        let verdict =
            |ticket| node.verdicts.iter().find(|(judged, _)| *judged == ticket).unwrap().1;
        let accept = Verdict::Accept;
        let expected = [Verdict::Ignore, accept, accept, Verdict::Ignore];
        assert_eq!(tickets.map(verdict), expected);
    }
    node.decide(vec![spent.clone()]);
    let reads = node.disk.reads.get();
    node.gossip(vec![spent]);
    assert_eq!(node.disk.reads.get(), reads, "it is in one of the last blocks");
}

#[test]
fn a_chain_that_always_moves_on_ends_the_lookups_of_a_batch() {
    let fixture = Fixture::at_height(1);
    let mut node = Node::new(fixture.clone());
    node.held_up = Some(Vec::new());
    let ticket = node.gossip(vec![fixture.spend(&[fixture.coin(1, 0)], vec![pay(99)])]);
    let mut lookups = 0;
    while let Some(lookup) = node.held_up.as_mut().unwrap().pop() {
        lookups += 1;
        for _ in 0..20 {
            node.decide(vec![]);
        }
        let answer = node.look_up(lookup);
        node.input(answer);
    }
    assert_eq!(lookups, 3);
    assert_eq!(node.verdicts, [(ticket, Verdict::Ignore)]);
}

#[test]
#[should_panic(expected = "reading the ledger failed: broken")]
fn a_ledger_that_cannot_be_read_stops_the_node() {
    let fixture = Fixture::at_height(1);
    let mut node = Node::new(fixture.clone());
    node.held_up = Some(Vec::new());
    let ticket = node.gossip(vec![stray(&fixture, 1)]);
    let coins = Err(ViewError { reason: "broken".into() });
    node.input(Input::CoinsFound { ticket, coins });
}
