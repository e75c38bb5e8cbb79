//! Processes that are there and do not work: what tells them from slow ones, and what is done. Each
//! test runs whichever way processes are made (`IT_SPAWN`).

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::time::Instant;

use crate::harness::{World, holds, send, wait_for};

/// Limits that a test can wait for, and a loaded machine keeps.
const LIMITS: &str = "interval = \"500ms\", loop_lag_max = \"1500ms\", silence_max = \"3s\"";
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// Agents by name, entry and more lines, each with these limits and this action.
fn tree(agents: &[(&str, &str, &str)], action: &str) -> String {
    let names: Vec<_> = agents
        .iter()
        .map(|(name, ..)| format!("\"{name}\""))
        .collect();
    let mut text = format!(
        "[supervisor.root]\nintensity = 100\nchildren = [{}]\n",
        names.join(", ")
    );
    for (name, entry, more) in agents {
        text += &format!(
            "[agent.{name}]\nentry = \"{entry}\"\n\
             liveness = {{ {LIMITS}, action = \"{action}\" }}\n{more}\n"
        );
    }
    text
}

/// The agent `one` alone.
#[track_caller]
fn one(entry: &str, action: &str) -> World {
    World::up(&tree(&[("one", entry, "")], action))
}

/// Waits until the first incarnation of an agent has ended and the second is ready; how it ended.
#[track_caller]
fn ended_as_unresponsive(world: &World, agent: &str, words: &str) -> Value {
    world.wait_for_incarnation(agent, 2);
    let exit = world.run(&["inspect", agent, "--exit", "1", "--json"]);
    let exit = exit.exits(0).json();
    assert_eq!(exit["reason"], "unresponsive", "{exit}");
    let detail = exit["detail"].as_str().unwrap();
    assert!(
        detail.starts_with(&format!("unresponsive: {words}")),
        "{detail}"
    );
    exit
}

/// The stacks show this function of this file, and are told as they are.
#[track_caller]
fn show(stacks: &Value, file: &str, function: &str) {
    let text = stacks.as_str().unwrap_or_default();
    let shown = text
        .lines()
        .any(|line| line.contains(file) && line.ends_with(&format!("in {function}")));
    assert!(shown, "{file} and {function} in {text}");
    assert!(text.contains("Current thread"), "{text}");
}

fn events(world: &World, kind: &str) -> Vec<Value> {
    let mut events = world.events();
    events.retain(|event| event["kind"] == kind);
    events
}

#[track_caller]
fn wait_for_event(world: &World, kind: &str) -> Value {
    wait_for(&format!("the event {kind}"), || {
        let events = events(world, kind);
        events
            .first()
            .cloned()
            .ok_or_else(|| "none so far".to_owned())
    })
}

/// Its callers are told, with the reason.
#[track_caller]
fn is_told(error: &Value) {
    assert_eq!(error["code"], "agent_crashed", "{error}");
    assert_eq!(error["details"]["reason"], "unresponsive", "{error}");
}

#[test]
fn a_loop_that_sleeps_is_blocked_and_ended_with_its_stacks() {
    let world = one("blocks_its_loop:answer", "restart");
    is_told(&world.fault(&["one", "600"], 1));
    let exit = ended_as_unresponsive(&world, "one", "its event loop was blocked");
    show(&exit["stacks"], "blocks_its_loop.py", "answer");
    assert_eq!(
        exit["stderr_tail"].as_array().unwrap().len(),
        0,
        "nothing of it in the log: {exit}"
    );
    let shown = world.run(&["inspect", "one", "--exit", "last"]).text();
    assert!(shown.contains("blocks_its_loop.py"), "{shown}");
    assert_eq!(world.call("one", "0"), "0");
}

#[test]
fn a_loop_that_computes_for_ever_is_blocked() {
    let world = one("blocks_its_loop:spins", "restart");
    is_told(&world.fault(&["one", "x"], 1));
    let exit = ended_as_unresponsive(&world, "one", "its event loop was blocked");
    show(&exit["stacks"], "blocks_its_loop.py", "spins");
}

#[test]
fn c_code_that_holds_the_interpreter_is_silence_and_shows_its_stacks() {
    let world = one("holds_gil:answer", "restart_silent");
    is_told(&world.fault(&["one", "x"], 1));
    let exit = ended_as_unresponsive(&world, "one", "no sign of life");
    show(&exit["stacks"], "holds_gil.py", "answer");
}

#[test]
fn an_idle_process_that_is_stopped_is_noticed_and_replaced() {
    let world = one("plain:echo", "restart_silent");
    send(world.pid("one"), Signal::STOP);
    let exit = ended_as_unresponsive(&world, "one", "the process was stopped");
    let why = exit["stacks"].as_str().unwrap();
    assert!(why.contains("no stacks: the process is stopped"), "{why}");
    assert_eq!(world.call("one", "hello"), "hello");
}

#[test]
fn code_that_goes_on_after_its_cancel_leaves_its_stacks() {
    let more = "cancel_grace = \"500ms\"\nrun_timeout = \"500ms\"";
    let world = World::up(&tree(&[("one", "ignores_cancel:answer", more)], "warn"));
    let error = world.fault(&["one", "600"], 124);
    assert_eq!(error["details"]["limit"], "run_timeout", "{error}");
    let exit = ended_as_unresponsive(&world, "one", "run r-1 went on");
    show(&exit["stacks"], "ignores_cancel.py", "answer");
}

#[test]
fn an_agent_that_is_only_warned_of_lives_on_and_both_ends_are_told_once() {
    let world = one("blocks_its_loop:until_released", "warn");
    let call = world.spawn(&["call", "one", "it"]);
    world.wait_for_file("it.begun");
    let warning = wait_for_event(&world, "agent_unresponsive");
    assert_eq!(warning["data"]["hang"], "blocked", "{warning}");
    show(
        &warning["data"]["stacks"],
        "blocks_its_loop.py",
        "until_released",
    );
    world.write("it.release", "");
    assert_eq!(call.outcome().text(), "released it");
    let end = wait_for_event(&world, "agent_recovered");
    assert_eq!(end["data"]["hang"], "blocked", "{end}");
    for kind in ["agent_unresponsive", "agent_recovered"] {
        assert_eq!(events(&world, kind).len(), 1, "{kind}");
    }
    assert_eq!(world.agent("one")["incarnation"], 1);
    let log = world.log("one").join("\n");
    assert!(
        log.contains("unresponsive: its event loop was blocked"),
        "{log}"
    );
    assert!(log.contains("blocks_its_loop.py"), "{log}");
    assert!(log.contains("responds again"), "{log}");
}

#[test]
fn a_process_that_is_only_warned_of_may_be_stopped_and_continued() {
    let world = one("plain:echo", "warn");
    send(world.pid("one"), Signal::STOP);
    let warning = wait_for_event(&world, "agent_unresponsive");
    assert_eq!(warning["data"]["hang"], "stopped", "{warning}");
    send(world.pid("one"), Signal::CONT);
    let end = wait_for_event(&world, "agent_recovered");
    assert_eq!(end["data"]["hang"], "stopped", "{end}");
    assert_eq!(world.call("one", "hello"), "hello");
    assert_eq!(world.agent("one")["incarnation"], 1);
}

/// Agents that are long at work, each in its way.
const AT_WORK: [(&str, &str, &str); 4] = [
    ("sync", "plain:hold_blocking", ""),
    ("threads", "plain:hold_blocking", "concurrency = 2"),
    ("loop", "plain:hold", ""),
    ("spin", "plain:spin", "cancel_grace = \"1s\""),
];

#[test]
fn long_honest_calls_are_not_touched() {
    let mut agents = AT_WORK.to_vec();
    agents.push(("wild", "blocks_its_loop:answer", ""));
    let world = World::up(&tree(&agents, "restart"));
    let names = ["sync", "threads", "loop"];
    let calls: Vec<_> = names
        .iter()
        .map(|name| {
            let call = world.spawn(&["call", name, name]);
            world.wait_for_file(&format!("{name}.begun"));
            call
        })
        .collect();
    let mut spinning = world.spawn(&["call", "spin", "x"]);
    // Its deaths say how often the limits have passed.
    for _ in 0..3 {
        is_told(&world.fault(&["wild", "600"], 1));
    }
    assert!(!spinning.has_ended());
    for (name, call) in names.iter().zip(calls) {
        world.write(&format!("{name}.release"), "");
        assert_eq!(call.outcome().text(), format!("held {name}"));
    }
    for (name, ..) in AT_WORK {
        assert_eq!(world.agent(name)["incarnation"], 1, "{name}");
    }
    assert_eq!(events(&world, "agent_unresponsive").len(), 0);
}

#[test]
fn a_node_that_was_stopped_blames_nobody() {
    let mut agents = AT_WORK.to_vec();
    agents.extend([
        ("stream", "plain:endless", ""),
        ("idle", "plain:echo", ""),
        ("wild", "plain:echo", ""),
    ]);
    let world = World::up(&tree(&agents, "restart"));
    let _calls: Vec<_> = ["sync", "threads", "loop", "spin"]
        .iter()
        .map(|name| world.spawn(&["call", name, name]))
        .collect();
    let _stream = world.spawn(&["call", "stream", "stream", "--stream"]);
    for name in ["sync.begun", "threads.begun", "loop.begun", "stream.sent"] {
        world.wait_for_file(name);
    }
    // More than once: what an earlier time has left behind must not count either.
    for _ in 0..2 {
        send(world.node_pid(), Signal::STOP);
        passes(SILENCE_MAX * 2);
        send(world.node_pid(), Signal::CONT);
        assert_eq!(world.call("idle", "hello"), "hello");
    }
    // It watches as before; by the time that this one is found, it would have found the others.
    send(world.pid("wild"), Signal::STOP);
    ended_as_unresponsive(&world, "wild", "the process was stopped");
    for (name, ..) in &agents[..agents.len() - 1] {
        assert_eq!(world.agent(name)["incarnation"], 1, "{name}");
    }
    assert_eq!(events(&world, "agent_unresponsive").len(), 0);
}

#[test]
fn silence_before_and_during_a_nodes_stop_is_not_added_up() {
    let world = one("holds_gil:until_opened", "restart");
    let call = world.spawn(&["call", "one", "it"]);
    world.wait_for_file("it.begun");
    // Long enough for a ping to be without an answer when the node stops.
    passes(SILENCE_MAX / 2);
    send(world.node_pid(), Signal::STOP);
    passes(SILENCE_MAX);
    send(world.node_pid(), Signal::CONT);
    // It is let go once the node has taken turns again, and has all its time until then.
    passes(SILENCE_MAX / 3);
    assert_eq!(world.agent("one")["incarnation"], 1);
    world.write("it.fifo", "go");
    assert_eq!(call.outcome().text(), "opened it");
    assert_eq!(world.agent("one")["incarnation"], 1);
}

/// Waits until this time has passed.
#[track_caller]
fn passes(time: Duration) {
    let begun = Instant::now();
    wait_for("time to pass", || {
        let passed = begun.elapsed();
        holds(passed > time, format!("{passed:?}"))
    });
}

/// The processes of an agent and their stacks.
#[track_caller]
fn stacks(world: &World, target: &str) -> Vec<Value> {
    let list = world.run(&["stack", target, "--json"]).exits(0).json();
    list["stacks"].as_array().expect("a list").clone()
}

/// Why an agent has no stacks to show, and the exit code with that.
#[track_caller]
fn no_stacks(world: &World, target: &str, exit: i32) -> Value {
    let told = world.run(&["stack", target, "--json"]).exits(exit);
    told.json()["error"].clone()
}

#[test]
fn stack_shows_where_code_stands_and_harms_it_not() {
    let agents = [
        ("loop", "blocks_its_loop:until_released", ""),
        ("sync", "plain:hold_blocking", ""),
        ("threads", "plain:hold_blocking", "concurrency = 2"),
        ("locked", "holds_gil:answer", "shutdown = \"100ms\""),
        ("idle", "plain:echo", ""),
    ];
    let world = World::up(&tree(&agents, "warn"));
    let called = ["loop", "sync", "threads"];
    let calls: Vec<_> = called
        .iter()
        .map(|name| {
            let call = world.spawn(&["call", name, name]);
            world.wait_for_file(&format!("{name}.begun"));
            call
        })
        .collect();
    let _locked = world.spawn(&["call", "locked", "x"]);
    for (agent, file, function) in [
        ("loop", "blocks_its_loop.py", "until_released"),
        ("sync", "plain.py", "hold_blocking"),
        ("threads", "plain.py", "hold_blocking"),
        ("locked", "holds_gil.py", "answer"),
        ("idle", "worker_sync.py", "read"),
    ] {
        // Again and again: what the one before has written is gone, and its code may yet begin.
        wait_for(&format!("{agent} to stand in {function}"), || {
            let stack = stacks(&world, agent).remove(0);
            assert_eq!(stack["pid"], world.pid(agent), "{stack}");
            let text = stack["text"].as_str().unwrap().to_owned();
            let currents = text.matches("Current thread").count();
            assert_eq!(currents, 1, "one dump, whole: {text}");
            let shown = text
                .lines()
                .any(|line| line.contains(file) && line.ends_with(&format!("in {function}")));
            holds(shown, text)
        });
    }
    let shown = world.run(&["stack", "sync/0"]).text();
    assert!(shown.starts_with("sync #1   replica 0   pid "), "{shown}");
    assert!(shown.contains("in hold_blocking"), "{shown}");
    for (name, call) in called.iter().zip(calls) {
        world.write(&format!("{name}.release"), "");
        assert!(call.outcome().text().ends_with(name));
    }
    for (name, ..) in agents {
        assert_eq!(world.agent(name)["incarnation"], 1, "{name}");
    }
    for (name, ..) in agents {
        let log = world.log(name).join("\n");
        let dumped = log.lines().filter(|line| line.contains("most recent call"));
        let warned = log.matches("unresponsive:").count();
        assert!(dumped.count() <= 3 * warned, "nothing in the log: {log}");
    }
}

#[test]
fn stack_of_replicas_shows_all_or_the_one_that_is_named() {
    let world = World::up(&tree(&[("one", "plain:echo", "replicas = 3")], "warn"));
    let all = stacks(&world, "one");
    let replicas: Vec<_> = all.iter().map(|one| one["replica"].as_u64()).collect();
    assert_eq!(replicas, [Some(0), Some(1), Some(2)]);
    assert!(all.iter().all(|one| one["text"].is_string()), "{all:?}");
    let one = stacks(&world, "one/2");
    assert_eq!((one.len(), &one[0]["pid"]), (1, &all[2]["pid"]));
    // One that says nothing does not hide the others.
    let pid = u32::try_from(all[1]["pid"].as_u64().unwrap()).unwrap();
    send(pid, Signal::STOP);
    let some = stacks(&world, "one");
    assert!(some[0]["text"].is_string() && some[2]["text"].is_string());
    let why = some[1]["why"].as_str().unwrap();
    assert!(why.contains("is stopped"), "{why}");
    let error = no_stacks(&world, "one/1", 1);
    assert_eq!(error["code"], "agent_error", "{error}");
    assert!(
        error["message"].as_str().unwrap().contains("is stopped"),
        "{error}"
    );
    send(pid, Signal::CONT);
    assert!(stacks(&world, "one/1")[0]["text"].is_string());
    let error = no_stacks(&world, "one/3", 65);
    assert_eq!(
        error["message"],
        "one has no replica 3: there are one/0 to one/2"
    );
    assert_eq!(no_stacks(&world, "none", 65)["code"], "agent_not_found");
    world.run(&["stack", "one/x"]).exits(2);
}

#[test]
fn threads_that_hear_no_signal_do_not_hide_the_stacks() {
    // As those of ZeroMQ, of librdkafka, and of the C library's own timers.
    let deaf = "import signal, threading\n\
        started = threading.Event()\n\
        def wait():\n    \
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n    \
            started.set()\n    \
            threading.Event().wait()\n\
        threading.Thread(target=wait, daemon=True).start()\n\
        started.wait()\n\
        def answer(prompt: str) -> str:\n    return prompt\n";
    let mut world = World::new(&tree(&[("one", "deaf:answer", "")], "warn"));
    world.write("deaf.py", deaf);
    world.start();
    for _ in 0..2 {
        show(&stacks(&world, "one")[0]["text"], "deaf.py", "wait");
    }
}

#[test]
fn an_agent_without_a_process_has_no_stacks() {
    let world = one("plain:echo", "warn");
    world.run(&["stop", "one"]).exits(0);
    let error = no_stacks(&world, "one", 1);
    assert_eq!(
        error["message"], "no stacks of one: it has no process now",
        "{error}"
    );
}

#[test]
fn a_process_that_is_only_starting_survives_the_question() {
    let mut world = World::new(&tree(&[("one", "plain:echo", "spawn = \"exec\"")], "warn"));
    world.begin();
    // From the first moment on: the question must never be the end of it.
    wait_for("stacks", || {
        let asked = world.run(&["stack", "one", "--json"]);
        holds(asked.status.success(), asked.stdout)
    });
    world.wait_for_incarnation("one", 1);
}
