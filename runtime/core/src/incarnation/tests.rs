use super::*;

const START: Millis = Millis(60_000);

fn ready() -> Incarnation {
    let (mut machine, _) = Incarnation::new(Time(0), START);
    machine.handle(Time(1), Event::Spawned);
    let actions = machine.handle(Time(2), Event::BecameReady);
    assert_eq!(actions, [Action::ReportReady]);
    machine
}

fn exit(machine: &mut Incarnation, status: Status) -> ExitReason {
    match machine
        .handle(Time(9_999), Event::Exited(status))
        .as_slice()
    {
        [Action::ReportExit(reason)] => reason.clone(),
        other => panic!("expected one ReportExit, got {other:?}"),
    }
}

#[test]
fn exit_code_and_signal_are_the_reason_where_nothing_else_was() {
    assert_eq!(exit(&mut ready(), Status::Code(0)), ExitReason::Normal);
    assert_eq!(exit(&mut ready(), Status::Code(3)), ExitReason::Exited(3));
    assert_eq!(
        exit(&mut ready(), Status::Signal(9)),
        ExitReason::Signalled(9)
    );
}

#[test]
fn an_exit_before_ready_is_a_failed_start() {
    let (mut machine, _) = Incarnation::new(Time(0), START);
    machine.handle(Time(1), Event::Spawned);
    let reason = exit(&mut machine, Status::Code(0));
    assert!(matches!(reason, ExitReason::StartFailed(_)), "{reason:?}");
}

#[test]
fn the_programs_own_words_outrank_its_exit_code() {
    let (mut machine, _) = Incarnation::new(Time(0), START);
    machine.handle(Time(1), Event::Spawned);
    let actions = machine.handle(Time(2), Event::StartFault("no module".into()));
    assert_eq!(actions, [Action::SetTimer(Time(2) + ENDING_GRACE)]);
    assert_eq!(
        exit(&mut machine, Status::Code(1)),
        ExitReason::StartFailed("no module".into())
    );
}

#[test]
fn a_start_that_takes_too_long_is_killed_and_failed() {
    let (mut machine, actions) = Incarnation::new(Time(5), START);
    assert_eq!(actions, [Action::SetTimer(Time(60_005))]);
    machine.handle(Time(6), Event::Spawned);
    assert_eq!(machine.handle(Time(60_005), Event::Timer), [Action::Kill]);
    assert!(matches!(
        exit(&mut machine, Status::Signal(9)),
        ExitReason::StartFailed(_)
    ));
}

#[test]
fn stop_climbs_its_ladder_within_the_shutdown_time() {
    let mut machine = ready();
    let rule = Shutdown::Timeout(Millis(1000));
    let actions = machine.handle(Time(100), Event::Stop(rule));
    let within = Some(Millis(1000));
    assert_eq!(
        actions,
        [Action::SendStop { within }, Action::SetTimer(Time(900))]
    );
    let actions = machine.handle(Time(900), Event::Timer);
    assert_eq!(actions, [Action::CancelRuns, Action::SetTimer(Time(1000))]);
    assert_eq!(
        machine.handle(Time(1000), Event::Timer),
        [Action::Terminate]
    );
    assert_eq!(machine.handle(Time(1100), Event::Kill), [Action::Kill]);
    assert_eq!(exit(&mut machine, Status::Signal(9)), ExitReason::Killed);
}

#[test]
fn an_obeyed_stop_is_a_shutdown_whatever_the_code() {
    let mut machine = ready();
    machine.handle(Time(100), Event::Stop(Shutdown::Timeout(Millis(1000))));
    assert_eq!(
        exit(&mut machine, Status::Code(0)),
        ExitReason::Shutdown(None)
    );
    let mut machine = ready();
    machine.handle(Time(100), Event::Stop(Shutdown::Infinity));
    assert_eq!(
        exit(&mut machine, Status::Signal(15)),
        ExitReason::Shutdown(None)
    );
}

#[test]
fn brutal_kill_asks_nothing() {
    let mut machine = ready();
    assert_eq!(
        machine.handle(Time(3), Event::Stop(Shutdown::BrutalKill)),
        [Action::Kill]
    );
    assert_eq!(exit(&mut machine, Status::Signal(9)), ExitReason::Killed);
}

#[test]
fn a_stop_while_the_process_is_being_made_kills_it_when_it_is() {
    let (mut machine, _) = Incarnation::new(Time(0), START);
    machine.handle(Time(1), Event::Stop(Shutdown::Timeout(Millis(1000))));
    assert_eq!(machine.handle(Time(2), Event::Spawned), [Action::Kill]);
    assert_eq!(
        exit(&mut machine, Status::Signal(9)),
        ExitReason::Shutdown(None)
    );
}

#[test]
fn a_kill_while_the_process_is_being_made_waits_for_it() {
    let (mut machine, _) = Incarnation::new(Time(0), START);
    assert!(
        machine
            .handle(Time(1), Event::Stop(Shutdown::BrutalKill))
            .is_empty()
    );
    assert_eq!(machine.handle(Time(2), Event::Spawned), [Action::Kill]);
    assert_eq!(exit(&mut machine, Status::Signal(9)), ExitReason::Killed);
}

#[test]
fn the_first_cause_is_the_reason() {
    let mut machine = ready();
    machine.handle(Time(3), Event::Violation("malformed".into()));
    machine.handle(Time(4), Event::Unresponsive("late".into()));
    machine.handle(Time(5), Event::Kill);
    let reason = exit(&mut machine, Status::Signal(9));
    assert_eq!(reason, ExitReason::ProtocolViolation("malformed".into()));
}

#[test]
fn a_failed_spawn_ends_it_at_once() {
    let (mut machine, _) = Incarnation::new(Time(0), START);
    let actions = machine.handle(Time(1), Event::SpawnFailed("no such file".into()));
    let reason = ExitReason::StartFailed("no such file".into());
    assert_eq!(actions, [Action::ReportExit(reason)]);
    assert_eq!(machine.phase(), Phase::Ended);
    assert!(machine.handle(Time(2), Event::Kill).is_empty());
}

#[test]
fn nothing_is_ready_twice_or_after_a_stop() {
    let mut machine = ready();
    assert!(machine.handle(Time(3), Event::BecameReady).is_empty());
    let (mut machine, _) = Incarnation::new(Time(0), START);
    machine.handle(Time(1), Event::Spawned);
    let actions = machine.handle(Time(2), Event::Stop(Shutdown::Timeout(Millis(100))));
    assert!(
        actions.contains(&Action::Terminate),
        "an import hears no frame: {actions:?}"
    );
    assert!(machine.handle(Time(3), Event::BecameReady).is_empty());
}

#[test]
fn a_closed_pipe_takes_no_more_calls_and_waits_for_the_status() {
    let mut machine = ready();
    assert_eq!(
        machine.handle(Time(3), Event::Closed),
        [Action::SetTimer(Time(2003))]
    );
    assert_eq!(machine.phase(), Phase::Ending);
    assert_eq!(exit(&mut machine, Status::Code(7)), ExitReason::Exited(7));
}

#[test]
fn a_process_that_lives_on_without_its_pipe_is_killed() {
    let mut machine = ready();
    machine.handle(Time(3), Event::Closed);
    assert_eq!(machine.handle(Time(2003), Event::Timer), [Action::Kill]);
    assert!(matches!(
        exit(&mut machine, Status::Signal(9)),
        ExitReason::Unresponsive(_)
    ));
}

#[test]
fn a_limit_that_is_exceeded_is_the_reason_and_not_the_signal_that_kept_it() {
    let mut machine = ready();
    let exceeded = || Event::LimitExceeded("processes 4 (5 seen)".into());
    assert_eq!(machine.handle(Time(3), exceeded()), [Action::Kill]);
    assert!(matches!(
        exit(&mut machine, Status::Signal(9)),
        ExitReason::LimitExceeded(_)
    ));
    // One that is told to stop meanwhile was told to stop.
    let mut machine = ready();
    machine.handle(Time(3), Event::Stop(Shutdown::Infinity));
    assert_eq!(machine.handle(Time(4), exceeded()), [Action::Kill]);
    assert_eq!(
        exit(&mut machine, Status::Signal(9)),
        ExitReason::Shutdown(None)
    );
}

#[test]
fn a_process_that_the_kernel_ended_for_lack_of_memory_is_told_from_one_that_was_killed() {
    assert_eq!(
        exit(&mut ready(), Status::OutOfMemory),
        ExitReason::OutOfMemory
    );
    let mut machine = ready();
    machine.handle(Time(3), Event::Kill);
    assert_eq!(exit(&mut machine, Status::OutOfMemory), ExitReason::Killed);
}
