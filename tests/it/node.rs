//! The node as a program: starting, status, stopping, its data directory, its environment.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::process::CommandExt;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::harness::{Running, Screen, World, holds, is_alive, wait_for};

const TREE: &str = r#"
[supervisor.root]
intensity = 3
children = ["echo", "hold"]
[agent.echo]
entry = "plain:echo"
[agent.hold]
entry = "plain:hold"
"#;

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
fn a_run_that_the_end_of_the_node_cuts_off_is_told_so() {
    let hasty = TREE.replace("\"plain:hold\"", "\"plain:hold\"\nshutdown = \"100ms\"");
    let world = World::up(&hasty);
    let call = world.spawn(&["call", "hold", "one", "--json"]);
    world.wait_for_file("one.begun");
    world.run(&["down"]).exits(0);
    let error = call.outcome().exits(1).json()["error"].clone();
    assert_eq!(error["code"], "agent_stopped", "{error}");
    assert_eq!(
        error["message"], "hold is stopped: its node is stopping",
        "and not that `start` brings it back"
    );
}

#[test]
fn a_signal_to_the_whole_process_group_is_one_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let world = World::new(TREE);
        let mut command = world.command(&["up", "--no-console"]);
        command.process_group(0);
        let node = Running::start(command);
        world.run(&["status", "--wait"]).exits(0);
        let call = world.spawn(&["call", "hold", "one"]);
        world.wait_for_file("one.begun");
        let group = i32::try_from(node.pid()).unwrap();
        kill_process_group(Pid::from_raw(group).unwrap(), signal).unwrap();
        world.write("one.release", "");
        assert_eq!(
            call.outcome().text(),
            "held one",
            "a stop drains: {signal:?}"
        );
        node.outcome().exits(0);
    }
}

#[test]
fn a_further_signal_ends_a_node_that_waits_for_its_agents() {
    let mut world = World::up(&TREE.replace("hold\"\n", "hold\"\nshutdown = \"1h\"\n"));
    let call = world.spawn(&["call", "hold", "one"]);
    world.wait_for_file("one.begun");
    let pids = [world.pid("hold"), world.node_pid()];
    let mut node = world.take_node();
    wait_for("the node to end", || {
        if node.has_ended() {
            return Ok(());
        }
        node.signal(Signal::TERM);
        Err("it waits".to_owned())
    });
    node.outcome().exits(128 + 15);
    assert_eq!(pids.map(is_alive), [false; 2]);
    call.outcome();
}

#[test]
fn ctrl_c_at_a_terminal_stops_the_node_in_order() {
    let world = World::new(TREE);
    let mut screen = Screen::open(&world, "up --no-console");
    world.run(&["status", "--wait"]).exits(0);
    let call = world.spawn(&["call", "hold", "one"]);
    world.wait_for_file("one.begun");
    screen.types("\x03");
    world.write("one.release", "");
    assert_eq!(call.outcome().text(), "held one", "a stop drains");
    screen.ends_with(&world, 0);
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
    let world = World::up(TREE);
    let pid = world.node_pid();
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
    assert_eq!(status["guard_pid"], node.pid());
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
    world.kill_node().exits(137);
    world.start();
    assert_eq!(world.call("echo", "again"), "again");
}

#[test]
fn the_binary_works_from_any_folder() {
    let world = World::new(TREE);
    let elsewhere = tempfile::tempdir().unwrap();
    let config = world.path("supervision.toml");
    let config = config.to_str().unwrap();
    let run = |arguments: &[&str]| Running::start(world.command_in(elsewhere.path(), arguments));
    let node = run(&["up", "--no-console", "--config", config]);
    run(&["status", "--wait", "--config", config])
        .outcome()
        .exits(0);
    // Its data directory is beside the configuration, and its agents work there, too.
    assert_eq!(world.call("echo", "from home"), "from home");
    let answer = run(&["call", "echo", "from afar", "--config", config]).outcome();
    assert_eq!(answer.text(), "from afar");
    let mut variable = world.command_in(elsewhere.path(), &["call", "echo", "by variable"]);
    variable.env("SYNAPSE_CONFIG", config);
    assert_eq!(Running::start(variable).outcome().text(), "by variable");
    world.write("x.release", "");
    assert_eq!(world.call("hold", "x"), "held x");
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    run(&["down", "--config", config]).outcome().exits(0);
    node.outcome().exits(0);
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
fn a_mistake_in_rust_log_is_told_and_an_empty_one_is_none() {
    let tree = "[supervisor.root]\nchildren = [\"one\"]\n[agent.one]\nentry = \"plain:report\"\n";
    let mut world = World::new(tree).with_variable("RUST_LOG", "synapse_node=loud");
    let outcome = world.run(&["up", "--no-console"]).exits(2);
    for part in ["RUST_LOG=\"synapse_node=loud\"", "help: for example"] {
        let told = &outcome.stderr;
        assert!(told.contains(part), "{part:?} in {told}");
    }
    world.set_variable("RUST_LOG", "");
    world.start();
    world.call("one", "this");
    wait_for("what agents print in the log, as is configured", || {
        let log = world.wait_for_file(".synapse/synapse.log");
        holds(log.contains("printed this"), log)
    });
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
