//! Masternodes that crash and come back: how soon they sign again, and the effect of an old backup.
use crate::{
    faults::Faults,
    rng::Rng,
    setup::Setup,
    shells::{Clock, Shells},
};
use timecoin_chain::{
    engine::{Recovered, SafetyRecord},
    types::{ConsensusMessage, Height, Round, VoteKind},
};

const MASTERNODES: usize = 4;
const WAY_MS: u64 = 80;
/// From the restart of two masternodes to the next block, which is overdue: the answers of the two
/// others, a round, and the link delays. Listening for a fixed time took 2 s longer.
const RECOVERY_MS: u64 = 1_500;
/// The round in which one masternode locks, and one in which other votes of that round are forgotten.
const LOCK: Round = Round(3);
const LATE: Round = Round(30);

fn start() -> Shells {
    let setup = Setup::draw(&mut Rng::new(0), &Faults::none(), 4);
    Shells::start(setup, &[Clock::default(); MASTERNODES], WAY_MS).expect("they start")
}

fn pass_ms(shells: &mut Shells, ms: u64) {
    (0..ms).for_each(|_| shells.pass_ms().expect("nobody stops"));
}

fn reach(shells: &mut Shells, height: u64) -> u64 {
    let began = shells.ms();
    while shells.heights().any(|at| at < height) {
        pass_ms(shells, 1);
        assert!(shells.ms() - began <= 60_000, "height {height} does not come");
    }
    shells.ms() - began
}

#[test]
fn two_of_four_that_were_killed_bring_the_next_block_at_once() {
    let (mut longest, mut measured) = (0, 0);
    for moment in (0..2_500).step_by(250) {
        let mut shells = start();
        reach(&mut shells, 3);
        pass_ms(&mut shells, moment);
        [2, 3].into_iter().for_each(|index| shells.kill(index));
        pass_ms(&mut shells, 5_000);
        let height = shells.heights().max().expect("four");
        // A node that lacks a block would fetch it, which this network does not offer.
        if shells.heights().any(|at| at < height) {
            continue;
        }
        measured += 1;
        [2, 3].into_iter().for_each(|index| shells.restart(index, None));
        longest = reach(&mut shells, height + 1).max(longest);
        assert!(longest <= RECOVERY_MS, "killed after {moment} ms, the next took {longest} ms");
    }
    assert!(measured >= 5, "{measured} moments");
    println!("two of four killed: the next block after at most {longest} ms");
}

/// One masternode alone sees a polka and locks. It stays away for many rounds; then a backup from
/// before the lock is restored. A signature with that record would break the lock.
#[test]
fn a_backup_of_before_a_lock_of_many_rounds_ago_is_found_out() {
    let mut shells = start();
    reach(&mut shells, 3);
    let height = Height(4);
    let proposer = usize::from(shells.setup().proposer(height, LOCK));
    let (victim, nil) = ((proposer + 1) % MASTERNODES, (proposer + 2) % MASTERNODES);
    shells.filter(Some(Box::new(move |from, to, message| {
        let Some(message) = message else { return false };
        match message {
            _ if message.height() != height => true,
            ConsensusMessage::Proposal(proposal) => proposal.round == LOCK && to != nil,
            ConsensusMessage::Vote(vote) => {
                from != victim || vote.round != LOCK || vote.kind == VoteKind::Precommit
            }
            ConsensusMessage::Certificate(_) => from != victim,
            ConsensusMessage::Round(_) | ConsensusMessage::Evidence(_) => true,
        }
    })));
    let has_locked = |record: &SafetyRecord| {
        record.precommit.as_ref().is_some_and(|vote| vote.round == LOCK && vote.block.is_some())
    };
    let mut backup = None;
    while !has_locked(shells.masternode(victim).2.record()) {
        let (at, round, disk) = shells.masternode(victim);
        assert!(at == height || at.next() == height, "{at} is decided");
        assert!(round <= LOCK, "no lock");
        if at == height && round == Round(1) {
            let record = disk.record().clone();
            backup.get_or_insert(Recovered { record, blocks: Vec::new() });
        }
        pass_ms(&mut shells, 1);
    }
    // Its precommit arrives.
    pass_ms(&mut shells, WAY_MS);
    shells.kill(victim);
    while shells.masternode(proposer).1 < LATE {
        pass_ms(&mut shells, 1);
    }
    assert_eq!(shells.masternode(proposer).0, height, "three that see no proposal decide nothing");
    shells.filter(None);
    shells.restart(victim, backup);
    let began = shells.ms();
    let stop = loop {
        match shells.pass_ms() {
            Ok(()) => assert!(shells.ms() - began < 10_000, "the lock is not found out"),
            Err(stop) => break stop,
        }
    };
    assert!(stop.starts_with(&format!("masternode {victim} stops")), "{stop}");
    assert!(stop.contains("signed at height 4 round 3, and not here"), "{stop}");
    assert_eq!(shells.evidence(), 0, "it signed nothing against its lock");
}
