//! One test for each way in which an agent can misbehave: what its caller, the events, the log and
//! the status show; that its siblings noticed nothing. That no process is left is every test's.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::harness::AGENTS;
use crate::harness::{World, holds, is_alive, resident_kib, wait_for, wait_within};

/// Memory that a node may take whatever its agents do, in KiB: a debug build of it takes a tenth.
const NODE_KIB_MAX: u64 = 160 * 1024;

/// A misbehaving agent between two siblings.
struct Between {
    world: World,
    siblings: [u32; 2],
}

impl Between {
    /// The agent by its entry and more lines of its table.
    #[track_caller]
    fn up(entry: &str, more: &str) -> Self {
        let world = World::up(&tree(entry, more));
        let siblings = [world.pid("before"), world.pid("after")];
        Self { world, siblings }
    }

    /// Calls it, and expects the fault of a crash; the fault.
    #[track_caller]
    fn crash(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["wild"];
        all.extend(arguments);
        let error = self.world.fault(&all, 1);
        assert_eq!(error["code"], "agent_crashed", "{error}");
        assert_eq!(error["origin"], "agent", "{error}");
        assert_eq!(error["details"]["incarnation"], 1, "{error}");
        error
    }

    /// Waits until it is back in its second incarnation; how the first one ended.
    #[track_caller]
    fn comes_back(&self) -> Value {
        let agent = self.world.wait_for_incarnation("wild", 2);
        assert_eq!(agent["restarts"], 1, "{agent}");
        let exit = agent["last_exit"].clone();
        assert_eq!(exit["incarnation"], 1, "{exit}");
        let log = self.world.run(&["logs", "wild", "--previous"]).text();
        let detail = exit["detail"].as_str().unwrap();
        assert!(log.contains(detail), "{detail:?} ends the log: {log}");
        let events = self.world.events();
        let told = events.iter().any(|event| {
            event["kind"] == "agent_exited"
                && event["agent"] == "wild"
                && event["data"]["reason"] == exit["reason"]
        });
        assert!(told, "{exit} among the events");
        // The line that the console shows.
        let line = events
            .iter()
            .find(|event| event["kind"] == "agent_restarting")
            .unwrap();
        let line = line["message"].as_str().unwrap();
        assert!(
            line.starts_with(&format!("wild #1 {detail} after ")),
            "{line}"
        );
        assert!(line.ends_with("; restarting (1/5 in 1m)"), "{line}");
        exit
    }

    /// Ends the test: the siblings are who they were, and answer.
    #[track_caller]
    fn siblings_noticed_nothing(self) {
        let now = [self.world.pid("before"), self.world.pid("after")];
        assert_eq!(now, self.siblings);
        for sibling in ["before", "after"] {
            assert_eq!(self.world.call(sibling, "well"), "well");
            assert_eq!(self.world.agent(sibling)["restarts"], 0);
        }
        let peak = resident_kib(self.world.node_pid());
        assert!(peak < NODE_KIB_MAX, "the node took {peak} KiB");
    }
}

fn tree(entry: &str, more: &str) -> String {
    format!(
        r#"
[supervisor.root]
intensity = 5
period = "1m"
children = ["before", "wild", "after"]
[agent.before]
entry = "plain:echo"
[agent.wild]
entry = "{entry}"
{more}
[agent.after]
entry = "plain:echo"
"#
    )
}

/// The first start fails: the whole tree ends, as in OTP, and says why.
#[track_caller]
fn fails_at_first_start(entry: &str, more: &str) -> String {
    let mut world = World::new(&tree(entry, more));
    world.begin();
    let outcome = world.take_node().outcome().exits(70);
    world.wait_until_nothing_is_left(Duration::from_secs(1));
    let told = outcome
        .stderr
        .lines()
        .find(|line| line.starts_with("error: "));
    let told = told.unwrap_or_else(|| panic!("no word of why: {}", outcome.stderr));
    assert!(told.contains("wild failed to start"), "{told}");
    assert!(
        !outcome.stderr.contains("Traceback"),
        "no wall: {}",
        outcome.stderr
    );
    told.to_owned()
}

/// The second start fails: that counts as a restart, and the third one is good.
#[track_caller]
fn fails_at_second_start(entry: &str, more: &str) -> Value {
    let between = Between::up(
        entry,
        &format!("{more}\nbackoff = {{ initial = \"200ms\" }}"),
    );
    let world = &between.world;
    world.run(&["kill", "wild"]).exits(0);
    assert_eq!(world.call("wild", "patience"), "patience");
    let agent = world.wait_for_incarnation("wild", 3);
    let exit = agent["last_exit"].clone();
    assert_eq!(exit["reason"], "start_failed", "{exit}");
    assert_eq!(exit["incarnation"], 2);
    assert_eq!(world.status()["supervisors"][0]["restarts_in_period"], 2);
    between.siblings_noticed_nothing();
    exit
}

#[test]
fn exits_at_import() {
    let told = fails_at_first_start("exits_at_import:answer", "");
    assert!(
        told.contains("exited with code 3 before it was ready"),
        "{told}"
    );
    let exit = fails_at_second_start("exits_at_import:answer", "env = { ONLY_IN = \"2\" }");
    assert!(
        exit["detail"]
            .as_str()
            .unwrap()
            .contains("exited with code 3"),
        "{exit}"
    );
}

#[test]
fn exits_at_start() {
    let deps = "deps = \"exits_at_start:connect\"";
    let told = fails_at_first_start("exits_at_start:answer", deps);
    assert!(
        told.contains("exited with code 4 before it was ready"),
        "{told}"
    );
    let more = format!("{deps}\nenv = {{ ONLY_IN = \"2\" }}");
    let exit = fails_at_second_start("exits_at_start:answer", &more);
    assert!(
        exit["detail"]
            .as_str()
            .unwrap()
            .contains("exited with code 4"),
        "{exit}"
    );
}

#[test]
fn raises_at_import() {
    let told = fails_at_first_start("raises_at_import:answer", "");
    assert!(told.contains("/raises_at_import.py:"), "{told}");
    assert!(
        told.contains("ModuleNotFoundError: No module named 'a_module_that_nobody_has'"),
        "{told}"
    );
}

#[test]
fn never_says_hello() {
    let silent = format!(
        "start_timeout = \"1s\"\nenv = {{ PYTHONPATH = \"{AGENTS}/misbehaving/never_says_hello\", ONLY_IN = \"2\" }}"
    );
    let told = fails_at_first_start("plain:echo", &silent.replace("\"2\"", "\"1\""));
    assert!(told.contains("not ready within 1000 ms"), "{told}");
    let slow = silent.replace("start_timeout = \"1s\"", "start_timeout = \"5s\"");
    let exit = fails_at_second_start("plain:echo", &slow);
    assert!(
        exit["detail"]
            .as_str()
            .unwrap()
            .contains("not ready within 5000 ms"),
        "{exit}"
    );
}

#[test]
fn says_hello_late() {
    let late = format!(
        "env = {{ PYTHONPATH = \"{AGENTS}/misbehaving/says_hello_late\", SYNAPSE_TEST_LATE_S = \"1\" }}"
    );
    let between = Between::up("plain:echo", &late);
    let world = &between.world;
    world.run(&["kill", "wild"]).exits(0);
    world.wait_for_agent("wild", "starting", |agent| agent["state"] == "starting");
    assert_eq!(world.call("before", "meanwhile"), "meanwhile");
    assert_eq!(world.call("wild", "waits"), "waits");
    between.comes_back();
    between.siblings_noticed_nothing();
}

#[test]
fn never_ready() {
    let told = fails_at_first_start("never_ready:answer", "start_timeout = \"1s\"");
    assert!(told.contains("not ready within 1000 ms"), "{told}");
}

#[test]
fn a_node_stops_in_the_middle_of_a_start_that_never_ends() {
    let mut world = World::new(&tree("never_ready:answer", ""));
    world.begin();
    world.wait_for_agent("wild", "starting with a process", |agent| {
        agent["state"] == "starting" && agent["pid"].is_u64()
    });
    assert_eq!(world.agent("after")["incarnation"], Value::Null);
    world.run(&["down"]).exits(0);
    world.take_node().outcome().exits(0);
}

#[test]
fn prints_to_stdout() {
    let between = Between::up("prints_to_stdout:answer", "");
    assert_eq!(between.world.call("wild", "right"), "right");
    wait_for("all that was printed", || {
        let log = between.world.log("wild");
        let printed = [
            "while importing",
            "by print",
            "by write",
            "to descriptor 1",
            "by a subprocess",
        ];
        let found = |what: &&str| log.iter().any(|line| line == &format!("printed {what}"));
        holds(printed.iter().all(found), format!("{log:?}"))
    });
    assert_eq!(between.world.agent("wild")["incarnation"], 1);
    between.siblings_noticed_nothing();
}

#[test]
fn writes_garbage() {
    let between = Between::up("writes_garbage:answer", "");
    let error = between.crash(&["x"]);
    assert_eq!(error["details"]["reason"], "protocol_violation");
    assert!(
        error["message"].as_str().unwrap().contains("malformed"),
        "{error}"
    );
    assert_eq!(between.comes_back()["reason"], "protocol_violation");
    between.siblings_noticed_nothing();
}

#[test]
fn writes_an_oversize_length() {
    let between = Between::up("writes_oversize_length:answer", "");
    let error = between.crash(&["x"]);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("frame of 4294967295 bytes"), "{error}");
    assert_eq!(between.comes_back()["reason"], "protocol_violation");
    between.siblings_noticed_nothing();
}

#[test]
fn answers_an_unknown_run() {
    let between = Between::up("answers_unknown_run:answer", "");
    let error = between.crash(&["x"]);
    assert!(
        error["message"].as_str().unwrap().contains("run 987654321"),
        "{error}"
    );
    assert_eq!(between.comes_back()["reason"], "protocol_violation");
    between.siblings_noticed_nothing();
}

#[test]
fn ignores_credit() {
    let between = Between::up("ignores_credit:answer", "");
    let error = between.crash(&["x", "--stream"]);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("beyond its credit"),
        "{error}"
    );
    assert_eq!(between.comes_back()["reason"], "protocol_violation");
    between.siblings_noticed_nothing();
}

#[test]
fn floods_stderr() {
    let between = Between::up("floods_stderr:answer", "");
    let world = &between.world;
    let flood = world.spawn(&["call", "wild", "48"]);
    assert_eq!(world.call("before", "meanwhile"), "meanwhile");
    assert_eq!(flood.outcome().text(), (48 * 1024).to_string());
    let log = world.log("wild");
    assert!(log.len() <= 10_000, "{} lines", log.len());
    assert!(
        log.iter().any(|line| line.starts_with("xxxx")),
        "the last lines are kept"
    );
    assert_eq!(world.agent("wild")["incarnation"], 1);
    between.siblings_noticed_nothing();
}

#[test]
fn forks_a_grandchild_that_holds_the_pipes() {
    for kind in ["fork", "daemon"] {
        let between = Between::up("forks_grandchild:answer", "");
        let world = &between.world;
        let grandchild: u32 = world.call("wild", kind).parse().unwrap();
        assert!(is_alive(grandchild));
        let began = Instant::now();
        let error = between.crash(&["die"]);
        assert_eq!(error["details"]["reason"], "signalled");
        between.comes_back();
        let took = began.elapsed();
        assert!(
            took < Duration::from_secs(8),
            "the death is the process's, not the pipe's: {took:?}"
        );
        // A session of its own takes a daemon out of the group: it is found by its tag.
        wait_within("the grandchild to be gone", Duration::from_secs(2), || {
            holds(!is_alive(grandchild), "it lives")
        });
        between.siblings_noticed_nothing();
    }
}

#[test]
fn dies_in_the_middle_of_a_stream() {
    for (how, reason) in [
        ("SIGKILL", "signalled"),
        ("SIGSEGV", "signalled"),
        ("7", "exited"),
    ] {
        let between = Between::up("dies_mid_stream:answer", "");
        let call = between
            .world
            .run(&["call", "wild", how, "--stream", "--json"])
            .exits(1);
        let lines = call.json_lines();
        let texts: Vec<_> = lines
            .iter()
            .filter_map(|line| line["text"].as_str())
            .collect();
        assert_eq!(
            texts,
            ["one ", "two ", "three "],
            "what came before the death arrives"
        );
        let error = &lines.last().unwrap()["error"];
        assert_eq!(error["code"], "agent_crashed");
        assert_eq!(error["details"]["reason"], reason);
        assert_eq!(between.comes_back()["reason"], reason);
        between.siblings_noticed_nothing();
    }
}

#[test]
fn blocks_its_loop() {
    let between = Between::up(
        "blocks_its_loop:answer",
        "concurrency = 4\ncancel_grace = \"500ms\"",
    );
    let world = &between.world;
    let blocking = world.spawn(&["call", "wild", "3600", "--json", "--timeout", "1s"]);
    world.wait_for_agent("wild", "at work", |agent| agent["in_flight"] == 1);
    let behind = world.spawn(&["call", "wild", "0", "--json"]);
    // The caller is answered at its deadline, whatever the code does.
    assert_eq!(
        blocking.outcome().exits(124).json()["error"]["code"],
        "deadline_exceeded"
    );
    // Code that goes on past the grace costs the incarnation its life, and the run beside it, too.
    let error = behind.outcome().exits(1).json()["error"].clone();
    assert_eq!(error["code"], "agent_crashed");
    assert_eq!(error["details"]["reason"], "unresponsive");
    assert_eq!(between.comes_back()["reason"], "unresponsive");
    assert_eq!(world.call("wild", "0"), "0");
    between.siblings_noticed_nothing();
}

#[test]
fn ignores_cancel() {
    let between = Between::up("ignores_cancel:answer", "cancel_grace = \"500ms\"");
    let world = &between.world;
    let call = world.spawn(&["call", "wild", "3600", "--json"]);
    world.wait_for_agent("wild", "at work", |agent| agent["in_flight"] == 1);
    call.signal(rustix::process::Signal::INT);
    assert_eq!(
        call.outcome().exits(130).json()["error"]["code"],
        "cancelled"
    );
    assert_eq!(between.comes_back()["reason"], "unresponsive");
    // A short overrun costs nothing but the slot for that time.
    let error = world.fault(&["wild", "0.3", "--timeout", "100ms"], 124);
    assert_eq!(error["code"], "deadline_exceeded");
    assert_eq!(world.call("wild", "0"), "0");
    assert_eq!(world.agent("wild")["incarnation"], 2);
    between.siblings_noticed_nothing();
}

#[test]
fn crash_loops() {
    let mut world = World::new(&tree("crash_loops:answer", ""));
    world.begin();
    let outcome = world.take_node().outcome().exits(70);
    assert!(
        outcome.stderr.contains("root gave up"),
        "{}",
        outcome.stderr
    );
    assert!(
        outcome.stderr.contains("wild #6 exited with code 9"),
        "{}",
        outcome.stderr
    );
}
