//! New flags and specs for a supervisor that is up (the suite's `code_change` and
//! `significant_upgrade_*`).

use synapse_core::exit::ExitReason;
use synapse_core::spec::{AutoShutdown, Restart, Shutdown, Strategy};
use synapse_core::supervisor::{
    ChildSpec, CodeChange, DynamicFlags, Event, Flags, Reply, Request, RequestError, SpecError,
};
use synapse_core::time::Millis;

use crate::bench::{Bench, crash, error, flags, with, worker, workers};

const NEVER: AutoShutdown = AutoShutdown::Never;
const ANY: AutoShutdown = AutoShutdown::AnySignificant;
const ALL: AutoShutdown = AutoShutdown::AllSignificant;

fn change(bench: &mut Bench, flags: Flags, children: Vec<ChildSpec>) -> Option<Reply> {
    let change = CodeChange::Static { flags, children };
    bench.ask(Request::CodeChange(Box::new(change)))
}

fn change_dynamic(bench: &mut Bench, flags: DynamicFlags) -> Option<Reply> {
    bench.ask(Request::CodeChange(Box::new(CodeChange::Dynamic(flags))))
}

fn one_for_one(intensity: u32, period_ms: u64) -> Flags {
    flags(Strategy::OneForOne, intensity, period_ms)
}

fn ending(id: &str, shutdown: Shutdown) -> ChildSpec {
    ChildSpec {
        shutdown,
        ..worker(id)
    }
}

fn shutdown_of(bench: &mut Bench, id: &str) -> Shutdown {
    match bench.ask(Request::GetChildspec(id.into())) {
        Some(Reply::Spec(spec)) => spec.shutdown,
        other => panic!("no spec of {id}: {other:?}"),
    }
}

fn ms(ms: u64) -> Shutdown {
    Shutdown::Timeout(Millis(ms))
}

#[test]
fn code_change() {
    let mut bench = Bench::up(one_for_one(0, 1000), Vec::new());
    // Faulty specs are refused as a whole.
    let faulty = change(&mut bench, one_for_one(0, 1000), workers("a b a"));
    let duplicate = SpecError::DuplicateChildName("a".into());
    assert_eq!(faulty, error(RequestError::InvalidSpec(duplicate)));
    assert_eq!(bench.which(), "");
    // New children are added and not started.
    let children = || vec![ending("a", ms(2000)), ending("b", Shutdown::BrutalKill)];
    let added = change(&mut bench, one_for_one(0, 1000), children());
    assert_eq!(added, Some(Reply::Ok));
    assert_eq!(bench.which(), "b:down a:down");
    for id in ["a", "b"] {
        assert_eq!(bench.ask(Request::RestartChild(id.into())), Some(Reply::Ok));
    }
    // One is changed, one removed, one added: the changed and the removed live on.
    bench.trace();
    let children = vec![ending("a", ms(1000)), ending("c", Shutdown::BrutalKill)];
    let changed = change(&mut bench, one_for_one(0, 1000), children);
    assert_eq!(changed, Some(Reply::Ok));
    assert_eq!(bench.trace(), "");
    assert_eq!(bench.which(), "b:up c:down a:up");
    // For the other kind of supervisor.
    let dynamic = DynamicFlags {
        intensity: 1,
        period: Millis(1000),
        max_children: 1,
        template: None,
    };
    let wrong = change_dynamic(&mut bench, dynamic);
    assert_eq!(wrong, error(RequestError::BadStartSpec));
    bench.send(Event::Stop);
    assert_eq!(
        bench.trace(),
        "!b1 -a1 exit(shutdown, Told)",
        "in the new order"
    );
}

#[test]
fn code_change_map() {
    let mut bench = Bench::up(Flags::default(), Vec::new());
    let children = vec![ending("a", ms(2000)), worker("b")];
    assert_eq!(
        change(&mut bench, Flags::default(), children),
        Some(Reply::Ok)
    );
    assert_eq!(shutdown_of(&mut bench, "a"), ms(2000));
    bench.ask(Request::RestartChild("a".into()));
    bench.ask(Request::RestartChild("b".into()));
    assert_eq!(bench.which(), "b:up a:up");
    let children = vec![ending("a", ms(1000)), worker("c")];
    assert_eq!(
        change(&mut bench, Flags::default(), children),
        Some(Reply::Ok)
    );
    assert_eq!(bench.which(), "b:up c:down a:up");
    assert_eq!(shutdown_of(&mut bench, "a"), ms(1000));
    // The living child obeys the new rule.
    bench.immortal("a");
    bench.trace();
    bench.begin(Request::TerminateChild("a".into()));
    bench.wait(1000);
    assert_eq!(bench.trace(), "-a1 !a1");
}

#[test]
fn new_flags_count_the_restarts_that_have_been() {
    let mut bench = Bench::up(one_for_one(3, 10_000), workers("a b"));
    bench.exit("a", crash());
    bench.exit("a", crash());
    let all = flags(Strategy::OneForAll, 2, 10_000);
    assert_eq!(change(&mut bench, all, workers("a b")), Some(Reply::Ok));
    bench.trace();
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "-a3 exit(shutdown, GaveUp)");
    let mut bench = Bench::up(one_for_one(1, 1000), workers("a b"));
    bench.exit("a", crash());
    change(
        &mut bench,
        flags(Strategy::OneForAll, 2, 1000),
        workers("a b"),
    );
    bench.trace();
    bench.exit("b", crash());
    assert_eq!(bench.trace(), "-a2 +a3 +b2", "the new strategy");
}

#[test]
fn a_change_waits_for_the_end_of_a_group_restart() {
    let mut bench = Bench::up(flags(Strategy::OneForAll, 3, 5000), workers("a b c"));
    bench.hang("b");
    bench.exit("c", crash());
    assert_eq!(
        change(&mut bench, one_for_one(3, 5000), workers("c b a")),
        None
    );
    assert_eq!(bench.trace(), "-b1 -a1 +a2 +b2");
    bench.send(Event::ChildStarted {
        child: "b".into(),
        incarnation: 2,
    });
    assert_eq!(bench.trace(), "+c2");
    assert_eq!(bench.which(), "a:up b:up c:up", "then in the new order");
    assert!(bench.replies.values().any(|reply| *reply == Reply::Ok));
}

#[test]
fn a_change_in_the_middle_of_a_stop_is_refused() {
    let mut bench = Bench::up(one_for_one(3, 5000), workers("a b"));
    bench.immortal("b");
    bench.send(Event::Stop);
    let late = change(&mut bench, one_for_one(3, 5000), workers("a"));
    assert_eq!(late, error(RequestError::ShuttingDown));
    // One that was waiting for a group restart hears the same.
    let mut bench = Bench::up(flags(Strategy::OneForAll, 3, 5000), workers("a b"));
    bench.hang("a");
    bench.exit("b", crash());
    let token = bench.begin(Request::CodeChange(Box::new(CodeChange::Static {
        flags: one_for_one(3, 5000),
        children: Vec::new(),
    })));
    bench.send(Event::Stop);
    let refused = Reply::Error(RequestError::ShuttingDown);
    assert_eq!(bench.replies.get(&token), Some(&refused));
}

#[test]
fn the_shutdown_time_of_a_child_that_moves_still_runs() {
    let mut bench = Bench::up(one_for_one(3, 5000), workers("a b"));
    bench.immortal("a");
    bench.begin(Request::TerminateChild("a".into()));
    change(&mut bench, one_for_one(3, 5000), workers("b a"));
    bench.trace();
    bench.wait(1000);
    assert_eq!(bench.trace(), "!a1");
}

fn template(shutdown: Shutdown) -> DynamicFlags {
    DynamicFlags {
        intensity: 0,
        period: Millis(1000),
        max_children: usize::MAX,
        template: Some(ending("template", shutdown)),
    }
}

#[test]
fn code_change_simple() {
    let mut bench = Bench::dynamic(template(Shutdown::BrutalKill));
    bench.ask(Request::StartChild(worker("a")));
    assert_eq!(
        change_dynamic(&mut bench, template(ms(1000))),
        Some(Reply::Ok)
    );
    assert_eq!(shutdown_of(&mut bench, "a"), ms(1000), "also of the living");
    // Exactly one template: neither specs nor none.
    let specs = change(&mut bench, one_for_one(0, 1000), workers("a b"));
    assert_eq!(specs, error(RequestError::BadStartSpec));
    let none = DynamicFlags {
        template: None,
        ..template(ms(1))
    };
    assert_eq!(
        change_dynamic(&mut bench, none),
        error(RequestError::BadStartSpec)
    );
    assert_eq!(shutdown_of(&mut bench, "a"), ms(1000));
    bench.trace();
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-a1 forget(a) exit(shutdown, Told)");
}

#[test]
fn code_change_simple_map() {
    let flags = |shutdown| DynamicFlags {
        intensity: 1,
        period: Millis(5000),
        ..template(shutdown)
    };
    let mut bench = Bench::dynamic(flags(ms(5000)));
    assert_eq!(change_dynamic(&mut bench, flags(ms(1000))), Some(Reply::Ok));
    bench.ask(Request::StartChild(worker("a")));
    assert_eq!(shutdown_of(&mut bench, "a"), ms(1000), "also of the next");
    let two = change(&mut bench, one_for_one(1, 5000), workers("a b"));
    assert_eq!(two, error(RequestError::BadStartSpec));
    let none = change(&mut bench, one_for_one(1, 5000), Vec::new());
    assert_eq!(none, error(RequestError::BadStartSpec));
    bench.send(Event::Stop);
}

fn significant(id: &str) -> ChildSpec {
    ChildSpec {
        significant: true,
        ..with(id, Restart::Transient)
    }
}

fn mode(auto_shutdown: AutoShutdown) -> Flags {
    Flags {
        auto_shutdown,
        ..Flags::default()
    }
}

fn start(bench: &mut Bench, id: &str) -> Option<Reply> {
    bench.ask(Request::StartChild(significant(id)))
}

fn refused(id: &str) -> Option<Reply> {
    let invalid = SpecError::BadSignificant(id.into());
    error(RequestError::InvalidSpec(invalid))
}

/// A supervisor of this mode in which nobody may be significant yet, changed to the other one.
fn from_never(to: AutoShutdown) -> Bench {
    let mut bench = Bench::up(mode(NEVER), Vec::new());
    assert_eq!(start(&mut bench, "a"), refused("a"));
    assert_eq!(change(&mut bench, mode(to), Vec::new()), Some(Reply::Ok));
    assert_eq!(start(&mut bench, "a"), Some(Reply::Ok));
    assert_eq!(start(&mut bench, "b"), Some(Reply::Ok));
    bench.trace();
    bench
}

/// A significant child that outlives the change to `never`: its end is like any other.
fn to_never(from: AutoShutdown) {
    let mut bench = Bench::up(mode(from), Vec::new());
    assert_eq!(start(&mut bench, "a"), Some(Reply::Ok));
    bench.trace();
    assert_eq!(change(&mut bench, mode(NEVER), Vec::new()), Some(Reply::Ok));
    assert_eq!(bench.which(), "a:up");
    assert_eq!(start(&mut bench, "b"), refused("b"));
    bench.exit("a", ExitReason::Normal);
    assert_eq!(bench.trace(), "", "it is up");
    assert_eq!(
        bench.ask(Request::RestartChild("a".into())),
        Some(Reply::Ok)
    );
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "+a2 -a2 exit(shutdown, Told)");
}

fn between(from: AutoShutdown, to: AutoShutdown) -> Bench {
    let mut bench = Bench::up(mode(from), Vec::new());
    start(&mut bench, "a");
    start(&mut bench, "b");
    bench.trace();
    assert_eq!(change(&mut bench, mode(to), Vec::new()), Some(Reply::Ok));
    assert_eq!(bench.trace(), "");
    bench.exit("a", ExitReason::Normal);
    bench
}

#[test]
fn significant_upgrade_never_any() {
    let mut bench = from_never(ANY);
    bench.exit("a", ExitReason::Normal);
    assert_eq!(bench.trace(), "-b1 exit(shutdown, AutoShutdown)");
}

#[test]
fn significant_upgrade_any_never() {
    to_never(ANY);
}

#[test]
fn significant_upgrade_never_all() {
    let mut bench = from_never(ALL);
    bench.exit("a", ExitReason::Normal);
    assert_eq!(bench.trace(), "");
    bench.exit("b", ExitReason::Normal);
    assert_eq!(bench.trace(), "exit(shutdown, AutoShutdown)");
}

#[test]
fn significant_upgrade_all_never() {
    to_never(ALL);
}

#[test]
fn significant_upgrade_any_all() {
    let mut bench = between(ANY, ALL);
    assert_eq!(bench.trace(), "");
    bench.exit("b", ExitReason::Normal);
    assert_eq!(bench.trace(), "exit(shutdown, AutoShutdown)");
}

#[test]
fn significant_upgrade_all_any() {
    let mut bench = between(ALL, ANY);
    assert_eq!(bench.trace(), "-b1 exit(shutdown, AutoShutdown)");
}

#[test]
fn significant_upgrade_child() {
    let plain = || with("a", Restart::Transient);
    // Under `never` nobody can become significant.
    let mut bench = Bench::up(mode(NEVER), vec![plain()]);
    let faulty = change(&mut bench, mode(NEVER), vec![significant("a")]);
    assert_eq!(faulty, refused("a"));
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "-a1 exit(shutdown, Told)");
    // Becomes significant.
    let mut bench = Bench::up(mode(ANY), vec![plain()]);
    change(&mut bench, mode(ANY), vec![significant("a")]);
    assert_eq!(bench.trace(), "");
    bench.exit("a", ExitReason::Normal);
    assert_eq!(bench.trace(), "exit(shutdown, AutoShutdown)");
    // Is significant no longer.
    let mut bench = Bench::up(mode(ANY), vec![significant("a")]);
    change(&mut bench, mode(ANY), vec![plain()]);
    bench.exit("a", ExitReason::Normal);
    assert_eq!(bench.trace(), "");
    bench.send(Event::Stop);
    assert_eq!(bench.trace(), "exit(shutdown, Told)");
    // The last of the significant ones, when another one stopped to be one.
    let mut bench = Bench::up(mode(ALL), vec![significant("a"), significant("b")]);
    let second = with("b", Restart::Transient);
    change(&mut bench, mode(ALL), vec![significant("a"), second]);
    bench.exit("a", ExitReason::Normal);
    assert_eq!(bench.trace(), "-b1 exit(shutdown, AutoShutdown)");
}
