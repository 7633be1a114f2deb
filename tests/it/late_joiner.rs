//! A new node that knows one address and no block.
use crate::{
    net::{Net, Node},
    ports,
    process::run,
    room::Room,
    wait::eventually,
};
use nix::sys::signal::Signal;
use std::time::Instant;

const BLOCKS: u64 = 1_000;
/// Blocks that it must follow after it catches up.
const FOLLOWED: u64 = 100;
/// Without these two of four masternodes no block is made.
const PAUSED: [&str; 2] = ["val2", "val3"];
/// All nodes of the existing network.
const OTHERS: usize = 5;

#[test]
fn a_late_node_with_one_address_finds_the_others_fetches_a_thousand_blocks_and_follows() {
    let shape = ["--block-interval-ms", "10", "--min-spacing-ms", "10"];
    let net = Net::up(Room::alone(), 4, 1, &shape);
    let val0 = net.node("val0");
    let made = Instant::now();
    val0.reaches(BLOCKS);
    println!("{BLOCKS} blocks were made in {} ms", made.elapsed().as_millis());

    let base = ports::free_base(1);
    let late = Node::at("late".into(), net.dir.join("late"), base, base + 1);
    let (dir, genesis) = (late.dir.to_str().unwrap(), net.genesis_file());
    let genesis = genesis.to_str().unwrap();
    run(&["init", "--dir", dir, "--genesis", genesis, "--bootstrap", &val0.address()]).ok();
    let begun = Instant::now();
    let _process = late.start(&["--set", "network.allow_private=true"]);
    let target = val0.height();
    let met = eventually("the late node knows all others", || {
        let peers = late.try_call::<u64>("getconnectioncount", [(); 0]);
        match peers {
            Ok(peers) if peers >= OTHERS as u64 => Ok(begun.elapsed()),
            other => Err(format!("{other:?}")),
        }
    });
    let peers = late.peers();
    for node in &net.nodes {
        assert!(peers.contains(&node.peer_id()), "{} is a peer", node.name);
    }
    let there = late.reaches(target);
    let took = begun.elapsed();
    println!(
        "{} peers after {} ms; {there} blocks in {} ms, {} blocks/s, while the chain grew to {}",
        peers.len(),
        met.as_millis(),
        took.as_millis(),
        u128::from(there) * 1_000 / took.as_millis().max(1),
        val0.height()
    );

    // With a block every 20 ms on two busy cores, a node that fetches blocks stays slightly behind.
    // The chain pauses until the node reaches the tip; from there it must follow without help.
    let mut behind = 0;
    for height in (target..target + FOLLOWED).step_by(10) {
        late.reaches(height);
        behind = behind.max(val0.height().saturating_sub(late.height()));
    }
    let paused = Instant::now();
    for name in PAUSED {
        net.signal(name, Signal::SIGSTOP);
    }
    let tip = eventually("the late node stands at the tip", || {
        let (ours, theirs) = (val0.height(), late.height());
        (ours == theirs).then_some(theirs).ok_or_else(|| format!("{theirs} of {ours}"))
    });
    let to_the_tip = paused.elapsed();
    for name in PAUSED {
        net.signal(name, Signal::SIGCONT);
    }
    let last = late.reaches(tip + FOLLOWED);
    let log = late.log();
    let gossiped = |height: &u64| log.contains(&format!(" final height={height} "));
    let by_gossip = (tip + 1..=last).filter(gossiped).count();
    println!(
        "at most {behind} blocks behind; at the tip {} ms after a pause; then {by_gossip} of {} blocks by gossip",
        to_the_tip.as_millis(),
        last - tip
    );
    assert!(by_gossip > 0, "no block by gossip after height {tip}");
    for height in 1..=last {
        assert_eq!(late.hash_at(height), val0.hash_at(height), "height {height}");
    }
    net.assert_sound();
}
