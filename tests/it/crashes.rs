//! Calls across a crash: what their callers are told, what is executed again, and dead letters.

use serde_json::{Value, json};

use crate::harness::{Outcome, World, wait_for};

const TREE: &str = r#"
[supervisor.root]
intensity = 100
children = ["plain", "again", "told", "tooled", "blocking", "shared"]
[agent.plain]
entry = "dies_by_input:answer"
poison_after = 3
[agent.again]
entry = "dies_by_input:answer"
idempotent = true
retry_on_crash = 2
poison_after = 3
prefetch = 2
[agent.told]
entry = "dies_by_input:told"
idempotent = true
retry_on_crash = 2
poison_after = 3
[agent.tooled]
entry = "dies_by_input:tooled"
poison_after = 0
[agent.blocking]
entry = "dies_by_input:tooled"
mode = "run_sync"
poison_after = 0
[agent.shared]
entry = "dies_by_input:answer"
concurrency = 4
idempotent = true
retry_on_crash = 2
poison_after = 3
"#;

/// The incarnations that have executed a call of this name.
fn runs(world: &World, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(world.path(&format!("{name}.runs"))).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_retry_is_promised_only_where_no_tool_had_begun() {
    let world = World::up(TREE);
    for agent in ["tooled", "blocking"] {
        for (number, stream) in [(1, false), (2, true)] {
            for (deed, outcome, retryable, acted) in [
                ("before", "no_effect", true, 0),
                ("within", "unknown", false, 1),
                ("after", "unknown", false, 1),
            ] {
                let name = format!("{agent}-{number}-{deed}");
                let prompt = format!("{name} {deed}");
                let mut call = vec![agent, prompt.as_str()];
                call.extend(stream.then_some("--stream"));
                let error = world.fault(&call, 1);
                assert_eq!(error["code"], "agent_crashed", "{name}: {error}");
                assert_eq!(error["details"]["outcome"], outcome, "{name}: {error}");
                assert_eq!(error["details"]["attempts"], 1, "{name}: {error}");
                assert_eq!(error["retryable"], retryable, "{name}: {error}");
                assert_eq!(runs(&world, &name).len(), acted, "{name}");
            }
        }
        assert_eq!(world.call(agent, "well"), "done");
    }
    let error = world.fault(&["plain", "p dies"], 1);
    assert_eq!(
        error["details"]["outcome"], "unknown",
        "of a function nothing is known"
    );
    assert_eq!(error["retryable"], false);
}

#[test]
fn an_idempotent_call_is_executed_again_by_the_next_incarnation_and_says_how_often() {
    let world = World::up(TREE);
    let call = ["call", "again", "x dies 2", "--session", "s", "--json"];
    let result = world.run(&call).exits(0).json();
    assert_eq!(result["output"], "x 3");
    assert_eq!(result["attempts"], 3);
    assert_eq!(result["incarnation"], 3);
    assert_eq!(runs(&world, "x"), ["1", "2", "3"]);
    let result = world.run(&["call", "again", "y", "--json"]).exits(0).json();
    assert_eq!(result["attempts"], 1);
    for incarnation in ["1", "2"] {
        let exit = ["inspect", "again", "--exit", incarnation, "--json"];
        let dossier = world.run(&exit).exits(0).json();
        assert_eq!(dossier["runs"][0]["again"], true, "{dossier}");
    }
}

#[test]
fn what_waits_keeps_its_order_behind_what_is_executed_again() {
    let world = World::up(TREE);
    let first = world.spawn(&["call", "again", "first waits"]);
    world.wait_for_file("first.runs");
    let names = ["a", "b", "c", "d"];
    // Two of them are written ahead of the slot, whichever come first.
    let queued = [0, 0, 1, 2];
    let waiting = names.iter().zip(queued).map(|(name, queued)| {
        let call = world.spawn(&["call", "again", &format!("{name} x"), "--json"]);
        world.wait_for_agent("again", "it waits", |agent| agent["queued"] == queued);
        call
    });
    let waiting: Vec<_> = waiting.collect();
    world.run(&["kill", "again"]).exits(0);
    wait_for("the call to be executed again", || {
        match runs(&world, "first").len() {
            2 => Ok(()),
            other => Err(other.to_string()),
        }
    });
    world.write("first.go", "");
    assert_eq!(first.outcome().text(), "first 2");
    for call in waiting {
        let result = call.outcome().exits(0).json();
        assert_eq!(result["incarnation"], 2, "{result}");
        assert_eq!(result["attempts"], 1, "{result}");
    }
    let executed = |name: &str| {
        let trace = std::fs::metadata(world.path(&format!("{name}.runs")));
        trace.and_then(|it| it.modified()).expect("it was executed")
    };
    let [a, b, c, d] = names.map(executed);
    assert!(a.max(b) <= c && c <= d, "{a:?} {b:?} {c:?} {d:?}");
}

#[test]
fn a_stream_that_is_cut_off_says_how_much_came() {
    let world = World::up(TREE);
    let call = ["call", "told", "x dies 9", "--stream", "--json"];
    let lines = world.run(&call).exits(1).json_lines();
    let (last, chunks) = lines.split_last().expect("lines");
    let texts: Vec<&Value> = chunks
        .iter()
        .filter(|line| line["event"] == "chunk")
        .map(|line| &line["text"])
        .collect();
    assert_eq!(texts, ["one ", "two "]);
    let details = &last["error"]["details"];
    let partial = json!({"text": "one two ", "chunks": 2, "truncated": false});
    assert_eq!(details["partial"], partial, "{last}");
    assert_eq!(last["error"]["retryable"], true, "its author says so");
    assert_eq!(
        runs(&world, "x").len(),
        1,
        "what was read cannot be taken back"
    );

    let outcome = world
        .run(&["call", "told", "y dies 9", "--stream"])
        .exits(1);
    assert_eq!(outcome.stdout, "one two \n");
    assert!(
        outcome.stderr.contains("cut off after 2 chunks"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn the_console_forgets_what_it_has_shown_of_an_answer_that_begins_again() {
    let world = World::up(TREE);
    let outcome = world.run_with_input(&["console"], "/use told\nx dies 1\n");
    let outcome = outcome.exits(0);
    let said = "one two \none two three 2\n";
    assert!(outcome.stdout.ends_with(said), "{:?}", outcome.stdout);
    assert!(
        outcome.stderr.contains("begins again"),
        "{:?}",
        outcome.stderr
    );
}

/// Calls until the agent has died of it three times; the last fault.
fn poison(world: &World, agent: &str, prompt: &str) -> Value {
    for _ in 0..2 {
        let error = world.fault(&[agent, prompt], 1);
        assert_eq!(error["code"], "agent_crashed", "{error}");
    }
    world.fault(&[agent, prompt], 1)
}

fn letters(world: &World) -> Vec<Value> {
    let list = world.run(&["deadletters", "--json"]).exits(0).json();
    list["letters"].as_array().expect("a list").clone()
}

#[test]
fn a_call_that_kills_its_agent_three_times_is_refused_and_kept() {
    let world = World::up(TREE);
    let error = poison(&world, "plain", "x dies");
    assert_eq!(error["code"], "call_poisoned", "{error}");
    assert_eq!(error["details"]["dead_letter"], "d-1");
    assert_eq!(error["details"]["deaths"], 3);
    let error = world.fault(&["plain", "x dies"], 1);
    assert_eq!(error["code"], "call_poisoned", "{error}");
    assert_eq!(
        runs(&world, "x").len(),
        3,
        "refused before it comes to the agent"
    );
    assert_eq!(
        world.call("plain", "y"),
        "y 1",
        "any other call is answered"
    );

    let listed = letters(&world);
    assert_eq!(listed.len(), 1);
    for (field, expected) in [
        ("id", json!("d-1")),
        ("agent", json!("plain")),
        ("deaths", json!(3)),
        ("attempts", json!(1)),
        ("reason", json!("killed by signal 9")),
        ("preview", json!("x dies")),
    ] {
        assert_eq!(listed[0][field], expected, "{field}");
    }
    let shown = world
        .run(&["deadletters", "show", "d-1", "--json"])
        .exits(0)
        .json();
    assert_eq!(shown["input"], "x dies");
    let exits = shown["exits"].as_array().expect("a list");
    let incarnations: Vec<&Value> = exits.iter().map(|exit| &exit["incarnation"]).collect();
    assert_eq!(incarnations, [1, 2, 3]);
    let text = world.run(&["deadletters", "show", "d-1"]).text();
    assert!(text.contains("x dies") && text.contains("#3 at"), "{text}");
    let events = world.agents_of_events("dead_letter");
    assert_eq!(events, ["plain"]);
}

#[test]
fn dead_letters_outlive_the_node_and_are_tried_again_and_dropped() {
    let mut world = World::up(TREE);
    for name in ["x", "y"] {
        let error = poison(&world, "plain", &format!("{name} dies 3"));
        assert_eq!(error["code"], "call_poisoned", "{error}");
    }
    world.kill_node().exits(128 + 9);
    world.start();
    let ids = |world: &World| -> Vec<Value> {
        letters(world)
            .iter()
            .map(|letter| letter["id"].clone())
            .collect()
    };
    assert_eq!(ids(&world), ["d-1", "d-2"]);
    for wrong in ["d-22", "d-3"] {
        for verb in ["show", "retry", "drop"] {
            let outcome = world.run(&["deadletters", verb, wrong]).exits(65);
            assert!(
                outcome.stderr.contains("did you mean d-"),
                "{}",
                outcome.stderr
            );
        }
    }
    let outcome = world.run(&["deadletters", "plaim"]).exits(65);
    assert!(outcome.stderr.contains("plain"), "{}", outcome.stderr);
    // While the agent is down: it is listed, and a try is answered as any call.
    world.run(&["stop", "plain"]).exits(0);
    assert_eq!(ids(&world), ["d-1", "d-2"]);
    let retry = ["deadletters", "retry", "d-1", "--json"];
    let error = json_error(&world.run(&retry).exits(1));
    assert_eq!(error["code"], "agent_stopped", "{error}");
    world.run(&["start", "plain"]).exits(0);

    assert_eq!(world.run(&["deadletters", "retry", "d-1"]).text(), "x 4");
    assert_eq!(ids(&world), ["d-2"]);
    world.run(&["deadletters", "drop", "d-2"]).exits(0);
    assert_eq!(ids(&world), [""; 0]);
    assert_eq!(world.run(&["deadletters"]).text(), "No dead letters.");
}

fn json_error(outcome: &Outcome) -> Value {
    outcome.json()["error"].clone()
}

#[test]
fn a_dead_letter_that_kills_again_is_kept_with_one_death_more() {
    let world = World::up(TREE);
    poison(&world, "plain", "x dies 4");
    let retry = ["deadletters", "retry", "d-1", "--json"];
    let error = json_error(&world.run(&retry).exits(1));
    assert_eq!(error["code"], "call_poisoned", "{error}");
    assert_eq!(error["details"]["dead_letter"], "d-1", "the same letter");
    assert_eq!(letters(&world)[0]["deaths"], 4);
    world.run(&["deadletters", "drop", "--all"]).exits(0);
    assert_eq!(
        world.call("plain", "x dies 4"),
        "x 5",
        "a dropped letter's call is as any other"
    );
}

#[test]
fn damaged_letters_are_told_and_hinder_nothing() {
    let mut world = World::new(TREE);
    world.write(".synapse/deadletters/d-7.jsonl", "{\"head\": ");
    world.start();
    let list = world.run(&["deadletters", "--json"]).exits(0).json();
    assert_eq!(list["letters"], json!([]));
    let damaged = list["damaged"][0].as_str().expect("a name");
    assert!(damaged.contains("d-7.jsonl"), "{damaged}");
    let log = std::fs::read_to_string(world.path(".synapse/synapse.log")).expect("a log");
    assert!(log.contains("dead letter is damaged"), "{log}");
    poison(&world, "plain", "x dies");
    assert_eq!(
        letters(&world)[0]["id"],
        "d-8",
        "a damaged letter is not written over"
    );
}

#[test]
fn of_calls_that_die_together_only_the_guilty_one_is_condemned() {
    let world = World::up(TREE);
    let guilty = world.spawn(&["call", "shared", "guilty dies together", "--json"]);
    world.wait_for_file("guilty.runs");
    let innocent = ["a", "b"].map(|name| {
        let call = world.spawn(&["call", "shared", &format!("{name} waits"), "--json"]);
        world.wait_for_file(&format!("{name}.runs"));
        call
    });
    world.write("guilty.go", "");
    // It dies with them, twice; then each runs alone, the first come first.
    let error = json_error(&guilty.outcome().exits(1));
    assert_eq!(error["code"], "call_poisoned", "{error}");
    assert_eq!(error["details"]["attempts"], 3);
    for (name, call) in ["a", "b"].into_iter().zip(innocent) {
        world.write(&format!("{name}.go"), "");
        let result = call.outcome().exits(0).json();
        assert_eq!(result["attempts"], 3, "{name}: {result}");
    }
    let listed = letters(&world);
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["preview"], "guilty dies together");
}
