//! What an agent uses, and what happens to one that uses more than it may.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{World, holds, wait_for, wait_within};

const MIB: u64 = 1 << 20;

fn tree(limits: &str) -> String {
    format!(
        r#"
[supervisor.root]
intensity = 5
period = "1m"
children = ["grows", "calm"]
[agent.grows]
entry = "grows:answer"
limits = {{ {limits} }}
[agent.calm]
entry = "plain:echo"
"#
    )
}

/// A world whose agent exceeds a limit; how that incarnation ended.
#[track_caller]
fn exceeds(limits: &str, prompt: &str) -> (World, Value) {
    let world = World::up(&tree(limits));
    let calm = world.pid("calm");
    let error = world.fault(&["grows", prompt], 1);
    assert_eq!(error["code"], "agent_crashed", "{error}");
    assert_eq!(error["details"]["reason"], "limit_exceeded", "{error}");
    let agent = world.wait_for_incarnation("grows", 2);
    let exit = agent["last_exit"].clone();
    assert_eq!(exit["reason"], "limit_exceeded", "{exit}");
    assert_eq!(exit["incarnation"], 1, "{exit}");
    let told = world.events().into_iter().any(|event| {
        event["kind"] == "agent_exited" && event["data"]["reason"] == "limit_exceeded"
    });
    assert!(told, "it is among the events");
    assert_eq!(world.pid("calm"), calm, "its sibling noticed nothing");
    assert_eq!(world.call("grows", "well"), "well");
    (world, exit)
}

/// The number before `after` in the detail of an exit.
#[track_caller]
fn number(exit: &Value, after: &str) -> u64 {
    let detail = exit["detail"].as_str().expect("a text");
    let (before, _) = detail
        .split_once(after)
        .unwrap_or_else(|| panic!("{detail}"));
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next();
    digits
        .and_then(|it| it.parse().ok())
        .unwrap_or_else(|| panic!("{detail}"))
}

#[test]
fn memory_above_the_limit_is_the_end_and_says_how_much_it_was() {
    let (_world, exit) = exceeds("memory = \"200MiB\"", "memory");
    let detail = exit["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("limit exceeded: memory 200 MiB ("),
        "{detail}"
    );
    let seen = number(&exit, " MiB seen");
    assert!((201..400).contains(&seen), "{detail}");
}

#[test]
fn memory_of_a_process_that_has_left_its_parents_counts() {
    let world = World::up(&tree("memory = \"200MiB\""));
    // The agent itself answers before that has grown.
    assert_eq!(world.call("grows", "child memory"), "left");
    let agent = world.wait_for_incarnation("grows", 2);
    let exit = &agent["last_exit"];
    assert_eq!(exit["reason"], "limit_exceeded", "{exit}");
    assert!((201..400).contains(&number(exit, " MiB seen")), "{exit}");
}

#[test]
fn memory_within_the_limit_is_nobodys_business() {
    let world = World::up(&tree("memory = \"1GiB\", processes = 8"));
    let pid = world.pid("grows");
    let mut growing = world.spawn(&["call", "grows", "memory"]);
    world.wait_for_agent("grows", "grown", |agent| {
        agent["usage"]["resident_bytes"].as_u64() >= Some(400 * MIB)
    });
    assert!(!growing.has_ended(), "its call goes on");
    assert_eq!(world.pid("grows"), pid);
}

#[test]
fn one_open_file_too_many_is_an_error_in_python_and_no_death() {
    let world = World::up(&tree("open_files = 100"));
    let answer = world.call("grows", "files");
    let (why, count) = answer.split_once(" after ").expect("an error");
    assert_eq!(why, "Too many open files");
    let count: u64 = count.parse().unwrap();
    assert!((20..100).contains(&count), "{answer}");
    let agent = world.agent("grows");
    assert_eq!(agent["restarts"], 0, "{agent}");
    assert!(agent["last_exit"].is_null(), "{agent}");
}

/// What the kernel tells afterwards is near what it counted by.
#[track_caller]
fn spent(exit: &Value, limit: &str, seconds: std::ops::RangeInclusive<u64>) {
    let detail = exit["detail"].as_str().expect("a text");
    assert!(
        detail.starts_with(&format!("limit exceeded: {limit} (")),
        "{detail}"
    );
    assert!(seconds.contains(&number(exit, " s used")), "{detail}");
}

#[test]
fn processor_time_above_the_limit_is_the_end() {
    let (_world, exit) = exceeds("cpu_time = \"2s\"", "processor");
    spent(&exit, "cpu_time 2 s", 1..=3);
}

#[test]
fn processor_time_ends_also_one_that_will_not_hear_of_it() {
    let (_world, exit) = exceeds("cpu_time = \"1s\"", "deaf processor");
    spent(&exit, "cpu_time 1 s", 4..=7);
}

#[test]
fn a_process_too_many_is_the_end_of_all() {
    for prompt in ["processes", "daemons"] {
        let (world, exit) = exceeds("processes = 20", prompt);
        let seen = number(&exit, " seen");
        assert!((21..=200).contains(&seen), "{exit}");
        wait_within(
            "all that it forked to be gone",
            Duration::from_secs(5),
            || {
                let left = crate::harness::with_tag("SYNAPSE_INCARNATION=1");
                let own = crate::harness::with_tag(&world.tag());
                let left: Vec<_> = left.iter().filter(|it| own.contains(it)).collect();
                // The sibling lives in its first incarnation, too.
                holds(left.len() <= 1, format!("{left:?}"))
            },
        );
    }
}

#[test]
fn what_is_written_of_a_limit_is_what_is_enforced_or_an_error() {
    let world = World::new(&tree("open_files = 1000000000, cpu_time = \"1500ms\""));
    let outcome = world.run(&["check"]);
    let outcome = outcome.exits(78);
    let told = "`agent.grows.limits.open_files` cannot be enforced on this system";
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    let outcome = world.run(&["up", "--no-console"]).exits(78);
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
}

#[test]
fn status_and_inspect_tell_what_an_agent_uses() {
    let world = World::up(&tree(
        "memory = \"1GiB\", open_files = 256, cpu_time = \"90s\"",
    ));
    let before = world.agent("grows")["usage"].clone();
    let busy = world.spawn(&["call", "grows", "processor"]);
    let usage = world.wait_for_agent("grows", "at work", |agent| {
        agent["usage"]["cpu_percent"].as_f64() > Some(20.0)
            && agent["usage"]["cpu_ms"].as_u64() >= before["cpu_ms"].as_u64().map(|ms| ms + 500)
    });
    let usage = &usage["usage"];
    let bytes = |name: &str| usage[name].as_u64().unwrap_or_default();
    assert!(
        (5 * MIB..500 * MIB).contains(&bytes("resident_bytes")),
        "{usage}"
    );
    assert!(
        (MIB..500 * MIB).contains(&bytes("proportional_bytes")),
        "{usage}"
    );
    assert!((3..256).contains(&bytes("open_files")), "{usage}");
    assert!((1..64).contains(&bytes("threads")), "{usage}");
    let table = world.run(&["status"]).text();
    assert!(table.contains("QUEUED"), "{table}");
    let detail = world.run(&["inspect", "grows", "--json"]).exits(0).json();
    assert!(
        detail["status"]["usage"]["proportional_bytes"].is_u64(),
        "{detail}"
    );
    assert_eq!(detail["spec"]["limits"]["memory_bytes"], 1024 * MIB);
    assert_eq!(detail["spec"]["limits"]["processes"], Value::Null);
    let shown = world.run(&["inspect", "grows"]).text();
    assert!(shown.contains("of a processor"), "{shown}");
    assert!(
        shown.contains("memory 1 GiB, open_files 256, cpu_time 90s"),
        "{shown}"
    );
    assert_eq!(world.run(&["stop", "grows"]).status.code(), Some(0));
    let stopped = world.wait_for_agent("grows", "stopped", |agent| agent["state"] == "stopped");
    assert!(stopped["usage"].is_null(), "{stopped}");
    drop(busy);
    wait_for("its sibling to be as before", || {
        let calm = world.agent("calm");
        holds(calm["usage"]["threads"].is_u64(), &calm)
    });
}
