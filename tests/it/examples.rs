//! Each folder of examples/ does what its README says, offline; so does the shipped tree.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Running, World, command};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Nothing is left to build in a whole test run; alone, it is this package.
const BUILD_TIMEOUT: Duration = Duration::from_secs(300);

/// The folder as a user has it, with its node up.
#[track_caller]
fn example(name: &str) -> World {
    let mut world = World::bare("");
    world.copy(&format!("examples/{name}"), "");
    world.start();
    world
}

#[test]
fn every_example_has_a_readme_and_a_good_configuration() {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(Path::new(ROOT).join("examples")).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.join("supervision.toml").is_file() {
            continue;
        }
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(folder.join("README.md").is_file(), "{name}");
        let world = World::bare("");
        world.copy(&format!("examples/{name}"), "");
        let outcome = world.run(&["check"]).exits(0);
        assert_eq!(outcome.stderr, "", "{name}: no warnings");
        names.push(name);
    }
    names.sort_unstable();
    assert_eq!(
        names,
        ["crash", "embed", "hello", "openai-compatible", "research"]
    );
}

#[test]
fn the_shipped_tree() {
    let mut world = World::bare("");
    world.copy("agents", "agents");
    world.copy_file("supervision.toml");
    let outcome = world.run(&["check"]).exits(0);
    assert_eq!(outcome.stderr, "", "no warnings");
    world.start();
    // A conversation is with one agent.
    let say = |agent: &str, prompt: &str| {
        world
            .run(&["call", agent, prompt, "--session", agent])
            .text()
    };
    assert_eq!(
        say("assistant", "My name is Ada."),
        "Nice to meet you, Ada."
    );
    assert_eq!(say("assistant", "What is my name?"), "Your name is Ada.");
    assert_eq!(say("echo", "as it is"), "as it is");
    let report: Value = serde_json::from_str(&say("analyst", "The bridge is out.")).unwrap();
    assert!(report["title"].is_string(), "{report}");
    assert!(
        ["low", "medium", "high"].contains(&report["risk"].as_str().unwrap()),
        "{report}"
    );
    let found = say("searcher", "search for whales");
    assert!(
        found.contains("Blue whales are the largest animals known"),
        "{found}"
    );
    assert!(!say("writer", &found).is_empty());
    let streamed = world.run(&[
        "call",
        "assistant",
        "tell me a short story",
        "--stream",
        "--json",
    ]);
    let chunks = streamed
        .exits(0)
        .json_lines()
        .iter()
        .filter(|e| e["event"] == "chunk")
        .count();
    assert!(chunks > 10, "{chunks} chunks");
    // The searcher's death takes the writer with it; the others notice nothing.
    world.run(&["kill", "searcher"]).exits(0);
    world.wait_for_incarnation("searcher", 2);
    world.wait_for_incarnation("writer", 2);
    assert_eq!(world.agent("assistant")["incarnation"], 1);
}

#[test]
fn hello() {
    let world = example("hello");
    let say = |prompt: &str| {
        world
            .run(&["call", "greeter", prompt, "--session", "s"])
            .text()
    };
    assert_eq!(say("My name is Ada."), "Nice to meet you, Ada.");
    assert_eq!(say("What is my name?"), "Your name is Ada.");
}

#[test]
fn crash() {
    let mut world = example("crash");
    let call = |prompt: &str| world.run(&["call", "fragile", prompt, "--session", "demo"]);
    assert_eq!(call("My name is Ada.").text(), "Nice to meet you, Ada.");
    let outcome = world.run(&["call", "fragile", "Please crash."]).exits(1);
    assert!(
        outcome.stderr.contains("exited with code 3"),
        "{}",
        outcome.stderr
    );
    assert_eq!(call("What is my name?").text(), "Your name is Ada.");
    assert_eq!(world.agent("fragile")["incarnation"], 2);
    assert_eq!(world.agent("bystander")["incarnation"], 1);
    assert_eq!(world.agent("bystander")["restarts"], 0);
    world.run(&["down"]).exits(0);
    world.take_node().outcome().exits(0);
}

#[test]
fn research() {
    let world = example("research");
    let found = world.call("searcher", "Search for whales.");
    assert!(
        found.contains("Blue whales are the largest animals known."),
        "{found}"
    );
    let text = found
        .split_once(": ")
        .map_or(found.as_str(), |(_, text)| text);
    let written = world
        .run_with_input(&["call", "writer"], &format!("Summarise: {text}"))
        .text();
    assert!(written.contains("Blue whales"), "{written}");
    world.run(&["kill", "writer"]).exits(0);
    world.wait_for_incarnation("writer", 2);
    assert_eq!(world.agent("searcher")["incarnation"], 1);
    world.run(&["kill", "searcher"]).exits(0);
    world.wait_for_incarnation("searcher", 2);
    world.wait_for_incarnation("writer", 3);
}

/// The stub server of the Python tests, until it is dropped; its address.
fn stub_server(world: &World) -> (Running, String) {
    let stub = format!("{ROOT}/python/tests/stub_openai.py");
    // The interpreter of the environment that agents run with: there may be no other of that name.
    let python = world.run(&["sync", "--json"]).exits(0).json()["python"].clone();
    let python = world.program(python.as_str().unwrap(), &[stub.as_str()]);
    let server = Running::start_with_keyboard(python);
    server.wait_for_stdout("http://127.0.0.1:");
    server.wait_for_stdout("\n");
    let address = server
        .stdout()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    let address = address
        .split_whitespace()
        .find(|word| word.starts_with("http"))
        .unwrap()
        .to_owned();
    (server, address)
}

#[test]
fn openai_compatible() {
    let mut world = World::bare("");
    world.copy("examples/openai-compatible", "");
    let (_server, address) = stub_server(&world);
    world.set_variable("OPENAI_BASE_URL", &address);
    world.set_variable("OPENAI_API_KEY", "anything");
    world.start();
    assert_eq!(world.call("assistant", "hello"), "You said: hello");
    let streamed = world.run(&["call", "assistant", "chunks:50", "--stream", "--json"]);
    let lines = streamed.exits(0).json_lines();
    assert!(lines.iter().filter(|line| line["event"] == "chunk").count() > 10);
    assert!(lines.last().unwrap()["usage"]["requests"] == 1, "{lines:?}");
    let answer = world.run(&["call", "assistant", "use your tool", "--stream", "--json"]);
    let lines = answer.exits(0).json_lines();
    let tools: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "tool")
        .collect();
    assert_eq!(tools[0]["type"], "tool_call", "{lines:?}");
    assert_eq!(tools[0]["name"], "current_time");
    let error = world.fault(&["assistant", "err:429"], 1);
    assert_eq!(
        (error["code"].as_str(), error["origin"].as_str()),
        (Some("model_error"), Some("model"))
    );
    assert_eq!(error["details"]["status"], 429);
    assert_eq!(error["details"]["retry_after_s"], 7.0);
    assert_eq!(error["retryable"], true);
    let error = world.fault(&["assistant", "err:401"], 1);
    assert_eq!(error["details"]["status"], 401);
    assert_eq!(error["retryable"], false);
    world.fault(&["assistant", "cut", "--stream"], 1);
    let error = world.fault(&["assistant", "slow:30", "--timeout", "500ms"], 124);
    assert_eq!(error["code"], "deadline_exceeded");
    assert_eq!(world.agent("assistant")["incarnation"], 1);
}

#[test]
fn a_missing_key_says_which_one_and_why() {
    let mut world = World::bare("");
    world.copy("examples/openai-compatible", "");
    world.begin();
    let outcome = world.take_node().outcome().exits(70);
    assert!(
        outcome.stderr.contains("OPENAI_API_KEY"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains("Traceback"), "{}", outcome.stderr);
}

/// The example's program. Cargo builds it with all tests; where these run alone, and it is not
/// there or older than its source, it is built here.
fn embed_program() -> PathBuf {
    let binary = Path::new(env!("CARGO_BIN_EXE_synapse"));
    let program = binary.with_file_name("examples").join("embed");
    let changed = |file: &Path| {
        file.metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
    };
    let source = Path::new(ROOT).join("examples/embed/main.rs");
    if changed(&program) < changed(&source) {
        let mut cargo = command(env!("CARGO"), Path::new(ROOT));
        cargo
            .envs(std::env::vars_os())
            .args(["build", "--quiet", "--example", "embed"]);
        Running::start(cargo).outcome_within(BUILD_TIMEOUT).exits(0);
    }
    program
}

#[test]
fn embed() {
    let world = World::bare("");
    let program = embed_program();
    let text = Running::start(world.program(program.to_str().unwrap(), &[]))
        .outcome()
        .text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "you: My name is Ada.");
    assert_eq!(lines[1], "greeter #1: Nice to meet you, Ada.");
    assert!(
        lines[2].starts_with("sent SIGKILL to greeter #1 (pid "),
        "{text}"
    );
    assert_eq!(lines[4], "greeter #2: Your name is Ada.");
    assert_eq!(lines[5], "Stopped");
}
