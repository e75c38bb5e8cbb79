//! Agents that are killed, stopped and started in every state that they can be in.

use serde_json::Value;

use crate::harness::{Running, World, is_alive, send, wait_for};
use rustix::process::Signal;

/// An agent that is slow to start from its second incarnation on, until `go` is there, and that
/// waits a little before it restarts.
fn slow_to_return(more: &str) -> World {
    let world = World::new(&format!(
        r#"
[supervisor.root]
intensity = 50
period = "1m"
children = ["agent", "sibling"]
[agent.agent]
entry = "plain:hold"
env = {{ PYTHONPATH = "before" }}
{more}
[agent.sibling]
entry = "plain:echo"
"#
    ));
    world.write(
        "before/sitecustomize.py",
        "import os, time\n\
         while os.environ.get('SYNAPSE_INCARNATION', '1') != '1' and not os.path.exists('go'):\n    \
             time.sleep(0.01)\n",
    );
    let mut world = world;
    world.start();
    world
}

fn wait_for_state(world: &World, state: &str) -> Value {
    world.wait_for_agent("agent", state, |agent| agent["state"] == state)
}

/// Waits until the agent is starting and has a process.
fn starting(world: &World) -> Value {
    world.wait_for_agent("agent", "starting", |agent| {
        agent["state"] == "starting" && agent["pid"].is_u64()
    })
}

#[track_caller]
fn well_at_last(world: &World) {
    world.write("go", "");
    world.write("end.release", "");
    assert_eq!(world.call("agent", "end"), "held end");
    assert_eq!(world.agent("sibling")["incarnation"], 1);
}

#[test]
fn killed_while_starting() {
    let world = slow_to_return("");
    world.run(&["kill", "agent"]).exits(0);
    assert_eq!(starting(&world)["incarnation"], 2);
    world.run(&["kill", "agent"]).exits(0);
    let agent = world.wait_for_agent("agent", "the next one", |agent| {
        agent["incarnation"] == 3 && agent["state"] == "starting"
    });
    assert_eq!(agent["last_exit"]["incarnation"], 2);
    assert_eq!(agent["last_exit"]["reason"], "signalled");
    well_at_last(&world);
}

#[test]
fn killed_in_backoff_there_is_nothing_to_kill() {
    let world = slow_to_return("backoff = { initial = \"2s\", jitter = 0.0 }");
    world.run(&["kill", "agent"]).exits(0);
    wait_for_state(&world, "backoff");
    let outcome = world.run(&["kill", "agent", "--json"]).exits(1);
    assert_eq!(outcome.json()["results"][0]["ok"], false);
    well_at_last(&world);
    assert_eq!(world.agent("agent")["incarnation"], 2);
}

#[test]
fn killed_while_draining() {
    let world = slow_to_return("shutdown = \"1m\"");
    let call = world.spawn(&["call", "agent", "x", "--json"]);
    world.wait_for_file("x.begun");
    let pid = world.pid("agent");
    let stop = world.spawn(&["stop", "agent"]);
    wait_for_state(&world, "draining");
    send(pid, Signal::KILL);
    stop.outcome().exits(0);
    assert_eq!(world.agent("agent")["state"], "stopped");
    assert_eq!(call.outcome().exits(1).json()["error"]["origin"], "agent");
    world.run(&["kill", "agent"]).exits(1);
    world.write("go", "");
    world.run(&["start", "agent"]).exits(0);
    well_at_last(&world);
}

#[test]
fn stopped_while_starting() {
    let world = slow_to_return("");
    world.run(&["kill", "agent"]).exits(0);
    let pid = u32::try_from(starting(&world)["pid"].as_u64().unwrap()).unwrap();
    let queued = world.spawn(&["call", "agent", "x", "--json"]);
    world.wait_for_agent("agent", "a call waits", |agent| agent["queued"] == 1);
    world.run(&["stop", "agent"]).exits(0);
    assert_eq!(
        queued.outcome().exits(1).json()["error"]["code"],
        "agent_stopped"
    );
    assert_eq!(world.agent("agent")["state"], "stopped");
    assert!(!is_alive(pid));
    world.write("go", "");
    world.run(&["start", "agent"]).exits(0);
    well_at_last(&world);
}

#[test]
fn stopped_in_backoff() {
    let world = slow_to_return("backoff = { initial = \"1m\", max = \"1m\" }");
    world.run(&["kill", "agent"]).exits(0);
    wait_for_state(&world, "backoff");
    world.run(&["stop", "agent"]).exits(0);
    assert_eq!(world.agent("agent")["state"], "stopped");
    // A start does not sit out the rest of the delay.
    world.write("go", "");
    world.run(&["start", "agent"]).exits(0);
    well_at_last(&world);
    assert_eq!(world.agent("agent")["incarnation"], 2);
}

#[test]
fn restarted_in_backoff() {
    let world = slow_to_return("backoff = { initial = \"1m\", max = \"1m\" }");
    world.run(&["kill", "agent"]).exits(0);
    wait_for_state(&world, "backoff");
    world.write("go", "");
    world.run(&["restart", "agent"]).exits(0);
    well_at_last(&world);
    assert_eq!(world.agent("agent")["incarnation"], 2);
}

#[test]
fn a_node_stops_in_the_middle_of_a_restart_and_of_a_backoff() {
    for (backoff, state) in [
        ("", "starting"),
        ("backoff = { initial = \"1m\", max = \"1m\" }", "backoff"),
    ] {
        let mut world = slow_to_return(backoff);
        world.run(&["kill", "agent"]).exits(0);
        wait_for_state(&world, state);
        let queued = world.spawn(&["call", "agent", "x", "--json"]);
        world.wait_for_agent("agent", "a call waits", |agent| agent["queued"] == 1);
        world.run(&["down"]).exits(0);
        assert_eq!(
            queued.outcome().exits(1).json()["error"]["code"],
            "agent_stopped"
        );
        world.take_node().outcome().exits(0);
    }
}

#[test]
fn every_call_is_answered_once_however_often_the_agent_dies() {
    let world = World::up(
        r#"
[supervisor.root]
intensity = 1000
period = "1m"
children = ["echo", "sibling"]
[agent.echo]
entry = "plain:echo"
prefetch = 4
replicas = 2
[agent.sibling]
entry = "plain:echo"
"#,
    );
    let (mut answered, mut crashed) = (0, 0);
    for round in 0..8 {
        let prompts: Vec<_> = (0..6).map(|n| format!("{round}-{n}")).collect();
        let call = |prompt: &String| world.spawn(&["call", "echo", prompt, "--json"]);
        let calls: Vec<Running> = prompts.iter().map(call).collect();
        // Between its two lives there may be nothing to kill.
        world.run(&["kill", "echo"]);
        for (prompt, call) in prompts.iter().zip(calls) {
            let answer = call.outcome().json();
            if answer["output"] == *prompt {
                answered += 1;
            } else {
                assert_eq!(answer["error"]["code"], "agent_crashed", "{answer}");
                crashed += 1;
            }
        }
    }
    assert_eq!(answered + crashed, 48);
    assert!(answered > 24, "most calls only wait: {answered}");
    wait_for("both replicas to be ready and idle", || {
        let agent = world.agent("echo");
        let replicas = agent["replicas"].as_array().unwrap();
        let idle = |replica: &Value| replica["state"] == "ready" && replica["in_flight"] == 0;
        let well = replicas.iter().all(idle) && agent["queued"] == 0;
        crate::harness::holds(well, agent.to_string())
    });
    assert_eq!(world.agent("sibling")["incarnation"], 1);
}
