//! A stop beats everything: from any state the tree is down within the sum of shutdown times.

use std::collections::HashSet;
use std::time::Duration;

use synapse_core::exit::ExitReason;
use synapse_core::spec::{Backoff, OnExhausted, Shutdown, StartOrder, Strategy};
use synapse_core::supervisor::{ChildSpec, Flags, Request};
use synapse_core::time::Millis;
use synapse_node::supervisor::{ChildReport, SupervisorHandle};
use tokio::time::{Instant, timeout};

use crate::children::{Below, HANGS, Manners, QUICK, STUBBORN, Stage, crash, flags, spawn, worker};

const SHUTDOWN_MS: u64 = 1000;

/// What the supervisor of `a`, `b` and `c` is doing when the stop comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Starting,
    HangingStart,
    Running,
    BackingOff,
    RestartLoop,
    Stopping,
    Terminating,
    Restarting,
    Parked,
    StartingAllAtOnce,
    GroupStopping,
    GroupStarting,
    GroupBackingOff,
    GroupRestartLoop,
}

const ALL: [Doing; 14] = [
    Doing::Starting,
    Doing::HangingStart,
    Doing::Running,
    Doing::BackingOff,
    Doing::RestartLoop,
    Doing::Stopping,
    Doing::Terminating,
    Doing::Restarting,
    Doing::Parked,
    Doing::StartingAllAtOnce,
    Doing::GroupStopping,
    Doing::GroupStarting,
    Doing::GroupBackingOff,
    Doing::GroupRestartLoop,
];

impl Doing {
    fn flags(self) -> Flags {
        let strategy = match self {
            Self::GroupStopping
            | Self::GroupStarting
            | Self::GroupBackingOff
            | Self::GroupRestartLoop => Strategy::OneForAll,
            _ => Strategy::OneForOne,
        };
        let usual = flags(strategy, 100_000);
        match self {
            Self::Parked => Flags {
                intensity: 0,
                on_exhausted: OnExhausted::Park,
                ..usual
            },
            Self::StartingAllAtOnce => Flags {
                start_order: StartOrder::Concurrent,
                ..usual
            },
            _ => usual,
        }
    }

    fn children(self) -> Vec<ChildSpec> {
        let minute = Millis::from_secs(60);
        let backoff = Backoff {
            initial: minute,
            max: minute,
            factor: 1.0,
            jitter: 0.0,
            reset_after: minute,
        };
        let slow = matches!(self, Self::BackingOff | Self::GroupBackingOff);
        let child = |id| ChildSpec {
            shutdown: Shutdown::Timeout(Millis(SHUTDOWN_MS)),
            backoff: slow.then_some(backoff),
            ..worker(id)
        };
        ["a", "b", "c"].map(child).into()
    }

    /// Brings the supervisor there; all children stop as `usual` says.
    async fn begin(self, stage: &Stage, supervisor: &SupervisorHandle, usual: Manners) {
        let up = !matches!(
            self,
            Self::Starting | Self::HangingStart | Self::StartingAllAtOnce
        );
        if up {
            stage.until("up(root)").await;
        }
        match self {
            Self::Starting | Self::HangingStart => drop(stage.until("+a1").await),
            Self::StartingAllAtOnce => drop(stage.until("+c1").await),
            Self::Parked => {
                stage.exit("b", crash());
                let parked = "shut down: reached_max_restart_intensity";
                stage
                    .until(&format!("report(root parked: b #1 {parked})"))
                    .await;
            }
            Self::Running => {}
            Self::BackingOff | Self::GroupBackingOff => {
                stage.exit("b", crash());
                stage
                    .until("report(root child_terminated: b #1 crash)")
                    .await;
            }
            Self::RestartLoop | Self::GroupRestartLoop => {
                let failing = Manners {
                    start: Some(Duration::from_millis(1)),
                    fails_from: Some(2),
                    ..usual
                };
                stage.manners("b", failing);
                stage.exit("b", crash());
                stage.until("failed(b4)").await;
            }
            Self::Stopping => supervisor.stop(),
            Self::Terminating => drop(supervisor.request(Request::TerminateChild("b".into()))),
            Self::Restarting => drop(supervisor.request(Request::OperatorRestart("b".into()))),
            Self::GroupStopping => {
                stage.exit("b", crash());
                stage
                    .until("report(root child_terminated: b #1 crash)")
                    .await;
            }
            Self::GroupStarting => {
                stage.manners(
                    "a",
                    Manners {
                        start: None,
                        ..usual
                    },
                );
                stage.exit("b", crash());
                let down = if usual.stop.is_some() {
                    "-a1(shutdown)"
                } else {
                    "-a1(killed)"
                };
                stage.until(down).await;
            }
        }
    }
}

/// The children that began and did not end.
fn alive(trace: &[String]) -> HashSet<String> {
    let mut alive = HashSet::new();
    for line in trace {
        if let Some(child) = line.strip_prefix('+') {
            alive.insert(child.to_owned());
        } else if let Some(child) = line.strip_prefix('-') {
            alive.remove(child.split('(').next().unwrap());
        }
    }
    alive
}

async fn check(doing: Doing, usual: Manners) {
    let stage = Stage::default();
    for id in ["a", "b", "c"] {
        stage.manners(id, usual);
    }
    match doing {
        Doing::Starting => {
            let start = Some(Duration::from_secs(10));
            stage.manners("b", Manners { start, ..usual });
        }
        Doing::HangingStart | Doing::StartingAllAtOnce => stage.manners(
            "b",
            Manners {
                start: None,
                ..usual
            },
        ),
        _ => {}
    }
    let (supervisor, mut reports) = spawn(&stage, doing.flags(), doing.children());
    doing.begin(&stage, &supervisor, usual).await;
    stage.take();
    let begun = Instant::now();
    supervisor.stop();
    let bound = Duration::from_millis(3 * SHUTDOWN_MS);
    let ended = timeout(bound + Duration::from_millis(1), supervisor.ended()).await;
    let trace = stage.take();
    assert!(
        ended.is_ok(),
        "{doing:?} after {:?}: {trace:?}",
        begun.elapsed()
    );
    assert!(
        trace.iter().all(|line| !line.starts_with('+')),
        "{doing:?}: {trace:?}"
    );
    let mut last = None;
    while let Some(report) = reports.recv().await {
        last = Some(report);
    }
    let told = ChildReport::Exited(ExitReason::Shutdown(None));
    assert_eq!(last, Some(told), "{doing:?}");
    // After the end it has no effect.
    supervisor.stop();
    supervisor.kill();
    assert_eq!(supervisor.snapshot().await, None);
    assert!(stage.take().is_empty(), "{doing:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_any_state_ends_it_within_the_shutdown_times() {
    for doing in ALL {
        check(doing, QUICK).await;
        check(doing, STUBBORN).await;
    }
}

#[tokio::test(start_paused = true)]
async fn obedient_children_are_down_at_once_whatever_goes_on() {
    for doing in ALL {
        let begun = Instant::now();
        check(doing, QUICK).await;
        // A restart loop takes a millisecond a try; nothing else waits for anything.
        assert!(begun.elapsed() < Duration::from_millis(100), "{doing:?}");
    }
}

/// A small world in which something happens every few milliseconds: slow starts, slow stops,
/// failing starts, crashes, and a stop after `ms`.
async fn stopped_after(strategy: Strategy, ms: u64) -> Vec<String> {
    let stage = Stage::default();
    let slow = Manners {
        start: Some(Duration::from_millis(7)),
        stop: Some(Duration::from_millis(5)),
        ..QUICK
    };
    stage.manners("a", slow);
    stage.manners(
        "b",
        Manners {
            fails_from: Some(3),
            ..slow
        },
    );
    stage.manners("d", STUBBORN);
    let inner = Below::Static(flags(strategy, 100), vec![worker("c"), worker("d")]);
    stage.nest("inner", inner);
    let shutdown = Shutdown::Timeout(Millis(SHUTDOWN_MS));
    let mut children = vec![worker("a"), worker("b"), ChildSpec::supervisor("inner")];
    children.iter_mut().for_each(|child| {
        if child.id.as_str() != "inner" {
            child.shutdown = shutdown;
        }
    });
    let (supervisor, _reports) = spawn(&stage, flags(strategy, 100), children);
    let script = async {
        for (after, id) in [(20, "a"), (1, "d"), (24, "b"), (1, "c"), (24, "a")] {
            tokio::time::sleep(Duration::from_millis(after)).await;
            stage.try_exit(id, crash());
        }
    };
    let stop = async {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        supervisor.stop();
        // `d` obeys only a kill, and has OTP's 5 s; the others are quicker than their times.
        let bound = Duration::from_millis(5000 + 3 * SHUTDOWN_MS);
        timeout(bound, supervisor.ended()).await
    };
    tokio::select! {
        biased;
        ended = stop => assert!(ended.is_ok(), "{strategy:?} {ms}: {:?}", stage.take()),
        () = async { script.await; std::future::pending().await } => {}
    }
    // The children's tasks write their ends before the supervisor hears of them.
    stage.take()
}

#[tokio::test(start_paused = true)]
async fn a_stop_at_any_millisecond_leaves_nobody_alive() {
    for strategy in [
        Strategy::OneForOne,
        Strategy::OneForAll,
        Strategy::RestForOne,
    ] {
        for ms in 0..250 {
            let trace = stopped_after(strategy, ms).await;
            let alive = alive(&trace);
            assert!(
                alive.is_empty(),
                "{strategy:?} {ms}: {alive:?} of {trace:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_levels_stop_in_any_state() {
    let stage = Stage::default();
    for level in 0..100 {
        let children = match level {
            99 => vec![worker("leaf"), worker("hanging")],
            _ => vec![
                ChildSpec::supervisor(format!("s{}", level + 1)),
                worker(&format!("w{level}")),
            ],
        };
        let below = Below::Static(flags(Strategy::OneForAll, 3), children);
        stage.nest(&format!("s{level}"), below);
    }
    stage.manners("hanging", HANGS);
    let children = vec![ChildSpec::supervisor("s0")];
    let (supervisor, mut reports) = spawn(&stage, flags(Strategy::OneForOne, 1), children);
    stage.until("+leaf1").await;
    let begun = Instant::now();
    supervisor.stop();
    supervisor.ended().await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let told = ChildReport::Exited(ExitReason::Shutdown(None));
    assert_eq!(reports.recv().await, Some(told), "it never was up");
}
