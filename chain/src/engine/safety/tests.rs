//! What the guard signs, returns and refuses.
use super::*;
use crate::crypto::SecretKey;

const NOTHING: Resume =
    Resume { round: Round(0), step: Step::Propose, locked: None, valid: None, entry: None };

fn guard() -> Guard {
    let key = SecretKey::from_bytes(&[3; 32]);
    let record = SafetyRecord::first(key.public_key());
    Guard::new(Arc::new(key), 0, GenesisHash([9; 32]), record)
}

fn block(byte: u8) -> Option<BlockHash> {
    Some(BlockHash([byte; 32]))
}

#[test]
fn an_identical_request_returns_the_stored_bytes() {
    let mut guard = guard();
    let slot = (VoteKind::Prevote, Height(5), Round(1));
    let first = guard.vote(&NOTHING, slot, block(1), None).ok().map(|s| (s.message, s.is_new));
    let again = guard.vote(&NOTHING, slot, block(1), None).ok().map(|s| (s.message, s.is_new));
    let (first, again) = (first.expect("signs"), again.expect("answers"));
    assert_eq!(first.0, again.0);
    assert_eq!((first.1, again.1), (true, false));
}

#[test]
fn a_conflicting_request_is_refused() {
    let mut guard = guard();
    let slot = (VoteKind::Precommit, Height(5), Round(1));
    assert!(guard.vote(&NOTHING, slot, block(1), None).is_ok());
    for other in [block(2), None] {
        assert_eq!(guard.vote(&NOTHING, slot, other, None).err(), Some(Refusal::Conflict));
    }
}

#[test]
fn nothing_before_the_last_slot_is_signed() {
    let mut guard = guard();
    let later = (VoteKind::Precommit, Height(5), Round(1));
    assert!(guard.vote(&NOTHING, later, None, None).is_ok());
    for (kind, height, round) in [
        (VoteKind::Precommit, 4, 9),
        (VoteKind::Precommit, 5, 0),
        (VoteKind::Prevote, 5, 0),
        (VoteKind::Prevote, 5, 1),
    ] {
        let slot = (kind, Height(height), Round(round));
        assert_eq!(guard.vote(&NOTHING, slot, None, None).err(), Some(Refusal::TooLate));
    }
    assert!(guard.vote(&NOTHING, (VoteKind::Prevote, Height(5), Round(2)), None, None).is_ok());
}

#[test]
fn a_restarted_guard_remembers() {
    let mut before = guard();
    let slot = (VoteKind::Prevote, Height(5), Round(1));
    let signed = before.vote(&NOTHING, slot, block(1), None).expect("signs").message;
    let key = Arc::new(SecretKey::from_bytes(&[3; 32]));
    let record = before.record().clone();
    let mut after = Guard::new(key, 0, GenesisHash([9; 32]), record);
    assert_eq!(after.vote(&NOTHING, slot, block(2), None).err(), Some(Refusal::Conflict));
    let again = after.vote(&NOTHING, slot, block(1), None).expect("answers");
    assert_eq!(again.message, signed);
}

#[test]
fn only_what_the_record_cannot_have_forgotten_is_foreign() {
    let mut guard = guard();
    let slot = (VoteKind::Prevote, Height(5), Round(1));
    assert!(guard.vote(&NOTHING, slot, block(1), Some(Round(0))).is_ok());
    let prevote = Kind::Vote(VoteKind::Prevote);
    let precommit = Kind::Vote(VoteKind::Precommit);
    for (kind, height, round, said, valid_round, is_foreign) in [
        (prevote, 5, 1, block(1), Some(0), false),
        (prevote, 5, 1, block(2), Some(0), true),
        (prevote, 5, 1, block(1), None, true),
        (precommit, 5, 1, block(1), None, true),
        (Kind::Proposal, 5, 1, block(1), None, true),
        (prevote, 5, 0, block(2), None, false),
        (precommit, 4, 9, block(2), None, false),
        (prevote, 5, 2, block(1), None, true),
        (prevote, 6, 0, block(1), None, true),
    ] {
        let (height, round, valid_round) = (Height(height), Round(round), valid_round.map(Round));
        let shown = Shown { kind, height, round, block: said, valid_round };
        assert_eq!(guard.record().is_foreign(&shown), is_foreign, "{shown:?}");
    }
}

#[test]
fn of_two_records_the_later_is_further() {
    let mut guard = guard();
    let mut places = vec![guard.record().place()];
    for slot in [
        (VoteKind::Prevote, Height(1), Round(0)),
        (VoteKind::Precommit, Height(1), Round(0)),
        (VoteKind::Precommit, Height(1), Round(3)),
        (VoteKind::Prevote, Height(2), Round(0)),
    ] {
        assert!(guard.vote(&NOTHING, slot, None, None).is_ok());
        places.push(guard.record().place());
    }
    assert!(places.is_sorted_by(|one, two| one < two), "{places:?}");
}
