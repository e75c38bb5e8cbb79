//! What an author may write, from the file to the answer: types, schemas, deps, tools, limits.

use serde_json::{Value, json};

use crate::harness::World;

const TYPED: &str = r#"
[supervisor.root]
children = ["add", "mirrored"]
[agent.add]
entry = "typed:add"
[agent.mirrored]
entry = "typed:mirrored"
"#;

#[test]
fn arguments_are_built_from_json_and_checked() {
    let world = World::up(TYPED);
    let ask = |agent: &str, input: &str| -> Value {
        world
            .run(&["call", agent, "--input", input, "--json"])
            .exits(0)
            .json()["output"]
            .clone()
    };
    assert_eq!(ask("add", r#"{"a": 2, "b": 3}"#), 5);
    assert_eq!(ask("add", r#"{"a": 2}"#), 3);
    assert_eq!(ask("mirrored", r#"{"x": 4}"#), json!({"x": -4, "y": 0}));
    for (agent, input, part) in [
        ("add", r#"{"a": "two"}"#, "a"),
        ("add", r#"{"b": 2}"#, "'a'"),
        ("add", r#"{"a": 1, "c": 2}"#, "'c'"),
        ("add", "[1, 2]", "object"),
        ("mirrored", r#"{"x": 1.5}"#, "x"),
    ] {
        let error = world.fault(&[agent, "--input", input], 65);
        assert_eq!(error["code"], "schema_violation", "{error}");
        assert_eq!(error["origin"], "caller", "{error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
    let program = world.run(&["inspect", "add", "--json"]).exits(0).json();
    assert!(
        program.to_string().contains("Add two numbers."),
        "{program}"
    );
}

#[test]
fn an_agent_declared_without_code_answers_in_its_schema() {
    let world = World::up(
        r#"
[supervisor.root]
children = ["declared"]
[agent.declared]
model = "offline"
instructions = "Report."
[agent.declared.output_schema]
type = "object"
title = "Report"
required = ["title", "count"]
properties = { title = { type = "string" }, count = { type = "integer" } }
"#,
    );
    let call = ["call", "declared", "The roof leaks.", "--json"];
    let output = world.run(&call).exits(0).json()["output"].clone();
    assert!(
        output["title"].is_string() && output["count"].is_i64(),
        "{output}"
    );
    let tree = world.run(&["tree"]).text();
    assert!(tree.contains("returns Report {"), "{tree}");
}

const DEPS: &str = r#"
[supervisor.root]
children = ["keeps"]
[agent.keeps]
entry = "typed:keeps"
deps = "typed:journal"
"#;

#[test]
fn deps_of_an_incarnation_are_made_once_and_closed_at_its_end() {
    let world = World::up(DEPS);
    assert_eq!(world.call("keeps", "a"), "1");
    assert_eq!(world.call("keeps", "b"), "2");
    assert_eq!(world.wait_for_file("journal"), "open ");
    world.run(&["stop", "keeps"]).exits(0);
    assert_eq!(world.wait_for_file("journal"), "open close(2) ");
    let error = world.fault(&["keeps", "c"], 1);
    assert_eq!(error["code"], "agent_stopped");
    world.run(&["start", "keeps"]).exits(0);
    assert_eq!(world.call("keeps", "d"), "1");
}

#[test]
fn deps_of_a_run_are_made_and_closed_for_each() {
    let world = World::up(&format!("{DEPS}deps_scope = \"run\"\n"));
    assert_eq!(world.call("keeps", "a"), "1");
    assert_eq!(world.call("keeps", "b"), "1");
    assert_eq!(
        world.wait_for_file("journal"),
        "open close(1) open close(1) "
    );
}

const SHOP: &str = r#"
[supervisor.root]
children = ["keeper", "blocking"]
[agent.keeper]
entry = "talking:keeper"
model = "offline"
mode = "run_stream"
[agent.blocking]
entry = "talking:talker"
model = "offline"
mode = "run_sync"
usage_limits = { input_tokens = 12 }
"#;

#[test]
fn tools_show_in_the_stream_and_limits_end_a_run() {
    let world = World::up(SHOP);
    let deps = r#"{"name": "Corner", "items": 3}"#;
    let call = [
        "call",
        "keeper",
        "Use stock.",
        "--deps",
        deps,
        "--stream",
        "--json",
    ];
    let lines = world.run(&call).exits(0).json_lines();
    let tools: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "tool")
        .collect();
    assert_eq!(tools[0]["type"], "tool_call", "{lines:?}");
    assert_eq!(tools[0]["name"], "stock");
    assert_eq!(tools[1]["type"], "tool_result");
    assert_eq!(tools[1]["ok"], true);
    assert_eq!(tools[1]["tool_call_id"], tools[0]["tool_call_id"]);
    assert_eq!(tools[1]["content"], "Corner holds 3 items");
    let seqs = lines.iter().filter_map(|line| line["seq"].as_u64());
    assert!(
        seqs.clone().eq(0..seqs.count() as u64),
        "one count for chunks and tools"
    );
    let usage = &lines.last().unwrap()["usage"];
    assert_eq!(
        (&usage["requests"], &usage["tool_calls"]),
        (&json!(2), &json!(1))
    );

    assert_eq!(world.agent("blocking")["mode"], "run_sync");
    assert_eq!(
        world.call("blocking", "My name is Ada."),
        "Nice to meet you, Ada."
    );
    let long = "a long prompt, with far more words in it than the limit of this agent bears";
    let error = world.fault(&["blocking", long], 1);
    assert_eq!(error["code"], "limit_exceeded", "{error}");
    assert_eq!(error["origin"], "runtime");
    assert!(error["details"]["limit"].is_string(), "{error}");
}

#[test]
fn a_first_token_does_not_wait_for_the_last() {
    let world = World::up(SHOP);
    let deps = r#"{"name": "Corner", "items": 3}"#;
    let story = [
        "call",
        "keeper",
        "Tell me a long story.",
        "--deps",
        deps,
        "--stream",
    ];
    let call = world.spawn(&story);
    call.wait_for_stdout("Once upon a time");
    assert!(
        !call.stdout().contains("the story ends"),
        "it comes as it is told"
    );
    assert_eq!(world.agent("keeper")["in_flight"], 1);
    call.signal(rustix::process::Signal::INT);
    call.outcome().exits(130);
    world.wait_for_agent("keeper", "idle", |agent| agent["in_flight"] == 0);
    assert_eq!(world.agent("keeper")["incarnation"], 1);
}
