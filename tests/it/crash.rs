//! Power cuts: all nodes are killed at once, repeatedly, while payments are sent.
use crate::{
    money::{Purse, hex_of},
    net::{Net, Node},
    ports::random_below,
    room::Room,
    wait::eventually,
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use timecoin::api::{FinalIn, GetFinality};
use timecoin_chain::types::{Amount, Lock};

/// How often all nodes are killed, unless TIMECOIN_KILLS sets a number.
const KILLS: u32 = 20;
/// New blocks come this soon after all nodes are back.
const BLOCK_WITHIN_MS: u64 = 10_000;
/// The interval between payments.
const PACE: Duration = Duration::from_millis(40);

/// The height and block of each final payment, by its id.
type Finals = BTreeMap<String, (u64, String)>;

#[test]
fn nothing_final_is_lost_when_all_nodes_are_killed_again_and_again() {
    let kills = std::env::var("TIMECOIN_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let net = Net::up(Room::one(), 4, 1, &["--alloc-outputs", "5000"]);
    let mut purse = Purse::open(&net, "alice");
    let mut finals = Finals::new();
    let mut verified = 0;
    let mut first_block_ms = Vec::new();
    for round in 1..=kills {
        let before = finals.len();
        finals = pay_until_killed(&net, &mut purse, finals);
        let up = net.up_again();
        let ms = up["first_block_ms"].as_u64().unwrap();
        println!(
            "kill {round}: {} payments were final, a new block {ms} ms after the start, height {}",
            finals.len() - before,
            up["height"]
        );
        assert!(ms < BLOCK_WITHIN_MS, "no block within {BLOCK_WITHIN_MS} ms of restart {round}");
        first_block_ms.push(ms);
        let tip = finals.values().map(|(height, _)| *height).max().unwrap();
        for node in &net.nodes {
            node.reaches(tip);
        }
        verified = net.assert_one_chain(verified + 1);
        let fresh = finals.iter().filter(|(_, (height, _))| *height <= verified).rev().take(100);
        assert_still_final(&net.nodes[usize::try_from(round).unwrap() % 5], fresh);
    }
    let last = net.assert_one_chain(1);
    for node in &net.nodes {
        assert_still_final(node, finals.iter());
    }
    net.assert_sound();
    first_block_ms.sort_unstable();
    println!(
        "{kills} kills of five nodes: {} final payments, {last} blocks, none lost; first block after {} to {} ms",
        finals.len(),
        first_block_ms[0],
        first_block_ms[first_block_ms.len() - 1]
    );
}

/// Pays until some payments are final and a little longer, then kills all nodes at once.
fn pay_until_killed(net: &Net, purse: &mut Purse, finals: Finals) -> Finals {
    let goal = finals.len() + 3 + usize::from(random_below(10));
    let late = Duration::from_millis(random_below(300).into());
    let sent = Mutex::new(Vec::new());
    let finals = Mutex::new(finals);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| send_payments(net, purse, &sent, &is_over));
        scope.spawn(|| note_finals(net, &sent, &finals, &is_over));
        let _over = Raised(&is_over);
        eventually("payments are final", || {
            let there = finals.lock().unwrap().len();
            (there >= goal).then_some(()).ok_or_else(|| format!("{there} of {goal}"))
        });
        // The kill may come at any moment of a block.
        thread::sleep(late);
        net.kill_all();
        print!("{} ms after payment {goal}: ", late.as_millis());
    });
    finals.into_inner().unwrap()
}

/// Ends the threads of a round, also when it fails.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn send_payments(net: &Net, purse: &mut Purse, sent: &Mutex<Vec<String>>, is_over: &AtomicBool) {
    let to: Lock = purse.lock();
    for node in net.nodes.iter().cycle() {
        if is_over.load(Ordering::SeqCst) {
            return;
        }
        let payment = purse.pay(&to, Amount::from_time(1));
        // After the kill no node answers.
        if let Ok(txid) = node.try_call::<String>("sendrawtransaction", json!([hex_of(&payment)])) {
            sent.lock().unwrap().push(txid);
        }
        thread::sleep(PACE);
    }
}

/// Asks the nodes in turn, so that each of them has reported some payments as final.
fn note_finals(net: &Net, sent: &Mutex<Vec<String>>, finals: &Mutex<Finals>, is_over: &AtomicBool) {
    let mut waiting: Vec<String> = Vec::new();
    for node in net.nodes.iter().cycle() {
        if is_over.load(Ordering::SeqCst) {
            return;
        }
        waiting.append(&mut sent.lock().unwrap());
        waiting.retain(|txid| {
            let finality = node.client.ask(&GetFinality { txid: txid.clone() });
            match finality.ok().and_then(|finality| finality.block) {
                Some(block) => {
                    finals.lock().unwrap().insert(txid.clone(), place_of(&block));
                    false
                }
                None => true,
            }
        });
        thread::sleep(PACE);
    }
}

fn place_of(block: &FinalIn) -> (u64, String) {
    (block.height, block.blockhash.clone())
}

fn assert_still_final<'a>(
    node: &Node,
    finals: impl IntoIterator<Item = (&'a String, &'a (u64, String))>,
) {
    for (txid, place) in finals {
        let block = node.ask(&GetFinality { txid: txid.clone() }).block;
        let found = block.as_ref().map(place_of);
        assert_eq!(found.as_ref(), Some(place), "{txid} at {}", node.name);
    }
}
