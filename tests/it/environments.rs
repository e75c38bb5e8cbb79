//! Agents with packages of their own: an environment for each set of requirements, beside the others.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Running, World, children_of, command_of, holds, send, wait_for, wait_within};

/// Where the package of these tests is, in two versions. The same from run to run, so that the
/// environments with it are built once.
const WHEELS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/wheels");
const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/it/environments/wheel.py"
);

/// One agent with the packages of all, one with an old version of another, two with the new one.
const FLAVOURS: &str = r#"
[supervisor.root]
intensity = 20
children = ["plain", "old", "new", "newer"]
[agent.plain]
entry = "flavoured:flavour"
[agent.old]
entry = "flavoured:flavour"
requirements = "old.txt"
[agent.new]
entry = "flavoured:flavour"
requirements = "new.txt"
[agent.newer]
entry = "flavoured:is_loaded"
requirements = "new.txt"
"#;

/// A requirements file of one line: that version, by its place.
fn requirement(version: &str) -> String {
    format!("{WHEELS}/flavour-{version}-py3-none-any.whl\n")
}

/// A world in which both versions can be installed.
fn flavoured(tree: &str) -> World {
    static MADE: Once = Once::new();
    let world = World::new(tree);
    world.write("old.txt", &requirement("1.0"));
    world.write("new.txt", &requirement("2.0"));
    MADE.call_once(|| {
        // The interpreter of the agents: there may be no other of that name.
        let bare = World::bare("[supervisor.root]\nchildren = []\n");
        let python = bare.run(&["sync", "--json"]).exits(0).json()["python"].clone();
        for version in ["1.0", "2.0"] {
            let wheel = Path::new(WHEELS).join(format!("flavour-{version}-py3-none-any.whl"));
            if !wheel.exists() {
                let make = world.program(python.as_str().unwrap(), &[SCRIPT, WHEELS, version]);
                Running::start(make).outcome().exits(0);
            }
        }
    });
    world
}

/// The interpreters of the zygotes that there are.
fn zygotes(world: &World) -> Vec<String> {
    let children = children_of(world.node_pid()).into_iter();
    let commands = children.map(command_of);
    commands
        .filter(|command| command.contains("synapse_zygote.py"))
        .collect()
}

fn are_forked() -> bool {
    std::env::var("IT_SPAWN").map_or(true, |spawn| spawn == "fork")
}

#[test]
fn agents_have_different_versions_of_one_module_side_by_side() {
    let mut world = flavoured(FLAVOURS);
    world.start();
    let versions = ["plain", "old", "new"].map(|agent| world.call(agent, "x"));
    assert_eq!(versions, ["none", "1.0", "2.0"]);
    // One for each environment, and that of two agents is one.
    let expected = if are_forked() { 3 } else { 0 };
    assert_eq!(zygotes(&world).len(), expected, "{:?}", zygotes(&world));
    let mut programs = zygotes(&world);
    programs.dedup();
    assert_eq!(programs.len(), expected, "{programs:?}");
}

#[test]
fn all_environments_are_built_ahead_and_told() {
    let world = flavoured(FLAVOURS);
    let told = world.run(&["sync", "--json"]).exits(0).json();
    let own = told["of_agents"].as_array().unwrap();
    let agents: Vec<&Value> = own.iter().map(|one| &one["agents"]).collect();
    assert_eq!(agents, [&json!(["new", "newer"]), &json!(["old"])]);
    for one in own {
        assert_ne!(one["python"], told["python"]);
        assert_eq!(one["packages"], told["packages"].as_u64().unwrap() + 1);
    }
    let lines = world.run(&["sync"]).text();
    assert!(lines.contains("   for new, newer\n"), "{lines}");
    // Built from the same words, kept once.
    world.write("old.txt", &requirement("2.0"));
    let told = world.run(&["sync", "--json"]).exits(0).json();
    assert_eq!(
        told["of_agents"][0]["python"],
        told["of_agents"][1]["python"]
    );
}

#[test]
fn a_frozen_start_names_every_environment_that_is_missing() {
    let world = flavoured(FLAVOURS).with_variable("SYNAPSE_CACHE_DIR", "empty-cache");
    let outcome = world.run(&["up", "--no-console", "--frozen"]).exits(69);
    for missing in ["new, newer (new.txt): ", "old (old.txt): "] {
        assert!(outcome.stderr.contains(missing), "{}", outcome.stderr);
    }
    assert!(!world.path("empty-cache").exists());
}

#[test]
fn a_failure_names_the_agents_and_their_file() {
    let world = flavoured(FLAVOURS);
    world.write("old.txt", "-r nowhere.txt\n");
    world.write("new.txt", "-r neither.txt\n");
    let outcome = world.run(&["up", "--no-console"]).exits(69);
    for (whose, file) in [
        ("old (old.txt)", "nowhere.txt"),
        ("new, newer (new.txt)", "neither.txt"),
    ] {
        let line = outcome.stderr.lines().find(|line| line.contains(whose));
        let line = line.unwrap_or_else(|| panic!("{}", outcome.stderr));
        assert!(line.contains(file), "{line}");
    }
}

#[test]
fn what_is_preloaded_is_the_environments_own() {
    let tree = FLAVOURS.replace(
        "entry = \"flavoured:is_loaded\"",
        "entry = \"flavoured:is_loaded\"\npreload = [\"flavour\"]",
    );
    let mut world = flavoured(&tree);
    world.start();
    assert_eq!(world.call("newer", "x"), are_forked().to_string());
    assert_eq!(world.call("new", "x"), "2.0");
    let log = std::fs::read_to_string(world.path(".synapse/synapse.log")).unwrap_or_default();
    assert!(!log.contains("not preloaded"), "{log}");
}

/// Two agents of the same requirements.
const PAIR: &str = r#"
[supervisor.root]
intensity = 20
children = ["one", "other"]
[agent.one]
entry = "flavoured:flavour"
requirements = "old.txt"
[agent.other]
entry = "flavoured:flavour"
requirements = "old.txt"
"#;

#[test]
fn an_agent_is_restarted_in_the_environment_of_its_changed_requirements_and_others_are_not() {
    let mut world = flavoured(PAIR);
    world.start();
    let other = world.pid("other");
    world.write("old.txt", &requirement("2.0"));
    // A crash is no wish of anybody's.
    send(world.pid("one"), Signal::KILL);
    world.wait_for_incarnation("one", 2);
    assert_eq!(world.call("one", "x"), "1.0");
    let before = zygotes(&world);

    world.run(&["restart", "one"]).exits(0);
    assert_eq!(world.call("one", "x"), "2.0");
    assert_eq!(world.call("other", "x"), "1.0");
    assert_eq!(world.pid("other"), other);
    // The old one is there as long as somebody is forked from it.
    let between = zygotes(&world);
    assert!(
        before.iter().all(|old| between.contains(old)),
        "{between:?}"
    );
    send(other, Signal::KILL);
    world.wait_for_incarnation("other", 2);
    assert_eq!(world.call("other", "x"), "1.0");

    world.run(&["restart", "other"]).exits(0);
    assert_eq!(world.call("other", "x"), "2.0");
    wait_for("the old zygote to end", || {
        let after = zygotes(&world);
        let is_gone = before.iter().all(|old| !after.contains(old));
        let expected = usize::from(are_forked());
        holds(is_gone && after.len() == expected, format!("{after:?}"))
    });
}

#[test]
fn an_agent_whose_new_environment_fails_goes_on_in_the_old_one_and_why_is_told() {
    let mut world = flavoured(PAIR);
    world.start();
    let pid = world.pid("one");
    world.write("old.txt", "-r nowhere.txt\n");
    let outcome = world.run(&["restart", "one"]).exits(1);
    let told = "one was not restarted and keeps its environment: old.txt: read the requirements";
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(said.contains(told), "{said}");
    assert_eq!(world.pid("one"), pid);
    assert_eq!(world.call("one", "x"), "1.0");
    let log = world.log("one");
    let of_it = |line: &String| line.starts_with("new environment: failed: old.txt: ");
    assert!(log.iter().any(of_it), "{log:?}");
    // Put right, it is as before.
    world.write("old.txt", &requirement("1.0"));
    world.run(&["restart", "one"]).exits(0);
    assert_eq!(world.call("one", "x"), "1.0");
}

/// The real uv, wherever it is: of the machine, or of the tools that tests bring.
fn uv() -> String {
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin");
    let path = std::env::var("PATH").unwrap();
    let mut folders = [tools].into_iter().chain(path.split(':'));
    let found = folders.find(|folder| Path::new(folder).join("uv").is_file());
    format!("{}/uv", found.expect("scripts/python-tools was run"))
}

#[test]
fn an_agent_goes_on_while_its_environment_is_built_and_a_stop_meanwhile_counts() {
    let world = flavoured(PAIR);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", world.path("bin").display());
    // An environment that is built has a cache of its own: others would find it there.
    let world = world.with_variable("SYNAPSE_CACHE_DIR", "cache");
    let mut world = world.with_variable("PATH", &path);
    let go = world.path("go");
    let script = format!(
        "#!/bin/sh\nwhile [ ! -e {0} ]; do sleep 0.02; done\nexec {1} \"$@\"\n",
        go.display(),
        uv()
    );
    world.write("go", "");
    world.write("bin/uv", &script);
    let mut mode = std::fs::metadata(world.path("bin/uv"))
        .unwrap()
        .permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(world.path("bin/uv"), mode).unwrap();
    let sync = world.spawn(&["sync"]);
    sync.outcome_within(Duration::from_secs(300)).exits(0);
    world.start();
    let pid = world.pid("one");

    std::fs::remove_file(&go).unwrap();
    world.write("old.txt", &requirement("2.0"));
    let mut restart = world.spawn(&["restart", "one"]);
    let building = |world: &World, count: usize| {
        wait_for("the building to begin", || {
            let mut events = world.events();
            events.retain(|event| event["kind"] == "agent_environment");
            let of_uv = |event: &&Value| {
                let message = event["message"].as_str().unwrap();
                message.starts_with("one new environment: creating an environment for Python")
            };
            let begun = events.iter().filter(of_uv).count();
            holds(begun == count, format!("{events:?}"))
        });
    };
    building(&world, 1);
    assert_eq!(world.call("one", "x"), "1.0");
    assert_eq!(world.pid("one"), pid);
    assert!(!restart.has_ended());
    world.write("go", "");
    restart.outcome_within(Duration::from_secs(120)).exits(0);
    assert_eq!(world.call("one", "x"), "2.0");
    assert_eq!(world.call("other", "x"), "1.0");

    // Somebody stops it meanwhile: it stays stopped, and nothing is built any more.
    std::fs::remove_file(&go).unwrap();
    world.write("old.txt", &format!("{}# again\n", requirement("2.0")));
    let restart = world.spawn(&["restart", "one"]);
    building(&world, 2);
    world.run(&["stop", "one"]).exits(0);
    let outcome = restart.outcome().exits(1);
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(
        said.contains("one was stopped before it was restarted"),
        "{said}"
    );
    assert_eq!(world.agent("one")["state"], "stopped");

    // The end of the node does not wait for a building.
    world.write("old.txt", &format!("{}# and again\n", requirement("2.0")));
    let restart = world.spawn(&["start", "one"]);
    building(&world, 3);
    let mut node = world.take_node();
    node.signal(Signal::TERM);
    wait_within("the node's end", Duration::from_secs(20), || {
        holds(node.has_ended(), "it runs")
    });
    let said = restart.outcome();
    assert!(!said.status.success(), "{}", said.stdout);
}
