//! Many children: nothing is kept of those that are over, and cost grows with their number only.

use synapse_core::exit::ExitReason;
use synapse_core::spec::{Restart, Strategy};
use synapse_core::supervisor::{ChildSpec, DynamicFlags, Event, Reply, Request};
use synapse_core::time::Millis;

use crate::bench::{Bench, Machine, crash, flags, with, worker};

/// All that a supervisor holds, as text.
fn memory(bench: &Bench) -> String {
    match &bench.machine {
        Machine::Static(machine) => format!("{machine:?}"),
        Machine::Dynamic(machine) => format!("{machine:?}"),
    }
}

fn simple(restart: Restart) -> Bench {
    Bench::dynamic(DynamicFlags {
        intensity: 2,
        period: Millis(3_600_000),
        max_children: usize::MAX,
        template: Some(with("template", restart)),
    })
}

fn start_all(bench: &mut Bench, children: impl Iterator<Item = ChildSpec>) {
    for spec in children {
        assert_eq!(bench.ask(Request::StartChild(spec)), Some(Reply::Ok));
    }
    bench.log.clear();
}

fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|index| format!("w{index}"))
}

/// What a child is started with is the shell's; a spec holds nothing of it. What is left to keep
/// or not is the spec, and of a temporary child that is over nothing is kept.
#[test]
fn do_not_save_start_parameters_for_temporary_children() {
    let strategies = [
        Some(Strategy::OneForAll),
        Some(Strategy::OneForOne),
        Some(Strategy::RestForOne),
        None,
    ];
    for strategy in strategies {
        let kept = |restart| {
            let mut bench = match strategy {
                Some(strategy) => Bench::up(flags(strategy, 1000, 3_600_000), Vec::new()),
                None => simple(restart),
            };
            start_all(&mut bench, numbered(100).map(|id| with(&id, restart)));
            for id in numbered(100) {
                bench.exit(&id, ExitReason::Normal);
            }
            let text = memory(&bench);
            (text.len(), text.contains("w99"))
        };
        let (temporary, named) = kept(Restart::Temporary);
        assert!(!named, "{strategy:?}");
        if strategy.is_some() {
            let (transient, named) = kept(Restart::Transient);
            assert!(
                named && temporary * 10 < transient,
                "{temporary} {transient}"
            );
        }
    }
}

/// The first death of a temporary child must not change how the next ones are kept.
#[test]
fn simple_one_for_one_corruption() {
    let mut bench = simple(Restart::Temporary);
    let fresh = memory(&bench).len();
    for (index, id) in ["first", "second", "third"].into_iter().enumerate() {
        start_all(&mut bench, std::iter::once(worker(id)));
        let alive = memory(&bench);
        assert_eq!(alive.matches("spec: ChildSpec").count(), 1, "{alive}");
        bench.exit(id, crash());
        let text = memory(&bench);
        assert!(
            !text.contains(id) && text.len() <= fresh + 8,
            "{index}: {text}"
        );
    }
}

#[test]
fn simple_one_for_one_scale_many_temporary_children() {
    let terminate = |count| {
        let mut bench = simple(Restart::Temporary);
        start_all(&mut bench, numbered(count).map(|id| worker(&id)));
        on_cpu(|| {
            for id in numbered(count) {
                let terminated = bench.ask(Request::TerminateChild(id.as_str().into()));
                assert_eq!(terminated, Some(Reply::Ok));
            }
        })
    };
    assert_grows_no_faster(terminate, 1000, 10_000, 50);
}

#[test]
fn scale_start_stop_many_children() {
    let run = |count| {
        let mut bench = Bench::up(flags(Strategy::OneForOne, 2, 3_600_000), Vec::new());
        on_cpu(|| {
            start_all(&mut bench, numbered(count).map(|id| worker(&id)));
            for id in numbered(count) {
                let terminated = bench.ask(Request::TerminateChild(id.as_str().into()));
                assert_eq!(terminated, Some(Reply::Ok));
            }
        })
    };
    assert_grows_no_faster(run, 1000, 100_000, 1000);
}

#[test]
fn scale_mass_exit_children() {
    let run = |count: usize| {
        let intensity = u32::try_from(count).unwrap() + 100;
        let mut bench = Bench::up(flags(Strategy::OneForOne, intensity, 1000), Vec::new());
        let children = numbered(count).map(|id| with(&id, Restart::Temporary));
        start_all(&mut bench, children);
        // Every exit waits before the supervisor sees the first.
        let exits: Vec<Event> = numbered(count)
            .map(|id| bench.exited(&id, ExitReason::Killed))
            .collect();
        let spent = on_cpu(|| exits.into_iter().for_each(|exit| bench.step(exit)));
        assert_eq!(bench.counts(), [0, 0, 0, 0]);
        spent
    };
    assert_grows_no_faster(run, 1000, 5000, 12);
}

#[test]
fn a_group_of_ten_thousand_that_dies_at_once_restarts_in_one_walk() {
    let children = numbered(10_000).map(|id| worker(&id)).collect();
    let mut bench = Bench::up(flags(Strategy::OneForAll, 1, 5000), children);
    let exits: Vec<Event> = numbered(10_000)
        .map(|id| bench.exited(&id, crash()))
        .collect();
    exits.into_iter().for_each(|exit| bench.step(exit));
    bench.settle();
    let trace = bench.trace();
    assert_eq!(trace.matches('+').count(), 10_000);
    assert_eq!(bench.counts(), [10_000, 10_000, 0, 10_000]);
}

/// Time that this thread has spent on a processor, in nanoseconds, so that the load of the machine
/// does not count. `None` where the system does not say.
fn on_cpu(work: impl FnOnce()) -> Option<u64> {
    let spent = || {
        // The kernel brings its account up to date when a thread gives way.
        std::thread::yield_now();
        let line = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        line.split(' ').next()?.parse::<u64>().ok()
    };
    let before = spent();
    work();
    spent()?.checked_sub(before?)
}

/// OTP's own bound: generous, and far below what a walk over all children per event costs.
fn assert_grows_no_faster(run: impl Fn(usize) -> Option<u64>, few: usize, many: usize, times: u64) {
    let (Some(few), Some(many)) = (run(few), run(many)) else {
        return;
    };
    assert!(
        many <= few.max(1) * times,
        "{few} ns, then {many} ns: over {times} times"
    );
}
