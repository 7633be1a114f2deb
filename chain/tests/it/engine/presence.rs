//! When a masternode says which node it is, and for whom a node keeps places.
use super::*;
use timecoin_chain::{
    types::{NodeKey, Presence},
    wire::encode_presence,
};

impl Node {
    /// The presences that this node announced since this was asked last.
    fn announced(&mut self) -> Vec<Presence> {
        let sent = std::mem::take(&mut self.sent).into_iter();
        sent.filter_map(|effect| match effect {
            Effect::Announce(presence) => Some(presence),
            _ => None,
        })
        .collect()
    }

    /// The nodes that have a place, if that changed.
    fn places(&mut self) -> Option<BTreeSet<NodeKey>> {
        let sent = std::mem::take(&mut self.sent).into_iter().rev();
        sent.filter_map(|effect| match effect {
            Effect::KeepPlaces(nodes) => Some(nodes),
            _ => None,
        })
        .next()
    }

    fn wait(&mut self, millis: u64) {
        self.now.mono = self.now.mono.plus(Millis(millis));
        self.now.wall = Timestamp(self.now.wall.0 + millis);
    }

    fn presence_timer(&mut self) {
        let due = self.timers[&Timer::Presence];
        self.wait(due.since(self.now.mono).0);
        self.input(Input::Timer(Timer::Presence));
    }

    fn hears(&mut self, by: u16, node: u8) {
        let signer = &self.fixture.secrets[usize::from(by)];
        let expires = Timestamp(self.now.wall.0 + Presence::LIFE.0);
        let node = NodeKey([node; 32]);
        let message = Presence::message(&self.fixture.chain.hash, node, expires);
        let (masternode, signature) = (signer.public_key(), signer.sign(&message));
        let (topic, bytes) = encode_presence(&Presence { masternode, node, expires, signature });
        self.tickets += 1;
        self.input(Input::Gossip { from: PEER, topic, bytes, ticket: Ticket(self.tickets) });
    }
}

#[test]
fn a_masternode_announces_itself_once_a_minute_and_soon_to_new_peers() {
    let mut node = Node::new(Fixture::at_height(1), 0);
    node.presence_timer();
    let [first] = node.announced().try_into().expect("one");
    assert_eq!(first.expires.0, node.now.wall.0 + Presence::LIFE.0);
    assert_eq!(node.timers[&Timer::Presence].since(node.now.mono), Millis(60_000));
    node.input(Input::PeerUp(Peer(50)));
    assert_eq!(node.timers[&Timer::Presence].since(node.now.mono), Millis(15_000));
    node.presence_timer();
    let [second] = node.announced().try_into().expect("one more");
    assert_eq!(second.expires.0 - first.expires.0, 15_000);
}

#[test]
fn a_key_that_may_not_sign_announces_nothing() {
    let fixture = Fixture::at_height(1);
    let mut node = Node::with_record(fixture, 0, None);
    for _ in 0..10 {
        node.presence_timer();
    }
    assert!(node.announced().is_empty());
}

#[test]
fn places_are_kept_for_those_who_said_so_until_it_expires() {
    let mut node = Node::new(Fixture::at_height(1), 0);
    let key = |byte: u8| NodeKey([byte; 32]);
    node.hears(1, 11);
    assert_eq!(node.places(), Some([key(11)].into()));
    node.hears(2, 12);
    assert_eq!(node.places(), Some([key(11), key(12)].into()));
    node.wait(20_000);
    node.hears(2, 12);
    assert_eq!(node.places(), None, "nothing has changed");
    node.wait(20_000);
    node.hears(2, 13);
    assert_eq!(node.places(), Some([key(11), key(13)].into()), "one for each masternode");
    node.wait(Presence::LIFE.0 - 30_000);
    node.input(Input::Timer(Timer::Presence));
    assert_eq!(node.places(), Some([key(13)].into()));
}
