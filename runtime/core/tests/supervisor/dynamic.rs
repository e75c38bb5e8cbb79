//! Children that come and go: OTP's simple_one_for_one and Elixir's DynamicSupervisor.

use synapse_core::exit::ExitReason;
use synapse_core::spec::Restart;
use synapse_core::supervisor::{Counts, DynamicFlags, Event, Reply, Request, RequestError};
use synapse_core::time::Millis;

use crate::bench::{Bench, crash, with, worker};

fn flags(max_children: usize) -> DynamicFlags {
    DynamicFlags {
        intensity: 2,
        period: Millis(5000),
        max_children,
        template: None,
    }
}

fn with_children(restart: Restart, count: usize) -> Bench {
    let mut bench = Bench::dynamic(flags(usize::MAX));
    for index in 0..count {
        let spec = with(&format!("d{index}"), restart);
        assert_eq!(bench.ask(Request::StartChild(spec)), Some(Reply::Ok));
    }
    bench.trace();
    bench
}

fn error(error: RequestError) -> Option<Reply> {
    Some(Reply::Error(error))
}

#[test]
fn simple_one_for_one() {
    let mut bench = with_children(Restart::Permanent, 2);
    bench.exit("d0", crash());
    assert_eq!(bench.trace(), "+d02");
    bench.exit("d1", crash());
    bench.exit("d0", crash());
    assert_eq!(
        bench.trace(),
        "forget(d0) +d12 -d12 forget(d1) exit(shutdown, GaveUp)"
            .replace("forget(d0) +d12", "+d12 forget(d0)")
    );
}

#[test]
fn simple_one_for_one_escalation() {
    let mut bench = with_children(Restart::Permanent, 2);
    bench.fail("d0", 9);
    bench.exit("d0", crash());
    assert!(bench.trace().starts_with("+d02 +d03 "));
}

#[test]
fn simple_one_for_one_restart_ignore() {
    let mut bench = with_children(Restart::Permanent, 1);
    bench.ignore("d0");
    bench.exit("d0", crash());
    assert_eq!(bench.trace(), "+d02 forget(d0)");
}

#[test]
fn children_that_are_over_are_forgotten() {
    for (restart, reason) in [
        (Restart::Temporary, crash()),
        (Restart::Transient, ExitReason::Normal),
        (Restart::Transient, ExitReason::Shutdown(None)),
    ] {
        let mut bench = with_children(restart, 1);
        bench.exit("d0", reason);
        assert_eq!(bench.trace(), "forget(d0)");
    }
}

#[test]
fn simple_one_for_one_shutdown() {
    let mut bench = with_children(Restart::Permanent, 3);
    (0..3).for_each(|index| bench.stubborn(&format!("d{index}")));
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-d01 -d11 -d21", "all at once");
    bench.wait(1000);
    assert!(bench.trace().ends_with("exit(shutdown, Told)"));
}

#[test]
fn max_children_counts_those_about_to_be_restarted() {
    let mut bench = Bench::dynamic(flags(1));
    bench.ask(Request::StartChild(worker("a")));
    assert_eq!(
        bench.ask(Request::StartChild(worker("b"))),
        error(RequestError::MaxChildren)
    );
    bench.fail("a", 9);
    let event = bench.exited("a", crash());
    bench.step(event);
    bench.deliver();
    let token = synapse_core::supervisor::Token(99);
    bench.step(Event::Request {
        token,
        request: Request::StartChild(worker("b")),
    });
    assert_eq!(
        bench.replies.get(&token),
        error(RequestError::MaxChildren).as_ref()
    );
}

#[test]
fn count_restarting_children() {
    let mut bench = with_children(Restart::Permanent, 2);
    bench.fail("d0", 9);
    let event = bench.exited("d0", crash());
    bench.step(event);
    bench.deliver();
    let token = synapse_core::supervisor::Token(99);
    bench.step(Event::Request {
        token,
        request: Request::CountChildren,
    });
    let counts = Counts {
        specs: 2,
        active: 1,
        supervisors: 0,
        workers: 2,
    };
    assert_eq!(bench.replies.get(&token), Some(&Reply::Counts(counts)));
    let token = synapse_core::supervisor::Token(100);
    bench.step(Event::Request {
        token,
        request: Request::TerminateChild("d0".into()),
    });
    assert_eq!(bench.replies.get(&token), Some(&Reply::Ok));
    bench.settle();
    assert!(!bench.trace().contains("exit("), "the loop is over");
}

#[test]
fn child_adm_simple() {
    let mut bench = with_children(Restart::Permanent, 1);
    let id = || "d0".into();
    for request in [Request::DeleteChild, Request::RestartChild] {
        assert_eq!(
            bench.ask(request(id())),
            error(RequestError::SimpleOneForOne)
        );
    }
    assert_eq!(
        bench.ask(Request::TerminateChild("x".into())),
        error(RequestError::NotFound)
    );
    assert_eq!(bench.ask(Request::TerminateChild(id())), Some(Reply::Ok));
    assert_eq!(bench.trace(), "-d01 forget(d0)");
}

#[test]
fn sup_start_child_returns_error_simple() {
    let mut bench = with_children(Restart::Permanent, 0);
    bench.fail("a", 1);
    assert!(matches!(
        bench.ask(Request::StartChild(worker("a"))),
        Some(Reply::Error(RequestError::StartFailed(_)))
    ));
    bench.ignore("b");
    assert_eq!(
        bench.ask(Request::StartChild(worker("b"))),
        Some(Reply::Ignored)
    );
    assert_eq!(
        bench.ask(Request::CountChildren),
        Some(Reply::Counts(Counts::default()))
    );
}

#[test]
fn a_template_makes_every_child_alike_and_is_the_one_spec() {
    let template = Some(with("template", Restart::Temporary));
    let mut bench = Bench::dynamic(DynamicFlags {
        template,
        ..flags(9)
    });
    bench.ask(Request::StartChild(worker("a")));
    bench.ask(Request::StartChild(worker("b")));
    let counts = Counts {
        specs: 1,
        active: 2,
        supervisors: 0,
        workers: 2,
    };
    assert_eq!(
        bench.ask(Request::CountChildren),
        Some(Reply::Counts(counts))
    );
    bench.trace();
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "forget(a)");
}

#[test]
fn ten_thousand_children_come_and_go() {
    let mut bench = with_children(Restart::Temporary, 10_000);
    bench.send(Event::Stop);
    assert!(bench.trace().ends_with("exit(shutdown, Told)"));
}
