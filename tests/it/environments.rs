//! Agents with packages of their own: an environment for each set of requirements, beside the others.

use std::path::Path;
use std::sync::Once;

use serde_json::{Value, json};

use crate::harness::{Running, World, children_of, command_of};

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
