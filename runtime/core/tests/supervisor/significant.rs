//! Significant children and automatic shutdown (the suite's group `significant`).

use synapse_core::exit::ExitReason;
use synapse_core::spec::{AutoShutdown, Restart, Strategy};
use synapse_core::supervisor::{ChildSpec, Event, Flags, Reply, Request};

use crate::bench::{Bench, crash, flags, with, worker};

const ANY: AutoShutdown = AutoShutdown::AnySignificant;
const ALL: AutoShutdown = AutoShutdown::AllSignificant;

fn up(auto_shutdown: AutoShutdown, children: Vec<ChildSpec>) -> Bench {
    let flags = Flags {
        auto_shutdown,
        ..flags(Strategy::OneForOne, 5, 5000)
    };
    Bench::up(flags, children)
}

fn significant(id: &str, restart: Restart) -> ChildSpec {
    ChildSpec {
        significant: true,
        ..with(id, restart)
    }
}

/// Two significant children and one that is not.
fn three(auto_shutdown: AutoShutdown, restart: Restart) -> Bench {
    let children = vec![
        significant("a", restart),
        significant("b", restart),
        with("c", restart),
    ];
    up(auto_shutdown, children)
}

#[test]
fn nonsignificant_temporary() {
    for mode in [AutoShutdown::Never, ANY, ALL] {
        let mut bench = up(mode, Vec::new());
        let start = || Request::StartChild(with("a", Restart::Temporary));
        bench.ask(start());
        bench.ask(Request::TerminateChild("a".into()));
        for reason in [ExitReason::Killed, crash(), ExitReason::Normal] {
            assert_eq!(bench.ask(start()), Some(Reply::Ok));
            bench.exit("a", reason);
        }
        assert!(!bench.trace().contains("exit("), "{mode:?}");
        bench.send(Event::Stop);
        assert_eq!(bench.trace(), "exit(shutdown, Told)");
    }
}

#[test]
fn nonsignificant_transient() {
    for mode in [AutoShutdown::Never, ANY, ALL] {
        let mut bench = up(mode, vec![with("a", Restart::Transient)]);
        bench.ask(Request::TerminateChild("a".into()));
        assert_eq!(bench.trace(), "-a1");
        bench.ask(Request::RestartChild("a".into()));
        bench.exit("a", ExitReason::Killed);
        bench.exit("a", crash());
        bench.exit("a", ExitReason::Normal);
        assert_eq!(bench.trace(), "+a2 +a3 +a4", "{mode:?}");
        bench.send(Event::Stop);
        assert_eq!(bench.trace(), "exit(shutdown, Told)");
    }
}

#[test]
fn significant_temporary() {
    let mut bench = three(ANY, Restart::Temporary);
    bench.ask(Request::TerminateChild("a".into()));
    assert_eq!(
        bench.trace(),
        "-a1 forget(a)",
        "on request it does not count"
    );
    bench.ask(Request::StartChild(significant("a", Restart::Temporary)));
    assert_eq!(bench.which(), "a:up c:up b:up");
    bench.trace();
    bench.exit("a", ExitReason::Killed);
    assert_eq!(
        bench.trace(),
        "forget(a) -c1 forget(c) -b1 forget(b) exit(shutdown, AutoShutdown)"
    );
    for reason in [ExitReason::Killed, crash(), ExitReason::Normal] {
        let mut bench = three(ANY, Restart::Temporary);
        bench.exit("a", reason);
        let trace = bench.trace();
        assert!(trace.ends_with("exit(shutdown, AutoShutdown)"), "{trace}");
    }
    let mut bench = three(ALL, Restart::Temporary);
    bench.exit("a", ExitReason::Normal);
    assert_eq!(bench.trace(), "forget(a)");
    bench.exit("b", ExitReason::Normal);
    assert_eq!(
        bench.trace(),
        "forget(b) -c1 forget(c) exit(shutdown, AutoShutdown)"
    );
}

#[test]
fn significant_transient() {
    let mut bench = three(ANY, Restart::Transient);
    bench.ask(Request::TerminateChild("a".into()));
    assert_eq!(bench.trace(), "-a1", "on request it does not count");
    bench.ask(Request::RestartChild("a".into()));
    bench.exit("a", ExitReason::Killed);
    bench.exit("a", crash());
    assert_eq!(
        bench.trace(),
        "+a2 +a3 +a4",
        "what is restarted does not count"
    );
    bench.exit("a", ExitReason::Normal);
    assert_eq!(bench.trace(), "-c1 -b1 exit(shutdown, AutoShutdown)");
    let mut bench = three(ALL, Restart::Transient);
    bench.exit("a", ExitReason::Normal);
    assert_eq!(bench.trace(), "");
    bench.exit("b", ExitReason::Normal);
    assert_eq!(bench.trace(), "-c1 exit(shutdown, AutoShutdown)");
}

#[test]
fn all_significant_waits_for_last_of_either_type() {
    let children = vec![
        significant("a", Restart::Temporary),
        significant("b", Restart::Transient),
        worker("x"),
    ];
    let mut bench = up(ALL, children);
    bench.exit("a", crash());
    assert_eq!(bench.trace(), "forget(a)");
    bench.exit("b", ExitReason::Normal);
    assert_eq!(bench.trace(), "-x1 exit(shutdown, AutoShutdown)");
}

#[test]
fn significant_bystander() {
    for (strategy, expected) in [
        (Strategy::OneForOne, "+b2"),
        (Strategy::OneForAll, "-c1 -a1 +a2 +b2 +c2"),
        (Strategy::RestForOne, "-c1 +b2 +c2"),
    ] {
        for auto_shutdown in [ANY, ALL] {
            let children = vec![
                significant("a", Restart::Transient),
                with("b", Restart::Transient),
                significant("c", Restart::Transient),
            ];
            let flags = Flags {
                auto_shutdown,
                ..flags(strategy, 5, 5000)
            };
            let mut bench = Bench::up(flags, children);
            bench.exit("b", ExitReason::Killed);
            assert_eq!(bench.trace(), expected, "{strategy:?} {auto_shutdown:?}");
            bench.send(Event::Stop);
            assert!(bench.trace().ends_with("exit(shutdown, Told)"));
        }
    }
}

#[test]
fn a_temporary_bystander_that_is_significant_never_ends_the_supervisor() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        for auto_shutdown in [ANY, ALL] {
            let children = vec![worker("a"), significant("b", Restart::Temporary)];
            let flags = Flags {
                auto_shutdown,
                ..flags(strategy, 3, 5000)
            };
            let mut bench = Bench::up(flags, children);
            bench.exit("a", crash());
            assert_eq!(bench.trace(), "-b1 forget(b) +a2", "{strategy:?}");
        }
    }
}

#[test]
fn a_significant_end_during_the_start_is_an_exit_and_no_failed_start() {
    let flags = Flags {
        auto_shutdown: ANY,
        ..flags(Strategy::OneForOne, 3, 5000)
    };
    let children = vec![significant("a", Restart::Transient), worker("b")];
    let mut bench = Bench::new(flags, children);
    bench.hang("b");
    bench.send(Event::Start);
    bench.exit("a", ExitReason::Normal);
    assert_eq!(bench.trace(), "+a1 +b1 up -b1 exit(shutdown, AutoShutdown)");
}
