//! The administration API with OTP's error set.

use synapse_core::spec::{Restart, Strategy};
use synapse_core::supervisor::{
    ChildSpec, ChildState, Counts, Event, Reply, Request, RequestError, SpecError, StartError,
};

use crate::bench::{Bench, crash, flags, with, worker, workers};

fn up(ids: &str) -> Bench {
    Bench::up(flags(Strategy::OneForOne, 3, 5000), workers(ids))
}

fn error(error: RequestError) -> Option<Reply> {
    Some(Reply::Error(error))
}

fn states(bench: &mut Bench) -> Vec<(String, ChildState)> {
    let Some(Reply::Children(children)) = bench.ask(Request::WhichChildren) else {
        panic!("no children");
    };
    children
        .into_iter()
        .map(|child| (child.id.to_string(), child.state))
        .collect()
}

#[test]
fn child_adm() {
    let mut bench = up("a");
    let id = || "b".into();
    for request in [
        Request::TerminateChild,
        Request::RestartChild,
        Request::DeleteChild,
    ] {
        assert_eq!(bench.ask(request(id())), error(RequestError::NotFound));
    }
    assert_eq!(bench.ask(Request::StartChild(worker("b"))), Some(Reply::Ok));
    assert_eq!(
        bench.ask(Request::StartChild(worker("b"))),
        error(RequestError::AlreadyStarted)
    );
    assert_eq!(
        bench.ask(Request::DeleteChild(id())),
        error(RequestError::Running)
    );
    assert_eq!(
        bench.ask(Request::RestartChild(id())),
        error(RequestError::Running)
    );
    assert_eq!(bench.ask(Request::TerminateChild(id())), Some(Reply::Ok));
    assert_eq!(
        bench.ask(Request::TerminateChild(id())),
        Some(Reply::Ok),
        "idempotent"
    );
    assert_eq!(
        bench.ask(Request::StartChild(worker("b"))),
        error(RequestError::AlreadyPresent)
    );
    assert_eq!(bench.ask(Request::RestartChild(id())), Some(Reply::Ok));
    assert_eq!(
        bench.ask(Request::RestartChild(id())),
        error(RequestError::Running)
    );
    assert_eq!(bench.ask(Request::TerminateChild(id())), Some(Reply::Ok));
    assert_eq!(bench.ask(Request::DeleteChild(id())), Some(Reply::Ok));
    assert_eq!(
        bench.ask(Request::DeleteChild(id())),
        error(RequestError::NotFound)
    );
    assert_eq!(bench.ask(Request::StartChild(worker("b"))), Some(Reply::Ok));
}

#[test]
fn which_children_lists_the_newest_first() {
    let mut bench = up("a b");
    bench.ask(Request::StartChild(worker("c")));
    bench.ask(Request::TerminateChild("a".into()));
    let down = ("a".to_owned(), ChildState::Down);
    let up = |id: &str| (id.to_owned(), ChildState::Up);
    assert_eq!(states(&mut bench), [up("c"), up("b"), down]);
}

#[test]
fn count_children() {
    let mut bench = up("a b");
    bench.ask(Request::StartChild(ChildSpec::supervisor("s")));
    bench.ask(Request::TerminateChild("a".into()));
    let counts = Counts {
        specs: 3,
        active: 2,
        supervisors: 1,
        workers: 2,
    };
    assert_eq!(
        bench.ask(Request::CountChildren),
        Some(Reply::Counts(counts))
    );
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
fn sup_start_child_returns_error_and_leaves_nothing() {
    let mut bench = up("a");
    bench.fail("b", 1);
    let boom = synapse_core::exit::ExitReason::Error("boom".to_owned());
    let failed = RequestError::StartFailed(StartError::new(boom));
    assert_eq!(bench.ask(Request::StartChild(worker("b"))), error(failed));
    assert_eq!(bench.trace(), "+b1 forget(b)");
    assert_eq!(bench.ask(Request::StartChild(worker("b"))), Some(Reply::Ok));
}

#[test]
fn sup_start_restart_child_returns_error_and_keeps_the_spec() {
    let mut bench = up("a b");
    bench.ask(Request::TerminateChild("b".into()));
    bench.fail("b", 1);
    assert!(matches!(
        bench.ask(Request::RestartChild("b".into())),
        Some(Reply::Error(RequestError::StartFailed(_)))
    ));
    assert_eq!(states(&mut bench)[0], ("b".to_owned(), ChildState::Down));
    assert_eq!(
        bench.ask(Request::RestartChild("b".into())),
        Some(Reply::Ok)
    );
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
    let mut bench = up("a");
    bench.ignore("b");
    bench.ignore("c");
    let temporary = with("b", Restart::Temporary);
    assert_eq!(
        bench.ask(Request::StartChild(temporary)),
        Some(Reply::Ignored)
    );
    assert_eq!(
        bench.ask(Request::StartChild(worker("c"))),
        Some(Reply::Ignored)
    );
    let down = ("c".to_owned(), ChildState::Down);
    assert_eq!(states(&mut bench), [down, ("a".to_owned(), ChildState::Up)]);
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
    let counts = Counts {
        specs: 2,
        active: 2,
        supervisors: 0,
        workers: 2,
    };
    assert_eq!(
        bench.ask(Request::CountChildren),
        Some(Reply::Counts(counts))
    );
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
