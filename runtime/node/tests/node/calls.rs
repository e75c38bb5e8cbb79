//! Calls of every fate over processes that live: each accepted one has exactly one outcome.

use std::time::Duration;

use serde_json::json;
use synapse_core::spec::WhenFull;
use synapse_core::time::Millis;
use synapse_node::{AgentState, CallRequest, RunEvent};

use crate::world::{agent, asked, code, eventually, job, outcome, ready, rest, same, that, told};
use crate::{Outcome, cases};

cases! {
    a_call_answers_and_says_who_executed_it,
    a_cancelled_run_answers_at_once_and_frees_its_slot,
    an_answer_after_the_cancel_is_not_a_second_outcome,
    a_caller_who_leaves_cancels_the_run,
    a_run_that_ignores_its_cancel_costs_the_process_its_life,
    a_prefetched_run_that_is_cancelled_costs_no_grace,
    a_deadline_in_the_queue_answers_and_the_run_never_starts,
    a_deadline_in_the_run_answers_and_cancels_it,
    an_input_too_large_for_a_frame_is_a_fault_and_the_next_call_goes_on,
    an_output_that_does_not_fit_the_declared_schema_is_a_fault,
    a_full_mailbox_refuses_and_recovers,
    callers_wait_for_places_where_the_mailbox_says_so,
    a_slow_reader_slows_its_own_stream_only,
    a_run_tells_its_start_once_and_its_chunks_in_order,
    a_prefetched_run_tells_its_start_when_it_begins,
    a_flood_of_log_lines_does_not_hold_a_cancel_up,
    a_conversation_is_free_again_after_every_kind_of_end,
    a_second_call_on_a_conversation_waits_for_the_first,
}

async fn a_call_answers_and_says_who_executed_it() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    let done = world.call("echo", json!("hello")).await.map_err(told)?;
    same(&(done.output, done.incarnation), &(json!("hello"), 1))?;
    world.stop().await
}

async fn a_cancelled_run_answers_at_once_and_frees_its_slot() -> Outcome {
    let world = ready(vec![agent("echo", |spec| spec.concurrency = 1)]).await?;
    let mut run = world.run("echo", job("wait")).await?;
    world.until_in_flight("echo", 1).await?;
    that(world.node.cancel(run.id()), "the run is under way")?;
    same(&code(&outcome(&mut run).await?), &"cancelled")?;
    that(!world.node.cancel(run.id()), "a run ends once")?;
    world.call("echo", json!("next")).await.map_err(told)?;
    world.stop().await
}

async fn an_answer_after_the_cancel_is_not_a_second_outcome() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    let mut run = world.run("echo", job("late")).await?;
    world.until_in_flight("echo", 1).await?;
    run.cancel();
    same(&code(&outcome(&mut run).await?), &"cancelled")?;
    world.until_in_flight("echo", 0).await?;
    same(&rest(&mut run).await?.len(), &0)?;
    world.stop().await
}

async fn a_caller_who_leaves_cancels_the_run() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    let run = world.run("echo", job("wait")).await?;
    world.until_in_flight("echo", 1).await?;
    drop(run);
    world.until_in_flight("echo", 0).await?;
    same(
        &world.agent("echo").await?.replicas[0].incarnation,
        &Some(1),
    )?;
    world.stop().await
}

async fn a_run_that_ignores_its_cancel_costs_the_process_its_life() -> Outcome {
    let spec = agent("echo", |spec| spec.cancel_grace = Millis(50));
    let world = ready(vec![spec]).await?;
    let mut run = world.run("echo", job("stubborn")).await?;
    let mut beside = world.run("echo", job("wait")).await?;
    world.until_in_flight("echo", 2).await?;
    run.cancel();
    same(&code(&outcome(&mut run).await?), &"cancelled")?;
    same(&code(&outcome(&mut beside).await?), &"agent_crashed")?;
    world.call("echo", json!("next")).await.map_err(told)?;
    let exit = world.agent("echo").await?.last_exit.ok_or("no exit")?;
    same(&exit.reason.word(), &"unresponsive")?;
    world.stop().await
}

async fn a_prefetched_run_that_is_cancelled_costs_no_grace() -> Outcome {
    let spec = agent("echo", |spec| {
        (spec.concurrency, spec.prefetch) = (1, 2);
        spec.cancel_grace = Millis(50);
        spec.env.insert("FAKE_SLOTS".into(), "1".into());
        spec.env.insert("FAKE_CANCEL".into(), "deaf".into());
    });
    let world = ready(vec![spec]).await?;
    let mut long = world.run("echo", job("wait")).await?;
    let mut ahead = world.run("echo", json!("ahead")).await?;
    eventually("both are written", || queued(&world, 0)).await?;
    ahead.cancel();
    same(&code(&outcome(&mut ahead).await?), &"cancelled")?;
    // Twice the grace, on the clock of the process that would be killed.
    tokio::time::sleep(Duration::from_millis(150)).await;
    same(
        &world.agent("echo").await?.replicas[0].incarnation,
        &Some(1),
    )?;
    long.cancel();
    same(&code(&outcome(&mut long).await?), &"cancelled")?;
    world.stop().await
}

fn queued(world: &crate::world::World, count: usize) -> Result<(), String> {
    let view = world
        .node
        .agent("echo")
        .map_err(|fault| fault.message)?
        .view;
    match view.queued == count {
        true => Ok(()),
        false => Err(format!("{} queued", view.queued)),
    }
}

async fn a_deadline_in_the_queue_answers_and_the_run_never_starts() -> Outcome {
    let world = ready(vec![agent("echo", |spec| spec.concurrency = 1)]).await?;
    let mut first = world.run("echo", job("wait")).await?;
    world.until_in_flight("echo", 1).await?;
    let request = CallRequest {
        timeout: Some(Duration::from_millis(30)),
        ..asked(json!("late"))
    };
    let mut second = world.node.start_run("echo", request).await.map_err(told)?;
    let events = rest(&mut second).await?;
    same(&events.len(), &1)?;
    that(
        matches!(&events[0], RunEvent::Finished(Err(fault)) if fault.code.as_str() == "deadline_exceeded"),
        "the deadline is its only event",
    )?;
    same(&world.agent("echo").await?.queued, &0)?;
    first.cancel();
    same(&code(&outcome(&mut first).await?), &"cancelled")?;
    world.stop().await
}

async fn a_deadline_in_the_run_answers_and_cancels_it() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    let request = CallRequest {
        timeout: Some(Duration::from_millis(50)),
        ..asked(job("wait"))
    };
    let done = world.node.call("echo", request).await;
    same(&code(&done), &"deadline_exceeded")?;
    world.until_in_flight("echo", 0).await?;
    world.stop().await
}

async fn an_input_too_large_for_a_frame_is_a_fault_and_the_next_call_goes_on() -> Outcome {
    let world = ready(vec![agent("echo", |spec| spec.concurrency = 1)]).await?;
    let large = json!("x".repeat(17 * 1024 * 1024));
    same(
        &code(&world.call("echo", large.clone()).await),
        &"invalid_input",
    )?;
    world.call("echo", json!("next")).await.map_err(told)?;
    // Behind it in the queue, at the moment that it is refused.
    let mut first = world.run("echo", job("wait")).await?;
    let mut refused = world.run("echo", large).await?;
    let mut behind = world.run("echo", json!("behind")).await?;
    first.cancel();
    same(&code(&outcome(&mut first).await?), &"cancelled")?;
    same(&code(&outcome(&mut refused).await?), &"invalid_input")?;
    same(&code(&outcome(&mut behind).await?), &"ok")?;
    let honest = json!("x".repeat(15 * 1024 * 1024));
    let done = world.call("echo", honest.clone()).await.map_err(told)?;
    that(done.output == honest, "15 MiB come back")?;
    world.stop().await
}

async fn an_output_that_does_not_fit_the_declared_schema_is_a_fault() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.output_schema = Some(json!({"type": "string"}));
        spec.env.insert("A_KEY".into(), "planted-7c1f".into());
    });
    let world = ready(vec![spec]).await?;
    same(&code(&world.call("echo", json!("text")).await), &"ok")?;
    let answer = world.call("echo", json!(["planted-7c1f"])).await;
    same(&code(&answer), &"output_invalid")?;
    // It repeats what does not fit, and is kept.
    let detail = world.node.agent("echo").map_err(told)?;
    let kept = detail.failed_run.ok_or("nothing is kept")?.message;
    let masked = r#"the output does not fit its schema: ["***"] is not of type "string""#;
    same(&kept.as_str(), &masked)?;
    world.stop().await
}

async fn a_full_mailbox_refuses_and_recovers() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.concurrency = 1;
        spec.mailbox.size = 2;
    });
    let world = ready(vec![spec]).await?;
    let mut runs = vec![world.run("echo", job("wait")).await?];
    world.until_in_flight("echo", 1).await?;
    for _ in 0..2 {
        runs.push(world.run("echo", job("wait")).await?);
    }
    let refused = world.node.start_run("echo", asked(json!("too many"))).await;
    same(
        &refused.err().map(|fault| fault.code.as_str()),
        &Some("overloaded"),
    )?;
    for mut run in runs {
        run.cancel();
        same(&code(&outcome(&mut run).await?), &"cancelled")?;
    }
    world.call("echo", json!("next")).await.map_err(told)?;
    world.stop().await
}

async fn callers_wait_for_places_where_the_mailbox_says_so() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.concurrency = 1;
        spec.mailbox.size = 1;
        spec.mailbox.when_full = WhenFull::Wait;
    });
    let world = ready(vec![spec]).await?;
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..50 {
        let node = world.node.clone();
        callers.spawn(async move { node.call("echo", asked(json!(number))).await });
    }
    for done in callers.join_all().await {
        done.map_err(told)?;
    }
    world.stop().await
}

async fn a_slow_reader_slows_its_own_stream_only() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    let talk = json!({"do": "talk", "chunks": 5000, "bytes": 100});
    let request = || CallRequest {
        stream: true,
        ..asked(talk.clone())
    };
    let mut slow = world
        .node
        .start_run("echo", request())
        .await
        .map_err(told)?;
    let mut fast = world
        .node
        .start_run("echo", request())
        .await
        .map_err(told)?;
    same(&rest(&mut fast).await?.len(), &5002)?;
    world.call("echo", json!("beside")).await.map_err(told)?;
    same(&rest(&mut slow).await?.len(), &5002)?;
    world.stop().await
}

async fn a_run_tells_its_start_once_and_its_chunks_in_order() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    let request = CallRequest {
        stream: true,
        ..asked(json!({"do": "talk", "chunks": 1000, "bytes": 1}))
    };
    let mut run = world.node.start_run("echo", request).await.map_err(told)?;
    let events = rest(&mut run).await?;
    that(
        events[0] == RunEvent::Started { incarnation: 1 },
        "the start is first",
    )?;
    for (expected, event) in (0..).zip(&events[1..1001]) {
        that(
            matches!(event, RunEvent::Text { seq, .. } if *seq == expected),
            "chunks are in order",
        )?;
    }
    that(
        matches!(events[1001], RunEvent::Finished(Ok(_))),
        "the outcome is last",
    )?;
    world.stop().await
}

async fn a_prefetched_run_tells_its_start_when_it_begins() -> Outcome {
    let spec = agent("echo", |spec| {
        (spec.concurrency, spec.prefetch) = (1, 1);
        spec.env.insert("FAKE_SLOTS".into(), "1".into());
    });
    let world = ready(vec![spec]).await?;
    let mut first = world.run("echo", job("wait")).await?;
    let mut second = world.run("echo", job("wait")).await?;
    same(
        &first.next().await,
        &Some(RunEvent::Started { incarnation: 1 }),
    )?;
    eventually("both are written", || queued(&world, 0)).await?;
    let early = tokio::time::timeout(Duration::from_millis(50), second.next()).await;
    that(early.is_err(), "the second has not begun")?;
    world.node.kill(&["echo".to_owned()]).map_err(told)?;
    same(&code(&outcome(&mut first).await?), &"agent_crashed")?;
    same(
        &second.next().await,
        &Some(RunEvent::Started { incarnation: 2 }),
    )?;
    second.cancel();
    same(&rest(&mut second).await?.len(), &1)?;
    world.stop().await
}

async fn a_flood_of_log_lines_does_not_hold_a_cancel_up() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    let mut flood = world.run("echo", job("flood")).await?;
    world.until_in_flight("echo", 1).await?;
    flood.cancel();
    same(&code(&outcome(&mut flood).await?), &"cancelled")?;
    world.until_in_flight("echo", 0).await?;
    world
        .call("echo", json!("through the flood"))
        .await
        .map_err(told)?;
    world.stop().await
}

async fn a_conversation_is_free_again_after_every_kind_of_end() -> Outcome {
    let spec = agent("echo", |spec| {
        (spec.concurrency, spec.prefetch) = (1, 1);
        spec.env.insert("FAKE_SLOTS".into(), "1".into());
    });
    let world = ready(vec![spec]).await?;
    let talk = |input| CallRequest {
        session: Some("ada".to_owned()),
        ..asked(input)
    };
    let mut blocker = world.run("echo", job("wait")).await?;
    // Cancelled while prefetched, with the process dead before it can say so. The run is kept.
    let ahead = world
        .node
        .start_run("echo", talk(json!(1)))
        .await
        .map_err(told)?;
    eventually("it is written", || queued(&world, 0)).await?;
    ahead.cancel();
    world.node.kill(&["echo".to_owned()]).map_err(told)?;
    same(&code(&outcome(&mut blocker).await?), &"agent_crashed")?;
    // Crashed.
    let done = world.node.call("echo", talk(job("abort"))).await;
    same(&code(&done), &"agent_crashed")?;
    // Cancelled, answered late.
    let mut late = world
        .node
        .start_run("echo", talk(job("late")))
        .await
        .map_err(told)?;
    world.until_in_flight("echo", 1).await?;
    late.cancel();
    same(&code(&outcome(&mut late).await?), &"cancelled")?;
    // Too large.
    let large = json!("x".repeat(17 * 1024 * 1024));
    same(
        &code(&world.node.call("echo", talk(large)).await),
        &"invalid_input",
    )?;
    let done = world.node.call("echo", talk(json!("hi"))).await;
    same(&code(&done), &"ok")?;
    let view = world.node.session("ada").ok_or("no conversation")?;
    let partial: Vec<bool> = view.turns.iter().map(|turn| turn.partial).collect();
    // The late answer is in the history, so it is in the conversation.
    same(&partial, &vec![true, false, false])?;
    drop(ahead);
    world.stop().await
}

async fn a_second_call_on_a_conversation_waits_for_the_first() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    let talk = |input, timeout| CallRequest {
        session: Some("ada".to_owned()),
        timeout,
        ..asked(input)
    };
    let first = talk(json!({"do": "slow", "ms": 100}), None);
    let mut first = world.node.start_run("echo", first).await.map_err(told)?;
    let hasty = talk(json!("hasty"), Some(Duration::from_millis(10)));
    same(
        &code(&world.node.call("echo", hasty).await),
        &"session_busy",
    )?;
    let done = world.node.call("echo", talk(json!("patient"), None)).await;
    same(&code(&done), &"ok")?;
    same(&code(&outcome(&mut first).await?), &"ok")?;
    same(
        &world.node.session("ada").map(|view| view.messages),
        &Some(2),
    )?;
    world.until_state("echo", AgentState::Ready).await?;
    world.stop().await
}
