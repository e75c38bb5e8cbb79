//! What an operator does from a second terminal: restart, stop, start, kill, logs, events.

use serde_json::{Value, json};

use crate::harness::World;

const TREE: &str = r#"
[supervisor.root]
intensity = 9
period = "1m"
children = ["echo", "group"]
[supervisor.group]
strategy = "one_for_all"
intensity = 9
period = "1m"
children = ["worker-1", "worker-2"]
[agent.echo]
entry = "plain:report"
[agent.worker-1]
entry = "plain:echo"
[agent.worker-2]
entry = "plain:echo"
"#;

#[test]
fn a_supervisor_without_agents_is_told_to_have_none() {
    let world =
        World::up("[supervisor.root]\nchildren = [\"empty\"]\n[supervisor.empty]\nchildren = []\n");
    let text = world.run(&["restart", "empty"]).text();
    assert_eq!(text, "there are no agents below it: nothing was done");
    let answer = world.run(&["restart", "empty", "--json"]).exits(0).json();
    assert_eq!(answer, json!({"results": []}));
}

fn act(world: &World, verb: &str, targets: &[&str]) -> Vec<Value> {
    let mut arguments = vec![verb, "--json"];
    arguments.extend(targets);
    let answer = world.run(&arguments).exits(0).json();
    let results = answer["results"].as_array().unwrap().clone();
    assert!(
        results.iter().all(|result| result["ok"] == true),
        "{answer}"
    );
    results
}

fn agents(results: &[Value]) -> Vec<&str> {
    results
        .iter()
        .map(|result| result["agent"].as_str().unwrap())
        .collect()
}

#[test]
fn restart_is_a_stop_and_a_start_that_counts_nothing() {
    let world = World::up(TREE);
    let pids = [world.pid("worker-1"), world.pid("worker-2")];
    let results = act(&world, "restart", &["worker-1"]);
    assert_eq!(agents(&results), ["worker-1"]);
    let agent = world.wait_for_incarnation("worker-1", 2);
    assert_eq!(agent["restarts"], 0);
    assert_eq!(agent["last_exit"]["reason"], "shutdown");
    assert_ne!(world.pid("worker-1"), pids[0]);
    assert_eq!(
        world.pid("worker-2"),
        pids[1],
        "a sibling under one_for_all is left alone"
    );
    assert_eq!(world.status()["supervisors"][1]["restarts_in_period"], 0);
}

#[test]
fn kill_is_a_crash_of_whatever_the_names_and_globs_name() {
    let world = World::up(TREE);
    let pid = world.pid("echo");
    let results = act(&world, "kill", &["echo"]);
    assert_eq!(
        results[0]["message"],
        format!("sent SIGKILL to echo #1 (pid {pid})")
    );
    assert_eq!(
        (&results[0]["pid"], &results[0]["incarnation"]),
        (&json!(pid), &json!(1))
    );
    let agent = world.wait_for_incarnation("echo", 2);
    assert_eq!(agent["restarts"], 1);

    assert_eq!(
        agents(&act(&world, "kill", &["worker-*"])),
        ["worker-1", "worker-2"]
    );
    world.wait_for_agent("worker-2", "back", |agent| {
        agent["state"] == "ready" && agent["incarnation"].as_u64() > Some(1)
    });
    assert_eq!(
        agents(&act(&world, "restart", &["group"])),
        ["worker-1", "worker-2"]
    );
    assert_eq!(agents(&act(&world, "restart", &["root"])).len(), 3);
    let outcome = world.run(&["kill", "echo"]).exits(0);
    assert!(
        outcome.stdout.starts_with("sent SIGKILL to echo #"),
        "{}",
        outcome.stdout
    );
    world.wait_for_incarnation("echo", 4);
}

#[test]
fn a_wait_after_a_kill_is_for_the_next_incarnation() {
    let world = World::up(TREE);
    for incarnation in 2..9 {
        act(&world, "kill", &["echo"]);
        let status = world.run(&["status", "--wait", "--json"]).exits(0).json();
        assert_eq!(status["agents"][0]["incarnation"], incarnation, "{status}");
    }
}

#[test]
fn a_stop_holds_until_start_whatever_the_siblings_do() {
    let world = World::up(TREE);
    act(&world, "stop", &["worker-1"]);
    assert_eq!(world.agent("worker-1")["state"], "stopped");
    let error = world.fault(&["worker-1", "x"], 1);
    assert_eq!(error["code"], "agent_stopped");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("start worker-1"),
        "{error}"
    );
    // A crash under one_for_all restarts the others and not what an operator holds.
    act(&world, "kill", &["worker-2"]);
    world.wait_for_incarnation("worker-2", 2);
    assert_eq!(world.agent("worker-1")["state"], "stopped");
    act(&world, "start", &["worker-1"]);
    world.wait_for_incarnation("worker-1", 2);
    assert_eq!(world.call("worker-1", "here"), "here");
}

#[test]
fn a_subtree_stops_in_reverse_and_starts_in_order() {
    let world = World::up(TREE);
    assert_eq!(
        agents(&act(&world, "stop", &["group"])),
        ["worker-2", "worker-1"]
    );
    assert_eq!(
        agents(&act(&world, "start", &["group"])),
        ["worker-1", "worker-2"]
    );
    world.wait_for_incarnation("worker-2", 2);
}

#[test]
fn what_matches_nothing_does_nothing_and_names_the_nearest() {
    let world = World::up(TREE);
    for verb in ["restart", "stop", "start", "kill"] {
        let outcome = world.run(&[verb, "echo", "worker-3", "--json"]).exits(65);
        let error = &outcome.json()["error"];
        assert_eq!(error["code"], "agent_not_found");
        let nearest = error["details"]["nearest"].as_str().unwrap();
        assert!(nearest.starts_with("worker-"), "{error}");
        let outcome = world.run(&[verb, "ecko"]).exits(65);
        assert!(
            outcome.stderr.contains("Did you mean echo?"),
            "{}",
            outcome.stderr
        );
    }
    assert_eq!(world.agent("echo")["incarnation"], 1, "all or nothing");
    let results = act(&world, "start", &["echo"]);
    assert_eq!(results[0]["message"], "echo runs already");
    assert_eq!(world.agent("echo")["incarnation"], 1);
}

#[test]
fn logs_have_what_an_agent_wrote_by_incarnation() {
    let world = World::up(TREE);
    world.call("echo", "one");
    let lines = world.run(&["logs", "echo", "--json"]).exits(0).json_lines();
    let find = |text: &str| {
        lines
            .iter()
            .find(|line| line["text"].as_str().unwrap().contains(text))
    };
    let logged = find("logged one").unwrap();
    assert_eq!(
        (&logged["stream"], &logged["level"]),
        (&json!("log"), &json!("warning"))
    );
    for text in ["printed one", "wrote one"] {
        let line = find(text).unwrap_or_else(|| panic!("{text} in {lines:?}"));
        assert_eq!(
            (&line["stream"], &line["incarnation"]),
            (&json!("stderr"), &json!(1))
        );
        assert_eq!(line["agent"], "echo");
    }
    assert!(world.run(&["logs", "echo"]).text().contains("printed one"));

    act(&world, "kill", &["echo"]);
    world.wait_for_incarnation("echo", 2);
    world.call("echo", "two");
    let now = world.run(&["logs", "echo"]).text();
    assert!(
        now.contains("printed two") && !now.contains("printed one"),
        "{now}"
    );
    let before = world.run(&["logs", "echo", "--previous"]).text();
    assert!(
        before.contains("printed one") && !before.contains("printed two"),
        "{before}"
    );
    assert!(
        before.contains("killed by signal 9"),
        "how it ended stands there, too: {before}"
    );
    world.run(&["logs", "ecko"]).exits(65);
}

#[test]
fn logs_are_followed_across_incarnations() {
    let world = World::up(TREE);
    let feed = world.spawn(&["logs", "-f", "echo"]);
    world.call("echo", "one");
    feed.wait_for_stdout("printed one");
    act(&world, "kill", &["echo"]);
    world.wait_for_incarnation("echo", 2);
    world.call("echo", "two");
    feed.wait_for_stdout("printed two");
}

#[test]
fn events_tell_a_crash_from_its_cause_to_its_repair() {
    let world = World::up(TREE);
    let feed = world.spawn(&["events", "-f", "--json"]);
    feed.wait_for_stdout("agent_ready");
    act(&world, "kill", &["echo"]);
    world.wait_for_incarnation("echo", 2);
    feed.wait_for_stdout("echo #2 ready in");
    let events = world.events();
    for event in &events {
        for field in [
            "seq",
            "at",
            "kind",
            "agent",
            "supervisor",
            "incarnation",
            "message",
            "data",
        ] {
            assert!(event.get(field).is_some(), "{field} is missing in {event}");
        }
    }
    let seqs: Vec<_> = events
        .iter()
        .map(|event| event["seq"].as_u64().unwrap())
        .collect();
    assert!(
        seqs.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{seqs:?}"
    );
    let of_echo = events.iter().filter(|event| event["agent"] == "echo");
    let kinds: Vec<_> = of_echo
        .clone()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    let position = |kind: &str| {
        kinds
            .iter()
            .rposition(|it| *it == kind)
            .unwrap_or_else(|| panic!("{kind} in {kinds:?}"))
    };
    let order = [
        "operator",
        "agent_exited",
        "agent_restarting",
        "agent_starting",
        "agent_ready",
    ];
    let places: Vec<_> = order.iter().map(|kind| position(kind)).collect();
    assert!(places.is_sorted(), "{kinds:?}");
    let restarting = of_echo
        .clone()
        .find(|event| event["kind"] == "agent_restarting")
        .unwrap();
    let message = restarting["message"].as_str().unwrap();
    assert!(
        message.starts_with("echo #1 killed by signal 9 after"),
        "{message}"
    );
    assert!(message.ends_with("restarting (1/9 in 1m)"), "{message}");
    assert!(world.run(&["events"]).text().contains("killed by signal 9"));
}

#[test]
fn a_feed_ends_with_the_node_and_a_reader_that_leaves_harms_nobody() {
    let mut world = World::up(TREE);
    let feed = world.spawn(&["events", "-f"]);
    feed.wait_for_stdout("worker-2");
    drop(world.spawn(&["logs", "-f", "echo"]));
    assert_eq!(world.call("echo", "still"), "still");
    world.run(&["down"]).exits(0);
    world.take_node().outcome().exits(0);
    feed.outcome().exits(0);
}
