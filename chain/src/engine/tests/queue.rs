//! Order of work, and the end of it.
use super::said;
use crate::engine::{
    StopKind, Timer,
    out::Out,
    work::{Queue, Work},
};
use crate::types::Millis;

fn name(work: &Work) -> &'static str {
    match work {
        Work::Propose => "propose",
        Work::Proof => "proof",
        Work::AdvanceSync => "sync",
        Work::RecoverDecision => "recover",
        Work::ScheduleRepeat => "repeat",
        _ => "other",
    }
}

#[test]
fn what_a_piece_of_work_leads_to_is_done_before_what_was_waiting() {
    let mut queue = Queue::default();
    queue.extend([Work::Propose, Work::Proof]);
    let mut done = Vec::new();
    while let Some((work, rest)) = queue.take_next() {
        done.push(name(&work));
        match work {
            Work::Propose => queue.extend([Work::RecoverDecision, Work::ScheduleRepeat]),
            Work::RecoverDecision => queue.push(Work::AdvanceSync),
            _ => {}
        }
        queue.put_back(rest);
    }
    assert_eq!(done, ["propose", "recover", "sync", "repeat", "proof"]);
}

#[test]
fn nothing_follows_a_stop() {
    let mut out = Out::default();
    out.set_timer(Timer::Sync, Millis(5));
    assert!(!out.is_stopped());
    out.stop(StopKind::Contradiction, "one".into());
    out.set_timer(Timer::Mempool, Millis(6));
    out.stop_on_contradiction("two".into());
    assert_eq!(said(&mut out), ["Sync at 5", "stop: one"]);
    assert_eq!(out.stopped().map(String::as_str), Some("one"));
}
