//! Processes that die or stop making sense: what their callers hear, and what the next life does.

use serde_json::json;
use synapse_core::spec::{Restart, Strategy};
use synapse_core::time::Millis;
use synapse_node::{AgentState, EventKind, RunEvent};

use crate::world::{
    World, agent, backoff, code, eventually, job, outcome, ready, rest, same, that, told, tree,
};
use crate::{Outcome, cases};

cases! {
    a_crash_answers_what_ran_and_keeps_what_waited,
    prefetched_runs_are_given_back_in_order,
    the_last_answer_of_a_dead_process_counts,
    the_last_stderr_line_of_a_dead_process_is_kept,
    a_crash_inside_a_frame_is_told_by_its_signal,
    a_clean_exit_inside_a_frame_is_a_violation,
    an_exit_with_code_0_in_a_run_is_a_crash_for_its_caller,
    garbage_is_a_violation_and_a_replica_takes_the_calls,
    a_process_that_closed_its_pipe_gets_no_calls,
    a_process_that_cannot_hear_is_replaced,
    siblings_that_wait_for_a_restart_are_in_backoff,
    who_is_not_restarted_is_stopped_or_failed,
    an_incarnation_tells_its_life_in_order,
    calls_wait_through_a_backoff,
}

async fn a_crash_answers_what_ran_and_keeps_what_waited() -> Outcome {
    let spec = agent("echo", |spec| spec.concurrency = 2);
    let world = ready(vec![spec]).await?;
    let mut ran = world.run("echo", job("wait")).await?;
    world.until_in_flight("echo", 1).await?;
    let mut crash = world.run("echo", job("abort")).await?;
    let mut waited = world.run("echo", json!("waited")).await?;
    for run in [&mut ran, &mut crash] {
        let fault = outcome(run).await?.err().ok_or("it crashed")?;
        same(&fault.code.as_str(), &"agent_crashed")?;
        same(&fault.details["reason"], &json!("signalled"))?;
    }
    let done = outcome(&mut waited).await?;
    that(
        matches!(code(&done), "ok" | "agent_crashed"),
        "one of both, by who was first",
    )?;
    let exit = world.agent("echo").await?.last_exit.ok_or("no exit")?;
    that(
        exit.runs_in_flight.len() >= 2,
        "the runs in flight are evidence",
    )?;
    world.stop().await
}

async fn prefetched_runs_are_given_back_in_order() -> Outcome {
    let spec = agent("echo", |spec| {
        (spec.concurrency, spec.prefetch) = (1, 8);
        spec.env.insert("FAKE_SLOTS".into(), "1".into());
    });
    let world = ready(vec![spec]).await?;
    let mut first = world.run("echo", job("wait")).await?;
    let mut behind = Vec::new();
    for number in 0..12 {
        behind.push(world.run("echo", json!(number)).await?);
    }
    eventually("eight are written", || {
        let view = world
            .node
            .agent("echo")
            .map_err(|fault| fault.message)?
            .view;
        if view.queued == 4 {
            Ok(())
        } else {
            Err(view.queued.to_string())
        }
    })
    .await?;
    world.node.kill(&["echo".to_owned()]).map_err(told)?;
    same(&code(&outcome(&mut first).await?), &"agent_crashed")?;
    let mut durations = Vec::new();
    for run in &mut behind {
        let done = outcome(run).await?.map_err(told)?;
        same(&done.incarnation, &2)?;
        durations.push(done.run);
    }
    that(durations.is_sorted(), "in order")?;
    world.stop().await
}

async fn the_last_answer_of_a_dead_process_counts() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    for life in 1..=30 {
        world.until_ready("echo", life).await?;
        let done = world.call("echo", job("answer_and_abort")).await;
        same(&code(&done), &"ok")?;
    }
    world.stop().await
}

async fn the_last_stderr_line_of_a_dead_process_is_kept() -> Outcome {
    for _ in 0..20 {
        let spec = agent("echo", |spec| {
            spec.env.insert("FAKE_START".into(), "exit".into());
        });
        let world = World::begin(tree(vec![spec], |_| {}))?;
        world.node.ended().await;
        let exit = world.agent("echo").await?.last_exit.ok_or("no exit")?;
        same(&exit.stderr_tail, &vec!["starting: exit".to_owned()])?;
    }
    Ok(())
}

async fn a_crash_inside_a_frame_is_told_by_its_signal() -> Outcome {
    exit_word("torn_abort", "signalled").await
}

async fn a_clean_exit_inside_a_frame_is_a_violation() -> Outcome {
    exit_word("torn_exit", "protocol_violation").await
}

async fn exit_word(how: &str, word: &'static str) -> Outcome {
    let world = ready(vec![agent("echo", |spec| spec.crash.poison_after = 0)]).await?;
    for life in 1..=10 {
        same(&code(&world.call("echo", job(how)).await), &"agent_crashed")?;
        world.until_ready("echo", life + 1).await?;
        let exit = world.agent("echo").await?.last_exit.ok_or("no exit")?;
        same(&exit.reason.word(), &word)?;
    }
    world.stop().await
}

async fn an_exit_with_code_0_in_a_run_is_a_crash_for_its_caller() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    same(
        &code(&world.call("echo", job("exit")).await),
        &"agent_crashed",
    )?;
    world.call("echo", json!("next")).await.map_err(told)?;
    world.stop().await
}

async fn garbage_is_a_violation_and_a_replica_takes_the_calls() -> Outcome {
    let spec = agent("echo", |spec| {
        (spec.replicas, spec.concurrency) = (2, 1);
        spec.crash.poison_after = 0;
    });
    let world = ready(vec![spec]).await?;
    for _ in 0..10 {
        let mut broken = world.run("echo", job("garbage")).await?;
        world.call("echo", json!("beside")).await.map_err(told)?;
        same(&code(&outcome(&mut broken).await?), &"agent_crashed")?;
    }
    let exit = world.agent("echo").await?.last_exit.ok_or("no exit")?;
    same(&exit.reason.word(), &"protocol_violation")?;
    world.stop().await
}

async fn a_process_that_closed_its_pipe_gets_no_calls() -> Outcome {
    let spec = agent("echo", |spec| (spec.replicas, spec.concurrency) = (2, 2));
    let world = ready(vec![spec]).await?;
    let mut closed = world.run("echo", job("close")).await?;
    world.until_in_flight("echo", 1).await?;
    // The end of file is seen a moment later; from then on the other replica has all calls.
    let mut lost = 0;
    for number in 0..40 {
        let done = world.call("echo", json!(number)).await;
        lost += usize::from(code(&done) != "ok");
    }
    same(&code(&outcome(&mut closed).await?), &"agent_crashed")?;
    that(
        lost <= 1,
        &format!("{lost} calls were lost to a closed pipe"),
    )?;
    world.stop().await
}

async fn a_process_that_cannot_hear_is_replaced() -> Outcome {
    let world = ready(vec![agent("echo", |spec| spec.concurrency = 2)]).await?;
    let mut deaf = world.run("echo", job("deaf")).await?;
    world.until_in_flight("echo", 1).await?;
    let unheard = world.call("echo", json!("unheard")).await;
    that(
        matches!(code(&unheard), "ok" | "agent_crashed"),
        code(&unheard),
    )?;
    same(&code(&outcome(&mut deaf).await?), &"agent_crashed")?;
    world.call("echo", json!("next")).await.map_err(told)?;
    world.stop().await
}

async fn siblings_that_wait_for_a_restart_are_in_backoff() -> Outcome {
    let first = agent("first", |spec| spec.backoff = backoff(60_000));
    let tree = tree(vec![first, agent("second", |_| {})], |root| {
        root.strategy = Strategy::OneForAll;
    });
    let world = World::begin(tree)?;
    world.until_state("second", AgentState::Ready).await?;
    world.node.kill(&["first".to_owned()]).map_err(told)?;
    world.until_state("first", AgentState::Backoff).await?;
    world.until_state("second", AgentState::Backoff).await?;
    world
        .node
        .start(&["first".to_owned()])
        .await
        .map_err(told)?;
    world.until_state("second", AgentState::Ready).await?;
    world.stop().await
}

async fn who_is_not_restarted_is_stopped_or_failed() -> Outcome {
    let spec = agent("once", |spec| spec.restart = Restart::Temporary);
    let world = ready(vec![spec, agent("other", |_| {})]).await?;
    same(
        &code(&world.call("once", job("abort")).await),
        &"agent_crashed",
    )?;
    world.until_state("once", AgentState::Failed).await?;
    same(&code(&world.call("once", json!(1)).await), &"agent_failed")?;
    world.node.start(&["once".to_owned()]).await.map_err(told)?;
    world.call("once", json!(1)).await.map_err(told)?;
    same(
        &code(&world.call("once", job("exit")).await),
        &"agent_crashed",
    )?;
    world.until_state("once", AgentState::Stopped).await?;
    same(&code(&world.call("once", json!(1)).await), &"agent_stopped")?;
    world.stop().await
}

async fn an_incarnation_tells_its_life_in_order() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    world
        .call("echo", job("abort"))
        .await
        .err()
        .ok_or("crashed")?;
    world.call("echo", json!(1)).await.map_err(told)?;
    world.until_state("echo", AgentState::Ready).await?;
    let (events, _) = world.node.events(usize::MAX);
    // The root says that all are up a moment after the last one is.
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event.kind)
        .filter(|kind| *kind != EventKind::NodeStarted)
        .collect();
    let expected = [
        EventKind::AgentStarting,
        EventKind::AgentReady,
        EventKind::AgentExited,
        EventKind::CrashReport,
        EventKind::AgentRestarting,
        EventKind::AgentStarting,
        EventKind::AgentReady,
    ];
    same(&kinds, &expected.to_vec())?;
    that(events.is_sorted_by_key(|event| event.seq), "numbers grow")?;
    world.stop().await
}

async fn calls_wait_through_a_backoff() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.backoff = backoff(100);
        spec.call_timeout = Millis::from_secs(20);
    });
    let world = ready(vec![spec]).await?;
    world.node.kill(&["echo".to_owned()]).map_err(told)?;
    let mut run = world.run("echo", json!("patience")).await?;
    let events = rest(&mut run).await?;
    same(
        &events.first(),
        &Some(&RunEvent::Started { incarnation: 2 }),
    )?;
    world.stop().await
}
