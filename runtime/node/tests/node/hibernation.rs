//! Agents that give their idle processes back: what callers, siblings and operators see of it.

use serde_json::json;
use synapse_core::exit::ExitReason;
use synapse_core::spec::{OnExhausted, Shutdown, Start, Strategy};
use synapse_core::time::Millis;
use synapse_node::{AgentState, EventKind};

use crate::leftovers::children;
use crate::world::{
    World, agent, asked, backoff, code, eventually, job, outcome, ready, same, that, told, tree,
};
use crate::{Outcome, cases};

cases! {
    an_idle_process_is_given_back_and_the_next_call_gets_a_new_one,
    one_on_demand_begins_without_a_process,
    calls_that_race_with_falling_asleep_are_all_answered,
    a_run_keeps_its_process,
    a_crash_at_the_wake_up_counts_and_calls_hear_of_it,
    a_crash_at_the_wake_up_is_tried_again,
    a_siblings_crash_leaves_it_hibernated,
    a_process_that_does_not_leave_is_killed,
    one_that_is_killed_as_its_spec_says_has_not_crashed,
    what_an_operator_does_to_it_starts_no_process,
    a_stop_while_the_process_leaves_is_obeyed,
    idle_replicas_sleep_and_as_many_wake_as_are_needed,
}

/// Short enough to wait for, and longer than a test's next step.
const SOON: Millis = Millis(50);

async fn an_idle_process_is_given_back_and_the_next_call_gets_a_new_one() -> Outcome {
    let world = ready(vec![agent("echo", |spec| {
        spec.hibernate_after = Some(SOON)
    })])
    .await?;
    world.until_state("echo", AgentState::Hibernated).await?;
    that(children()?.is_empty(), "it has no process")?;
    let view = world.agent("echo").await?;
    same(&view.manifest["kind"], &json!("function"))?;
    same(&(view.restarts, view.last_exit), &(0, None))?;
    let answer = world.call("echo", json!("hello")).await.map_err(told)?;
    same(&(answer.incarnation, answer.output), &(2, json!("hello")))?;
    same(&world.events(EventKind::AgentHibernated).len(), &1)?;
    same(&world.events(EventKind::AgentExited), &Vec::new())?;
    world.stop().await
}

async fn one_on_demand_begins_without_a_process() -> Outcome {
    let lazy = |of| agent(of, |spec| spec.start = Start::OnDemand);
    let world = ready(vec![lazy("echo"), lazy("other")]).await?;
    that(children()?.is_empty(), "nobody has a process")?;
    let view = world.agent("echo").await?;
    same(&view.replicas[0].state, &AgentState::Hibernated)?;
    same(&view.replicas[0].incarnation, &None)?;
    same(&view.manifest, &json!(null))?;
    let answer = world.call("echo", json!("hello")).await.map_err(told)?;
    same(&answer.incarnation, &1)?;
    same(&children()?.len(), &1)?;
    // Nothing has happened to an agent that nobody called.
    let (events, _) = world.node.events(usize::MAX);
    let agents = events.iter().map(|event| event.agent.as_deref());
    same(&agents.filter(|of| *of == Some("other")).count(), &0)?;
    world.stop().await
}

async fn calls_that_race_with_falling_asleep_are_all_answered() -> Outcome {
    let spec = agent("echo", |spec| spec.hibernate_after = Some(Millis(1)));
    let world = ready(vec![spec]).await?;
    let callers = (0..3_u64).map(|caller| {
        let node = world.node.clone();
        tokio::spawn(async move {
            for call in 0..40_u64 {
                // Now before, now while, now after it falls asleep.
                let pause = (caller * 7 + call) % 5;
                tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
                let input = asked(json!([caller, call]));
                let answer = node.call("echo", input).await;
                let answer = answer.map_err(|fault| format!("{call}: {}", fault.message))?;
                if answer.output != json!([caller, call]) {
                    return Err(format!("{call}: {}", answer.output));
                }
            }
            Ok(())
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await??;
    }
    let view = world.agent("echo").await?;
    same(&(view.restarts, view.last_exit), &(0, None))?;
    that(
        world.events(EventKind::AgentHibernated).len() > 3,
        "it fell asleep now and then",
    )?;
    world.stop().await
}

async fn a_run_keeps_its_process() -> Outcome {
    let agents = ["busy", "clock"].map(|of| agent(of, |spec| spec.hibernate_after = Some(SOON)));
    let world = ready(agents.into()).await?;
    let mut run = world.run("busy", job("wait")).await?;
    world.until_in_flight("busy", 1).await?;
    // The other one falls asleep twice in the time of this run.
    for incarnation in 2..=3 {
        world.until_state("clock", AgentState::Hibernated).await?;
        let answer = world.call("clock", json!("hello")).await.map_err(told)?;
        same(&answer.incarnation, &incarnation)?;
    }
    same(
        &world.agent("busy").await?.replicas[0].state,
        &AgentState::Ready,
    )?;
    run.cancel();
    same(&code(&outcome(&mut run).await?), &"cancelled")?;
    world.until_state("busy", AgentState::Hibernated).await?;
    world.stop().await
}

async fn a_crash_at_the_wake_up_counts_and_calls_hear_of_it() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.start = Start::OnDemand;
        spec.env.insert("FAKE_START".into(), "exit".into());
    });
    let root = tree(vec![spec], |root| {
        root.intensity = 2;
        root.on_exhausted = OnExhausted::Park;
    });
    let world = World::begin(root)?;
    world.until_state("echo", AgentState::Hibernated).await?;
    same(
        &code(&world.call("echo", json!("hello")).await),
        &"agent_failed",
    )?;
    let view = world.agent("echo").await?;
    same(&view.replicas[0].state, &AgentState::Failed)?;
    same(&view.restarts, &2)?;
    same(&view.replicas[0].incarnation, &Some(3))?;
    let exit = view.last_exit.ok_or("no exit")?;
    that(
        matches!(exit.reason, ExitReason::StartFailed(_)),
        "it could not start",
    )?;
    world.stop().await
}

async fn a_crash_at_the_wake_up_is_tried_again() -> Outcome {
    let folder = tempfile::tempdir()?;
    let fails = folder.path().join("fails");
    std::fs::write(&fails, "")?;
    let spec = agent("echo", |spec| {
        spec.start = Start::OnDemand;
        let fails = fails.to_string_lossy().into_owned();
        spec.env.insert("FAKE_FAIL_WHILE".into(), fails);
        spec.backoff = backoff(20);
    });
    let world = ready(vec![spec]).await?;
    let mut run = world.run("echo", json!("hello")).await?;
    eventually("it has failed", || {
        let restarts = world.node.agent("echo").map_err(|it| it.message)?;
        match restarts.view.restarts {
            0 => Err("no restart".to_owned()),
            _ => Ok(()),
        }
    })
    .await?;
    std::fs::remove_file(&fails)?;
    let answer = outcome(&mut run).await?.map_err(told)?;
    that(answer.incarnation > 1, "by a later life")?;
    world.stop().await
}

async fn a_siblings_crash_leaves_it_hibernated() -> Outcome {
    let sleeper = agent("sleeper", |spec| spec.hibernate_after = Some(SOON));
    let on_demand = agent("lazy", |spec| spec.start = Start::OnDemand);
    let agents = vec![agent("crashes", |_| {}), sleeper, on_demand];
    let world = World::begin(tree(agents, |root| root.strategy = Strategy::OneForAll))?;
    world.until_state("sleeper", AgentState::Hibernated).await?;
    same(
        &code(&world.call("crashes", job("abort")).await),
        &"agent_crashed",
    )?;
    world.until_ready("crashes", 2).await?;
    for (name, incarnation) in [("sleeper", Some(1)), ("lazy", None)] {
        world.until_state(name, AgentState::Hibernated).await?;
        same(
            &world.agent(name).await?.replicas[0].incarnation,
            &incarnation,
        )?;
    }
    same(&children()?.len(), &1)?;
    let answer = world.call("sleeper", json!("hello")).await.map_err(told)?;
    same(&answer.incarnation, &2)?;
    world.stop().await
}

async fn a_process_that_does_not_leave_is_killed() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.hibernate_after = Some(SOON);
        spec.shutdown = Shutdown::Timeout(Millis(100));
        spec.env.insert("FAKE_STOP".into(), "ignore".into());
    });
    let world = ready(vec![spec]).await?;
    world.until_state("echo", AgentState::Draining).await?;
    // It waits for the next process, however this one ends.
    let answer = world.call("echo", json!("hello")).await.map_err(told)?;
    same(&answer.incarnation, &2)?;
    let view = world.agent("echo").await?;
    same(&view.restarts, &0)?;
    world.stop().await
}

async fn one_that_is_killed_as_its_spec_says_has_not_crashed() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.hibernate_after = Some(SOON);
        spec.shutdown = Shutdown::BrutalKill;
    });
    let world = ready(vec![spec]).await?;
    world.until_state("echo", AgentState::Hibernated).await?;
    same(&world.agent("echo").await?.last_exit, &None)?;
    same(&world.events(EventKind::AgentHibernated).len(), &1)?;
    world.stop().await
}

async fn what_an_operator_does_to_it_starts_no_process() -> Outcome {
    let lazy = agent("echo", |spec| spec.start = Start::OnDemand);
    let world = ready(vec![lazy]).await?;
    let of = ["echo".to_owned()];
    let note = "it is hibernated, and its next call starts a process";
    let outcomes = [
        (true, world.node.restart(&of).await.map_err(told)?),
        (true, world.node.start(&of).await.map_err(told)?),
        (false, world.node.kill(&of).map_err(told)?),
    ];
    for (ok, outcomes) in outcomes {
        let outcome = &outcomes[0];
        same(&outcome.ok, &ok)?;
        that(outcome.message.ends_with(note), &outcome.message)?;
        world.until_state("echo", AgentState::Hibernated).await?;
    }
    world.node.stop(&of).await.map_err(told)?;
    world.until_state("echo", AgentState::Stopped).await?;
    same(
        &code(&world.call("echo", json!("hello")).await),
        &"agent_stopped",
    )?;
    world.node.start(&of).await.map_err(told)?;
    world.until_state("echo", AgentState::Hibernated).await?;
    same(&world.agent("echo").await?.replicas[0].incarnation, &None)?;
    world.call("echo", json!("hello")).await.map_err(told)?;
    world.stop().await
}

async fn a_stop_while_the_process_leaves_is_obeyed() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.hibernate_after = Some(SOON);
        spec.env.insert("FAKE_STOP".into(), "ignore".into());
    });
    let world = ready(vec![spec]).await?;
    world.until_state("echo", AgentState::Draining).await?;
    let of = ["echo".to_owned()];
    let outcomes = world.node.stop(&of).await.map_err(told)?;
    that(outcomes[0].ok, &outcomes[0].message)?;
    world.until_state("echo", AgentState::Stopped).await?;
    that(children()?.is_empty(), "nothing is left")?;
    world.stop().await
}

async fn idle_replicas_sleep_and_as_many_wake_as_are_needed() -> Outcome {
    let spec = agent("pair", |spec| {
        (spec.replicas, spec.concurrency) = (2, 1);
        spec.start = Start::OnDemand;
        spec.hibernate_after = Some(Millis(300));
    });
    let world = ready(vec![spec]).await?;
    world.until_state("pair", AgentState::Hibernated).await?;
    world.call("pair", json!("one")).await.map_err(told)?;
    same(&children()?.len(), &1)?;
    let mut runs = Vec::new();
    for _ in 0..2 {
        runs.push(world.run("pair", job("wait")).await?);
    }
    world.until_in_flight("pair", 2).await?;
    same(&children()?.len(), &2)?;
    for run in &mut runs {
        run.cancel();
        outcome(run).await?.err().ok_or("it was cancelled")?;
    }
    world.until_state("pair", AgentState::Hibernated).await?;
    that(children()?.is_empty(), "both sleep")?;
    world.stop().await
}
