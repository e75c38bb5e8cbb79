//! Child specs and flags: defaults, and what is refused (the suite's `sup_start_map`, `child_specs`).

use synapse_core::spec::{AutoShutdown, Restart, Shutdown, Strategy};
use synapse_core::supervisor::{
    ChildKind, ChildSpec, DynamicFlags, Flags, Reply, Request, RequestError, SpecError, Supervisor,
};
use synapse_core::time::Millis;

use crate::bench::{Bench, error, flags, with, worker, workers};

const MODES: [AutoShutdown; 3] = [
    AutoShutdown::Never,
    AutoShutdown::AnySignificant,
    AutoShutdown::AllSignificant,
];

fn check(auto_shutdown: AutoShutdown, children: Vec<ChildSpec>) -> Result<(), SpecError> {
    let flags = Flags {
        auto_shutdown,
        ..Flags::default()
    };
    Supervisor::new("root", flags, children, 0).map(|_| ())
}

/// Every combination of what a child spec may hold.
fn combinations() -> Vec<ChildSpec> {
    let mut specs = Vec::new();
    for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
        for shutdown in [
            Shutdown::Timeout(Millis(0)),
            Shutdown::Timeout(Millis(1000)),
            Shutdown::Infinity,
            Shutdown::BrutalKill,
        ] {
            for kind in [ChildKind::Worker, ChildKind::Supervisor] {
                for significant in [false, true] {
                    specs.push(ChildSpec {
                        restart,
                        shutdown,
                        kind,
                        significant,
                        ..worker("child")
                    });
                }
            }
        }
    }
    specs
}

fn spec_of(bench: &mut Bench, id: &str) -> ChildSpec {
    match bench.ask(Request::GetChildspec(id.into())) {
        Some(Reply::Spec(spec)) => *spec,
        other => panic!("no spec of {id}: {other:?}"),
    }
}

#[test]
fn sup_start_map() {
    let brutal = ChildSpec {
        shutdown: Shutdown::BrutalKill,
        ..ChildSpec::worker("b")
    };
    let children = vec![ChildSpec::worker("a"), brutal, ChildSpec::supervisor("c")];
    let mut bench = Bench::up(Flags::default(), children);
    let read = |bench: &mut Bench, id: &str| {
        let spec = spec_of(bench, id);
        assert_eq!(spec.id.as_str(), id);
        assert_eq!(spec.restart, Restart::Permanent);
        assert!(!spec.significant);
        (spec.kind, spec.shutdown)
    };
    let five_seconds = Shutdown::Timeout(Millis(5000));
    assert_eq!(read(&mut bench, "a"), (ChildKind::Worker, five_seconds));
    assert_eq!(
        read(&mut bench, "b"),
        (ChildKind::Worker, Shutdown::BrutalKill)
    );
    assert_eq!(
        read(&mut bench, "c"),
        (ChildKind::Supervisor, Shutdown::Infinity)
    );
    let nobody = bench.ask(Request::GetChildspec("d".into()));
    assert_eq!(nobody, error(RequestError::NotFound));
}

#[test]
fn the_default_flags_are_those_of_otp() {
    let flags = Flags::default();
    assert_eq!(flags.strategy, Strategy::OneForOne);
    assert_eq!((flags.intensity, flags.period), (1, Millis(5000)));
    assert_eq!(flags.auto_shutdown, AutoShutdown::Never);
}

#[test]
fn sup_start_map_simple() {
    let template = ChildSpec {
        restart: Restart::Temporary,
        ..ChildSpec::worker("template")
    };
    let mut bench = Bench::dynamic(DynamicFlags {
        intensity: 1,
        period: Millis(5000),
        max_children: usize::MAX,
        template: Some(template.clone()),
    });
    for id in ["a", "b", "c"] {
        assert_eq!(bench.ask(Request::StartChild(worker(id))), Some(Reply::Ok));
    }
    for id in ["a", "b", "c"] {
        let expected = ChildSpec {
            id: id.into(),
            ..template.clone()
        };
        assert_eq!(spec_of(&mut bench, id), expected);
    }
    let nobody = bench.ask(Request::GetChildspec("d".into()));
    assert_eq!(nobody, error(RequestError::NotFound));
}

/// The values that OTP refuses here one by one cannot be written: each field is a closed type.
#[test]
fn child_specs() {
    let valid = combinations().into_iter().filter(|spec| !spec.significant);
    for spec in valid {
        assert_eq!(
            check(AutoShutdown::Never, vec![spec.clone()]),
            Ok(()),
            "{spec:?}"
        );
    }
    let twice = Err(SpecError::DuplicateChildName("a".into()));
    assert_eq!(check(AutoShutdown::Never, workers("a b a")), twice);
}

#[test]
fn child_specs_map() {
    for mode in MODES {
        for spec in combinations() {
            let refused = spec.significant
                && (mode == AutoShutdown::Never || spec.restart == Restart::Permanent);
            let expected = if refused {
                Err(SpecError::BadSignificant("child".into()))
            } else {
                Ok(())
            };
            assert_eq!(
                check(mode, vec![spec.clone()]),
                expected,
                "{mode:?} {spec:?}"
            );
            let flags = Flags {
                auto_shutdown: mode,
                ..flags(Strategy::OneForOne, 1, 5000)
            };
            let mut bench = Bench::up(flags, Vec::new());
            let started = bench.ask(Request::StartChild(spec)) == Some(Reply::Ok);
            assert_eq!(started, !refused, "the same by start_child");
        }
    }
}

#[test]
fn significant_simple() {
    // A dynamic supervisor has no `auto_shutdown`; what is left to refuse is the child.
    let significant = ChildSpec {
        significant: true,
        ..with("a", Restart::Transient)
    };
    let refused = RequestError::InvalidSpec(SpecError::BadSignificant("a".into()));
    for template in [None, Some(significant.clone())] {
        let mut bench = Bench::dynamic(DynamicFlags {
            intensity: 1,
            period: Millis(5000),
            max_children: usize::MAX,
            template,
        });
        let started = bench.ask(Request::StartChild(significant.clone()));
        assert_eq!(started, error(refused.clone()));
        assert_eq!(bench.trace(), "");
    }
}
