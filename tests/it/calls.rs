//! `synapse call` in all its forms: answers, streams, errors, exit codes.

use serde_json::json;

use crate::harness::World;

const ECHO: &str = r#"
[supervisor.root]
children = ["echo"]
[agent.echo]
entry = "plain:echo"
"#;

#[test]
fn the_output_alone_is_on_stdout() {
    let world = World::up(ECHO);
    let outcome = world.run(&["call", "echo", "hello"]).exits(0);
    assert_eq!(outcome.stdout, "hello\n");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn json_is_one_object_with_the_fields_of_the_contract() {
    let world = World::up(ECHO);
    let result = world
        .run(&["call", "echo", "hello", "--json"])
        .exits(0)
        .json();
    assert_eq!(result["agent"], "echo");
    assert_eq!(result["incarnation"], 1);
    assert_eq!(result["output"], "hello");
    assert!(
        result["run"].is_string() && result["duration_ms"].is_u64(),
        "{result}"
    );
    let mut keys: Vec<_> = result
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    assert_eq!(
        json!(keys),
        json!([
            "agent",
            "duration_ms",
            "incarnation",
            "output",
            "run",
            "usage"
        ])
    );
}
