//! The node as a program: starting, status, stopping, its data directory, its environment.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Running, World, is_alive};

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
        "schema node pid version uptime_ms agents supervisors",
    );
    assert_eq!(status["schema"], 1);
    assert_eq!(status["pid"], world.node_pid());
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

#[test]
fn down_stops_the_node_in_order() {
    let mut world = World::up(TREE);
    let pids = [world.pid("echo"), world.pid("hold"), world.node_pid()];
    let outcome = world.run(&["down"]).exits(0);
    assert_eq!(outcome.stdout, "stopped\n");
    world.take_node().outcome().exits(0);
    assert_eq!(pids.map(is_alive), [false; 3]);
    world.run(&["status"]).exits(69);
    world.start();
    assert_eq!(world.call("echo", "again"), "again");
}

#[test]
fn sigterm_and_sigint_stop_the_node_in_order() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut world = World::up(TREE);
        let call = world.spawn(&["call", "hold", "one", "--json"]);
        world.wait_for_file("one.begun");
        let node = world.take_node();
        node.signal(signal);
        world.write("one.release", "");
        let answer = call.outcome().exits(0).json();
        assert_eq!(answer["output"], "held one", "a stop drains: {signal:?}");
        node.outcome().exits(0);
    }
}

#[test]
fn a_node_under_nohup_outlives_its_terminal() {
    let world = World::new(TREE);
    let up = "trap '' HUP; exec \"$0\" up --no-console";
    let node = Running::start(world.program("sh", &["-c", up, env!("CARGO_BIN_EXE_synapse")]));
    world.run(&["status", "--wait"]).exits(0);
    node.signal(Signal::HUP);
    assert_eq!(world.call("echo", "still here"), "still here");
    node.signal(Signal::TERM);
    node.outcome().exits(0);
}

#[test]
fn a_second_node_says_who_holds_the_data_directory() {
    let mut world = World::up(TREE);
    let pid = world.node().pid();
    let outcome = world.run(&["up", "--no-console"]).exits(69);
    assert!(
        outcome.stderr.contains(&format!("pid {pid}")),
        "{}",
        outcome.stderr
    );
    assert_eq!(world.call("echo", "still here"), "still here");
    // Another data directory is another node.
    let other = world.path("other");
    let other = other.to_str().unwrap();
    let node = world.spawn(&["up", "--no-console", "--data-dir", other]);
    world
        .run(&["status", "--wait", "--data-dir", other])
        .exits(0);
    let status = world.run(&["status", "--json", "--data-dir", other]).json();
    assert_eq!(status["pid"], node.pid());
    world.run(&["down", "--data-dir", other]).exits(0);
    node.outcome().exits(0);
}

#[test]
fn the_socket_and_the_log_are_for_this_user_alone() {
    let world = World::up(TREE);
    let socket = std::fs::metadata(world.path(".synapse/control.sock")).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    let folder = std::fs::metadata(world.path(".synapse")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    let log = std::fs::metadata(world.path(".synapse/synapse.log")).unwrap();
    assert_eq!(log.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_socket_path_that_is_too_long_is_no_obstacle() {
    let mut world = World::new(TREE);
    let long = format!("{}/data", "d".repeat(120));
    world = world.with_variable("SYNAPSE_DATA_DIR", &long);
    world.start();
    assert_eq!(world.call("echo", "far away"), "far away");
    assert!(world.path(&long).join("control.path").is_file());
}

#[test]
fn a_node_that_was_killed_leaves_no_lock_behind() {
    let mut world = World::up(TREE);
    let node = world.take_node();
    node.signal(Signal::KILL);
    assert!(!node.outcome().status.success());
    world.start();
    assert_eq!(world.call("echo", "again"), "again");
}

#[test]
fn the_binary_works_from_any_folder() {
    let mut world = World::up(TREE);
    let elsewhere = tempfile::tempdir().unwrap();
    let config = world.path("supervision.toml");
    let config = config.to_str().unwrap();
    let call = ["call", "echo", "from afar", "--config", config];
    let answer = Running::start(world.command_in(elsewhere.path(), &call)).outcome();
    assert_eq!(answer.text(), "from afar");
    let variable = world.command_in(elsewhere.path(), &["call", "echo", "by variable"]);
    let mut variable = variable;
    variable.env("SYNAPSE_CONFIG", config);
    assert_eq!(Running::start(variable).outcome().text(), "by variable");
    assert!(world.node().stderr().is_empty() || !world.node().stderr().contains("error"));
}

#[test]
fn run_is_up_by_another_name_and_help_has_the_exit_codes() {
    let world = World::new(TREE);
    let node = world.spawn(&["run", "--no-console"]);
    world.run(&["status", "--wait"]).exits(0);
    world.run(&["down"]).exits(0);
    node.outcome().exits(0);
    let help = world.run(&["--help"]).text();
    for part in ["up", "call", "status", "Exit codes", "124 deadline"] {
        assert!(help.contains(part), "{part:?} in {help}");
    }
}

#[test]
fn frozen_never_installs() {
    let world = World::new(TREE).with_variable("SYNAPSE_CACHE_DIR", "empty-cache");
    let outcome = world.run(&["up", "--no-console", "--frozen"]).exits(69);
    assert!(
        outcome.stderr.contains("--frozen") || outcome.stderr.contains("frozen"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("synapse sync"),
        "{}",
        outcome.stderr
    );
    // With an environment in the cache it starts.
    let world = World::up(TREE);
    drop(world);
    let mut world = World::new(TREE);
    let node = world.spawn(&["up", "--no-console", "--frozen"]);
    world.run(&["status", "--wait"]).exits(0);
    world.run(&["down"]).exits(0);
    node.outcome().exits(0);
    world.start();
}

#[test]
fn agents_see_an_allowlist_of_the_environment() {
    let mut world = World::new(
        r#"
[supervisor.root]
children = ["bare", "given"]
[agent.bare]
entry = "plain:environment"
[agent.given]
entry = "plain:environment"
env = { COLOUR = "blue", BOTH = "env" }
env_file = "variables"
env_pass = ["PASSED"]
"#,
    )
    .with_variable("OPENAI_API_KEY", "sk-secret")
    .with_variable("SECRET_OF_THE_HOUSE", "hidden")
    .with_variable("PASSED", "through");
    world.write("variables", "FROM_FILE=file\nBOTH=file\n");
    world.start();
    let environment =
        |agent: &str| -> Value { serde_json::from_str(&world.call(agent, "")).unwrap() };
    let bare = environment("bare");
    for name in [
        "OPENAI_API_KEY",
        "SECRET_OF_THE_HOUSE",
        "PASSED",
        "SYNAPSE_CACHE_DIR",
    ] {
        assert_eq!(bare.get(name), None, "{name} must not pass");
    }
    assert!(bare["PATH"].is_string() && bare["TMPDIR"].is_string());
    assert_eq!(bare["SYNAPSE_AGENT"], "bare");
    let given = environment("given");
    assert_eq!(given["COLOUR"], "blue");
    assert_eq!(given["FROM_FILE"], "file");
    assert_eq!(given["BOTH"], "env", "the later wins");
    assert_eq!(given["PASSED"], "through");
    assert_eq!(given.get("SECRET_OF_THE_HOUSE"), None);
}
