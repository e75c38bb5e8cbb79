//! `synapse call` in all its forms: answers, streams, errors, exit codes.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Running, World};

const PLAIN: &str = r#"
[supervisor.root]
children = ["echo", "count", "given", "fails", "hold", "full"]
[agent.echo]
entry = "plain:echo"
[agent.count]
entry = "plain:count"
[agent.given]
entry = "plain:given"
[agent.fails]
entry = "plain:fails"
[agent.hold]
entry = "plain:hold"
concurrency = 2
[agent.full]
entry = "plain:hold"
mailbox = { size = 1, when_full = "reject" }
"#;

/// The fields of a JSON object, in order of the alphabet.
fn fields(object: &Value) -> Vec<&str> {
    let mut fields: Vec<_> = object
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    fields.sort_unstable();
    fields
}

const RESULT: [&str; 7] = [
    "agent",
    "attempts",
    "duration_ms",
    "incarnation",
    "output",
    "run",
    "usage",
];
const ERROR: [&str; 5] = ["code", "details", "message", "origin", "retryable"];

#[test]
fn answers_are_printed_alone_or_as_one_object() {
    let world = World::up(PLAIN);
    let outcome = world.run(&["call", "echo", "hello"]).exits(0);
    assert_eq!(
        (outcome.stdout.as_str(), outcome.stderr.as_str()),
        ("hello\n", "")
    );

    let result = world
        .run(&["call", "echo", "hello", "--json"])
        .exits(0)
        .json();
    assert_eq!(fields(&result), RESULT);
    assert_eq!(result["agent"], "echo");
    assert_eq!(result["incarnation"], 1);
    assert_eq!(result["output"], "hello");
    assert!(
        result["run"].is_string() && result["duration_ms"].is_u64(),
        "{result}"
    );

    let outcome = world
        .run(&["call", "given", "--input", r#"{"a": [1, null, 2.5]}"#])
        .exits(0);
    let output: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(output["prompt"], json!({"a": [1, null, 2.5]}));
}

#[test]
fn prompts_come_from_standard_input_too() {
    let world = World::up(PLAIN);
    assert_eq!(
        world.run_with_input(&["call", "echo"], "piped\n").text(),
        "piped"
    );
    assert_eq!(
        world
            .run_with_input(&["call", "echo", "-"], "two\nlines\n")
            .text(),
        "two\nlines"
    );
    assert_eq!(
        world
            .run_with_input(&["call", "echo", "given"], "ignored")
            .text(),
        "given"
    );
    let text = "ä → 𝄞 \u{1f9ea}\t\"quoted\"";
    assert_eq!(
        world.run_with_input(&["call", "echo", "-"], text).text(),
        text
    );
    assert_eq!(world.run_with_input(&["call", "echo"], "").text(), "");
}

#[test]
fn input_deps_and_deadline_reach_the_function() {
    let world = World::up(PLAIN);
    let result = world
        .run(&[
            "call",
            "given",
            "--input",
            "null",
            "--deps",
            r#"{"user": 7}"#,
            "--json",
        ])
        .exits(0)
        .json();
    let output = &result["output"];
    assert_eq!(output["prompt"], Value::Null);
    assert_eq!(output["deps"], json!({"user": 7}));
    let default = output["remaining"].as_f64().unwrap();
    assert!(
        (590.0..=600.0).contains(&default),
        "ten minutes are the default: {default}"
    );

    let result = world
        .run(&["call", "given", "x", "--timeout", "20s", "--json"])
        .exits(0)
        .json();
    let shortened = result["output"]["remaining"].as_f64().unwrap();
    assert!((10.0..=20.0).contains(&shortened), "{shortened}");
    let result = world
        .run(&["call", "given", "x", "--timeout", "2h", "--json"])
        .exits(0)
        .json();
    let remaining = result["output"]["remaining"].as_f64().unwrap();
    assert!(
        remaining <= 600.0,
        "a caller may only shorten it: {remaining}"
    );
}

#[test]
fn streams_are_text_as_it_comes_or_a_line_an_event() {
    let world = World::up(PLAIN);
    assert_eq!(
        world.run(&["call", "count", "5", "--stream"]).text(),
        "0 1 2 3 4 "
    );

    let lines = world
        .run(&["call", "count", "3", "--stream", "--json"])
        .exits(0)
        .json_lines();
    let (last, events) = lines.split_last().unwrap();
    assert_eq!(fields(last), RESULT);
    assert_eq!(last["output"], "0 1 2 ");
    assert_eq!(events[0]["event"], "run");
    assert_eq!(events[0]["run"], last["run"]);
    let chunks: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "chunk")
        .collect();
    assert_eq!(chunks.len(), 3);
    for (seq, chunk) in chunks.iter().enumerate() {
        assert_eq!(
            **chunk,
            json!({"event": "chunk", "seq": seq, "text": format!("{seq} ")})
        );
    }

    // An agent that cannot stream is one chunk, or none, and the result.
    let lines = world
        .run(&["call", "echo", "hi", "--stream", "--json"])
        .exits(0)
        .json_lines();
    assert_eq!(lines.last().unwrap()["output"], "hi");
    assert_eq!(world.run(&["call", "echo", "hi", "--stream"]).text(), "hi");
    // A result without --stream is whole.
    assert_eq!(world.call("count", "4"), "0 1 2 3 ");
}

#[test]
fn a_long_stream_arrives_whole_and_in_order() {
    let world = World::up(PLAIN);
    let lines = world
        .run(&["call", "count", "5000", "--stream", "--json"])
        .exits(0)
        .json_lines();
    let chunks = lines.iter().filter(|event| event["event"] == "chunk");
    let text: String = chunks
        .map(|chunk| chunk["text"].as_str().unwrap())
        .collect();
    let expected: String = (0..5000).map(|number| format!("{number} ")).collect();
    assert!(text == expected, "5000 chunks in order");
    assert_eq!(lines.last().unwrap()["output"], expected);
}

#[test]
fn a_reader_of_stdout_that_leaves_ends_the_call_without_a_word() {
    let world = World::up(PLAIN);
    let line = format!(
        "{} call count 100000 --stream | head -c 4",
        env!("CARGO_BIN_EXE_synapse")
    );
    let outcome = Running::start(world.program("sh", &["-c", &line]))
        .outcome()
        .exits(0);
    assert_eq!(
        (outcome.stdout.as_str(), outcome.stderr.as_str()),
        ("0 1 ", "")
    );
    world.wait_for_agent("count", "idle", |agent| agent["in_flight"] == 0);
    assert_eq!(world.agent("count")["incarnation"], 1);
}

#[test]
fn errors_say_whose_they_are_with_a_code_for_scripts() {
    let world = World::up(PLAIN);
    let error = world.fault(&["fails", "no such luck"], 1);
    assert_eq!(fields(&error), ERROR);
    assert_eq!(error["code"], "agent_error");
    assert_eq!(error["origin"], "agent");
    assert_eq!(error["retryable"], false);
    assert!(
        error["message"].as_str().unwrap().contains("no such luck"),
        "{error}"
    );
    assert_eq!(error["details"]["exception"], "ValueError");

    let outcome = world.run(&["call", "fails", "no such luck"]).exits(1);
    assert_eq!(outcome.stdout, "");
    assert!(
        outcome.stderr.contains("no such luck"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.lines().count() <= 4,
        "no wall of text: {}",
        outcome.stderr
    );

    let lines = world
        .run(&["call", "fails", "x", "--stream", "--json"])
        .exits(1)
        .json_lines();
    assert_eq!(lines.last().unwrap()["error"]["code"], "agent_error");
}

#[test]
fn inspect_shows_the_traceback_of_the_last_call_that_failed() {
    let world = World::up(PLAIN);
    let inspect = |agent| world.run(&["inspect", agent, "--json"]).exits(0).json();
    assert_eq!(inspect("fails")["last_fault"], Value::Null);
    for luck in ["bad luck", "no luck"] {
        world.fault(&["fails", luck], 1);
    }
    let fault = inspect("fails")["last_fault"].clone();
    assert_eq!(fault["code"], "agent_error");
    assert_eq!(fault["incarnation"], 1);
    let traceback = fault["traceback"].as_str().expect("a traceback");
    assert!(traceback.contains("plain.py"), "{traceback}");
    assert!(traceback.contains("ValueError: no luck"), "{traceback}");
    let outcome = world.run(&["call", "fails", "no luck"]).exits(1);
    let hint = "synapse inspect fails shows the traceback";
    assert!(outcome.stderr.contains(hint), "{}", outcome.stderr);
    let shown = world.run(&["inspect", "fails"]).text();
    assert!(shown.contains("agent_error: ") && shown.contains("plain.py"));
    // A mistake of the caller's says nothing about the agent.
    world.fault(&["echo", "x", "--deps", "1"], 65);
    assert_eq!(inspect("echo")["last_fault"], Value::Null);
}

#[test]
fn deps_are_given_in_the_console_too() {
    let world = World::up(PLAIN);
    let script = "/use given\n/deps {\"user\": \"Ada\"}\nhello\n/deps null\nagain\n";
    let answers = world.run_with_input(&["console"], script).exits(0).stdout;
    let with = answers.find("Ada").expect("the deps of the first call");
    assert!(with < answers.find("again").expect("the second call"));
    assert_eq!(answers.matches("Ada").count(), 1, "{answers}");
}

#[test]
fn a_wrong_name_is_told_with_the_nearest_one() {
    let world = World::up(PLAIN);
    let error = world.fault(&["ecko", "hello"], 65);
    assert_eq!(error["code"], "agent_not_found");
    assert_eq!(error["origin"], "caller");
    assert_eq!(error["details"]["nearest"], "echo");
    let outcome = world.run(&["call", "ecko", "hello"]).exits(65);
    assert!(
        outcome.stderr.contains("Did you mean echo?"),
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.stdout, "");
}

#[test]
fn a_deadline_in_the_run_exits_with_124() {
    let world = World::up(PLAIN);
    let error = world.fault(&["hold", "late", "--timeout", "300ms"], 124);
    assert_eq!(error["code"], "deadline_exceeded");
    assert_eq!(error["origin"], "runtime");
    world.wait_for_file("late.cancelled");
    assert_eq!(world.agent("hold")["incarnation"], 1);
    // The slots are free again.
    world.write("next.release", "");
    assert_eq!(world.call("hold", "next"), "held next");
}

#[test]
fn a_run_has_a_time_of_its_own_that_the_queue_takes_nothing_of() {
    let tree = "[supervisor.root]\nchildren = [\"hold\"]\n\
                [agent.hold]\nentry = \"plain:hold\"\nrun_timeout = \"2s\"\n";
    let world = World::up(tree);
    let first = world.spawn(&["call", "--json", "hold", "first"]);
    world.wait_for_file("first.begun");
    // It waits for as long as the first one runs, and then has its own two seconds.
    let second = world.spawn(&["call", "hold", "second"]);
    let ended = first.outcome().exits(124).json_lines();
    let error = &ended.last().unwrap()["error"];
    assert_eq!(error["code"], "deadline_exceeded", "{error}");
    assert_eq!(error["details"]["limit"], "run_timeout", "{error}");
    assert_eq!(error["details"]["timeout_ms"], 2000, "{error}");
    world.wait_for_file("first.cancelled");
    world.wait_for_file("second.begun");
    world.write("second.release", "");
    assert_eq!(second.outcome().text(), "held second");
    assert_eq!(world.agent("hold")["incarnation"], 1);
}

#[test]
fn a_full_mailbox_exits_with_75() {
    let world = World::up(PLAIN);
    let first = world.spawn(&["call", "full", "first"]);
    world.wait_for_file("first.begun");
    let second = world.spawn(&["call", "full", "second"]);
    world.wait_for_agent("full", "a call waits", |agent| agent["queued"] == 1);
    let error = world.fault(&["full", "third"], 75);
    assert_eq!(error["code"], "overloaded");
    assert_eq!(error["retryable"], true);
    world.write("first.release", "");
    world.write("second.release", "");
    assert_eq!(first.outcome().text(), "held first");
    assert_eq!(second.outcome().text(), "held second");
}

#[test]
fn ctrl_c_cancels_the_call_and_exits_with_130() {
    let world = World::up(PLAIN);
    let call = world.spawn(&["call", "hold", "mine", "--json"]);
    world.wait_for_file("mine.begun");
    call.signal(Signal::INT);
    let outcome = call.outcome().exits(130);
    assert_eq!(outcome.json()["error"]["code"], "cancelled");
    world.wait_for_file("mine.cancelled");
    assert_eq!(world.agent("hold")["incarnation"], 1);
}

#[test]
fn wrong_command_lines_exit_with_2_and_data_that_is_no_json_too() {
    let world = World::new(PLAIN);
    for wrong in [
        &["call"][..],
        &["call", "echo", "x", "--timeout", "soon"],
        &["call", "echo", "--input", "{"],
        &["call", "echo", "x", "--settings", "[]"],
        &["call", "echo", "x", "--bogus"],
        &["frobnicate"],
        &["status", "--timeout", "-1s"],
    ] {
        let outcome = world.run(wrong).exits(2);
        assert_eq!(outcome.stdout, "", "{wrong:?}");
        assert!(!outcome.stderr.is_empty(), "{wrong:?}");
    }
}

#[test]
fn what_is_given_wins_over_a_variable() {
    let mut world = World::up(PLAIN);
    world.set_variable("SYNAPSE_INPUT", "\"of the variable\"");
    assert_eq!(world.call("echo", "given"), "given");
    assert_eq!(world.run(&["call", "echo"]).text(), "of the variable");
    world.set_variable("SYNAPSE_HISTORY", "no-such-file");
    let session = ["call", "echo", "given", "--session", "one"];
    assert_eq!(world.run(&session).text(), "given");
    // The file is looked for where nothing was given in its place.
    world.run(&["call", "echo", "given"]).exits(65);

    let contradictions = [
        ["given", "--input", "1"].as_slice(),
        &["--session", "one", "--history", "no-such-file"],
    ];
    for contradiction in contradictions {
        let both = world.run(&[&["call", "echo"], contradiction].concat());
        let both = both.exits(2);
        assert!(both.stderr.contains("not both"), "{}", both.stderr);
    }
}

#[test]
fn without_a_node_calls_exit_with_69_and_say_how_to_start_one() {
    let world = World::new(PLAIN);
    for verb in [
        &["call", "echo", "x"][..],
        &["status"],
        &["tree"],
        &["down"],
        &["console"],
    ] {
        let outcome = world.run(verb).exits(69);
        assert!(
            outcome.stderr.contains("start one with `synapse`"),
            "{verb:?}: {}",
            outcome.stderr
        );
    }
}
