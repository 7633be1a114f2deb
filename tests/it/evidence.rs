//! A masternode's key on two hosts: the first host stops, and the second host's signatures are
//! evidence against the key.
use crate::{hostile::Stranger, net::Net, process::has_ended, room::Room, wait::eventually};
use serde_json::{Value, json};
use timecoin::{genesis_file::load_chain, keys};
use timecoin_chain::{
    codec,
    crypto::{Signature, Signer},
    types::{BlockHash, ConsensusMessage, Height, Round, Vote, VoteKind},
};
use timecoin_network::Topic;
use tokio::runtime::Runtime;

#[test]
fn who_votes_twice_is_recorded_in_a_block_and_listed_by_every_node_and_payments_go_on() {
    let net = Net::five(Room::one());
    net.wallet(&["new", "bob"]).ok();
    let chain = load_chain(&net.genesis_file()).unwrap();
    let thief = keys::load(&net.nodes[0].dir.join("consensus.key")).unwrap();
    let offender = chain.masternodes.index_of(&thief.public_key()).unwrap();
    let runtime = Runtime::new().unwrap();
    let stranger = Stranger::join(&runtime, &net, &chain);
    stranger.is_heard_by(Topic::Votes);
    let height = Height(net.nodes[0].height() + 1);
    let vote = |byte| {
        let mut vote = Vote {
            kind: VoteKind::Prevote,
            height,
            round: Round(1),
            block: Some(BlockHash([byte; 32])),
            valid_round: None,
            signer: offender,
            signature: Signature::from_bytes(&[0; 64]),
        };
        vote.signature = thief.sign(&vote.signing_message(&chain.hash));
        codec::encode(&ConsensusMessage::Vote(vote))
    };
    for byte in [1, 2] {
        stranger.publish(Topic::Votes, vote(byte));
    }
    let (victim, others) = net.nodes.split_first().unwrap();
    let pid = net.pid(&victim.name);
    eventually("the owner of the key stops", || {
        has_ended(pid).then_some(()).ok_or_else(|| format!("process {pid} is there"))
    });
    victim.logs("this node's key signed at height");
    let mut recorded = Vec::new();
    for node in others {
        recorded.push(eventually(&format!("{} lists the evidence", node.name), || {
            let list: Value = node.call("listevidence", json!([]));
            (!list[0]["recorded"].is_null()).then_some(list.clone()).ok_or_else(|| list.to_string())
        }));
    }
    let list = &recorded[0];
    assert!(recorded.iter().all(|other| other == list), "{recorded:?}");
    assert_eq!(list.as_array().map(Vec::len), Some(1));
    let (evidence, kind) = (&list[0], json!("votes"));
    assert_eq!((&evidence["offender"], &evidence["kind"]), (&json!(offender), &kind));
    assert_eq!(evidence["key"], thief.public_key().to_string());
    let masternodes: Value = net.nodes[4].call("listmasternodes", json!([]));
    let offence = &masternodes[usize::from(offender)]["offence"];
    assert_eq!(offence, &evidence["recorded"]["height"]);
    net.nodes[1].logs("signed two prevotes");
    assert_eq!(net.nodes[1].figure("timecoin_consensus_evidence_total"), 1);
    net.pay_and_wait("bob", "1");
    let last = others.iter().map(|node| node.height()).min().unwrap();
    let hashes = others.iter().map(|node| node.hash_at(last));
    assert_eq!(hashes.collect::<std::collections::BTreeSet<_>>().len(), 1, "one chain");
}
