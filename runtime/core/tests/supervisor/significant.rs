//! Significant children and automatic shutdown (the suite's group `significant`).

use synapse_core::exit::ExitReason;
use synapse_core::spec::{AutoShutdown, Restart, Strategy};
use synapse_core::supervisor::{ChildSpec, Flags, Request};

use crate::bench::{Bench, crash, flags, with, worker};

const ANY: AutoShutdown = AutoShutdown::AnySignificant;
const ALL: AutoShutdown = AutoShutdown::AllSignificant;

fn up(auto_shutdown: AutoShutdown, children: Vec<ChildSpec>) -> Bench {
    let flags = Flags {
        auto_shutdown,
        ..flags(Strategy::OneForOne, 3, 5000)
    };
    Bench::up(flags, children)
}

fn significant(id: &str, restart: Restart) -> ChildSpec {
    ChildSpec {
        significant: true,
        ..with(id, restart)
    }
}

#[test]
fn nonsignificant_temporary_and_transient_never_end_the_supervisor() {
    for restart in [Restart::Temporary, Restart::Transient] {
        for mode in [AutoShutdown::Never, ANY, ALL] {
            let mut bench = up(mode, vec![with("a", restart), worker("b")]);
            bench.exit("a", ExitReason::Normal);
            assert!(!bench.trace().contains("exit("), "{restart:?} {mode:?}");
        }
    }
}

#[test]
fn significant_temporary() {
    for reason in [ExitReason::Normal, ExitReason::Killed, crash()] {
        let children = vec![worker("x"), significant("a", Restart::Temporary)];
        let mut bench = up(ANY, children);
        bench.exit("a", reason);
        assert_eq!(bench.trace(), "forget(a) -x1 exit(shutdown, AutoShutdown)");
    }
}

#[test]
fn significant_transient() {
    let children = vec![worker("x"), significant("a", Restart::Transient)];
    let mut bench = up(ANY, children);
    bench.exit("a", crash());
    bench.exit("a", ExitReason::Killed);
    assert_eq!(bench.trace(), "+a2 +a3");
    bench.exit("a", ExitReason::Normal);
    assert_eq!(bench.trace(), "-x1 exit(shutdown, AutoShutdown)");
}

#[test]
fn all_significant_waits_for_last() {
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
fn a_termination_by_request_never_ends_the_supervisor() {
    for mode in [ANY, ALL] {
        let mut bench = up(
            mode,
            vec![significant("a", Restart::Temporary), worker("b")],
        );
        bench.ask(Request::TerminateChild("a".into()));
        assert_eq!(bench.trace(), "-a1 forget(a)");
    }
}

#[test]
fn significant_bystander() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        for mode in [ANY, ALL] {
            let children = vec![
                worker("a"),
                significant("b", Restart::Temporary),
                significant("c", Restart::Transient),
            ];
            let flags = Flags {
                auto_shutdown: mode,
                ..flags(strategy, 3, 5000)
            };
            let mut bench = Bench::up(flags, children);
            bench.exit("a", crash());
            assert_eq!(
                bench.trace(),
                "-c1 -b1 forget(b) +a2 +c2",
                "{strategy:?} {mode:?}"
            );
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
    bench.send(synapse_core::supervisor::Event::Start);
    bench.exit("a", ExitReason::Normal);
    assert_eq!(bench.trace(), "+a1 +b1 up -b1 exit(shutdown, AutoShutdown)");
}
