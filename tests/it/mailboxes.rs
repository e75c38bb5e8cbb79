//! Mailboxes, slots, streams and callers that leave: what one caller does to the others.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{World, holds, is_alive, resident_kib, wait_for};

const TREE: &str = r#"
[supervisor.root]
intensity = 5
children = ["one", "two", "waits", "endless", "echo"]
[agent.one]
entry = "plain:hold"
[agent.two]
entry = "plain:hold"
concurrency = 2
[agent.waits]
entry = "plain:hold"
mailbox = { size = 1, when_full = "wait" }
[agent.endless]
entry = "plain:endless"
concurrency = 2
[agent.echo]
entry = "plain:echo"
"#;

#[test]
fn runs_of_one_process_interleave() {
    let world = World::up(TREE);
    let first = world.spawn(&["call", "two", "first"]);
    world.wait_for_file("first.begun");
    let second = world.spawn(&["call", "two", "second"]);
    world.wait_for_file("second.begun");
    assert_eq!(world.agent("two")["in_flight"], 2);
    // The later one may end first.
    world.write("second.release", "");
    assert_eq!(second.outcome().text(), "held second");
    world.write("first.release", "");
    assert_eq!(first.outcome().text(), "held first");
}

#[test]
fn without_a_free_slot_calls_wait_in_order() {
    let world = World::up(TREE);
    let first = world.spawn(&["call", "one", "first"]);
    world.wait_for_file("first.begun");
    let names = ["second", "third"];
    let waiting: Vec<_> = (1..)
        .zip(names)
        .map(|(queued, name)| {
            let call = world.spawn(&["call", "one", name]);
            world.wait_for_agent("one", "it waits", |agent| agent["queued"] == queued);
            call
        })
        .collect();
    world.write("third.release", "");
    world.write("first.release", "");
    world.wait_for_file("second.begun");
    assert!(
        !world.path("third.begun").exists(),
        "first come, first served"
    );
    world.write("second.release", "");
    assert_eq!(first.outcome().text(), "held first");
    let answers: Vec<_> = waiting
        .into_iter()
        .map(|call| call.outcome().text())
        .collect();
    assert_eq!(answers, ["held second", "held third"]);
}

#[test]
fn a_deadline_in_the_queue_is_answered_and_the_run_never_begins() {
    let world = World::up(TREE);
    let first = world.spawn(&["call", "one", "first"]);
    world.wait_for_file("first.begun");
    let error = world.fault(&["one", "second", "--timeout", "200ms"], 124);
    assert_eq!(error["code"], "deadline_exceeded");
    assert_eq!(world.agent("one")["queued"], 0);
    world.write("first.release", "");
    world.write("third.release", "");
    assert_eq!(world.call("one", "third"), "held third");
    assert!(!world.path("second.begun").exists());
    assert_eq!(first.outcome().text(), "held first");
}

#[test]
fn a_full_mailbox_that_waits_lets_nobody_down() {
    let world = World::up(TREE);
    let names = ["a", "b", "c", "d"];
    let calls: Vec<_> = (0..)
        .zip(names)
        .map(|(queued, name)| {
            let call = world.spawn(&["call", "waits", name]);
            world.wait_for_agent("waits", "one at work, the others wait", |agent| {
                agent["in_flight"] == 1 && agent["queued"] == queued
            });
            call
        })
        .collect();
    // They begin in the order in which they came, whatever they wait for.
    for (name, call) in names.iter().zip(calls) {
        world.wait_for_file(&format!("{name}.begun"));
        let later = names.iter().filter(|other| *other > name);
        let begun: Vec<_> = later
            .filter(|later| world.path(&format!("{later}.begun")).exists())
            .collect();
        assert!(begun.is_empty(), "{begun:?} began before {name} was done");
        world.write(&format!("{name}.release"), "");
        assert_eq!(call.outcome().text(), format!("held {name}"));
    }
}

#[test]
fn a_caller_that_dies_cancels_its_run() {
    let world = World::up(TREE);
    let call = world.spawn(&["call", "two", "left"]);
    world.wait_for_file("left.begun");
    call.signal(Signal::KILL);
    world.wait_for_file("left.cancelled");
    world.wait_for_agent("two", "idle", |agent| agent["in_flight"] == 0);
    assert_eq!(world.agent("two")["incarnation"], 1);
    // One that waits is simply gone.
    let first = world.spawn(&["call", "one", "first"]);
    world.wait_for_file("first.begun");
    let queued = world.spawn(&["call", "one", "queued"]);
    world.wait_for_agent("one", "a call waits", |agent| agent["queued"] == 1);
    queued.signal(Signal::KILL);
    world.wait_for_agent("one", "nobody waits", |agent| agent["queued"] == 0);
    world.write("first.release", "");
    assert_eq!(first.outcome().text(), "held first");
    assert!(!world.path("queued.begun").exists());
}

/// Waits until an agent's stream has not moved for a while; how many KiB went out.
fn stalled(world: &World, name: &str) -> u64 {
    let (mut last, mut looks) = (String::new(), 0);
    let file = format!("{name}.sent");
    world.wait_for_file(&file);
    wait_for("the stream to stand still", || {
        let now = world.wait_for_file(&file);
        looks = if now == last && !now.is_empty() {
            looks + 1
        } else {
            0
        };
        last.clone_from(&now);
        // A hundred looks are half a second at least.
        holds(looks > 100, format!("{now} KiB"))
    });
    last.parse().unwrap()
}

#[test]
fn a_reader_that_stops_slows_its_own_stream_only() {
    let world = World::up(TREE);
    let slow = world.spawn(&["call", "endless", "slow", "--stream"]);
    world.wait_for_file("slow.sent");
    slow.signal(Signal::STOP);
    let sent = stalled(&world, "slow");
    assert!(sent < 16 * 1024, "{sent} KiB went into buffers");
    let peak = resident_kib(world.node_pid());
    assert!(peak < 160 * 1024, "the node took {peak} KiB");
    // The other stream of the same process goes on, and so does everything else.
    let quick = world.spawn(&["call", "endless", "quick", "--stream"]);
    wait_for("the other stream to pass it", || {
        let sent: u64 = world.wait_for_file("quick.sent").parse().unwrap_or(0);
        holds(sent > 4096, format!("{sent} KiB"))
    });
    assert_eq!(world.call("echo", "well"), "well");
    assert_eq!(world.agent("endless")["in_flight"], 2);
    slow.signal(Signal::KILL);
    quick.signal(Signal::KILL);
    world.wait_for_agent("endless", "both cancelled", |agent| agent["in_flight"] == 0);
    assert_eq!(world.agent("endless")["incarnation"], 1);
}

#[test]
fn calls_that_were_prefetched_go_back_and_are_answered_by_the_next_incarnation() {
    let world = World::up(
        r#"
[supervisor.root]
intensity = 5
children = ["ahead"]
[agent.ahead]
entry = "plain:hold_blocking"
prefetch = 2
"#,
    );
    let first = world.spawn(&["call", "ahead", "first", "--json"]);
    world.wait_for_file("first.begun");
    let names = ["second", "third", "fourth"];
    let waiting = names.map(|name| (name, world.spawn(&["call", "ahead", name, "--json"])));
    // Two are written ahead of the one slot, whichever come first, and one waits in the mailbox.
    world.wait_for_agent("ahead", "one waits", |agent| agent["queued"] == 1);
    assert_eq!(world.agent("ahead")["in_flight"], 1);
    world.run(&["kill", "ahead"]).exits(0);
    assert_eq!(
        first.outcome().exits(1).json()["error"]["code"],
        "agent_crashed"
    );
    let mut waiting = Vec::from(waiting);
    while !waiting.is_empty() {
        // The next one begins when this one is over.
        let at = wait_for("one of the calls to begin", || {
            let begun = |(name, _): &(&str, _)| world.path(&format!("{name}.begun")).exists();
            waiting.iter().position(begun).ok_or_else(String::new)
        });
        let (name, call) = waiting.remove(at);
        assert_eq!(world.wait_for_file(&format!("{name}.begun")), "2");
        world.write(&format!("{name}.release"), "");
        let result = call.outcome().exits(0).json();
        assert_eq!(result["output"], format!("held {name}"));
        assert_eq!(result["incarnation"], 2);
    }
}

#[test]
fn calls_that_were_prefetched_by_one_that_breaks_the_protocol_are_not_run_again() {
    let world = World::up(
        r#"
[supervisor.root]
intensity = 5
children = ["ahead"]
[agent.ahead]
entry = "writes_garbage:hold"
prefetch = 2
"#,
    );
    let mut calls = vec![world.spawn(&["call", "ahead", "first", "--json"])];
    world.wait_for_file("first.begun");
    let names = ["second", "third", "fourth"];
    calls.extend(names.map(|name| world.spawn(&["call", "ahead", name, "--json"])));
    world.wait_for_agent("ahead", "one waits", |agent| agent["queued"] == 1);
    world.write("first.release", "");
    world.wait_for_incarnation("ahead", 2);
    // The one that waited in the mailbox.
    let begun = |name: &&str| {
        let incarnation = std::fs::read_to_string(world.path(&format!("{name}.begun")));
        incarnation.is_ok_and(|incarnation| incarnation == "2")
    };
    let name = wait_for("the last call to begin", || {
        names
            .iter()
            .find(|name| begun(name))
            .ok_or_else(String::new)
    });
    world.write(&format!("{name}.release"), "");
    for call in calls {
        let error = call.outcome().exits(1).json()["error"].clone();
        assert_eq!(error["code"], "agent_crashed", "{error}");
    }
    let again = names.iter().filter(|name| begun(name)).count();
    assert_eq!(again, 1, "what may have begun was begun again");
}

#[test]
fn an_answer_as_large_as_a_frame_arrives_and_a_larger_one_is_a_fault() {
    let world = World::up(
        r#"
[supervisor.root]
children = ["large"]
[agent.large]
entry = "plain:large"
"#,
    );
    let answer = world.call("large", "15000000");
    assert_eq!(answer.len(), 15_000_000);
    let error = world.fault(&["large", "17000000"], 1);
    assert_eq!(error["code"], "output_too_large");
    assert_eq!(error["origin"], "runtime");
    assert_eq!(world.agent("large")["incarnation"], 1);
    let input = "y".repeat(8_000_000);
    let answer = world.run_with_input(&["call", "large", "-"], &input).text();
    assert_eq!(answer, "8000000");
}

#[test]
fn killing_the_agent_ends_a_stream_whose_reader_has_stopped() {
    let world = World::up(TREE);
    let slow = world.spawn(&["call", "endless", "slow", "--stream", "--json"]);
    world.wait_for_file("slow.sent");
    slow.signal(Signal::STOP);
    stalled(&world, "slow");
    let pid = world.pid("endless");
    world.run(&["kill", "endless"]).exits(0);
    world.wait_for_incarnation("endless", 2);
    assert!(!is_alive(pid));
    slow.signal(Signal::CONT);
    let lines = slow.outcome().exits(1).json_lines();
    let last = lines.last().unwrap();
    assert_eq!(last["error"]["code"], "agent_crashed");
    let seqs = lines.iter().filter_map(|line| line["seq"].as_u64());
    assert!(
        seqs.eq(0..count(&lines)),
        "nothing is missing before the end"
    );
}

fn count(lines: &[Value]) -> u64 {
    let chunks = lines.iter().filter(|line| line["seq"].is_u64()).count();
    u64::try_from(chunks).unwrap()
}

/// A deadline for what must be quick beside a crowd.
const PROMPT: Duration = Duration::from_secs(10);

#[test]
fn a_crowd_at_one_agent_does_not_hold_up_another() {
    let world = World::up(TREE);
    let crowd: Vec<_> = (0..20)
        .map(|n| world.spawn(&["call", "one", &format!("crowd-{n}")]))
        .collect();
    world.wait_for_agent("one", "a queue", |agent| {
        agent["queued"].as_u64() >= Some(10)
    });
    let began = tokio::time::Instant::now();
    assert_eq!(world.call("echo", "quick"), "quick");
    assert!(began.elapsed() < PROMPT, "{:?}", began.elapsed());
    for n in 0..20 {
        world.write(&format!("crowd-{n}.release"), "");
    }
    for call in crowd {
        call.outcome().exits(0);
    }
}
