//! What holds whatever happens, in any order.

use proptest::prelude::{
    Just, ProptestConfig, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::strategy::Strategy as Generate;
use synapse_core::exit::ExitReason;
use synapse_core::spec::{
    AutoShutdown, Backoff, OnExhausted, Restart, Shutdown, StartOrder, Strategy,
};
use synapse_core::supervisor::{ChildId, ChildSpec, CodeChange, Event, Flags, Request};
use synapse_core::time::Millis;

use crate::bench::Bench;

const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];
const PERIOD: u64 = 500;

/// One thing that a test does to a supervisor.
#[derive(Clone, Debug)]
enum Deed {
    Exit(usize, ExitReason),
    Ask(u8, usize),
    Wait(u64),
    Deliver,
    Hang(usize),
    Unhang(usize),
    Fail(usize, u32),
    Stubborn(usize),
}

fn deed() -> impl Generate<Value = Deed> {
    let id = 0..IDS.len();
    prop_oneof![
        4 => (id.clone(), reason()).prop_map(|(id, reason)| Deed::Exit(id, reason)),
        4 => (0..10u8, id.clone()).prop_map(|(what, id)| Deed::Ask(what, id)),
        2 => (0..700u64).prop_map(Deed::Wait),
        6 => Just(Deed::Deliver),
        1 => id.clone().prop_map(Deed::Hang),
        2 => id.clone().prop_map(Deed::Unhang),
        1 => (id.clone(), 1..4u32).prop_map(|(id, times)| Deed::Fail(id, times)),
        1 => id.prop_map(Deed::Stubborn),
    ]
}

fn reason() -> impl Generate<Value = ExitReason> {
    prop_oneof![
        Just(ExitReason::Normal),
        Just(ExitReason::Shutdown(None)),
        Just(ExitReason::Killed),
        Just(ExitReason::Exited(1)),
    ]
}

fn child(id: &'static str) -> impl Generate<Value = ChildSpec> {
    let restart = prop_oneof![
        Just(Restart::Permanent),
        Just(Restart::Transient),
        Just(Restart::Temporary)
    ];
    let shutdown = prop_oneof![
        Just(Shutdown::BrutalKill),
        Just(Shutdown::Timeout(Millis(100))),
        Just(Shutdown::Timeout(Millis(0))),
    ];
    (
        restart,
        shutdown,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            move |(restart, shutdown, slow, remember, significant)| ChildSpec {
                restart,
                shutdown,
                remember,
                significant: significant && restart != Restart::Permanent,
                backoff: slow.then_some(Backoff {
                    initial: Millis(50),
                    max: Millis(200),
                    factor: 2.0,
                    jitter: 0.5,
                    reset_after: Millis(1000),
                }),
                ..ChildSpec::worker(id)
            },
        )
}

fn flags() -> impl Generate<Value = Flags> {
    let strategy = prop_oneof![
        Just(Strategy::OneForOne),
        Just(Strategy::OneForAll),
        Just(Strategy::RestForOne)
    ];
    let auto = prop_oneof![
        Just(AutoShutdown::AnySignificant),
        Just(AutoShutdown::AllSignificant)
    ];
    let added = (any::<bool>(), any::<bool>());
    (strategy, auto, 0..6u32, added).prop_map(|(strategy, auto_shutdown, intensity, added)| {
        let alone = strategy == Strategy::OneForOne;
        let (park, concurrent) = (alone && added.0, alone && added.1);
        Flags {
            strategy,
            auto_shutdown,
            intensity,
            period: Millis(PERIOD),
            on_exhausted: if park {
                OnExhausted::Park
            } else {
                OnExhausted::Escalate
            },
            start_order: if concurrent {
                StartOrder::Concurrent
            } else {
                StartOrder::Sequential
            },
        }
    })
}

fn request(what: u8, id: &str, flags: Flags) -> Request {
    let id = id.into();
    match what {
        0 => Request::TerminateChild(id),
        1 => Request::RestartChild(id),
        2 => Request::DeleteChild(id),
        3 => Request::OperatorStop(id),
        4 => Request::OperatorStart(id),
        5 => Request::OperatorRestart(id),
        6 => Request::StartChild(ChildSpec::worker(id)),
        7 => Request::WhichChildren,
        8 => {
            // The child comes first, and some of the others behind those that are not named.
            let others = ["d", "b"].map(ChildId::from).into_iter();
            let ids = std::iter::once(id.clone()).chain(others.filter(|other| *other != id));
            let children = ids.map(ChildSpec::worker).collect();
            Request::CodeChange(Box::new(CodeChange::Static { flags, children }))
        }
        _ => Request::CountChildren,
    }
}

/// Does it, and returns how many requests were made.
fn run(bench: &mut Bench, flags: Flags, deeds: &[Deed]) -> u64 {
    let mut asked = 0;
    for deed in deeds {
        match deed {
            Deed::Exit(id, reason) => {
                if bench.live.contains_key(IDS[*id]) {
                    let event = bench.exited(IDS[*id], reason.clone());
                    bench.step(event);
                }
            }
            Deed::Ask(what, id) => {
                let token = synapse_core::supervisor::Token(asked);
                asked += 1;
                bench.step(Event::Request {
                    token,
                    request: request(*what, IDS[*id], flags),
                });
            }
            Deed::Wait(ms) => bench.wait(*ms),
            Deed::Deliver => drop(bench.deliver()),
            Deed::Hang(id) => bench.hang(IDS[*id]),
            Deed::Unhang(id) => bench.unhang(IDS[*id]),
            Deed::Fail(id, times) => bench.fail(IDS[*id], *times),
            Deed::Stubborn(id) => bench.stubborn(IDS[*id]),
        }
    }
    asked
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// The bench itself fails on two live incarnations, on orders to a stale one, on two answers
    /// to one request, and on an end with children alive.
    #[test]
    fn whatever_happens_a_stop_ends_it_and_everybody_is_answered(
        flags in flags(),
        children in IDS[..4].iter().map(|id| child(id)).collect::<Vec<_>>(),
        deeds in prop::collection::vec(deed(), 0..60),
    ) {
        let intensity = flags.intensity as usize;
        let shared = flags.on_exhausted == OnExhausted::Escalate;
        let mut bench = Bench::new(flags, children);
        bench.step(Event::Start);
        let asked = run(&mut bench, flags, &deeds);
        let restarts = std::mem::take(&mut bench.restarts);
        for window in restarts.windows(intensity + 1).filter(|_| shared) {
            prop_assert!(window[intensity] - window[0] > Millis(PERIOD), "{restarts:?}");
        }
        bench.send(Event::Stop);
        // Every child obeys a kill, so 5 of them at 100 ms are enough, one by one; a new one has
        // OTP's 5 s.
        bench.wait(5 * 5_000);
        let crate::bench::Machine::Static(machine) = &bench.machine else { unreachable!() };
        prop_assert!(machine.has_ended(), "{machine:?}");
        prop_assert_eq!(bench.replies.len() as u64, asked);
        bench.log.clear();
        bench.send(Event::Stop);
        bench.wait(10_000);
        prop_assert!(bench.log.is_empty(), "{:?}", bench.log);
    }

    #[test]
    fn the_same_seed_and_events_decide_the_same(
        flags in flags(),
        children in IDS[..4].iter().map(|id| child(id)).collect::<Vec<_>>(),
        deeds in prop::collection::vec(deed(), 0..40),
    ) {
        let play = || {
            let mut bench = Bench::new(flags, children.clone());
            bench.step(Event::Start);
            run(&mut bench, flags, &deeds);
            bench.send(Event::Stop);
            (bench.restarts, bench.log)
        };
        prop_assert_eq!(play(), play());
    }
}
