//! The administration API with OTP's error set.

use synapse_core::exit::ExitReason;
use synapse_core::spec::{Restart, Strategy};
use synapse_core::supervisor::{
    ChildInfo, ChildKind, ChildSpec, ChildState, Event, Reply, Request, RequestError, SpecError,
    StartError,
};

use crate::bench::{Bench, crash, error, flags, start_failed, with, worker, workers};

fn up(ids: &str) -> Bench {
    Bench::up(flags(Strategy::OneForOne, 3, 5000), workers(ids))
}

fn up_empty() -> Bench {
    Bench::up(flags(Strategy::OneForOne, 3, 5000), Vec::new())
}

#[test]
fn child_adm() {
    let mut bench = up("a");
    let a = || "a".into();
    let start = || Request::StartChild(worker("a"));
    let nobody = || error(RequestError::NotFound);
    assert_eq!(
        (bench.which(), bench.counts()),
        ("a:up".into(), [1, 1, 0, 1])
    );
    assert_eq!(bench.ask(start()), error(RequestError::AlreadyStarted));
    // Termination.
    assert_eq!(bench.ask(Request::TerminateChild("x".into())), nobody());
    assert_eq!(bench.ask(Request::TerminateChild(a())), Some(Reply::Ok));
    assert_eq!(bench.trace(), "-a1");
    assert_eq!(
        (bench.which(), bench.counts()),
        ("a:down".into(), [1, 0, 0, 1])
    );
    assert_eq!(
        bench.ask(Request::TerminateChild(a())),
        Some(Reply::Ok),
        "again"
    );
    assert_eq!(bench.ask(start()), error(RequestError::AlreadyPresent));
    // Restart.
    assert_eq!(bench.ask(Request::RestartChild(a())), Some(Reply::Ok));
    assert_eq!(
        (bench.which(), bench.counts()),
        ("a:up".into(), [1, 1, 0, 1])
    );
    let running = || error(RequestError::Running);
    assert_eq!(bench.ask(Request::RestartChild(a())), running());
    assert_eq!(bench.ask(Request::RestartChild("x".into())), nobody());
    // Deletion.
    assert_eq!(bench.ask(Request::DeleteChild(a())), running());
    assert_eq!(bench.ask(Request::DeleteChild("x".into())), nobody());
    assert_eq!(bench.ask(Request::TerminateChild(a())), Some(Reply::Ok));
    assert_eq!(bench.ask(Request::DeleteChild(a())), Some(Reply::Ok));
    assert_eq!(bench.ask(Request::RestartChild(a())), nobody());
    assert_eq!(
        (bench.which(), bench.counts()),
        (String::new(), [0, 0, 0, 0])
    );
    // Start.
    bench.trace();
    assert_eq!(bench.ask(start()), Some(Reply::Ok));
    assert_eq!(bench.trace(), "+a1");
    assert_eq!(
        (bench.which(), bench.counts()),
        ("a:up".into(), [1, 1, 0, 1])
    );
}

#[test]
fn which_children() {
    let mut bench = up_empty();
    let which_child = |bench: &mut Bench, id: &str| match bench.ask(Request::WhichChild(id.into()))
    {
        Some(Reply::Child(ChildInfo { id, state, .. })) => Some((id.to_string(), state)),
        other => {
            assert_eq!(other, error(RequestError::NotFound));
            None
        }
    };
    let line = |id: &str, state| Some((id.to_owned(), state));
    assert_eq!(
        (bench.which(), which_child(&mut bench, "x")),
        (String::new(), None)
    );
    bench.ask(Request::StartChild(worker("a")));
    assert_eq!(bench.which(), "a:up");
    assert_eq!(which_child(&mut bench, "a"), line("a", ChildState::Up));
    bench.ask(Request::StartChild(worker("b")));
    assert_eq!(bench.which(), "b:up a:up", "the newest first");
    bench.ask(Request::TerminateChild("a".into()));
    assert_eq!(bench.which(), "b:up a:down");
    assert_eq!(which_child(&mut bench, "a"), line("a", ChildState::Down));
    assert_eq!(which_child(&mut bench, "b"), line("b", ChildState::Up));
    bench.ask(Request::DeleteChild("a".into()));
    assert_eq!(bench.which(), "b:up");
    assert_eq!(which_child(&mut bench, "a"), None);
    assert_eq!(which_child(&mut bench, "b"), line("b", ChildState::Up));
}

#[test]
fn a_line_tells_the_kind_and_the_incarnation() {
    let mut bench = up("a");
    bench.ask(Request::StartChild(ChildSpec::supervisor("s")));
    bench.exit("a", crash());
    let line = |bench: &mut Bench, id: &str| match bench.ask(Request::WhichChild(id.into())) {
        Some(Reply::Child(child)) => (child.kind, child.incarnation),
        other => panic!("{other:?}"),
    };
    assert_eq!(line(&mut bench, "a"), (ChildKind::Worker, 2));
    assert_eq!(line(&mut bench, "s"), (ChildKind::Supervisor, 1));
    assert_eq!(bench.counts(), [2, 2, 1, 1]);
}

#[test]
fn get_childspec_gives_the_spec_back() {
    let mut bench = up("a");
    let spec = Box::new(worker("a"));
    assert_eq!(
        bench.ask(Request::GetChildspec("a".into())),
        Some(Reply::Spec(spec))
    );
    assert_eq!(
        bench.ask(Request::GetChildspec("x".into())),
        error(RequestError::NotFound)
    );
}

#[test]
fn sup_start_child_returns_error() {
    let mut bench = up_empty();
    bench.fail("a", 1);
    assert_eq!(
        bench.ask(Request::StartChild(worker("a"))),
        start_failed("boom")
    );
    assert_eq!(bench.trace(), "+a1 forget(a)");
    // It dies before it says anything: OTP's answer that is neither ok nor an error.
    bench.hang("b");
    let token = bench.begin(Request::StartChild(worker("b")));
    bench.exit("b", crash());
    assert_eq!(bench.replies.get(&token), start_failed("crash").as_ref());
    assert_eq!(bench.which(), "");
    assert_eq!(bench.ask(Request::StartChild(worker("a"))), Some(Reply::Ok));
}

#[test]
fn sup_start_restart_child_returns_error() {
    let mut bench = up("a");
    assert_eq!(
        bench.ask(Request::TerminateChild("a".into())),
        Some(Reply::Ok)
    );
    bench.fail("a", 1);
    let restart = || Request::RestartChild("a".into());
    assert_eq!(bench.ask(restart()), start_failed("boom"));
    assert_eq!(bench.which(), "a:down", "the spec is kept");
    assert_eq!(bench.ask(restart()), Some(Reply::Ok));
}

#[test]
fn requests_never_count() {
    let mut bench = Bench::up(flags(Strategy::OneForOne, 0, 5000), workers("a"));
    for _ in 0..5 {
        bench.ask(Request::TerminateChild("a".into()));
        bench.fail("a", 1);
        bench.ask(Request::RestartChild("a".into()));
        bench.ask(Request::RestartChild("a".into()));
    }
    assert!(!bench.trace().contains("exit"));
}

#[test]
fn sup_start_ignore_temporary_child_start_child() {
    let mut bench = up_empty();
    bench.ignore("a");
    let start = |id| Request::StartChild(with(id, Restart::Temporary));
    assert_eq!(bench.ask(start("a")), Some(Reply::Ignored));
    assert_eq!(bench.ask(start("b")), Some(Reply::Ok));
    assert_eq!(
        (bench.which(), bench.counts()),
        ("b:up".into(), [1, 1, 0, 1])
    );
}

#[test]
fn already_started_outside_supervisor() {
    // The child finds its name taken; what it says of that reaches the caller as it is.
    let mut bench = up_empty();
    bench.hang("a");
    let spec = with("a", Restart::Transient);
    let token = bench.begin(Request::StartChild(spec));
    let taken = ExitReason::Error("already_started: 4711".to_owned());
    let incarnation = bench.live.remove("a").unwrap();
    bench.send(Event::ChildStartFailed {
        child: "a".into(),
        incarnation,
        error: StartError::new(taken),
    });
    let reply = bench.replies.get(&token);
    assert_eq!(reply, start_failed("already_started: 4711").as_ref());
    assert_eq!(bench.which(), "");
    bench.trace();
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "exit(shutdown, Told)");
}

#[test]
fn a_spec_that_cannot_be_is_refused_and_the_supervisor_lives() {
    let mut bench = up("a");
    let spec = ChildSpec {
        significant: true,
        ..worker("b")
    };
    let invalid = RequestError::InvalidSpec(SpecError::BadSignificant("b".into()));
    assert_eq!(bench.ask(Request::StartChild(spec)), error(invalid));
}

#[test]
fn a_new_child_stands_behind_the_others() {
    let mut bench = Bench::up(flags(Strategy::RestForOne, 3, 5000), workers("a b"));
    bench.ask(Request::StartChild(worker("c")));
    bench.trace();
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "-c1 +b2 +c2");
}

#[test]
fn a_request_that_waits_does_not_keep_others_waiting() {
    let mut bench = up("a");
    bench.hang("b");
    assert_eq!(bench.ask(Request::StartChild(worker("b"))), None);
    assert_eq!(bench.counts(), [2, 2, 0, 2]);
    assert_eq!(
        bench.ask(Request::TerminateChild("b".into())),
        Some(Reply::Ok)
    );
    assert_eq!(bench.trace(), "+b1 -b1");
}

#[test]
fn who_waits_for_a_start_hears_that_it_was_stopped() {
    let mut bench = up("a");
    bench.hang("b");
    let token = bench.begin(Request::StartChild(worker("b")));
    bench.send(Event::Stop);
    assert_eq!(
        bench.replies.get(&token),
        error(RequestError::Stopped).as_ref()
    );
    assert_eq!(
        bench.ask(Request::StartChild(worker("c"))),
        error(RequestError::ShuttingDown)
    );
    assert_eq!(bench.ask(Request::CountChildren).map(|_| ()), Some(()));
}

#[test]
fn a_child_terminated_while_its_group_restarts_stays_down() {
    let mut bench = Bench::up(flags(Strategy::OneForAll, 3, 5000), workers("a b c"));
    bench.hang("a");
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "-c1 -b1 +a2");
    assert_eq!(
        bench.ask(Request::TerminateChild("c".into())),
        Some(Reply::Ok)
    );
    bench.send(Event::ChildStarted {
        child: "a".into(),
        incarnation: 2,
    });
    assert_eq!(bench.trace(), "+b2");
    bench.exit("b", crash());
    assert_eq!(
        bench.trace(),
        "-a2 +a3",
        "and the next group restart starts it, as in OTP"
    );
}
