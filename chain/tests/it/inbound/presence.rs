//! Which presences are forwarded: signed by a member, valid, and renewed seldom.
use super::*;

const LIFE: u64 = Presence::LIFE.0;
const NODE: NodeKey = NodeKey([9; 32]);

impl Gate {
    fn presence(&self, by: &dyn Signer, expires: u64) -> Presence {
        let (masternode, expires) = (by.public_key(), Timestamp(expires));
        let message = Presence::message(&self.chain.hash, NODE, expires);
        Presence { masternode, node: NODE, expires, signature: by.sign(&message) }
    }

    /// The verdict on a presence, when all work is done.
    fn verdict_on(&mut self, presence: &Presence) -> Option<Verdict> {
        let (topic, bytes) = encode_presence(presence);
        let ticket = self.gossip(Peer(self.tickets), topic, bytes);
        self.work();
        self.verdict(ticket)
    }
}

#[test]
fn a_presence_is_forwarded_if_a_member_signed_it_and_it_is_valid() {
    let mut gate = Gate::new();
    let now = gate.window.wall.0;
    let member = gate.fixture.secrets[1].clone();
    let good = gate.presence(&member, now + LIFE);
    let forged = Presence { node: NodeKey([8; 32]), ..good };
    let stranger = SecretKey::from_bytes(&[77; 32]);
    let cases = [
        (forged, Verdict::Reject("a presence that its masternode did not sign")),
        (gate.presence(&stranger, now + LIFE), Verdict::Ignore),
        (gate.presence(&member, now - 1), Verdict::Ignore),
        (gate.presence(&member, now + LIFE + 60_001), Verdict::Ignore),
        (good, Verdict::Accept),
    ];
    for (presence, expected) in cases {
        assert_eq!(gate.verdict_on(&presence), Some(expected), "{presence:?}");
    }
    let delivered = gate.actions.iter().filter(|action| matches!(action, Action::Presence(_)));
    assert_eq!(delivered.count(), 1);
    let ticket = gate.gossip(Peer(99), Topic::Presences, vec![1; 200]);
    assert_eq!(gate.verdict(ticket), Some(Verdict::Reject("not a presence")));
}

#[test]
fn a_presence_that_is_renewed_too_often_costs_no_signature() {
    let mut gate = Gate::new();
    let now = gate.window.wall.0;
    let member = gate.fixture.secrets[1].clone();
    let known = (NODE, Timestamp(now + 60_000));
    gate.window.presences = Arc::new([(member.public_key(), known)].into());
    for (expires, expected) in [
        (now + 60_000, Verdict::Ignore),
        (now + 69_999, Verdict::Ignore),
        (now + 70_000, Verdict::Accept),
    ] {
        let jobs = gate.jobs;
        let presence = gate.presence(&member, expires);
        assert_eq!(gate.verdict_on(&presence), Some(expected), "{expires}");
        assert_eq!(gate.jobs - jobs, usize::from(expected == Verdict::Accept));
    }
}
