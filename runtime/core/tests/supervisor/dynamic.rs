//! OTP's simple_one_for_one: children that are made after one template, and go.

use synapse_core::exit::ExitReason;
use synapse_core::spec::{Restart, Shutdown};
use synapse_core::supervisor::{
    ChildInfo, ChildKind, ChildSpec, ChildState, DynamicFlags, Event, Reply, Request, RequestError,
};
use synapse_core::time::Millis;

use crate::bench::{Bench, crash, error, start_failed, with, worker};

/// An hour, as in the suite.
const HOUR: Millis = Millis(3_600_000);

fn simple(intensity: u32, template: ChildSpec) -> Bench {
    Bench::dynamic(DynamicFlags {
        intensity,
        period: HOUR,
        max_children: usize::MAX,
        template: Some(template),
    })
}

fn permanent(intensity: u32) -> Bench {
    simple(intensity, worker("template"))
}

/// Starts these children, and looks away.
fn start(bench: &mut Bench, ids: &str) {
    for id in ids.split(' ') {
        let started = bench.ask(Request::StartChild(worker(id)));
        assert_eq!(started, Some(Reply::Ok), "{id}");
    }
    bench.trace();
}

fn numbered(count: usize) -> String {
    let ids: Vec<String> = (0..count).map(|index| format!("d{index}")).collect();
    ids.join(" ")
}

#[test]
fn simple_one_for_one() {
    let mut bench = permanent(2);
    start(&mut bench, "a b");
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "+a2");
    assert_eq!(bench.counts(), [1, 2, 0, 2]);
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "+b2");
    bench.exit("b", crash());
    assert_eq!(
        bench.trace(),
        "-a2 forget(b) forget(a) exit(shutdown, GaveUp)"
    );
}

#[test]
fn simple_one_for_one_escalation() {
    let mut bench = permanent(4);
    start(&mut bench, "a b");
    bench.fail("a", 9);
    bench.exit("a", crash());
    assert_eq!(
        bench.trace(),
        "+a2 +a3 +a4 +a5 -b1 forget(a) forget(b) exit(shutdown, GaveUp)"
    );
}

#[test]
fn simple_one_for_one_restart_ignore() {
    for restart in [Restart::Transient, Restart::Permanent] {
        let mut bench = simple(10, with("template", restart));
        start(&mut bench, "a");
        bench.exit("a", ExitReason::Killed);
        assert_eq!((&*bench.trace(), &*bench.which()), ("+a2", "a:up"));
        bench.ignore("a");
        bench.exit("a", ExitReason::Killed);
        assert_eq!((&*bench.trace(), &*bench.which()), ("+a3 forget(a)", ""));
        bench.send(Event::Stop);
        assert_eq!(bench.trace(), "exit(shutdown, Told)");
    }
}

#[test]
fn simple_one_for_one_shutdown() {
    let template = ChildSpec {
        shutdown: Shutdown::Timeout(Millis(2000)),
        ..worker("template")
    };
    let mut bench = simple(2, template);
    start(&mut bench, "a b c");
    ["a", "b"].iter().for_each(|id| bench.immortal(id));
    bench.stubborn("c");
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-a1 -b1 -c1", "all at once");
    bench.wait(1000);
    for id in ["a", "b"] {
        bench.exit(id, ExitReason::Shutdown(None));
    }
    assert_eq!(bench.trace(), "forget(a) forget(b)");
    bench.wait(999);
    assert_eq!(bench.trace(), "");
    bench.wait(1);
    assert_eq!(
        bench.trace(),
        "!c1 forget(c) exit(shutdown, Told)",
        "after 2 s"
    );
}

#[test]
fn sup_stop_timeout_dynamic() {
    let mut bench = simple(2, with("template", Restart::Temporary));
    start(&mut bench, "a b");
    bench.stubborn("b");
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-a1 -b1 forget(a)");
    bench.wait(1000);
    assert_eq!(bench.reports(), ["root shutdown_error: b #1 killed"]);
    assert!(bench.has_ended());
}

#[test]
fn sup_stop_brutal_kill_dynamic() {
    let template = ChildSpec {
        shutdown: Shutdown::BrutalKill,
        ..with("template", Restart::Temporary)
    };
    let mut bench = simple(2, template);
    start(&mut bench, &numbered(10));
    bench.send(Event::Stop);
    let trace = bench.trace();
    for index in 0..10 {
        assert!(trace.contains(&format!("!d{index}1 ")), "{trace}");
    }
    assert!(
        !trace.contains('-') && trace.ends_with("exit(shutdown, Told)"),
        "{trace}"
    );
}

#[test]
fn sup_stop_non_shutdown_exit_dynamic() {
    let reasons = || {
        [
            ("a", ExitReason::Normal),
            ("b", ExitReason::Shutdown(None)),
            ("c", ExitReason::Shutdown(Some("test".to_owned()))),
            ("d", ExitReason::Error("other".to_owned())),
        ]
    };
    for restart in [Restart::Temporary, Restart::Transient, Restart::Permanent] {
        let mut bench = simple(2, with("template", restart));
        start(&mut bench, "a b c d");
        reasons().iter().for_each(|(id, _)| bench.immortal(id));
        bench.send(Event::Stop);
        assert_eq!(bench.trace(), "-a1 -b1 -c1 -d1");
        for (id, reason) in reasons() {
            assert!(!bench.has_ended());
            bench.exit(id, reason);
        }
        assert!(bench.has_ended(), "{restart:?}");
        assert!(!bench.trace().contains('+'), "nobody is restarted");
    }
}

#[test]
fn sup_start_ignore_temporary_child_start_child_simple() {
    let mut bench = simple(2, with("template", Restart::Temporary));
    bench.ignore("a");
    assert_eq!(
        bench.ask(Request::StartChild(worker("a"))),
        Some(Reply::Ignored)
    );
    start(&mut bench, "b");
    assert_eq!((&*bench.which(), bench.counts()), ("b:up", [1, 1, 0, 1]));
}

#[test]
fn sup_start_ignore_permanent_child_start_child_simple() {
    let mut bench = permanent(2);
    bench.ignore("a");
    assert_eq!(
        bench.ask(Request::StartChild(worker("a"))),
        Some(Reply::Ignored)
    );
    start(&mut bench, "b");
    assert_eq!((&*bench.which(), bench.counts()), ("b:up", [1, 1, 0, 1]));
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-b1 forget(b) exit(shutdown, Told)");
}

#[test]
fn sup_start_child_returns_error_simple() {
    let mut bench = permanent(2);
    bench.fail("a", 1);
    assert_eq!(
        bench.ask(Request::StartChild(worker("a"))),
        start_failed("boom")
    );
    bench.hang("b");
    let token = bench.begin(Request::StartChild(worker("b")));
    bench.exit("b", crash());
    assert_eq!(bench.replies.get(&token), start_failed("crash").as_ref());
    assert_eq!(bench.which(), "");
}

#[test]
fn child_adm_simple() {
    let mut bench = permanent(2);
    let state = |bench: &mut Bench| (bench.which(), bench.counts());
    assert_eq!(state(&mut bench), (String::new(), [1, 0, 0, 0]));
    start(&mut bench, "a");
    assert_eq!(state(&mut bench), ("a:up".into(), [1, 1, 0, 1]));
    start(&mut bench, "b");
    assert_eq!(state(&mut bench), ("b:up a:up".into(), [1, 2, 0, 2]));
    // Termination.
    let terminate = |id: &str| Request::TerminateChild(id.into());
    assert_eq!(bench.ask(terminate("x")), error(RequestError::NotFound));
    assert_eq!(bench.ask(terminate("a")), Some(Reply::Ok));
    assert_eq!(bench.trace(), "-a1 forget(a)");
    assert_eq!(state(&mut bench), ("b:up".into(), [1, 1, 0, 1]));
    // Children have ids here and no pids, so one that is over is one that never was.
    assert_eq!(bench.ask(terminate("a")), error(RequestError::NotFound));
    assert_eq!(state(&mut bench), ("b:up".into(), [1, 1, 0, 1]));
    // Requests that need a kept spec.
    for request in [Request::RestartChild, Request::DeleteChild] {
        let refused = bench.ask(request("b".into()));
        assert_eq!(refused, error(RequestError::SimpleOneForOne));
    }
}

#[test]
fn which_children_simple_one_for_one() {
    let mut bench = simple(2, with("template", Restart::Temporary));
    let which_child = |bench: &mut Bench, id: &str| bench.ask(Request::WhichChild(id.into()));
    let line = |id: &str| {
        Some(Reply::Child(ChildInfo {
            id: id.into(),
            state: ChildState::Up,
            kind: ChildKind::Worker,
            incarnation: 1,
        }))
    };
    let nobody = || error(RequestError::NotFound);
    assert_eq!(
        (bench.which(), which_child(&mut bench, "x")),
        (String::new(), nobody())
    );
    start(&mut bench, "a");
    assert_eq!(
        (&*bench.which(), which_child(&mut bench, "a")),
        ("a:up", line("a"))
    );
    start(&mut bench, "b");
    assert_eq!(bench.which(), "b:up a:up");
    assert_eq!(which_child(&mut bench, "a"), line("a"));
    assert_eq!(which_child(&mut bench, "b"), line("b"));
    bench.ask(Request::TerminateChild("a".into()));
    assert_eq!(
        (&*bench.which(), which_child(&mut bench, "a")),
        ("b:up", nobody())
    );
    assert_eq!(which_child(&mut bench, "b"), line("b"));
}

fn count_two_thousand(template: ChildSpec, of_two_thousand: [usize; 4]) {
    let mut bench = simple(2, template);
    start(&mut bench, &numbered(1000));
    let [specs, active, supervisors, workers] = of_two_thousand;
    let half = [specs, active / 2, supervisors / 2, workers / 2];
    assert_eq!(bench.counts(), half);
    assert_eq!(bench.which().split(' ').count(), 1000);
    let more: Vec<String> = (1000..2000).map(|index| format!("d{index}")).collect();
    start(&mut bench, &more.join(" "));
    for _ in 0..2 {
        assert_eq!(bench.counts(), of_two_thousand);
        assert_eq!(bench.which().split(' ').count(), 2000);
    }
    for index in 0..2000 {
        bench.exit(&format!("d{index}"), ExitReason::Killed);
    }
    assert_eq!(bench.counts(), [1, 0, 0, 0]);
}

#[test]
fn count_children() {
    count_two_thousand(with("template", Restart::Temporary), [1, 2000, 0, 2000]);
}

#[test]
fn count_children_supervisor() {
    let template = ChildSpec {
        restart: Restart::Temporary,
        ..ChildSpec::supervisor("template")
    };
    count_two_thousand(template, [1, 2000, 2000, 0]);
}

#[test]
fn count_restarting_children() {
    let template = ChildSpec {
        shutdown: Shutdown::BrutalKill,
        ..worker("template")
    };
    let mut bench = simple(1000, template);
    assert_eq!(bench.counts(), [1, 0, 0, 0]);
    for (index, id) in ["a", "b", "c"].into_iter().enumerate() {
        start(&mut bench, id);
        assert_eq!(bench.counts(), [1, index + 1, 0, index + 1]);
    }
    for id in ["a", "b", "c"] {
        bench.exit(id, crash());
    }
    assert_eq!(bench.counts(), [1, 3, 0, 3]);
    // Two of them do not come up again.
    for id in ["a", "b"] {
        bench.loop_restarts(id, crash());
    }
    let restarting = |bench: &mut Bench| {
        let counted = bench.ask_now(Request::CountChildren);
        matches!(counted, Reply::Counts(counts) if (counts.active, counts.workers) == (1, 3))
    };
    // Each try is a short life.
    assert!((0..20).any(|_| {
        bench.deliver();
        restarting(&mut bench)
    }));
    let listed = bench.ask_now(Request::WhichChild("a".into()));
    assert!(matches!(listed, Reply::Child(child) if child.state == ChildState::Restarting));
    // Until they do.
    for id in ["a", "b"] {
        bench.fail(id, 0);
    }
    bench.settle();
    assert_eq!(bench.counts(), [1, 3, 0, 3]);
    for (left, id) in [(2, "c"), (1, "b"), (0, "a")] {
        let terminated = bench.ask(Request::TerminateChild(id.into()));
        assert_eq!(terminated, Some(Reply::Ok));
        assert_eq!(bench.counts(), [1, left, 0, left]);
    }
}

#[test]
fn hanging_restart_loop_simple() {
    let mut bench = permanent(1000);
    start(&mut bench, "a");
    bench.loop_restarts("a", crash());
    for request in [Request::RestartChild, Request::DeleteChild] {
        let refused = bench.ask_now(request("a".into()));
        assert_eq!(refused, Reply::Error(RequestError::SimpleOneForOne));
    }
    let counted = bench.ask_now(Request::CountChildren);
    assert!(matches!(counted, Reply::Counts(counts) if (counts.active, counts.workers) == (0, 1)));
    assert_eq!(
        bench.ask_now(Request::TerminateChild("a".into())),
        Reply::Ok
    );
    bench.settle();
    assert_eq!((&*bench.trace(), &*bench.which()), ("forget(a)", ""));
    bench.fail("b", 0);
    start(&mut bench, "b");
    bench.loop_restarts("b", crash());
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "forget(b) exit(shutdown, Told)");
}
