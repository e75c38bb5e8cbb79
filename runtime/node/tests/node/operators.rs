//! What operators do, also while something else happens to the same agent.

use serde_json::json;
use synapse_core::spec::{ChildRef, Restart, Strategy};
use synapse_node::{AgentState, EventKind};

use crate::world::{
    PATIENCE, World, agent, backoff, child, code, eventually, job, name, outcome, ready, same,
    supervisor, that, told, tree,
};
use crate::{Outcome, cases};

cases! {
    a_stopped_agent_refuses_until_it_is_started,
    a_stop_in_the_middle_of_a_backoff_is_a_stop,
    a_stop_that_meets_a_restart_holds,
    a_stop_holds_though_its_supervisor_is_restarted,
    a_stop_whose_asker_left_is_told_all_the_same,
    a_restart_drains_and_keeps_what_waits,
    a_start_that_fails_is_failed_and_answers,
    a_killed_process_comes_back,
    an_agent_stopped_before_its_first_start_has_settled,
    a_supervisor_that_gives_up_fails_its_agents_until_one_is_started,
    replicas_share_a_mailbox_and_fail_alone,
}

fn echo() -> Vec<String> {
    vec!["echo".to_owned()]
}

async fn a_stopped_agent_refuses_until_it_is_started() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    let done = world.node.stop(&echo()).await.map_err(told)?;
    that(done[0].ok, &done[0].message)?;
    world.until_state("echo", AgentState::Stopped).await?;
    same(&code(&world.call("echo", json!(1)).await), &"agent_stopped")?;
    let done = world.node.start(&echo()).await.map_err(told)?;
    that(done[0].ok, &done[0].message)?;
    world.call("echo", json!(1)).await.map_err(told)?;
    world.stop().await
}

async fn a_stop_in_the_middle_of_a_backoff_is_a_stop() -> Outcome {
    let world = ready(vec![agent("echo", |spec| spec.backoff = backoff(60_000))]).await?;
    world.node.kill(&echo()).map_err(told)?;
    world.until_state("echo", AgentState::Backoff).await?;
    let mut queued = world.run("echo", json!("waits")).await?;
    world.node.stop(&echo()).await.map_err(told)?;
    same(&code(&outcome(&mut queued).await?), &"agent_stopped")?;
    world.until_state("echo", AgentState::Stopped).await?;
    world.stop().await
}

async fn a_stop_that_meets_a_restart_holds() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    for _ in 0..30 {
        world.node.kill(&echo()).map_err(told)?;
        let done = world.node.stop(&echo()).await.map_err(told)?;
        that(done[0].ok, &done[0].message)?;
        world.until_state("echo", AgentState::Stopped).await?;
        // Refused at once, not kept in an open mailbox of an agent that is down.
        same(&code(&world.call("echo", json!(1)).await), &"agent_stopped")?;
        world.node.start(&echo()).await.map_err(told)?;
        world.call("echo", json!(1)).await.map_err(told)?;
    }
    world.stop().await
}

async fn a_stop_holds_though_its_supervisor_is_restarted() -> Outcome {
    let (first, held) = (agent("first", |_| {}), agent("echo", |_| {}));
    let group = supervisor("group", vec![child(&first), child(&held)], |group| {
        group.intensity = 0;
    });
    let mut tree = tree(Vec::new(), |root| {
        root.children = vec![ChildRef::Supervisor(name("group"))];
    });
    tree.supervisors.insert(group.name.clone(), group);
    tree.agents = [first, held].map(|one| (one.name.clone(), one)).into();
    let world = World::begin(tree)?;
    world.node.wait_settled(PATIENCE).await.map_err(told)?;
    world.node.stop(&echo()).await.map_err(told)?;
    same(
        &code(&world.call("first", job("abort")).await),
        &"agent_crashed",
    )?;
    eventually("the group was restarted", || {
        match world.events(EventKind::SupervisorGaveUp).len() {
            1 => Ok(()),
            count => Err(count.to_string()),
        }
    })
    .await?;
    world.call("first", json!(1)).await.map_err(told)?;
    world.until_state("echo", AgentState::Stopped).await?;
    same(&code(&world.call("echo", json!(1)).await), &"agent_stopped")?;
    world.node.start(&echo()).await.map_err(told)?;
    world.call("echo", json!(1)).await.map_err(told)?;
    world.stop().await
}

async fn a_stop_whose_asker_left_is_told_all_the_same() -> Outcome {
    let spec = agent("echo", |spec| {
        spec.shutdown = synapse_core::spec::Shutdown::Timeout(synapse_core::time::Millis(2500));
    });
    let world = ready(vec![spec]).await?;
    let mut run = world.run("echo", job("wait")).await?;
    world.until_in_flight("echo", 1).await?;
    let node = world.node.clone();
    let asker = tokio::spawn(async move { node.stop(&echo()).await });
    world.until_state("echo", AgentState::Draining).await?;
    asker.abort();
    world.until_state("echo", AgentState::Stopped).await?;
    same(&code(&outcome(&mut run).await?), &"agent_stopped")?;
    world.stop().await
}

async fn a_restart_drains_and_keeps_what_waits() -> Outcome {
    let world = ready(vec![agent("echo", |spec| spec.concurrency = 1)]).await?;
    let mut run = world.run("echo", json!({"do": "slow", "ms": 50})).await?;
    world.until_in_flight("echo", 1).await?;
    let mut waits = world.run("echo", json!("waits")).await?;
    let done = world.node.restart(&echo()).await.map_err(told)?;
    that(done[0].ok, &done[0].message)?;
    same(&outcome(&mut run).await?.map_err(told)?.incarnation, &1)?;
    same(&outcome(&mut waits).await?.map_err(told)?.incarnation, &2)?;
    same(&world.agent("echo").await?.restarts, &0)?;
    world.stop().await
}

async fn a_start_that_fails_is_failed_and_answers() -> Outcome {
    let folder = tempfile::tempdir()?;
    let flag = folder.path().join("fail");
    let spec = agent("echo", |spec| {
        let flag = flag.display().to_string();
        spec.env.insert("FAKE_FAIL_WHILE".into(), flag);
    });
    let world = ready(vec![spec]).await?;
    std::fs::write(&flag, "")?;
    let done = world.node.restart(&echo()).await.map_err(told)?;
    that(!done[0].ok, "its start failed")?;
    world.until_state("echo", AgentState::Failed).await?;
    same(&code(&world.call("echo", json!(1)).await), &"agent_failed")?;
    std::fs::remove_file(&flag)?;
    world.node.start(&echo()).await.map_err(told)?;
    world.call("echo", json!(1)).await.map_err(told)?;
    world.stop().await
}

async fn a_killed_process_comes_back() -> Outcome {
    let world = ready(vec![agent("echo", |_| {})]).await?;
    let done = world.node.kill(&echo()).map_err(told)?;
    that(done[0].ok, &done[0].message)?;
    let outcome = world.call("echo", json!(1)).await.map_err(told)?;
    same(&outcome.incarnation, &2)?;
    same(&world.agent("echo").await?.restarts, &1)?;
    world.stop().await
}

async fn an_agent_stopped_before_its_first_start_has_settled() -> Outcome {
    let slow = agent("slow", |spec| {
        spec.env.insert("FAKE_START".into(), "never_ready".into());
        spec.restart = Restart::Temporary;
    });
    let world = World::begin(tree(vec![slow, agent("echo", |_| {})], |_| {}))?;
    world.node.stop(&echo()).await.map_err(told)?;
    world.node.stop(&["slow".to_owned()]).await.map_err(told)?;
    world.node.wait_settled(PATIENCE).await.map_err(told)?;
    world.stop().await
}

async fn a_supervisor_that_gives_up_fails_its_agents_until_one_is_started() -> Outcome {
    let (first, second) = (agent("first", |_| {}), agent("second", |_| {}));
    let group = supervisor("group", vec![child(&first), child(&second)], |group| {
        (group.intensity, group.restart) = (0, Restart::Transient);
    });
    let mut tree = tree(Vec::new(), |root| {
        root.strategy = Strategy::OneForOne;
        root.children = vec![ChildRef::Supervisor(name("group"))];
    });
    tree.supervisors.insert(group.name.clone(), group);
    tree.agents = [first, second].map(|one| (one.name.clone(), one)).into();
    let world = World::begin(tree)?;
    world.node.wait_settled(PATIENCE).await.map_err(told)?;
    same(
        &code(&world.call("first", job("abort")).await),
        &"agent_crashed",
    )?;
    for agent in ["first", "second"] {
        world.until_state(agent, AgentState::Failed).await?;
        same(&code(&world.call(agent, json!(1)).await), &"agent_failed")?;
    }
    let done = world
        .node
        .start(&["first".to_owned()])
        .await
        .map_err(told)?;
    same(&done[0].message.as_str(), &"started first")?;
    for agent in ["first", "second"] {
        world.until_state(agent, AgentState::Ready).await?;
        world.call(agent, json!(1)).await.map_err(told)?;
    }
    world.stop().await
}

async fn replicas_share_a_mailbox_and_fail_alone() -> Outcome {
    let spec = agent("echo", |spec| (spec.replicas, spec.concurrency) = (3, 1));
    let world = ready(vec![spec]).await?;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(world.run("echo", job("wait")).await?);
    }
    world.until_in_flight("echo", 3).await?;
    let incarnations = world.agent("echo").await?.replicas;
    that(
        incarnations.iter().all(|one| one.in_flight == 1),
        "one each",
    )?;
    runs[0].cancel();
    same(&code(&outcome(&mut runs[0]).await?), &"cancelled")?;
    same(
        &code(&world.call("echo", job("abort")).await),
        &"agent_crashed",
    )?;
    world.call("echo", json!(1)).await.map_err(told)?;
    for run in &mut runs[1..] {
        run.cancel();
        same(&code(&outcome(run).await?), &"cancelled")?;
    }
    world.stop().await
}
