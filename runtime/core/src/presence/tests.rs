use proptest::prelude::*;

use super::*;
use crate::incarnation::Status;

const AFTER: Millis = Millis(10_000);
const RULES: Rules = Rules {
    start: Start::Eager,
    start_timeout: Millis(60_000),
    hibernate_after: Some(AFTER),
    shutdown: Shutdown::Timeout(Millis(1_000)),
};
const STOP: incarnation::Event = incarnation::Event::Stop(Shutdown::Timeout(Millis(1_000)));
const TOLD: ExitReason = ExitReason::Shutdown(None);

/// Feeds one event at a time.
fn feed(machine: &mut Presence, now: u64, event: impl Into<Event>) -> Vec<Action> {
    machine.handle(Time(now), event.into())
}

/// Its first process is ready since 2.
fn ready() -> Presence {
    let (mut machine, actions) = Presence::new(Time(0), RULES, false);
    let timer = incarnation::Action::SetTimer(Time(60_000));
    assert_eq!(actions, [Action::Spawn, Action::Process(timer)]);
    assert!(!machine.is_started());
    feed(&mut machine, 1, incarnation::Event::Spawned);
    let ready = Action::Process(incarnation::Action::ReportReady);
    let watch = Action::WatchUntil(Time(10_002));
    assert_eq!(
        feed(&mut machine, 2, incarnation::Event::BecameReady),
        [ready, Action::ReportStarted, watch]
    );
    machine
}

/// It has asked its idle process to end.
fn leaving() -> Presence {
    let mut machine = ready();
    let idle_since = Time(2);
    assert_eq!(
        feed(&mut machine, 10_002, Event::WatchOver),
        [Action::Retire { idle_since }]
    );
    let within = Some(Millis(1_000));
    let stop = incarnation::Action::SendStop { within };
    let timer = incarnation::Action::SetTimer(Time(10_802));
    let watch = Action::WatchUntil(Time(11_002));
    assert_eq!(
        feed(&mut machine, 10_002, Event::Retired),
        [Action::Process(stop), Action::Process(timer), watch]
    );
    machine
}

fn exited(code: i32) -> incarnation::Event {
    incarnation::Event::Exited(Status::Code(code))
}

fn hibernated() -> Presence {
    let mut machine = leaving();
    assert_eq!(
        feed(&mut machine, 10_010, exited(0)),
        [Action::WrapUp(TOLD)]
    );
    assert_eq!(
        feed(&mut machine, 10_011, Event::WrappedUp),
        [Action::Hibernate]
    );
    machine
}

#[test]
fn an_idle_process_is_given_back_and_the_next_call_gets_a_new_one() {
    let mut machine = hibernated();
    assert!(machine.incarnation().is_none());
    let timer = incarnation::Action::SetTimer(Time(80_000));
    assert_eq!(
        feed(&mut machine, 20_000, Event::Wanted),
        [Action::Spawn, Action::Process(timer)]
    );
    feed(&mut machine, 20_001, incarnation::Event::Spawned);
    let ready = Action::Process(incarnation::Action::ReportReady);
    // Its supervisor knows already that it is up.
    assert_eq!(
        feed(&mut machine, 20_002, incarnation::Event::BecameReady),
        [ready, Action::WatchUntil(Time(30_002))]
    );
}

#[test]
fn one_that_was_used_meanwhile_is_watched_on_from_its_last_use() {
    let mut machine = ready();
    feed(&mut machine, 10_002, Event::WatchOver);
    assert_eq!(
        feed(&mut machine, 10_002, Event::Used(Time(7_000))),
        [Action::WatchUntil(Time(17_000))]
    );
}

#[test]
fn without_hibernate_after_nobody_watches() {
    let rules = Rules {
        hibernate_after: None,
        ..RULES
    };
    let (mut machine, _) = Presence::new(Time(0), rules, false);
    feed(&mut machine, 1, incarnation::Event::Spawned);
    let actions = feed(&mut machine, 2, incarnation::Event::BecameReady);
    let ready = Action::Process(incarnation::Action::ReportReady);
    assert_eq!(actions, [ready, Action::ReportStarted]);
}

#[test]
fn on_demand_begins_without_a_process_and_so_does_one_that_was_hibernated() {
    let rules = Rules {
        start: Start::OnDemand,
        ..RULES
    };
    for (rules, was_hibernated) in [(rules, false), (RULES, true)] {
        let (machine, actions) = Presence::new(Time(0), rules, was_hibernated);
        assert_eq!(actions, [Action::Hibernate, Action::ReportStarted]);
        assert!(machine.is_started());
    }
}

#[test]
fn a_crash_at_the_wake_up_ends_the_child_as_any_crash_does() {
    let mut machine = hibernated();
    feed(&mut machine, 20_000, Event::Wanted);
    feed(&mut machine, 20_001, incarnation::Event::Spawned);
    let actions = feed(&mut machine, 20_002, exited(1));
    let [Action::WrapUp(reason @ ExitReason::StartFailed(_))] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(
        feed(&mut machine, 20_003, Event::WrappedUp),
        [Action::ReportEnd(reason.clone())]
    );
    assert!(machine.is_started(), "a crash, and no failed start");
}

#[test]
fn a_hibernated_child_ends_at_once() {
    let brutal = incarnation::Event::Stop(Shutdown::BrutalKill);
    for (event, reason) in [
        (STOP, TOLD),
        (brutal, ExitReason::Killed),
        (incarnation::Event::Kill, ExitReason::Killed),
    ] {
        assert_eq!(
            feed(&mut hibernated(), 20_000, event),
            [Action::ReportEnd(reason)]
        );
    }
}

#[test]
fn a_stop_while_the_process_leaves_asks_it_no_second_time_and_ends_the_child() {
    let mut machine = leaving();
    let timer = incarnation::Action::SetTimer(Time(10_805));
    assert_eq!(
        feed(&mut machine, 10_005, STOP),
        [Action::Process(timer)],
        "the ladder begins anew"
    );
    assert_eq!(feed(&mut machine, 11_002, Event::WatchOver), []);
    assert_eq!(
        feed(&mut machine, 11_003, exited(0)),
        [Action::WrapUp(TOLD)]
    );
    assert_eq!(
        feed(&mut machine, 11_004, Event::WrappedUp),
        [Action::ReportEnd(TOLD)]
    );
}

#[test]
fn a_stop_while_the_last_words_are_read_is_obeyed() {
    let mut machine = leaving();
    feed(&mut machine, 10_005, exited(0));
    assert_eq!(feed(&mut machine, 10_006, STOP), []);
    assert_eq!(
        feed(&mut machine, 10_007, Event::WrappedUp),
        [Action::ReportEnd(TOLD)]
    );
}

#[test]
fn a_process_that_does_not_leave_is_killed_and_its_agent_sleeps_all_the_same() {
    let mut machine = leaving();
    let kill = Action::Process(incarnation::Action::Kill);
    assert_eq!(feed(&mut machine, 11_002, Event::WatchOver), [kill]);
    let signal = incarnation::Event::Exited(Status::Signal(9));
    assert_eq!(
        feed(&mut machine, 11_003, signal),
        [Action::WrapUp(ExitReason::Killed)]
    );
    assert_eq!(
        feed(&mut machine, 11_004, Event::WrappedUp),
        [Action::Hibernate]
    );
}

#[test]
fn without_an_end_of_its_shutdown_a_process_leaves_within_a_limit() {
    for shutdown in [
        Shutdown::Infinity,
        Shutdown::Timeout(Millis::from_secs(600)),
    ] {
        let rules = Rules { shutdown, ..RULES };
        let (mut machine, _) = Presence::new(Time(0), rules, false);
        feed(&mut machine, 1, incarnation::Event::Spawned);
        feed(&mut machine, 2, incarnation::Event::BecameReady);
        feed(&mut machine, 10_002, Event::WatchOver);
        let actions = feed(&mut machine, 10_002, Event::Retired);
        let until = Time(10_002) + LEAVE_WITHIN_MAX;
        assert_eq!(actions.last(), Some(&Action::WatchUntil(until)));
    }
}

#[test]
fn a_process_that_dies_while_it_is_idle_has_crashed() {
    let mut machine = ready();
    let signal = incarnation::Event::Exited(Status::Signal(9));
    let reason = ExitReason::Signalled(9);
    assert_eq!(
        feed(&mut machine, 5_000, signal),
        [Action::WrapUp(reason.clone())]
    );
    assert_eq!(
        feed(&mut machine, 5_001, Event::WrappedUp),
        [Action::ReportEnd(reason)]
    );
}

fn any_event() -> impl Strategy<Value = Event> {
    use incarnation::Event as E;
    prop_oneof![
        Just(E::Spawned.into()),
        Just(E::SpawnFailed("no".into()).into()),
        Just(E::BecameReady.into()),
        Just(E::StartFault("no".into()).into()),
        Just(E::Violation("torn".into()).into()),
        Just(E::Closed.into()),
        Just(E::Unresponsive("late".into()).into()),
        Just(STOP.into()),
        Just(E::Stop(Shutdown::BrutalKill).into()),
        Just(E::Stop(Shutdown::Infinity).into()),
        Just(E::Kill.into()),
        Just(E::Timer.into()),
        Just(exited(0).into()),
        Just(exited(1).into()),
        Just(Event::Wanted),
        Just(Event::WatchOver),
        Just(Event::Retired),
        Just(Event::Used(Time(3))),
        Just(Event::WrappedUp),
    ]
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let start = prop_oneof![Just(Start::Eager), Just(Start::OnDemand)];
    let after = prop_oneof![Just(None), Just(Some(AFTER))];
    let shutdown = prop_oneof![
        Just(Shutdown::BrutalKill),
        Just(RULES.shutdown),
        Just(Shutdown::Infinity)
    ];
    (start, after, shutdown).prop_map(|(start, hibernate_after, shutdown)| Rules {
        start,
        hibernate_after,
        shutdown,
        ..RULES
    })
}

proptest! {
    /// Whatever comes, in whatever order: one process at a time, each wrapped up before the next;
    /// the child is told to be up at most once, and has one end, after which nothing happens.
    #[test]
    fn every_event_in_every_phase_keeps_the_promises(
        rules in any_rules(),
        was_hibernated in any::<bool>(),
        events in proptest::collection::vec(any_event(), 0..60),
    ) {
        let (mut machine, first) = Presence::new(Time(0), rules, was_hibernated);
        let (mut process, mut started, mut over) = (false, 0, false);
        let mut steps = vec![first];
        for (now, event) in (1..).zip(events) {
            steps.push(machine.handle(Time(now), event));
            for action in steps.drain(..).flatten() {
                prop_assert!(!over, "{action:?} after the end");
                match action {
                    Action::Spawn => {
                        prop_assert!(!process, "a second process");
                        process = true;
                    }
                    Action::WrapUp(_) => {
                        prop_assert!(process, "no process to wrap up");
                        process = false;
                    }
                    Action::Hibernate => prop_assert!(!process, "asleep with a process"),
                    Action::ReportEnd(_) => {
                        prop_assert!(!process, "an end with a process");
                        over = true;
                    }
                    Action::ReportStarted => started += 1,
                    Action::Process(incarnation::Action::ReportExit(_)) => {
                        prop_assert!(false, "an exit that is not wrapped up");
                    }
                    Action::Process(_) | Action::WatchUntil(_) | Action::Retire { .. } => {}
                }
            }
        }
        prop_assert!(started <= 1);
    }
}
