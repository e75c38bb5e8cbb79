//! A supervisor answers while it works: on a clock that stands still, and before what came later.

use std::time::Duration;

use synapse_core::spec::{Backoff, Strategy};
use synapse_core::supervisor::{ChildSpec, ChildState, Reply, Request};
use synapse_core::time::Millis;
use synapse_node::supervisor::SupervisorHandle;
use tokio::time::Instant;

use crate::children::{HANGS, Manners, QUICK, STUBBORN, Stage, crash, flags, spawn, worker};

const ONE: Strategy = Strategy::OneForOne;

/// The state of every child, in start order, by `which_children`: answered in no time.
async fn answered(supervisor: &SupervisorHandle) -> Vec<ChildState> {
    let begun = Instant::now();
    let Reply::Children(children) = supervisor.request(Request::WhichChildren).await else {
        panic!("no list");
    };
    assert_eq!(begun.elapsed(), Duration::ZERO);
    children.iter().rev().map(|child| child.state).collect()
}

#[tokio::test(start_paused = true)]
async fn while_a_child_hangs_in_its_start() {
    let stage = Stage::default();
    stage.manners("b", HANGS);
    let (supervisor, _reports) = spawn(&stage, flags(ONE, 1), vec![worker("a"), worker("b")]);
    stage.until("+a1").await;
    let states = [ChildState::Up, ChildState::Starting];
    assert_eq!(answered(&supervisor).await, states);
    // Other requests are done meanwhile, not only answered.
    let started = supervisor.request(Request::StartChild(worker("c"))).await;
    assert_eq!(started, Reply::Ok);
    let ended = supervisor
        .request(Request::TerminateChild("a".into()))
        .await;
    assert_eq!(ended, Reply::Ok);
    let states = [ChildState::Down, ChildState::Starting, ChildState::Up];
    assert_eq!(answered(&supervisor).await, states);
}

#[tokio::test(start_paused = true)]
async fn while_a_hundred_children_crash_in_a_loop() {
    let stage = Stage::default();
    let ids: Vec<String> = (0..100).map(|index| format!("w{index}")).collect();
    let children: Vec<ChildSpec> = ids.iter().map(|id| worker(id)).collect();
    let (supervisor, _reports) = spawn(&stage, flags(ONE, 100_000), children);
    stage.until("up(root)").await;
    let looping = Manners {
        crashes: true,
        ..QUICK
    };
    for id in &ids {
        stage.manners(id, looping);
        stage.exit(id, crash());
    }
    stage.until("+w993").await;
    for _ in 0..20 {
        let before = stage.take().len();
        assert_eq!(answered(&supervisor).await.len(), 100);
        // Each child is begun at most twice while the answer is on its way: what was in the
        // queue already, and what follows from it. None has to wait for the end of the loops.
        let begun = stage
            .take()
            .iter()
            .filter(|line| line.starts_with('+'))
            .count();
        assert!(
            begun <= 200,
            "{begun} starts before the answer, {before} lines before"
        );
    }
    supervisor.stop();
    supervisor.ended().await;
    let trace = stage.take();
    assert_eq!(trace.last().unwrap(), "ended(root: shutdown, Told)");
}

#[tokio::test(start_paused = true)]
async fn while_it_backs_off() {
    let minute = Millis::from_secs(60);
    let backoff = Backoff {
        initial: minute,
        max: minute,
        factor: 1.0,
        jitter: 0.0,
        reset_after: minute,
    };
    for (strategy, a) in [
        (ONE, ChildState::Up),
        (Strategy::OneForAll, ChildState::Down),
    ] {
        let stage = Stage::default();
        let slow = ChildSpec {
            backoff: Some(backoff),
            ..worker("b")
        };
        let children = vec![worker("a"), slow];
        let (supervisor, _reports) = spawn(&stage, flags(strategy, 5), children);
        stage.until("up(root)").await;
        let begun = Instant::now();
        stage.exit("b", crash());
        let last = match strategy {
            Strategy::OneForOne => "report(root child_terminated: b #1 crash)",
            _ => "-a1(shutdown)",
        };
        stage.until(last).await;
        // Behind what was said last on the supervisor's queue.
        assert!(supervisor.snapshot().await.is_some());
        let states = [a, ChildState::Restarting];
        assert_eq!(answered(&supervisor).await, states, "{strategy:?}");
        assert_eq!(begun.elapsed(), Duration::ZERO);
        stage.until("+b2").await;
        assert_eq!(begun.elapsed(), Duration::from_secs(60));
    }
}

#[tokio::test(start_paused = true)]
async fn while_a_child_does_not_obey() {
    let stage = Stage::default();
    stage.manners("b", STUBBORN);
    let (supervisor, _reports) = spawn(&stage, flags(ONE, 1), vec![worker("a"), worker("b")]);
    stage.until("up(root)").await;
    supervisor.stop();
    let states = [ChildState::Up, ChildState::Stopping];
    assert_eq!(answered(&supervisor).await, states);
}
