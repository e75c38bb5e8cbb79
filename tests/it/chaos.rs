//! Everything at once, for a bounded time: callers, and agents that are killed, stopped, hung,
//! flooded and corrupted while they are called. Afterwards each accepted call has had one outcome,
//! nothing was run twice or out of order, and the node is as it was.
//!
//! `CHAOS_SECONDS` makes it longer, `CHAOS_SEED` makes it another one.

mod caller;
mod disturber;
mod measure;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::harness::{World, holds, wait_for};

use caller::{Ledger, Verdict};
use measure::Measure;
use random::Random;

/// How long it goes on where nobody says otherwise.
const SECONDS: u64 = 10;
const SEED: u64 = 20_261_120;
const CALLERS: u64 = 6;
/// What a node may have grown by: its logs, events and records fill up to their limits.
const GROWTH_MAX_KIB: u64 = 24 * 1024;

const TREE: &str = r#"
[supervisor.root]
intensity = 10000
period = "10s"
children = ["ordered", "shared", "told", "pair", "group", "drowsy", "spared"]
[supervisor.group]
strategy = "rest_for_one"
intensity = 10000
period = "10s"
children = ["first", "second"]
[agent.ordered]
KEYS
entry = "chaotic:answer"
prefetch = 4
[agent.shared]
KEYS
entry = "chaotic:shared"
concurrency = 8
[agent.told]
KEYS
entry = "chaotic:told"
concurrency = 4
prefetch = 2
[agent.pair]
KEYS
entry = "chaotic:answer"
replicas = 2
mailbox = { size = 4, when_full = "wait" }
[agent.first]
KEYS
entry = "chaotic:answer"
spawn = "exec"
standby = 1
[agent.second]
KEYS
entry = "chaotic:shared"
concurrency = 2
limits = { memory = "256MiB", open_files = 128 }
[agent.drowsy]
KEYS
entry = "chaotic:answer"
hibernate_after = "20ms"
[agent.spared]
KEYS
entry = "chaotic:told"
concurrency = 2
standby = 1
"#;

/// What all of them have.
const KEYS: &str = r#"start_timeout = "5s"
call_timeout = "2s"
cancel_grace = "200ms"
shutdown = "500ms"
liveness = { interval = "200ms", silence_max = "1s", action = "restart" }"#;

const AGENTS: [&str; 8] = [
    "ordered", "shared", "told", "pair", "first", "second", "drowsy", "spared",
];
/// Those with `standby`.
const SPARED: [&str; 2] = ["first", "spared"];
/// The one that a single caller calls, so that the order of its calls is known.
const ORDERED: &str = "ordered";

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|error| panic!("{name}={text}: {error}"))
    })
}

#[test]
fn each_call_has_one_outcome_and_the_node_is_as_it_was() {
    let (seconds, seed) = (
        variable("CHAOS_SECONDS", SECONDS),
        variable("CHAOS_SEED", SEED),
    );
    println!("CHAOS_SECONDS={seconds} CHAOS_SEED={seed}");
    let world = World::up(&TREE.replace("KEYS", KEYS));
    warm_up(&world);
    let before = Measure::at_rest(&world);

    let until = Instant::now() + Duration::from_secs(seconds);
    let (ledger, numbers) = (Ledger::default(), AtomicU64::new(1));
    let next = || numbers.fetch_add(1, Ordering::Relaxed);
    std::thread::scope(|threads| {
        let (world, ledger, next) = (&world, &ledger, &next);
        for number in 0..CALLERS {
            let mut random = Random::new(seed + number);
            threads.spawn(move || {
                while Instant::now() < until {
                    let agent = random.one_of(&AGENTS[1..]);
                    caller::call(world, agent, next(), &mut random, ledger);
                }
            });
        }
        threads.spawn(move || {
            caller::call_in_order(world, ORDERED, next, Random::new(seed ^ 1), until, ledger);
        });
        threads.spawn(move || disturber::disturb(world, Random::new(seed ^ 2), until));
    });

    let calls = ledger.calls();
    expect_one_outcome_each(&calls);
    for agent in AGENTS {
        expect_no_run_twice(&world, agent, &calls);
    }
    settle(&world);
    renew(&world, &before);
    expect_as_before(&world, &before);
}

/// Each agent has lived and died once, so that what a first time costs is paid.
fn warm_up(world: &World) {
    for agent in AGENTS {
        let mut random = Random::new(0);
        let warm = Ledger::default();
        caller::call_for(world, agent, 0, "answer", &mut random, &warm);
        // A sibling before it may take it along, and one that sleeps has nothing to kill.
        world.wait_for_agent(agent, "at rest", is_at_rest);
        world.run(&["kill", agent]);
    }
    settle(world);
}

fn expect_one_outcome_each(calls: &BTreeMap<u64, caller::Called>) {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for (number, call) in calls {
        let word = match &call.verdict {
            Verdict::Outcomes(outcomes) => {
                assert_eq!(
                    outcomes.len(),
                    1,
                    "call {number} to {}: {outcomes:?}",
                    call.agent
                );
                outcomes[0].word()
            }
            Verdict::Refused(code) => format!("refused: {code}"),
            Verdict::Left => "left".to_owned(),
        };
        *seen.entry(word).or_default() += 1;
        if let Some(output) = call.verdict.output() {
            let expected = number.to_string();
            let mut words = output.split_whitespace();
            assert!(
                words.all(|word| word == expected),
                "{number} was told {output}"
            );
        }
    }
    println!("{} calls: {seen:?}", calls.len());
    for expected in [
        "result",
        "agent_crashed",
        "deadline_exceeded",
        "agent_error",
    ] {
        assert!(
            seen.contains_key(expected),
            "no chaos without {expected}: {seen:?}"
        );
    }
}

/// A call that was answered was run once; any other at most once. In a mailbox that one caller fills,
/// they were run in its order.
fn expect_no_run_twice(world: &World, agent: &str, calls: &BTreeMap<u64, caller::Called>) {
    let text =
        std::fs::read_to_string(world.path(&format!("{agent}.began"))).expect("it was called");
    // What warmed it up, and what settled it, has the number 0.
    let began: Vec<u64> = text
        .lines()
        .map(|line| line.parse().expect("a number"))
        .filter(|number| *number != 0)
        .collect();
    let mut distinct = BTreeSet::new();
    for (index, number) in began.iter().enumerate() {
        let around = &began[index.saturating_sub(8)..began.len().min(index + 3)];
        let around: Vec<_> = around
            .iter()
            .map(|number| (number, &calls[number]))
            .collect();
        assert!(
            distinct.insert(*number),
            "{agent} ran {number} twice: {around:#?}"
        );
    }
    let answered = calls
        .iter()
        .filter(|(_, call)| call.agent == agent && call.verdict.output().is_some());
    for (number, _) in answered {
        assert!(distinct.contains(number), "{agent} has not run {number}");
    }
    if agent == ORDERED {
        assert!(
            began.is_sorted(),
            "{agent} ran calls out of order: {began:?}"
        );
    }
}

/// Each agent once more, forked where it was forked before: what has escaped from those that chaos
/// has left ends with them.
fn renew(world: &World, before: &Measure) {
    wait_for("the zygotes to be back", || {
        let zygotes = measure::zygotes(world);
        holds(zygotes.len() == before.zygotes, format!("{zygotes:?}"))
    });
    for agent in AGENTS {
        world.run(&["restart", agent]).exits(0);
    }
    settle(world);
}

/// It has nothing to do, and what it does nothing with: its processes, or none, and its spare.
fn is_at_rest(status: &Value) -> bool {
    let agent = status["name"].as_str().expect("a name");
    let state = match agent {
        "drowsy" => "hibernated",
        _ => "ready",
    };
    let replicas = status["replicas"].as_array().expect("a list");
    status["queued"] == 0
        && replicas
            .iter()
            .all(|one| one["state"] == state && one["in_flight"] == 0)
        && (status["spare_pid"].is_number() || !SPARED.contains(&agent))
}

/// Whatever still hangs is ended by a call that finds it so.
fn settle(world: &World) {
    let mut random = Random::new(0);
    for agent in AGENTS {
        wait_for(&format!("{agent} to answer"), || {
            // As many as there are processes, so that each is reached.
            let ledger = Ledger::default();
            std::thread::scope(|threads| {
                for _ in 0..2 {
                    let mut random = Random::new(random.next());
                    let ledger = &ledger;
                    threads.spawn(move || {
                        caller::call_for(world, agent, 0, "wait", &mut random, ledger);
                    });
                }
            });
            let calls = ledger.calls();
            let well = calls.values().all(|call| call.verdict.output().is_some());
            holds(well, format!("{calls:?}"))
        });
        world.wait_for_agent(agent, "at rest", is_at_rest);
    }
}

fn expect_as_before(world: &World, before: &Measure) {
    wait_for("the node to be as it was", || {
        let now = Measure::of(world);
        holds(
            now.has_no_more_descriptors_than(before)
                && now.processes == before.processes
                && now.zombies == 0,
            format!("{now:?} after {before:?}"),
        )
    });
    let now = Measure::of(world);
    println!("{before:?}\n{now:?}");
    assert!(
        now.resident_kib <= before.resident_kib + GROWTH_MAX_KIB,
        "{now:?} after {before:?}"
    );
    let status = world.status();
    for agent in status["agents"].as_array().expect("a list of agents") {
        assert_eq!(agent["in_flight"], 0, "{agent}");
    }
}
