//! Starts that fail or hang, and a node that is told to stop in the middle of everything.

use serde_json::json;
use synapse_core::exit::ExitReason;
use synapse_core::spec::{AgentSpec, Shutdown};
use synapse_core::time::Millis;
use synapse_node::{AgentState, NodeEnd};

use crate::world::{
    World, agent, backoff, code, eventually, job, outcome, ready, same, that, told, tree,
};
use crate::{Outcome, cases};

cases! {
    an_interpreter_that_does_not_exist_is_told_by_its_path,
    an_env_file_that_is_missing_is_told,
    an_env_file_that_is_no_file_does_not_hang_the_start,
    a_program_that_says_why_it_cannot_start_is_heard,
    an_exit_before_ready_is_told_by_its_code,
    a_start_that_never_becomes_ready_ends_in_time,
    a_process_that_never_speaks_ends_in_time,
    an_output_schema_that_is_none_fails_the_start,
    shutdown_in_the_middle_of_a_start_ends_at_once,
    shutdown_in_the_middle_of_a_backoff_ends_at_once,
    shutdown_in_the_middle_of_a_drain_answers_every_call,
    shutdown_twice_is_shutdown_once,
    a_process_that_ignores_its_stop_is_killed_in_time,
    an_exit_with_a_code_during_the_stop_is_a_stop,
    calls_after_the_end_are_refused,
    a_node_whose_handles_are_dropped_goes_on,
}

/// The reason for which a tree of this one agent does not come up.
async fn refusal(
    spec: AgentSpec,
    program: Option<&str>,
) -> Result<String, Box<dyn std::error::Error>> {
    let world = World::begin_with(tree(vec![spec], |_| {}), |launcher| {
        if let Some(program) = program {
            launcher.python.program = program.into();
        }
    })?;
    let end = tokio::time::timeout(crate::world::PATIENCE, world.node.ended()).await?;
    let NodeEnd::StartFailed { path, reason } = end else {
        return Err(format!("the node ended otherwise: {end:?}").into());
    };
    same(&path.as_str(), &"echo")?;
    let ExitReason::StartFailed(why) = reason else {
        return Err(format!("another reason: {reason:?}").into());
    };
    Ok(why)
}

async fn an_interpreter_that_does_not_exist_is_told_by_its_path() -> Outcome {
    let why = refusal(agent("echo", |_| {}), Some("/nowhere/python3")).await?;
    that(why.contains("/nowhere/python3"), &why)
}

async fn an_env_file_that_is_missing_is_told() -> Outcome {
    let spec = agent("echo", |spec| spec.env_file = Some("/nowhere/.env".into()));
    let why = refusal(spec, None).await?;
    that(why.contains("/nowhere/.env"), &why)
}

async fn an_env_file_that_is_no_file_does_not_hang_the_start() -> Outcome {
    let spec = agent("echo", |spec| spec.env_file = Some("/dev/zero".into()));
    let why = refusal(spec, None).await?;
    that(why.contains("/dev/zero"), &why)
}

async fn a_program_that_says_why_it_cannot_start_is_heard() -> Outcome {
    for _ in 0..20 {
        let spec = agent("echo", |spec| {
            spec.env.insert("FAKE_START".into(), "fault".into());
        });
        let why = refusal(spec, None).await?;
        that(why.contains("no module named 'pandas'"), &why)?;
    }
    Ok(())
}

async fn an_exit_before_ready_is_told_by_its_code() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.env.insert("FAKE_START".into(), "exit".into());
    });
    let why = refusal(spec, None).await?;
    that(why.contains("code 3"), &why)
}

async fn a_start_that_never_becomes_ready_ends_in_time() -> Outcome {
    hangs("never_ready").await
}

async fn a_process_that_never_speaks_ends_in_time() -> Outcome {
    hangs("silent").await
}

async fn hangs(how: &str) -> Outcome {
    let spec = agent("echo", |spec| {
        spec.env.insert("FAKE_START".into(), how.into());
        spec.start_timeout = Millis(100);
    });
    let why = refusal(spec, None).await?;
    same(&why.as_str(), &"not ready within 100 ms")
}

async fn an_output_schema_that_is_none_fails_the_start() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.env
            .insert("FAKE_SCHEMA".into(), r#"{"type": 3}"#.into());
    });
    let why = refusal(spec, None).await?;
    that(why.contains("schema"), &why)
}

async fn shutdown_in_the_middle_of_a_start_ends_at_once() -> Outcome {
    let slow = agent("slow", |spec| {
        spec.env.insert("FAKE_START".into(), "never_ready".into());
    });
    let specs = vec![agent("first", |_| {}), slow, agent("last", |_| {})];
    let world = World::begin(tree(specs, |_| {}))?;
    eventually("slow has a process", || {
        let view = world
            .node
            .agent("slow")
            .map_err(|fault| fault.message)?
            .view;
        view.replicas[0].pid.map(|_| ()).ok_or("none".to_owned())
    })
    .await?;
    let queued = world.run("last", json!("early")).await;
    world.node.shutdown();
    if let Ok(mut run) = queued {
        same(&code(&outcome(&mut run).await?), &"agent_stopped")?;
    }
    same(&world.node.ended().await, &NodeEnd::Stopped)?;
    same(
        &world.agent("slow").await?.replicas[0].state,
        &AgentState::Stopped,
    )?;
    same(
        &world.agent("first").await?.replicas[0].state,
        &AgentState::Stopped,
    )
}

async fn shutdown_in_the_middle_of_a_backoff_ends_at_once() -> Outcome {
    let world = ready(vec![agent("echo", |spec| spec.backoff = backoff(60_000))]).await?;
    world.node.kill(&["echo".to_owned()]).map_err(told)?;
    world.until_state("echo", AgentState::Backoff).await?;
    let mut run = world.run("echo", json!("waits")).await?;
    world.node.shutdown();
    same(&code(&outcome(&mut run).await?), &"agent_stopped")?;
    same(&world.node.ended().await, &NodeEnd::Stopped)
}

async fn shutdown_in_the_middle_of_a_drain_answers_every_call() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.concurrency = 2;
        spec.shutdown = Shutdown::Timeout(Millis(2500));
    });
    let world = ready(vec![spec]).await?;
    let mut ends = world.run("echo", json!({"do": "slow", "ms": 50})).await?;
    let mut hangs = world.run("echo", job("wait")).await?;
    world.until_in_flight("echo", 2).await?;
    let mut queued = world.run("echo", json!("never")).await?;
    let node = world.node.clone();
    let stop = tokio::spawn(async move { node.stop(&["echo".to_owned()]).await });
    world.until_state("echo", AgentState::Draining).await?;
    world.node.shutdown();
    same(&code(&outcome(&mut queued).await?), &"agent_stopped")?;
    same(&code(&outcome(&mut ends).await?), &"ok")?;
    // At 80 % of the time it is told to end, and says so.
    same(&code(&outcome(&mut hangs).await?), &"agent_stopped")?;
    same(&world.node.ended().await, &NodeEnd::Stopped)?;
    stop.await?.map_err(told)?;
    Ok(())
}

async fn shutdown_twice_is_shutdown_once() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    world.node.shutdown();
    world.node.shutdown();
    same(&world.node.ended().await, &NodeEnd::Stopped)?;
    world.stop().await
}

async fn a_process_that_ignores_its_stop_is_killed_in_time() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.env.insert("FAKE_STOP".into(), "ignore".into());
        spec.shutdown = Shutdown::Timeout(Millis(100));
    });
    ready(vec![spec]).await?.stop().await
}

async fn an_exit_with_a_code_during_the_stop_is_a_stop() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.env.insert("FAKE_STOP".into(), "exit".into());
    });
    let world = ready(vec![spec]).await?;
    let mut run = world.run("echo", job("wait")).await?;
    world.until_in_flight("echo", 1).await?;
    world.node.stop(&["echo".to_owned()]).await.map_err(told)?;
    same(&code(&outcome(&mut run).await?), &"agent_stopped")?;
    let exit = world.agent("echo").await?.last_exit.ok_or("no exit")?;
    same(&exit.reason, &ExitReason::Shutdown(None))?;
    world.stop().await
}

async fn calls_after_the_end_are_refused() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    world.node.shutdown();
    same(&code(&world.call("echo", json!(1)).await), &"agent_stopped")?;
    world.node.ended().await;
    same(&code(&world.call("echo", json!(1)).await), &"agent_stopped")
}

async fn a_node_whose_handles_are_dropped_goes_on() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    let run = world.run("echo", job("wait")).await?;
    world.until_in_flight("echo", 1).await?;
    let pid = world.agent("echo").await?.replicas[0]
        .pid
        .ok_or("no process")?;
    let node = world.node.clone();
    drop(world.node);
    drop(run);
    that(synapse_process::is_alive(pid), "its process lives")?;
    node.shutdown();
    same(&node.ended().await, &NodeEnd::Stopped)
}
