//! What is added to OTP, as a user sees it: parked children, and starts that wait for nobody.

use serde_json::{Value, json};

use crate::harness::{World, holds, is_alive, wait_for};

/// An agent that always crashes between two that never do.
const LOOPS: &str = r#"
[supervisor.root]
intensity = 2
period = "1m"
on_exhausted = "park"
children = ["before", "loops", "behind"]
[agent.before]
entry = "plain:echo"
[agent.loops]
entry = "crash_loops:answer"
[agent.behind]
entry = "plain:echo"
"#;

/// A group that gives up with its first crash, beside an agent that never crashes.
const GROUP: &str = r#"
[supervisor.root]
intensity = 2
period = "1m"
on_exhausted = "park"
children = ["outside", "group"]
[supervisor.group]
strategy = "one_for_all"
intensity = 0
children = ["leader", "follower", "inner"]
[supervisor.inner]
children = ["innermost"]
[agent.outside]
entry = "plain:echo"
[agent.leader]
entry = "plain:leaves"
[agent.follower]
entry = "plain:echo"
[agent.innermost]
entry = "plain:echo"
"#;

/// A node that is up, with `loops` parked.
fn parked() -> World {
    let mut world = World::new(LOOPS);
    world.begin();
    world.wait_for_agent("loops", "parked", |agent| agent["state"] == "failed");
    world.wait_for_incarnation("behind", 1);
    world
}

/// A node whose group has given up once too often.
fn parked_group() -> World {
    let world = World::up(GROUP);
    for life in 1..=3 {
        world.wait_for_incarnation("leader", life);
        world.wait_for_incarnation("innermost", life);
        world.fault(&["leader", "7"], 1);
    }
    wait_for("the group is parked", || {
        let group = supervisor(&world, "group");
        holds(group["state"] == "failed", group.to_string())
    });
    world
}

fn supervisor(world: &World, name: &str) -> Value {
    let status = world.status();
    let mut supervisors = status["supervisors"].as_array().unwrap().iter();
    supervisors.find(|it| it["name"] == name).unwrap().clone()
}

fn events(world: &World, kind: &str) -> Vec<Value> {
    let mut events = world.events();
    events.retain(|event| event["kind"] == kind);
    events
}

#[test]
fn a_child_that_keeps_crashing_is_parked_alone() {
    let world = parked();
    let loops = world.agent("loops");
    assert_eq!(loops["incarnation"], 3);
    assert_eq!(loops["restarts"], 2);
    assert_eq!(loops["replicas"][0]["why_down"], "parked");
    assert_eq!(loops["last_exit"]["detail"], "exited with code 9");
    let siblings = ["before", "behind"].map(|name| world.agent(name)["incarnation"].clone());
    assert_eq!(siblings, [1, 1]);

    let error = world.fault(&["loops", "hello"], 1);
    assert_eq!(error["code"], "agent_failed", "{error}");
    let told = error["message"].as_str().unwrap();
    assert!(told.contains("exited with code 9"), "{told}");
    assert!(told.contains("`start loops`"), "{told}");

    let tree = world.run(&["tree"]).text();
    let root = tree.lines().next().unwrap();
    assert_eq!(root, "root  one_for_one   0/2 restarts in 1m each");
    let line = tree.lines().find(|line| line.contains("loops")).unwrap();
    assert!(line.contains("failed"), "{tree}");
    assert!(line.contains("parked: exited with code 9"), "{tree}");
    let page = world.run(&["inspect", "loops"]).text();
    assert!(page.contains("`start loops` revives it"), "{page}");
}

#[test]
fn what_parks_a_child_is_told_as_event_and_as_crash_report() {
    let mut world = parked();
    let down = events(&world, "agent_down");
    let told = down[0]["message"].as_str().unwrap();
    assert!(told.starts_with("loops #3 exited with code 9"), "{told}");
    let rest = "parked (more than 2 restarts in 1m); `start loops` revives it";
    assert!(told.ends_with(rest), "{told}");
    let data = &down[0]["data"];
    assert_eq!(
        (&data["replica"], &data["why"]),
        (&json!(0), &json!("parked"))
    );
    assert_eq!(data["next"]["action"], "parked");

    let reports: Vec<Value> = events(&world, "crash_report")
        .into_iter()
        .map(|event| event["data"].clone())
        .collect();
    let contexts: Vec<&Value> = reports.iter().map(|report| &report["context"]).collect();
    let thrice = "child_terminated";
    assert_eq!(contexts, [thrice, thrice, thrice, "parked"]);
    let parked = &reports[3];
    assert_eq!(parked["supervisor"], "root");
    let reason = json!({ "reason": "shutdown", "detail": "reached_max_restart_intensity" });
    assert_eq!(parked["reason"], reason);
    assert_eq!(parked["offender"]["id"], "loops");
    assert_eq!(parked["offender"]["incarnation"], 3);
    assert_eq!(parked["offender"]["restart"], "permanent");

    let log = world.node().stderr();
    let last: Value = serde_json::from_str(log.lines().next_back().unwrap()).unwrap();
    let fields = &last["fields"];
    assert_eq!(fields["supervisor"], "root");
    assert_eq!(fields["context"], "parked");
    assert_eq!(fields["reason"], "shut down: reached_max_restart_intensity");
    assert_eq!(fields["offender"], "loops");
}

#[test]
fn start_revives_a_parked_child_with_a_fresh_budget() {
    let world = parked();
    world.run(&["start", "loops"]).exits(0);
    let parked = world.wait_for_agent("loops", "parked again", |agent| {
        agent["state"] == "failed" && agent["incarnation"] != 3
    });
    assert_eq!(parked["incarnation"], 6, "two restarts were allowed again");
    let page = world.run(&["inspect", "loops", "--json"]).json();
    let exits = page["last_exits"].as_array().unwrap();
    let incarnations: Vec<u64> = exits
        .iter()
        .map(|exit| exit["incarnation"].as_u64().unwrap())
        .collect();
    assert_eq!(incarnations, [6, 5, 4, 3, 2, 1]);
}

#[test]
fn a_supervisor_that_gives_up_too_often_is_parked_with_all_below() {
    let world = parked_group();
    let group = supervisor(&world, "group");
    assert_eq!(group["restarts"], 2);
    let exits = group["last_exits"].as_array().unwrap();
    assert_eq!(exits.len(), 3);
    assert_eq!(exits[0]["cause"], "gave_up");
    let told = "gave up after leader #3 exited with code 7";
    assert_eq!(exits[0]["detail"], told);
    let tree = world.run(&["tree"]).text();
    let line = tree.lines().find(|line| line.contains("group")).unwrap();
    assert!(line.contains("one_for_all   0/0 in 5s   failed"), "{tree}");
    assert!(line.contains(told), "{tree}");
    assert_eq!(supervisor(&world, "inner")["state"], "failed");
    for agent in ["leader", "follower", "innermost"] {
        assert_eq!(world.agent(agent)["state"], "failed");
        let error = world.fault(&[agent, "0"], 1);
        assert_eq!(error["code"], "agent_failed", "{error}");
        let told = error["message"].as_str().unwrap();
        assert!(told.contains("its supervisor group"), "{told}");
    }
    assert_eq!(world.agent("outside")["incarnation"], 1);
}

#[test]
fn start_brings_a_parked_supervisor_back() {
    for target in ["group", "follower"] {
        let world = parked_group();
        let started = world.run(&["start", target]).text();
        assert!(started.contains("started follower"), "{started}");
        assert_eq!(supervisor(&world, "group")["state"], "ready");
        assert_eq!(world.call("follower", "back"), "back");
        // It may give up again, and is restarted.
        world.wait_for_incarnation("leader", 4);
        world.fault(&["leader", "7"], 1);
        world.wait_for_incarnation("leader", 5);
    }
}

#[test]
fn a_group_cannot_park() {
    let world = World::new(&LOOPS.replace("intensity = 2", "strategy = \"one_for_all\""));
    let outcome = world.run(&["check"]).exits(78);
    let told = "`supervisor.root.on_exhausted` can be \"park\" only under \"one_for_one\"";
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
}

/// One agent of many replicas, and one beside it, all waiting for a file `go`.
fn at_once(replicas: usize) -> String {
    format!(
        r#"
[supervisor.root]
start_order = "concurrent"
children = ["many", "one"]
[agent.many]
entry = "waits_for_go:answer"
replicas = {replicas}
[agent.one]
entry = "waits_for_go:answer"
"#
    )
}

/// The processes of the agent's replicas that are starting.
fn starting(world: &World, agent: &str) -> Vec<u32> {
    let agent = world.agent(agent);
    let replicas = agent["replicas"].as_array().unwrap().iter();
    let starting = replicas.filter(|replica| replica["state"] == "starting");
    starting
        .filter_map(|replica| replica["pid"].as_u64()?.try_into().ok())
        .collect()
}

fn wait_for_starts(world: &World, replicas: usize) -> Vec<u32> {
    world.wait_for_agent("one", "known", |_| true);
    wait_for("all are starting at once", || {
        let pids = [starting(world, "many"), starting(world, "one")].concat();
        match pids.len() == replicas + 1 {
            true => Ok(pids),
            false => Err(format!("{} starting", pids.len())),
        }
    })
}

#[test]
fn fifty_agents_start_at_once_and_the_node_is_up_with_the_last() {
    let mut world = World::new(&at_once(50));
    world.begin();
    wait_for_starts(&world, 50);
    assert_eq!(events(&world, "agent_ready"), Vec::<Value>::new());
    assert_eq!(events(&world, "node_started"), Vec::<Value>::new());
    world.write("go", "");
    wait_for("the node is up", || {
        let status = world.status();
        holds(
            !events(&world, "node_started").is_empty(),
            status.to_string(),
        )
    });
    let kinds: Vec<Value> = world.events().iter().map(|it| it["kind"].clone()).collect();
    let count = |kind: &str| kinds.iter().filter(|it| *it == kind).count();
    assert_eq!((count("agent_starting"), count("agent_ready")), (51, 51));
    assert_eq!(kinds.last(), Some(&json!("node_started")));
    assert_eq!(world.call("many", "here"), "here");
}

#[test]
fn one_start_that_fails_stops_those_that_are_starting() {
    let mut world = World::new(&at_once(3));
    world.begin();
    let pids = wait_for_starts(&world, 3);
    world.write("one.fails", "");
    let outcome = world.take_node().outcome().exits(70);
    assert!(
        outcome.stderr.contains("told to fail"),
        "{}",
        outcome.stderr
    );
    assert!(pids.iter().all(|pid| !is_alive(*pid)), "{pids:?}");
}

#[test]
fn a_stop_ends_starts_that_wait_for_nobody() {
    let mut world = World::new(&at_once(8));
    world.begin();
    let pids = wait_for_starts(&world, 8);
    world.run(&["down"]).exits(0);
    world.take_node().outcome().exits(0);
    assert!(pids.iter().all(|pid| !is_alive(*pid)), "{pids:?}");
}
