//! Supervision as a user sees it: what restarts, what stays, what gives up, and in which order.

use std::time::Duration;

use serde_json::Value;

use tokio::time::Instant;

use crate::harness::{World, holds, is_alive, state_of, wait_for};

/// Three echoes under one strategy.
fn three(strategy: &str) -> World {
    World::up(&format!(
        r#"
[supervisor.root]
strategy = "{strategy}"
intensity = 5
period = "1m"
children = ["a", "b", "c"]
[agent.a]
entry = "plain:echo"
[agent.b]
entry = "plain:echo"
[agent.c]
entry = "plain:echo"
"#
    ))
}

fn incarnations(world: &World) -> Vec<u64> {
    let status = world.status();
    let agents = status["agents"].as_array().unwrap();
    agents
        .iter()
        .map(|agent| agent["incarnation"].as_u64().unwrap())
        .collect()
}

fn kill(world: &World, agent: &str) {
    world.run(&["kill", agent]).exits(0);
}

#[track_caller]
fn wait_for_incarnations(world: &World, wanted: [u64; 3]) {
    wait_for(&format!("incarnations {wanted:?}, all ready"), || {
        let status = world.status();
        let agents = status["agents"].as_array().unwrap();
        let ready = agents.iter().all(|agent| agent["state"] == "ready");
        holds(ready && incarnations(world) == wanted, status.to_string())
    });
}

#[test]
fn one_for_one_restarts_the_one() {
    let world = three("one_for_one");
    let (a, b, c) = (world.pid("a"), world.pid("b"), world.pid("c"));
    kill(&world, "b");
    wait_for_incarnations(&world, [1, 2, 1]);
    assert_eq!((world.pid("a"), world.pid("c")), (a, c));
    assert!(!is_alive(b));
    assert_eq!(world.agent("b")["restarts"], 1);
    assert_eq!(world.call("b", "back"), "back");
    let root = &world.status()["supervisors"][0];
    assert_eq!(root["restarts_in_period"], 1);
}

#[test]
fn rest_for_one_restarts_it_and_those_after_it() {
    let world = three("rest_for_one");
    let a = world.pid("a");
    kill(&world, "b");
    wait_for_incarnations(&world, [1, 2, 2]);
    assert_eq!(world.pid("a"), a);
    kill(&world, "c");
    wait_for_incarnations(&world, [1, 2, 3]);
    kill(&world, "a");
    wait_for_incarnations(&world, [2, 3, 4]);
    assert_eq!(world.agent("c")["last_exit"]["reason"], "shutdown");
    // One death is one restart of the supervisor, however many children it concerns.
    assert_eq!(world.status()["supervisors"][0]["restarts_in_period"], 3);
}

#[test]
fn one_for_all_restarts_all() {
    let world = three("one_for_all");
    kill(&world, "c");
    wait_for_incarnations(&world, [2, 2, 2]);
    kill(&world, "a");
    wait_for_incarnations(&world, [3, 3, 3]);
    for agent in ["a", "b", "c"] {
        assert_eq!(world.call(agent, "back"), "back");
    }
}

#[test]
fn children_start_in_order_and_stop_in_reverse() {
    let mut world = three("one_for_one");
    assert_eq!(world.agents_of_events("agent_ready"), ["a", "b", "c"]);
    let feed = world.spawn(&["events", "-f", "--json"]);
    feed.wait_for_stdout("\"agent_ready\"");
    world.run(&["down"]).exits(0);
    world.take_node().outcome().exits(0);
    let events = feed.outcome().json_lines();
    let exited = events
        .iter()
        .filter(|event| event["kind"] == "agent_exited");
    let order: Vec<_> = exited
        .map(|event| event["agent"].as_str().unwrap())
        .collect();
    assert_eq!(order, ["c", "b", "a"]);
    let reasons = events
        .iter()
        .filter(|event| event["kind"] == "agent_exited");
    let reasons: Vec<_> = reasons
        .map(|event| event["data"]["reason"].clone())
        .collect();
    assert_eq!(reasons, ["shutdown"; 3]);
}

#[test]
fn root_that_gives_up_ends_the_node_with_70() {
    let mut world = World::up(
        r#"
[supervisor.root]
intensity = 1
period = "1m"
children = ["bystander", "weak"]
[agent.bystander]
entry = "plain:echo"
[agent.weak]
entry = "plain:echo"
"#,
    );
    kill(&world, "weak");
    world.wait_for_incarnation("weak", 2);
    kill(&world, "weak");
    let outcome = world.take_node().outcome().exits(70);
    let text = &outcome.stderr;
    let told = text.lines().find(|line| line.starts_with("error: "));
    let told = told.unwrap_or_default();
    assert!(told.contains("root gave up"), "{text}");
    assert!(told.contains("weak #2 killed by signal 9"), "{text}");
    world.run(&["status"]).exits(69);
}

#[test]
fn a_group_that_gives_up_is_restarted_by_its_parent() {
    let world = World::up(
        r#"
[supervisor.root]
intensity = 2
period = "1m"
children = ["outside", "group"]
[supervisor.group]
intensity = 0
children = ["inner", "leaf"]
[supervisor.inner]
intensity = 0
children = ["deep"]
[agent.outside]
entry = "plain:echo"
[agent.leaf]
entry = "plain:echo"
[agent.deep]
entry = "plain:echo"
"#,
    );
    let outside = world.pid("outside");
    let old = [world.pid("leaf"), world.pid("deep")];
    kill(&world, "deep");
    world.wait_for_incarnation("deep", 2);
    world.wait_for_incarnation("leaf", 2);
    assert_eq!(world.pid("outside"), outside);
    assert_eq!(old.map(is_alive), [false; 2]);
    let gave_up = world
        .events()
        .into_iter()
        .filter(|event| event["kind"] == "supervisor_gave_up");
    let gave_up: Vec<_> = gave_up.map(|event| event["supervisor"].clone()).collect();
    assert_eq!(gave_up, ["root/group/inner", "root/group"]);
    assert_eq!(world.status()["supervisors"][0]["restarts_in_period"], 1);
    assert_eq!(world.call("deep", "well"), "well");
}

const ENDINGS: &str = r#"
[supervisor.root]
intensity = 9
period = "1m"
children = ["permanent", "transient", "temporary", "watcher"]
[agent.permanent]
entry = "plain:leaves"
[agent.transient]
entry = "plain:leaves"
restart = "transient"
[agent.temporary]
entry = "plain:leaves"
restart = "temporary"
[agent.watcher]
entry = "plain:echo"
"#;

fn leave(world: &World, agent: &str, code: &str) {
    let error = world.fault(&[agent, code], 1);
    assert_eq!(error["origin"], "agent", "{error}");
}

#[test]
fn permanent_transient_and_temporary_children_end_as_in_otp() {
    let world = World::up(ENDINGS);
    leave(&world, "permanent", "0");
    world.wait_for_incarnation("permanent", 2);
    leave(&world, "permanent", "4");
    let agent = world.wait_for_incarnation("permanent", 3);
    assert_eq!(agent["last_exit"]["reason"], "exited");
    assert_eq!(agent["last_exit"]["detail"], "exited with code 4");

    leave(&world, "transient", "4");
    world.wait_for_incarnation("transient", 2);
    leave(&world, "transient", "0");
    let agent = world.wait_for_agent("transient", "down", |agent| agent["state"] == "stopped");
    assert_eq!(agent["last_exit"]["reason"], "normal");

    leave(&world, "temporary", "4");
    let agent = world.wait_for_agent("temporary", "down", |agent| {
        ["stopped", "failed"].contains(&agent["state"].as_str().unwrap())
    });
    assert_eq!(agent["incarnation"], 1);
    assert_eq!(agent["pid"], Value::Null);
    // A call to what is down answers at once, and says how to bring it back.
    let error = world.fault(&["temporary", "0"], 1);
    assert!(
        ["agent_stopped", "agent_failed"].contains(&error["code"].as_str().unwrap()),
        "{error}"
    );
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("start temporary"),
        "{error}"
    );
    world.run(&["start", "temporary"]).exits(0);
    world.wait_for_incarnation("temporary", 2);
    assert_eq!(world.agent("watcher")["incarnation"], 1);
}

#[test]
fn calls_made_while_an_agent_restarts_wait_for_it() {
    let world = World::up(
        r#"
[supervisor.root]
intensity = 5
period = "1m"
children = ["slow"]
[agent.slow]
entry = "plain:echo"
backoff = { initial = "1s", jitter = 0.0 }
"#,
    );
    kill(&world, "slow");
    let agent = world.wait_for_agent("slow", "in backoff", |agent| agent["state"] == "backoff");
    assert_eq!(agent["pid"], Value::Null);
    let calls: Vec<_> = (0..5)
        .map(|n| world.spawn(&["call", "slow", &n.to_string()]))
        .collect();
    world.wait_for_agent("slow", "calls wait", |agent| {
        agent["queued"] == 5 || agent["incarnation"] == 2
    });
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.outcome().text(), n.to_string());
    }
    assert_eq!(world.agent("slow")["incarnation"], 2);
}

#[test]
fn calls_in_flight_answer_agent_crashed_with_the_evidence() {
    let world = World::up(
        r#"
[supervisor.root]
intensity = 5
children = ["hold", "echo"]
[agent.hold]
entry = "plain:hold"
concurrency = 2
[agent.echo]
entry = "plain:echo"
"#,
    );
    let calls = ["one", "two"].map(|name| world.spawn(&["call", "hold", name, "--json"]));
    world.wait_for_file("one.begun");
    world.wait_for_file("two.begun");
    let queued = world.spawn(&["call", "hold", "three"]);
    world.wait_for_agent("hold", "a call waits", |agent| agent["queued"] == 1);
    kill(&world, "hold");
    for call in calls {
        let error = call.outcome().exits(1).json()["error"].clone();
        assert_eq!(error["code"], "agent_crashed");
        assert_eq!(error["origin"], "agent");
        assert_eq!(error["details"]["reason"], "signalled");
        assert_eq!(error["details"]["incarnation"], 1);
        assert!(
            error["message"].as_str().unwrap().contains("signal 9"),
            "{error}"
        );
    }
    // What had not begun is untouched by the crash.
    world.write("three.release", "");
    assert_eq!(queued.outcome().text(), "held three");
    let agent = world.agent("hold");
    assert_eq!(
        agent["last_exit"]["runs_in_flight"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(world.agent("echo")["incarnation"], 1);
}

/// Calls an agent that will not stop, waits for its misbehaviour, and stops it: how long that took.
fn stop_stubborn(
    entry: &str,
    misbehaves: impl Fn(&World) -> Result<(), String>,
) -> (World, Duration) {
    let world = World::up(&format!(
        r#"
[supervisor.root]
children = ["stubborn", "echo"]
[agent.stubborn]
entry = "{entry}"
shutdown = "1s"
[agent.echo]
entry = "plain:echo"
"#
    ));
    let call = world.spawn(&["call", "stubborn", "3600", "--json"]);
    wait_for("the misbehaviour", || misbehaves(&world));
    let pid = world.pid("stubborn");
    let began = Instant::now();
    world.run(&["stop", "stubborn"]).exits(0);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(!is_alive(pid));
    assert_eq!(world.agent("stubborn")["state"], "stopped");
    assert_eq!(call.outcome().exits(1).json()["error"]["origin"], "agent");
    assert_eq!(world.agent("echo")["incarnation"], 1);
    (world, took)
}

#[test]
fn an_agent_that_hears_nothing_is_killed_when_its_time_is_over() {
    for (entry, states) in [("stops_itself:answer", "T"), ("holds_gil:answer", "S")] {
        let (world, took) = stop_stubborn(entry, |world| {
            let state = state_of(world.pid("stubborn")).unwrap_or('?');
            let at_work = world.agent("stubborn")["in_flight"] == 1;
            holds(at_work && states.contains(state), format!("{state}"))
        });
        assert!(
            took >= Duration::from_millis(950),
            "its time is its own: {took:?}"
        );
        assert_eq!(world.agent("stubborn")["last_exit"]["reason"], "killed");
    }
}

#[test]
fn an_agent_that_ignores_sigterm_goes_with_its_input() {
    let (world, took) = stop_stubborn("ignores_sigterm:answer", |world| {
        let log = world.log("stubborn");
        holds(
            log.iter().any(|line| line.contains("deaf to SIGTERM")),
            format!("{log:?}"),
        )
    });
    assert!(
        took >= Duration::from_millis(850),
        "its input is closed at 90 %: {took:?}"
    );
    assert_eq!(world.agent("stubborn")["last_exit"]["reason"], "shutdown");
}

#[test]
fn brutal_kill_does_not_wait() {
    let world = World::up(
        r#"
[supervisor.root]
children = ["deaf"]
[agent.deaf]
entry = "plain:hold"
shutdown = "brutal_kill"
"#,
    );
    let call = world.spawn(&["call", "deaf", "x", "--json"]);
    world.wait_for_file("x.begun");
    world.run(&["stop", "deaf"]).exits(0);
    assert_eq!(world.agent("deaf")["last_exit"]["reason"], "killed");
    call.outcome().exits(1);
    assert!(
        !world.path("x.cancelled").exists(),
        "no code ran after the kill"
    );
}

#[test]
fn a_stop_lets_runs_finish() {
    let world = World::up(
        r#"
[supervisor.root]
children = ["hold"]
[agent.hold]
entry = "plain:hold"
shutdown = "20s"
"#,
    );
    let call = world.spawn(&["call", "hold", "x"]);
    world.wait_for_file("x.begun");
    let stop = world.spawn(&["stop", "hold"]);
    world.wait_for_agent("hold", "draining", |agent| agent["state"] == "draining");
    let error = world.fault(&["hold", "late"], 1);
    assert_eq!(error["code"], "agent_stopped");
    world.write("x.release", "");
    assert_eq!(call.outcome().text(), "held x");
    stop.outcome().exits(0);
    assert_eq!(world.agent("hold")["last_exit"]["reason"], "shutdown");
}

#[test]
fn two_replicas_share_a_mailbox() {
    let world = World::up(
        r#"
[supervisor.root]
intensity = 5
children = ["pair"]
[agent.pair]
entry = "plain:hold"
replicas = 2
"#,
    );
    let one = world.spawn(&["call", "pair", "one", "--json"]);
    let two = world.spawn(&["call", "pair", "two", "--json"]);
    let pids = [
        world.wait_for_file("one.begun"),
        world.wait_for_file("two.begun"),
    ];
    assert_ne!(pids[0], pids[1], "each takes one");
    let replicas = world.agent("pair")["replicas"].clone();
    let flight: Vec<_> = replicas
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["in_flight"].clone())
        .collect();
    assert_eq!(flight, [1, 1]);
    // The death of one does not touch the other.
    let survivor: u32 = pids[1].parse().unwrap();
    let victim: u32 = pids[0].parse().unwrap();
    crate::harness::send(victim, rustix::process::Signal::KILL);
    assert_eq!(
        one.outcome().exits(1).json()["error"]["code"],
        "agent_crashed"
    );
    world.write("two.release", "");
    assert_eq!(two.outcome().exits(0).json()["output"], "held two");
    wait_for("both replicas to be ready", || {
        let agent = world.agent("pair");
        let replicas = agent["replicas"].as_array().unwrap();
        let ready = replicas.iter().all(|replica| replica["state"] == "ready");
        let lives = replicas.iter().any(|replica| replica["pid"] == survivor);
        holds(ready && lives, agent.to_string())
    });
}
