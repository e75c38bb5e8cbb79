//! `synapse status` and `tree`: every field of the contract, and the words for people.

use serde_json::{Value, json};

use crate::harness::{World, is_alive};

const TREE: &str = r#"
[supervisor.root]
intensity = 3
children = ["echo", "group"]
[supervisor.group]
strategy = "rest_for_one"
intensity = 2
period = "7s"
children = ["hold", "pair"]
[agent.echo]
entry = "plain:echo"
[agent.hold]
entry = "plain:hold"
concurrency = 4
mailbox = { size = 9 }
[agent.pair]
entry = "plain:count"
replicas = 2
"#;

/// The fields are named in one text, apart by spaces.
#[track_caller]
fn expect_fields(object: &Value, fields: &str) {
    for field in fields.split_whitespace() {
        assert!(
            object.get(field).is_some(),
            "{field} is missing in {object}"
        );
    }
}

#[track_caller]
fn expect_time(text: &Value) {
    let text = text.as_str().unwrap_or_else(|| panic!("{text} is no time"));
    let digits = text.replace(|c: char| c.is_ascii_digit(), "0");
    assert_eq!(digits.get(..19), Some("0000-00-00T00:00:00"), "{text}");
    assert!(text.ends_with('Z'), "{text} is not in UTC");
}

#[test]
fn status_has_every_field_of_the_contract() {
    let world = World::up(TREE);
    let status = world.status();
    expect_fields(
        &status,
        "schema node pid guard_pid version uptime_ms agents supervisors",
    );
    assert_eq!(status["schema"], 1);
    assert_eq!(status["pid"], world.node_pid());
    assert_eq!(status["guard_pid"], world.guard_pid());
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    let agents = status["agents"].as_array().unwrap();
    let places: Vec<_> = agents.iter().map(|agent| &agent["path"]).collect();
    assert_eq!(
        json!(places),
        json!(["root/echo", "root/group/hold", "root/group/pair"])
    );
    agents.iter().for_each(expect_fresh_agent);
    assert_eq!(world.agent("hold")["mailbox"], 9);
    assert_eq!(world.agent("pair")["replicas"].as_array().unwrap().len(), 2);
    let group = &status["supervisors"][1];
    expect_fields(
        group,
        "name path strategy restarts_in_period intensity period_ms",
    );
    assert_eq!(status["supervisors"][0]["path"], "root");
    assert_eq!(group["path"], "root/group");
    assert_eq!(group["strategy"], "rest_for_one");
    assert_eq!(group["intensity"], 2);
    assert_eq!(group["period_ms"], 7000);
    assert_eq!(group["restarts_in_period"], 0);
}

fn expect_fresh_agent(agent: &Value) {
    expect_fields(
        agent,
        "name path state incarnation pid restarts uptime_ms in_flight queued mailbox mode last_exit
         replicas",
    );
    assert_eq!(agent["state"], "ready");
    assert_eq!(agent["last_exit"], Value::Null);
    for field in ["restarts", "in_flight", "queued"] {
        assert_eq!(agent[field], 0, "{field} of {agent}");
    }
    assert!(agent["pid"].is_u64() && agent["uptime_ms"].is_u64() && agent["mode"].is_string());
    let first = &agent["replicas"][0];
    expect_fields(first, "index state incarnation pid uptime_ms in_flight");
    for field in ["state", "incarnation", "pid"] {
        assert_eq!(
            agent[field], first[field],
            "the agent's own are those of replica 0"
        );
    }
}

#[test]
fn status_shows_work_exits_and_nulls() {
    let world = World::up(TREE);
    let call = world.spawn(&["call", "hold", "one"]);
    world.wait_for_file("one.begun");
    assert_eq!(world.agent("hold")["in_flight"], 1);
    world.write("one.release", "");
    call.outcome().exits(0);
    let pid = world.pid("hold");
    world.run(&["kill", "hold"]).exits(0);
    let agent = world.wait_for_incarnation("hold", 2);
    assert_eq!(agent["restarts"], 1);
    let exit = &agent["last_exit"];
    expect_fields(exit, "reason detail at incarnation stderr_tail");
    assert_eq!(exit["reason"], "signalled");
    assert!(
        exit["detail"].as_str().unwrap().contains("signal 9"),
        "{exit}"
    );
    assert!(exit["stderr_tail"].is_array());
    expect_time(&exit["at"]);
    assert!(!is_alive(pid));

    world.run(&["stop", "echo"]).exits(0);
    let echo = world.agent("echo");
    assert_eq!(echo["state"], "stopped");
    assert_eq!(
        (&echo["pid"], &echo["uptime_ms"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn status_wait_ends_when_all_is_ready_or_time_is_up() {
    let mut world = World::new(
        r#"
[supervisor.root]
children = ["slow"]
[agent.slow]
entry = "plain:echo"
env = { PYTHONPATH = "before" }
"#,
    );
    world.write(
        "before/sitecustomize.py",
        "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\n",
    );
    world.begin();
    let outcome = world.run(&["status", "--wait", "--timeout", "500ms", "--json"]);
    assert_eq!(
        outcome.exits(124).json()["error"]["code"],
        "deadline_exceeded"
    );
    let agent = world.agent("slow");
    assert_eq!(agent["state"], "starting");
    assert_eq!(
        (&agent["uptime_ms"], &agent["mailbox"]),
        (&Value::Null, &json!(256))
    );
    let waiting = world.spawn(&["status", "--wait", "--json"]);
    world.write("go", "");
    assert_eq!(
        waiting.outcome().exits(0).json()["agents"][0]["state"],
        "ready"
    );
}

#[test]
fn status_and_tree_are_for_people_too() {
    let world = World::up(TREE);
    let table = world.run(&["status"]).text();
    for name in ["echo", "hold", "pair", "ready"] {
        assert!(table.contains(name), "{table}");
    }
    let tree = world.run(&["tree"]).text();
    for part in [
        "root  one_for_one   0/3",
        "├─ echo",
        "└─ group",
        "rest_for_one   0/2 in 7s",
        "   ├─ hold",
    ] {
        assert!(tree.contains(part), "{part:?} in {tree}");
    }
    assert!(
        !tree.contains('\x1b'),
        "no colours where there is no terminal"
    );
}
