//! What reaches the model, and what is remembered: settings, deps, histories, sessions.

use serde_json::{Value, json};

use crate::harness::World;

const TALKING: &str = r#"
[supervisor.root]
intensity = 3
children = ["talker"]
[agent.talker]
entry = "talking:talker"
model = "offline"
"#;

const TYPED: &str = r#"
[supervisor.root]
children = ["silent", "mirror", "keeper"]
[agent.silent]
entry = "talking:talker"
[agent.mirror]
entry = "talking:mirror"
model_settings = { temperature = 0.5, seed = 1 }
[agent.keeper]
entry = "talking:keeper"
model = "offline"
"#;

const HOLD: &str = r#"
[supervisor.root]
children = ["hold"]
[agent.hold]
entry = "plain:hold"
concurrency = 2
"#;

#[test]
fn model_settings_and_instructions_of_a_call_reach_the_model() {
    let world = World::up(TYPED);
    let mirrored = |arguments: &[&str]| -> Value {
        let mut all = vec!["call", "mirror", "look"];
        all.extend(arguments);
        serde_json::from_str(&world.run(&all).text()).unwrap()
    };
    let plain = mirrored(&[]);
    assert_eq!(plain["settings"]["temperature"], 0.5);
    assert_eq!(plain["settings"]["seed"], 1);
    assert_eq!(plain["instructions"], "Reflect.");
    let other = mirrored(&[
        "--settings",
        r#"{"temperature": 0.9, "max_tokens": 12}"#,
        "--instructions",
        "Answer in verse.",
    ]);
    assert_eq!(other["settings"]["temperature"], 0.9);
    assert_eq!(other["settings"]["seed"], 1, "key by key");
    assert_eq!(other["settings"]["max_tokens"], 12);
    let instructions = other["instructions"].as_str().unwrap();
    assert!(instructions.contains("Answer in verse."), "{instructions}");

    // An agent without any model answers when the call names one.
    let error = world.fault(&["silent", "hello"], 1);
    assert_ne!(error["origin"], "runtime", "{error}");
    let answer = world
        .run(&["call", "silent", "My name is Ada.", "--model", "offline"])
        .text();
    assert_eq!(answer, "Nice to meet you, Ada.");
    let usage = &world
        .run(&["call", "silent", "hello", "--model", "offline", "--json"])
        .exits(0)
        .json()["usage"];
    assert_eq!(usage["requests"], 1);
    assert!(usage["input_tokens"].as_u64().unwrap() > 0, "{usage}");
}

#[test]
fn deps_are_built_into_the_type_that_the_agent_wants() {
    let world = World::up(TYPED);
    let deps = r#"{"name": "Corner", "items": 3}"#;
    let answer = world
        .run(&["call", "keeper", "Use stock.", "--deps", deps])
        .text();
    assert!(answer.contains("Corner holds 3 items"), "{answer}");
    let error = world.fault(
        &["keeper", "Use stock.", "--deps", r#"{"name": "Corner"}"#],
        65,
    );
    assert_eq!(error["code"], "schema_violation");
    let error = world.fault(&["mirror", "x", "--deps", "{}"], 65);
    assert_eq!(
        error["origin"], "caller",
        "an agent that takes no deps: {error}"
    );
}

#[test]
fn a_conversation_goes_on_across_calls_and_deaths() {
    let world = World::up(TALKING);
    let say = |session: &str, prompt: &str| {
        world
            .run(&["call", "talker", prompt, "--session", session])
            .text()
    };
    assert_eq!(say("s1", "My name is Ada."), "Nice to meet you, Ada.");
    assert_eq!(say("s1", "What is my name?"), "Your name is Ada.");
    assert_eq!(
        say("s2", "What is my name?"),
        "You have not told me your name yet."
    );
    world.run(&["kill", "talker"]).exits(0);
    assert_eq!(say("s1", "What is my name?"), "Your name is Ada.");
    assert_eq!(world.agent("talker")["incarnation"], 2);
    world.run(&["restart", "talker"]).exits(0);
    assert_eq!(say("s1", "What is my name?"), "Your name is Ada.");
    assert_eq!(world.agent("talker")["incarnation"], 3);
}

#[test]
fn a_history_file_goes_before_the_prompt() {
    let world = World::up(TALKING);
    let history = json!([
        {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "My name is Grace."}]},
        {"kind": "response", "parts": [{"part_kind": "text", "content": "Nice to meet you."}]},
    ]);
    world.write("history.json", &history.to_string());
    let call = [
        "call",
        "talker",
        "What is my name?",
        "--history",
        "history.json",
    ];
    assert_eq!(world.run(&call).text(), "Your name is Grace.");
    world.write("history.json", "[1, 2");
    world.run(&call).exits(65);
    world.write("history.json", "{}");
    world.run(&call).exits(65);
    world.write("history.json", r#"[{"kind": "nonsense"}]"#);
    world.run(&call).exits(65);
    world
        .run(&["call", "talker", "x", "--history", "none.json"])
        .exits(65);
    world
        .run(&[
            "call",
            "talker",
            "x",
            "--history",
            "history.json",
            "--session",
            "s",
        ])
        .exits(2);
}

#[test]
fn a_second_call_of_a_busy_conversation_waits_its_turn() {
    let world = World::up(HOLD);
    let first = world.spawn(&["call", "hold", "first", "--session", "s"]);
    world.wait_for_file("first.begun");
    let second = world.spawn(&["call", "hold", "second", "--session", "s"]);
    // A free slot there is: another conversation is not held up.
    world.write("other.release", "");
    assert_eq!(
        world
            .run(&["call", "hold", "other", "--session", "t"])
            .text(),
        "held other"
    );
    assert!(
        !world.path("second.begun").exists(),
        "the conversation is busy"
    );
    world.write("second.release", "");
    world.write("first.release", "");
    assert_eq!(first.outcome().text(), "held first");
    assert_eq!(second.outcome().text(), "held second");
}

#[test]
fn a_busy_conversation_is_waited_for_no_longer_than_the_deadline() {
    let world = World::up(HOLD);
    let first = world.spawn(&["call", "hold", "first", "--session", "s"]);
    world.wait_for_file("first.begun");
    let second = world.run(&[
        "call",
        "hold",
        "second",
        "--session",
        "s",
        "--timeout",
        "200ms",
        "--json",
    ]);
    let code = second.json()["error"]["code"].as_str().unwrap().to_owned();
    assert!(
        ["session_busy", "deadline_exceeded"].contains(&code.as_str()),
        "{code}"
    );
    assert!(!world.path("second.begun").exists());
    world.write("first.release", "");
    assert_eq!(first.outcome().text(), "held first");
}
