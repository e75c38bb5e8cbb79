use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::call::tests::call;

fn mailbox(size: usize, when_full: WhenFull) -> Mailbox {
    sharing(size, when_full, false)
}

fn sharing(size: usize, when_full: WhenFull, hibernates: bool) -> Mailbox {
    let sharing = Sharing {
        slots: 2,
        hibernates,
    };
    Mailbox::new("echo".into(), MailboxSpec { size, when_full }, sharing)
}

fn push(mailbox: &Mailbox, call: &Arc<Call>) -> Result<(), FaultCode> {
    mailbox.push(call).map_err(|fault| fault.code)
}

fn pull(mailbox: &Mailbox, port: &Arc<LinkPort>, slots: usize) -> Vec<u64> {
    let mut taken = Vec::new();
    let empty = true;
    mailbox.pull(port, Room { slots, empty }, |_| false, &mut taken);
    taken.iter().map(|call| call.id.0).collect()
}

fn end(call: &Call) {
    call.abandon(stopped);
}

fn stopped() -> Fault {
    Fault::new(FaultCode::AgentStopped, "for a test")
}

#[test]
fn calls_leave_in_the_order_in_which_they_came() {
    let (mailbox, port) = (mailbox(8, WhenFull::Reject), Arc::default());
    for id in 1..=3 {
        assert_eq!(push(&mailbox, &call(id)), Ok(()));
    }
    assert_eq!(pull(&mailbox, &port, 2), [1, 2]);
    assert_eq!(pull(&mailbox, &port, 2), [3]);
}

#[test]
fn a_full_mailbox_refuses_but_free_slots_are_places() {
    let (mailbox, port) = (mailbox(1, WhenFull::Reject), Arc::default());
    assert_eq!(pull(&mailbox, &port, 2), [0; 0]);
    for id in 1..=3 {
        assert_eq!(push(&mailbox, &call(id)), Ok(()), "call {id}");
    }
    assert_eq!(push(&mailbox, &call(4)), Err(FaultCode::Overloaded));
    assert_eq!(pull(&mailbox, &port, 2), [1, 2]);
    assert_eq!(push(&mailbox, &call(5)), Err(FaultCode::Overloaded));
}

#[test]
fn replicas_take_turns_and_only_one_is_rung() {
    let mailbox = mailbox(8, WhenFull::Reject);
    let (one, two) = (Arc::default(), Arc::default());
    pull(&mailbox, &one, 2);
    pull(&mailbox, &two, 2);
    let rung = |port: &Arc<LinkPort>| port.has_work();
    assert_eq!(push(&mailbox, &call(1)), Ok(()));
    assert_eq!((rung(&one), rung(&two)), (true, false));
    assert_eq!(pull(&mailbox, &one, 2), [1]);
    assert_eq!(push(&mailbox, &call(2)), Ok(()));
    assert_eq!((rung(&one), rung(&two)), (false, true));
}

#[test]
fn what_one_link_leaves_rings_the_next() {
    let mailbox = mailbox(8, WhenFull::Reject);
    let (one, two) = (Arc::<LinkPort>::default(), Arc::<LinkPort>::default());
    pull(&mailbox, &one, 1);
    pull(&mailbox, &two, 1);
    for id in 1..=2 {
        assert_eq!(push(&mailbox, &call(id)), Ok(()));
    }
    assert!(!two.has_work());
    assert_eq!(pull(&mailbox, &one, 1), [1]);
    assert!(two.has_work(), "a call is left");
    mailbox.leave(&two);
    assert_eq!(pull(&mailbox, &two, 1), [0; 0], "it has left");
    pull(&mailbox, &one, 0);
    assert_eq!(pull(&mailbox, &one, 1), [2]);
}

#[test]
fn a_link_that_leaves_passes_its_ring_on() {
    let mailbox = mailbox(8, WhenFull::Reject);
    let (one, two) = (Arc::<LinkPort>::default(), Arc::<LinkPort>::default());
    pull(&mailbox, &one, 1);
    pull(&mailbox, &two, 1);
    assert_eq!(push(&mailbox, &call(1)), Ok(()));
    mailbox.leave(&one);
    assert!(two.has_work());
    assert_eq!(pull(&mailbox, &two, 1), [1]);
}

#[test]
fn given_back_calls_stand_at_the_head_in_their_order() {
    let (mailbox, port) = (mailbox(8, WhenFull::Reject), Arc::default());
    let calls: Vec<_> = (1..=3).map(call).collect();
    for call in &calls {
        push(&mailbox, call).unwrap();
    }
    assert_eq!(pull(&mailbox, &port, 3), [1, 2, 3]);
    push(&mailbox, &call(4)).unwrap();
    end(&calls[1]);
    assert_eq!(mailbox.give_back(&calls), Ok(()));
    assert_eq!(pull(&mailbox, &Arc::default(), 9), [1, 3, 4]);
}

#[test]
fn a_closed_mailbox_says_so_to_what_is_given_back() {
    let mailbox = mailbox(8, WhenFull::Reject);
    let calls = [call(1)];
    push(&mailbox, &calls[0]).unwrap();
    pull(&mailbox, &Arc::default(), 1);
    assert!(mailbox.close(stopped()).is_empty());
    let refused = mailbox.give_back(&calls).map_err(|fault| fault.code);
    assert_eq!(refused, Err(FaultCode::AgentStopped));
}

#[test]
fn closing_returns_what_waited_and_refuses_what_comes() {
    let mailbox = mailbox(8, WhenFull::Reject);
    push(&mailbox, &call(1)).unwrap();
    assert_eq!(mailbox.close(stopped()).len(), 1);
    assert_eq!(push(&mailbox, &call(2)), Err(FaultCode::AgentStopped));
    mailbox.open();
    assert_eq!(push(&mailbox, &call(3)), Ok(()));
}

#[test]
fn a_held_mailbox_is_opened_by_no_incarnation() {
    let mailbox = mailbox(8, WhenFull::Reject);
    mailbox.hold(stopped());
    mailbox.open();
    assert_eq!(push(&mailbox, &call(1)), Err(FaultCode::AgentStopped));
    mailbox.close(stopped());
    assert!(mailbox.is_held(), "closing is no release");
    mailbox.release();
    assert_eq!(push(&mailbox, &call(2)), Err(FaultCode::AgentStopped));
    mailbox.open();
    assert_eq!(push(&mailbox, &call(3)), Ok(()));
}

#[test]
fn a_caller_who_waits_for_a_place_is_overtaken_by_none() {
    let (mailbox, port) = (mailbox(1, WhenFull::Wait), Arc::default());
    let calls: Vec<_> = (1..=5).map(call).collect();
    for call in &calls {
        assert_eq!(push(&mailbox, call), Ok(()));
    }
    assert_eq!(mailbox.len(), 5, "those without a place are told, too");
    // A place becomes free, and somebody comes in that moment.
    assert_eq!(pull(&mailbox, &port, 1), [1]);
    push(&mailbox, &call(6)).unwrap();
    // One leaves, one comes back from a process that died, and one had ended unnoticed.
    end(&calls[2]);
    mailbox.forget(&calls[2]);
    mailbox.give_back(&calls[..1]).unwrap();
    end(&calls[3]);
    assert_eq!(pull(&mailbox, &port, 9), [1, 2, 5, 6]);
}

#[test]
fn so_many_callers_wait_for_a_place_and_the_next_is_refused() {
    let (mailbox, port) = (mailbox(2, WhenFull::Wait), Arc::default());
    let places = 2 + CALLERS_WAITING_MAX as u64;
    for id in 1..=places {
        assert_eq!(push(&mailbox, &call(id)), Ok(()), "call {id}");
    }
    let refused = mailbox.push(&call(0)).unwrap_err();
    assert_eq!(refused.code, FaultCode::Overloaded);
    assert!(refused.message.contains("(1026 calls wait)"), "{refused:?}");
    assert_eq!(pull(&mailbox, &port, 1), [1]);
    assert_eq!(push(&mailbox, &call(0)), Ok(()));
}

#[test]
fn callers_who_wait_for_a_place_are_among_those_that_a_close_ends() {
    let mailbox = mailbox(1, WhenFull::Wait);
    for id in 1..=3 {
        push(&mailbox, &call(id)).unwrap();
    }
    assert_eq!(mailbox.close(stopped()).len(), 3);
}

#[test]
fn a_call_that_ended_before_it_came_takes_no_place() {
    let mailbox = mailbox(1, WhenFull::Wait);
    let late = call(1);
    end(&late);
    assert_eq!(push(&mailbox, &late), Ok(()));
    assert_eq!(mailbox.len(), 0);
}

/// A replica that sleeps, and whether it was woken.
fn sleep(mailbox: &Mailbox, replica: usize) -> Arc<AtomicBool> {
    let woken = Arc::new(AtomicBool::new(false));
    let wake = Arc::clone(&woken);
    mailbox.sleep(Sleeper::new(replica, move || {
        wake.store(true, Ordering::Relaxed);
    }));
    woken
}

fn is_woken(sleeper: &AtomicBool) -> bool {
    sleeper.load(Ordering::Relaxed)
}

fn hibernating() -> Mailbox {
    sharing(8, WhenFull::Reject, true)
}

#[test]
fn a_call_that_comes_before_the_link_retires_keeps_it() {
    let (mailbox, port) = (hibernating(), Arc::default());
    pull(&mailbox, &port, 2);
    let later = Instant::now();
    assert_eq!(push(&mailbox, &call(1)), Ok(()));
    assert!(mailbox.retire(&port, later).is_err(), "a call waits");
    assert_eq!(pull(&mailbox, &port, 2), [1]);
    assert!(mailbox.retire(&port, later).is_err(), "a call runs");
    pull(&mailbox, &port, 2);
    let used = mailbox.retire(&port, later).expect_err("it was used since");
    assert!(used > later);
    assert_eq!(mailbox.retire(&port, used), Ok(()));
}

#[test]
fn a_call_that_comes_after_the_link_retired_wakes_the_replica_when_it_sleeps() {
    let (mailbox, port) = (hibernating(), Arc::default());
    pull(&mailbox, &port, 2);
    assert_eq!(mailbox.retire(&port, Instant::now()), Ok(()));
    assert_eq!(push(&mailbox, &call(1)), Ok(()));
    assert!(!port.has_work(), "a link that has retired");
    assert_eq!(pull(&mailbox, &port, 2), [0; 0]);
    let sleeper = sleep(&mailbox, 0);
    assert!(is_woken(&sleeper), "a call waits already");
    let next = Arc::default();
    mailbox.is_awake(0);
    assert_eq!(pull(&mailbox, &next, 2), [1]);
}

#[test]
fn as_many_sleepers_are_woken_as_the_calls_need() {
    let mailbox = hibernating();
    let sleepers: Vec<_> = (0..3).map(|replica| sleep(&mailbox, replica)).collect();
    let woken = || sleepers.iter().filter(|it| is_woken(it)).count();
    for (id, expected) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)] {
        assert_eq!(push(&mailbox, &call(id)), Ok(()));
        assert_eq!(woken(), expected, "after call {id}");
    }
}

#[test]
fn a_sleeper_is_left_alone_while_a_link_has_free_slots() {
    let (mailbox, port) = (hibernating(), Arc::default());
    pull(&mailbox, &port, 2);
    let sleeper = sleep(&mailbox, 1);
    assert_eq!(push(&mailbox, &call(1)), Ok(()));
    assert_eq!(pull(&mailbox, &port, 2), [1]);
    assert!(!is_woken(&sleeper));
    assert_eq!(push(&mailbox, &call(2)), Ok(()));
    assert!(!is_woken(&sleeper), "one slot is free");
    assert_eq!(push(&mailbox, &call(3)), Ok(()));
    assert!(is_woken(&sleeper));
}

#[test]
fn another_sleeper_is_woken_where_the_first_does_not_come() {
    let mailbox = hibernating();
    let (one, two) = (sleep(&mailbox, 0), sleep(&mailbox, 1));
    assert_eq!(push(&mailbox, &call(1)), Ok(()));
    assert_eq!((is_woken(&one), is_woken(&two)), (false, true));
    // It has crashed, and its next life is for its supervisor to begin.
    mailbox.is_awake(1);
    assert!(is_woken(&one));
}

#[test]
fn where_idle_replicas_sleep_calls_go_to_the_one_that_was_used_last() {
    let mailbox = hibernating();
    let (one, two) = (Arc::default(), Arc::default());
    pull(&mailbox, &one, 2);
    pull(&mailbox, &two, 2);
    let rung = |port: &Arc<LinkPort>| port.has_work();
    for id in 1..4 {
        assert_eq!(push(&mailbox, &call(id)), Ok(()));
        assert_eq!((rung(&one), rung(&two)), (false, true), "call {id}");
        assert_eq!(pull(&mailbox, &two, 2), [id]);
        pull(&mailbox, &two, 2);
    }
}

fn pull_beside(mailbox: &Mailbox, port: &Arc<LinkPort>, empty: bool, alone: &[u64]) -> Vec<u64> {
    let mut taken = Vec::new();
    let room = Room { slots: 4, empty };
    let runs_alone = |call: &Call| alone.contains(&call.id.0);
    mailbox.pull(port, room, runs_alone, &mut taken);
    taken.iter().map(|call| call.id.0).collect()
}

#[test]
fn a_call_that_runs_alone_is_taken_alone_and_overtaken_by_none() {
    let (mailbox, port) = (mailbox(8, WhenFull::Reject), Arc::default());
    for id in 1..=5 {
        assert_eq!(push(&mailbox, &call(id)), Ok(()));
    }
    let alone = [2, 3];
    assert_eq!(pull_beside(&mailbox, &port, true, &alone), [1]);
    assert_eq!(pull_beside(&mailbox, &port, false, &alone), [0; 0]);
    assert_eq!(pull_beside(&mailbox, &port, true, &alone), [2]);
    assert_eq!(pull_beside(&mailbox, &port, true, &alone), [3]);
    assert_eq!(pull_beside(&mailbox, &port, false, &alone), [4, 5]);
}

#[test]
fn who_has_no_room_for_one_alone_is_rung_when_that_has_gone() {
    for how in ["left", "taken"] {
        let mailbox = mailbox(8, WhenFull::Reject);
        let (busy, idle) = (Arc::default(), Arc::default());
        let first = call(1);
        for call in [&first, &call(2)] {
            assert_eq!(push(&mailbox, call), Ok(()));
        }
        assert_eq!(pull_beside(&mailbox, &busy, false, &[1]), [0; 0]);
        assert!(!busy.has_work(), "{how}: it would look for ever");
        match how {
            "left" => {
                end(&first);
                mailbox.forget(&first);
            }
            _ => assert_eq!(pull_beside(&mailbox, &idle, true, &[1]), [1]),
        }
        assert!(busy.has_work(), "{how}");
        assert_eq!(pull_beside(&mailbox, &busy, false, &[1]), [2], "{how}");
    }
}
