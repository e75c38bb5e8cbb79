//! One supervisor.

use std::sync::Arc;
use std::time::Duration;

use synapse_core::exit::ExitReason;
use synapse_core::spec::{Backoff, Shutdown, Strategy};
use synapse_core::supervisor::{ChildSpec, ChildState, DynamicFlags, Reply, Request, RequestError};
use synapse_core::time::Millis;
use synapse_node::supervisor::{AgentSupervisor, ChildEvents, ChildReport};
use tokio::time::{Instant, timeout};

use crate::children::{
    HANGS, Manners, PATIENCE, QUICK, STUBBORN, Stage, crash, flags, spawn, worker,
};

const ONE: Strategy = Strategy::OneForOne;

fn workers(ids: &str) -> Vec<ChildSpec> {
    ids.split(' ').map(worker).collect()
}

#[tokio::test(start_paused = true)]
async fn children_start_in_order_and_stop_in_reverse() {
    let stage = Stage::default();
    stage.manners(
        "a",
        Manners {
            start: Some(Duration::from_millis(500)),
            ..QUICK
        },
    );
    let (supervisor, mut reports) = spawn(&stage, flags(ONE, 1), workers("a b c"));
    assert_eq!(stage.until("up(root)").await, "+a1 +b1 +c1 up(root)");
    assert_eq!(reports.recv().await, Some(ChildReport::Started));
    supervisor.stop();
    assert_eq!(
        stage.until("ended(root: shutdown, Told)").await,
        "-c1(shutdown) -b1(shutdown) -a1(shutdown) ended(root: shutdown, Told)"
    );
    assert_eq!(
        reports.recv().await,
        Some(ChildReport::Exited(ExitReason::Shutdown(None)))
    );
    assert_eq!(reports.recv().await, None, "the actor is gone");
    assert_eq!(supervisor.snapshot().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_takes_the_started_down_again() {
    let stage = Stage::default();
    stage.manners(
        "b",
        Manners {
            fails_from: Some(1),
            ..QUICK
        },
    );
    let (_supervisor, mut reports) = spawn(&stage, flags(ONE, 1), workers("a b c"));
    let trace = stage
        .until("start_failed(root: b: failed to start: boom)")
        .await;
    assert!(trace.starts_with("+a1 failed(b1) "), "{trace}");
    assert!(trace.contains("-a1(shutdown) start_failed"), "{trace}");
    assert!(matches!(
        reports.recv().await,
        Some(ChildReport::StartFailed(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn while_a_child_hangs_in_its_start_the_supervisor_answers_and_stops_at_once() {
    let stage = Stage::default();
    stage.manners("b", HANGS);
    let (supervisor, mut reports) = spawn(&stage, flags(ONE, 1), workers("a b c"));
    stage.until("+a1").await;
    let begun = Instant::now();
    let snapshot = supervisor.snapshot().await.unwrap();
    let states: Vec<_> = snapshot.children.iter().map(|child| child.state).collect();
    assert_eq!(
        states,
        [ChildState::Up, ChildState::Starting, ChildState::Down]
    );
    assert!(!snapshot.is_up);
    supervisor.stop();
    assert!(matches!(reports.recv().await, Some(ChildReport::Exited(_))));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_crash_restarts_and_too_many_end_the_supervisor() {
    let stage = Stage::default();
    let (_supervisor, mut reports) = spawn(&stage, flags(ONE, 1), workers("a b"));
    stage.until("up(root)").await;
    stage.exit("a", crash());
    let report = "report(root child_terminated: a #1 crash)";
    assert_eq!(stage.until("+a2").await, format!("-a1(error) {report} +a2"));
    stage.exit("a", crash());
    let trace = stage.until("ended(root: shutdown, GaveUp)").await;
    assert!(trace.contains("-b1(shutdown)"), "{trace}");
    assert_eq!(reports.recv().await, Some(ChildReport::Started));
    assert_eq!(
        reports.recv().await,
        Some(ChildReport::Exited(ExitReason::Shutdown(None)))
    );
}

#[tokio::test(start_paused = true)]
async fn a_stubborn_child_is_killed_at_its_deadline() {
    let stage = Stage::default();
    stage.manners("b", STUBBORN);
    let shutdown = Shutdown::Timeout(Millis(700));
    let children = vec![
        worker("a"),
        ChildSpec {
            shutdown,
            ..worker("b")
        },
    ];
    let (supervisor, _reports) = spawn(&stage, flags(ONE, 1), children);
    stage.until("up(root)").await;
    let begun = Instant::now();
    supervisor.stop();
    let trace = stage.until("ended(root: shutdown, Told)").await;
    assert!(trace.starts_with("-b1(killed) report(root shutdown_error: b #1 killed) -a1("));
    assert_eq!(begun.elapsed(), Duration::from_millis(700));
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_a_backoff_does_not_wait_for_it() {
    let stage = Stage::default();
    let delay = Millis::from_secs(60);
    let backoff = Backoff {
        initial: delay,
        max: delay,
        factor: 1.0,
        jitter: 0.0,
        reset_after: delay,
    };
    let children = vec![ChildSpec {
        backoff: Some(backoff),
        ..worker("a")
    }];
    let (supervisor, mut reports) = spawn(&stage, flags(ONE, 5), children);
    stage.until("up(root)").await;
    let begun = Instant::now();
    stage.exit("a", crash());
    stage.until("+a2").await;
    assert_eq!(begun.elapsed(), Duration::from_secs(60));
    stage.exit("a", crash());
    stage
        .until("report(root child_terminated: a #2 crash)")
        .await;
    supervisor.stop();
    assert_eq!(reports.recv().await, Some(ChildReport::Started));
    assert!(matches!(reports.recv().await, Some(ChildReport::Exited(_))));
    assert_eq!(begun.elapsed(), Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_actor_panics_has_crashed_and_the_report_says_why() {
    let stage = Stage::default();
    stage.manners(
        "a",
        Manners {
            is_actor: true,
            ..QUICK
        },
    );
    let (_supervisor, _reports) = spawn(&stage, flags(ONE, 1), workers("a"));
    stage.until("up(root)").await;
    stage.exit("a", crash());
    let trace = stage.until("+a2").await;
    assert_eq!(
        trace,
        "report(root child_terminated: a #1 internal error: oh no) +a2"
    );
}

#[tokio::test(start_paused = true)]
async fn a_child_that_goes_without_a_word_has_crashed() {
    let stage = Stage::default();
    let (_supervisor, _reports) = spawn(&stage, flags(ONE, 1), workers("a"));
    stage.until("up(root)").await;
    stage.vanish("a");
    let trace = stage.until("+a2").await;
    assert!(
        trace.contains("a #1 internal error: ended without a word"),
        "{trace}"
    );
}

#[tokio::test(start_paused = true)]
async fn requests_are_answered_when_they_are_done() {
    let stage = Stage::default();
    let slow = Manners {
        start: Some(Duration::from_secs(3)),
        ..QUICK
    };
    stage.manners("b", slow);
    let (supervisor, _reports) = spawn(&stage, flags(ONE, 1), workers("a"));
    let begun = Instant::now();
    assert_eq!(
        supervisor.request(Request::StartChild(worker("b"))).await,
        Reply::Ok
    );
    assert_eq!(begun.elapsed(), Duration::from_secs(3));
    assert_eq!(
        supervisor.request(Request::OperatorStop("b".into())).await,
        Reply::Ok
    );
    let held = supervisor.snapshot().await.unwrap().children[1].state;
    assert_eq!(held, ChildState::Held);
    assert_eq!(
        supervisor
            .request(Request::OperatorRestart("b".into()))
            .await,
        Reply::Ok
    );
    stage.manners("b", HANGS);
    let hanging = supervisor.request(Request::OperatorRestart("b".into()));
    let waited = timeout(PATIENCE, async {
        tokio::join!(hanging, async {
            // Behind the restart request, on the same queue.
            stage.until("-b2(shutdown)").await;
            supervisor.stop();
        })
    });
    assert_eq!(waited.await.unwrap().0, Reply::Error(RequestError::Stopped));
    let gone = supervisor.request(Request::OperatorStart("b".into())).await;
    assert_eq!(gone, Reply::Error(RequestError::ShuttingDown));
}

#[tokio::test(start_paused = true)]
async fn a_kill_takes_all_children_at_once() {
    let stage = Stage::default();
    ["a", "b"].iter().for_each(|id| stage.manners(id, STUBBORN));
    let (supervisor, mut reports) = spawn(&stage, flags(ONE, 1), workers("a b"));
    stage.until("up(root)").await;
    supervisor.kill();
    let trace = stage.until("ended(root: killed, Killed)").await;
    assert!(
        trace.contains("-a1(killed)") && trace.contains("-b1(killed)"),
        "{trace}"
    );
    assert_eq!(reports.recv().await, Some(ChildReport::Started));
    assert_eq!(
        reports.recv().await,
        Some(ChildReport::Exited(ExitReason::Killed))
    );
}

#[tokio::test(start_paused = true)]
async fn when_the_supervisors_actor_dies_its_children_die_and_its_parent_hears() {
    let stage = Stage::default();
    let (supervisor, mut reports) = spawn(&stage, flags(ONE, 1), workers("a b"));
    stage.until("up(root)").await;
    stage.manners("c", HANGS);
    let waiting = supervisor.request(Request::StartChild(worker("c")));
    supervisor.crash();
    assert_eq!(waiting.await, Reply::Error(RequestError::ShuttingDown));
    assert_eq!(reports.recv().await, Some(ChildReport::Started));
    assert_eq!(reports.recv().await, Some(ChildReport::Vanished));
    stage.until("-a1(killed)").await;
    assert_eq!(supervisor.snapshot().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_children_crash_together_and_come_back() {
    let stage = Stage::default();
    let ids: Vec<String> = (0..1000).map(|index| format!("w{index}")).collect();
    let children = ids.iter().map(|id| worker(id)).collect();
    let (supervisor, _reports) = spawn(&stage, flags(ONE, 1000), children);
    stage.until("up(root)").await;
    ids.iter().for_each(|id| stage.exit(id, crash()));
    stage.until("+w9992").await;
    let snapshot = supervisor.snapshot().await.unwrap();
    assert_eq!(snapshot.restarts_in_period, 1000);
    supervisor.stop();
    let trace = stage.until("ended(root: shutdown, Told)").await;
    let stops: Vec<&str> = trace
        .split(' ')
        .filter(|line| line.starts_with("-w"))
        .collect();
    let expected: Vec<String> = ids
        .iter()
        .rev()
        .map(|id| format!("-{id}2(shutdown)"))
        .collect();
    assert_eq!(stops, expected);
}

#[tokio::test(start_paused = true)]
async fn children_that_come_and_go_stop_all_at_once() {
    let stage = Stage::default();
    let slow = Manners {
        stop: Some(Duration::from_secs(1)),
        ..QUICK
    };
    let flags = DynamicFlags {
        intensity: 1,
        period: Millis(5000),
        max_children: 3,
        template: None,
    };
    let (up, mut reports) = ChildEvents::root();
    let (factory, observer) = (Arc::new(stage.clone()), Arc::new(stage.clone()));
    let spawned = AgentSupervisor::spawn_dynamic("root", flags, 1, factory, observer, up);
    let supervisor = spawned.unwrap();
    for id in ["a", "b", "c"] {
        stage.manners(id, slow);
        let started = supervisor.request(Request::StartChild(worker(id))).await;
        assert_eq!(started, Reply::Ok);
    }
    let full = supervisor.request(Request::StartChild(worker("d"))).await;
    assert_eq!(full, Reply::Error(RequestError::MaxChildren));
    stage.exit("b", crash());
    stage.until("+b2").await;
    let begun = Instant::now();
    supervisor.stop();
    supervisor.ended().await;
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    assert_eq!(reports.recv().await, Some(ChildReport::Started));
    assert_eq!(
        reports.recv().await,
        Some(ChildReport::Exited(ExitReason::Shutdown(None)))
    );
}
