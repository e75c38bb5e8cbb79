//! supervision.toml as a user writes it: good, wrong, absent; the schema; the shipped file.

use serde_json::Value;

use crate::harness::World;

const WRONG: &str = r#"
[supervisor.root]
strategy = "one_for_al"
intensity = -1
period = "5 parsecs"
children = ["echo", "ghost"]
[agent.echo]
entry = "plain:echo"
restrat = "permanent"
concurrency = 0
[agent.stray]
model = "offline"
"#;

#[test]
fn every_mistake_is_told_at_once_with_its_place_and_a_suggestion() {
    let world = World::new(WRONG);
    for verb in [&["check"][..], &["up", "--no-console"], &["sync"]] {
        let outcome = world.run(verb).exits(78);
        let text = outcome.stderr;
        for part in [
            "one_for_al",
            "one_for_all",
            "5 parsecs",
            "ghost",
            "restrat",
            "restart",
            "concurrency",
            "stray",
            "supervision.toml",
        ] {
            assert!(text.contains(part), "{verb:?}: {part} is missing in {text}");
        }
        assert!(
            !text.contains('\x1b'),
            "no colours where there is no terminal"
        );
    }
    let report = world.run(&["check", "--json"]).exits(78).json();
    assert_eq!(report["ok"], false);
    assert!(
        report["findings"].as_array().unwrap().len() >= 7,
        "{report}"
    );
    assert!(
        !world.path(".synapse").exists(),
        "a wrong configuration makes nothing"
    );
}

#[test]
fn a_file_that_is_not_there_or_no_toml_exits_with_78() {
    let world = World::new("[supervisor.root\nchildren = 3");
    let outcome = world.run(&["check"]).exits(78);
    assert!(
        outcome.stderr.contains("supervision.toml"),
        "{}",
        outcome.stderr
    );
    let outcome = world
        .run(&["up", "--no-console", "--config", "nowhere.toml"])
        .exits(78);
    assert!(
        outcome.stderr.contains("nowhere.toml"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_good_file_is_said_to_be_good() {
    let world = World::new(
        "[supervisor.root]\nchildren = [\"echo\"]\n[agent.echo]\nentry = \"plain:echo\"\n",
    );
    let outcome = world.run(&["check"]).exits(0);
    assert!(outcome.stdout.contains("good"), "{}", outcome.stdout);
    assert_eq!(world.run(&["check", "--json"]).exits(0).json()["ok"], true);
}

/// What the schema has at this place says of its keys.
fn keys(schema: &Value, table: &Value) -> Vec<String> {
    let resolved = table
        .get("$ref")
        .and_then(Value::as_str)
        .map_or(table, |reference| {
            schema
                .pointer(reference.trim_start_matches('#'))
                .expect("the reference leads somewhere")
        });
    let properties = resolved["properties"].as_object();
    properties
        .map(|keys| keys.keys().cloned().collect())
        .unwrap_or_default()
}

#[test]
fn the_schema_is_one_that_editors_can_use() {
    let world = World::new(
        "[supervisor.root]\nchildren = [\"echo\"]\n[agent.echo]\nentry = \"plain:echo\"\n",
    );
    let schema = world.run(&["schema"]).exits(0).json();
    let top = keys(&schema, &schema);
    for table in ["runtime", "python", "supervisor", "agent"] {
        assert!(top.contains(&table.to_owned()), "{table} in {top:?}");
    }
    assert!(
        schema["$schema"]
            .as_str()
            .unwrap()
            .contains("json-schema.org"),
        "{schema}"
    );
    let shipped =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/supervision.toml")).unwrap();
    assert!(shipped.starts_with("#:schema .synapse/supervision.schema.json\n"));
}

#[test]
fn up_leaves_the_schema_where_the_shipped_file_names_it() {
    let world = World::up(
        "[supervisor.root]\nchildren = [\"echo\"]\n[agent.echo]\nentry = \"plain:echo\"\n",
    );
    let file = std::fs::read_to_string(world.path(".synapse/supervision.schema.json")).unwrap();
    let printed = world.run(&["schema"]).text();
    assert_eq!(file.trim_end(), printed.trim_end());
}

#[test]
fn the_first_start_of_a_broken_module_says_where_it_broke() {
    let mut world = World::new(
        "[supervisor.root]\nchildren = [\"broken\"]\n[agent.broken]\nentry = \"broken:agent\"\n",
    );
    world.write(
        "broken.py",
        "import os\n\nimport no_such_library\n\nagent = None\n",
    );
    world.begin();
    let outcome = world.take_node().outcome().exits(70);
    let text = outcome.stderr;
    assert!(text.contains("broken.py:3"), "{text}");
    assert!(
        text.contains("ModuleNotFoundError: No module named 'no_such_library'"),
        "{text}"
    );
    assert!(!text.contains("Traceback"), "no wall of text: {text}");
}
