//! What is known of a death afterwards: one dossier, the same in `inspect`, the events and the log,
//! from which somebody who was not there learns what happened.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{World, send, wait_for};

/// The agent `wild`, one of two.
fn tree(more: &str) -> String {
    format!(
        r#"
[supervisor.root]
intensity = 5
period = "1m"
children = ["wild", "other"]
[agent.wild]
entry = "dies_by:answer"
concurrency = 4
{more}
[agent.other]
entry = "plain:echo"
"#
    )
}

/// An agent that is in the middle of a stream.
struct Streaming {
    world: World,
    stream: crate::harness::Running,
}

impl Streaming {
    #[track_caller]
    fn up(more: &str) -> Self {
        let world = World::up(&tree(more));
        let stream = world.spawn(&["call", "wild", "go on", "--stream", "--json"]);
        wait_for("chunks of the stream", || {
            let got = stream.stdout();
            crate::harness::holds(got.contains("word 3"), got)
        });
        Self { world, stream }
    }

    /// Has it die of this prompt, or of what is done to it; the dossier of that end.
    #[track_caller]
    fn dies(self, how: &str, kill: impl FnOnce(&World)) -> (World, Value) {
        let end = self.world.spawn(&["call", "wild", how, "--json"]);
        kill(&self.world);
        let error = end.outcome().exits(1).json()["error"].clone();
        assert_eq!(error["code"], "agent_crashed", "{error}");
        self.stream.outcome().exits(1);
        self.world.wait_for_incarnation("wild", 2);
        let dossier = dossier(&self.world, "1");
        one_object_everywhere(&self.world, &dossier);
        was_streaming(&dossier);
        (self.world, dossier)
    }
}

#[track_caller]
fn dossier(world: &World, which: &str) -> Value {
    let page = world.run(&["inspect", "wild", "--exit", which, "--json"]);
    page.exits(0).json()
}

/// The event and the log have the object that `inspect` shows, and status has its part of it.
#[track_caller]
fn one_object_everywhere(world: &World, dossier: &Value) {
    let events = world.events();
    let mut told = events.iter().filter(|event| {
        event["kind"] == "agent_exited"
            && event["agent"] == "wild"
            && event["incarnation"] == dossier["incarnation"]
    });
    assert_eq!(told.next().expect("an event")["data"], *dossier);
    assert_eq!(told.count(), 0, "one event for one exit");
    let logged = logged(world);
    assert_eq!(
        logged,
        std::slice::from_ref(dossier),
        "one record for one exit"
    );
    let status = world.agent("wild")["last_exit"].clone();
    for (key, value) in status.as_object().expect("an object") {
        assert_eq!(value, &dossier[key], "{key}");
    }
}

/// The dossiers of `wild` in the node's log.
#[track_caller]
fn logged(world: &World) -> Vec<Value> {
    let log = std::fs::read_to_string(world.path(".synapse/synapse.log")).expect("a log");
    let records = log.lines().map(|line| {
        let record: Value = serde_json::from_str(line).expect("a record is JSON");
        record
    });
    let of_exits =
        records.filter(|record| record["target"] == "exit" && record["fields"]["agent"] == "wild");
    of_exits
        .map(|record| {
            let text = record["fields"]["dossier"].as_str().expect("a dossier");
            serde_json::from_str(text).expect("a dossier is JSON")
        })
        .collect()
}

/// What is the same however it died: what was cut off, what was said last, what came of it.
#[track_caller]
fn was_streaming(dossier: &Value) {
    let runs = dossier["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 2, "{dossier}");
    let streaming = runs.iter().find(|run| run["stream"] == true);
    let streaming = streaming.expect("the stream");
    assert!(streaming["chunks"].as_u64() >= Some(3), "{streaming}");
    assert_eq!(streaming["run"], dossier["runs_in_flight"][0]);
    let frames = dossier["frames"].as_array().expect("frames");
    assert!(frames.len() > 3 && frames.len() <= 50, "{dossier}");
    let mut calls = frames.iter().filter(|frame| frame["kind"] == "call");
    let last = calls.next_back().expect("the call that it died of");
    assert_eq!(
        (&last["from"], &last["run"]),
        (&json!("runtime"), &runs[1]["run"])
    );
    let ages = frames.iter().map(|frame| frame["age_ms"].as_u64().unwrap());
    assert!(
        ages.is_sorted_by(|older, newer| older >= newer),
        "{dossier}"
    );
    let next = &dossier["next"];
    assert_eq!(next["action"], "restart", "{dossier}");
    assert_eq!(next["supervisor"], "root", "{dossier}");
    assert_eq!(
        (&next["restarts"], &next["intensity"]),
        (&json!(1), &json!(5))
    );
    assert!(
        dossier["peak_resident_bytes"].as_u64() > Some(1024 * 1024),
        "{dossier}"
    );
    assert!(
        dossier["started_at"].as_str() < dossier["at"].as_str(),
        "{dossier}"
    );
}

/// What a person sees first.
#[track_caller]
fn page(world: &World) -> String {
    world.run(&["inspect", "wild", "--exit", "last"]).text()
}

#[track_caller]
fn shows(page: &str, words: &[&str]) {
    for word in words {
        assert!(page.contains(word), "no {word:?} in\n{page}");
    }
}

#[test]
fn a_segmentation_fault_leaves_the_stack_that_it_happened_on() {
    let (world, dossier) = Streaming::up("").dies("segfault", |_| ());
    assert_eq!(dossier["reason"], "signalled", "{dossier}");
    assert_eq!(
        (&dossier["signal"], &dossier["signal_name"]),
        (&json!(11), &json!("SIGSEGV"))
    );
    assert_eq!(dossier["code"], Value::Null);
    let stacks = dossier["stacks"].as_str().expect("stacks");
    shows(
        stacks,
        &[
            "Fatal Python error: Segmentation fault",
            "dies_by.py",
            "in answer",
        ],
    );
    shows(
        &page(&world),
        &[
            "wild #1   killed by SIGSEGV (signal 11)",
            "native code",
            "root: restarting (1/5 in 1m)",
            "chunks streamed",
            "to the agent     call",
            "dies_by.py",
        ],
    );
}

#[test]
fn an_abort_is_told_from_a_segmentation_fault() {
    let (world, dossier) = Streaming::up("").dies("abort", |_| ());
    assert_eq!(dossier["signal_name"], "SIGABRT", "{dossier}");
    shows(
        dossier["stacks"].as_str().expect("stacks"),
        &["Aborted", "dies_by.py"],
    );
    shows(
        &page(&world),
        &["killed by SIGABRT (signal 6)", "it aborted itself"],
    );
}

#[test]
fn an_exit_code_comes_with_the_traceback_that_was_printed() {
    let (world, dossier) = Streaming::up("").dies("exit", |_| ());
    assert_eq!(
        (&dossier["code"], &dossier["signal"]),
        (&json!(3), &Value::Null)
    );
    let traceback = dossier["traceback"].as_str().expect("a traceback");
    shows(traceback, &["in leave", "ValueError: a reason to leave"]);
    assert_eq!(dossier["stacks"], Value::Null, "{dossier}");
    shows(&page(&world), &["exited with code 3", "about to: exit"]);
}

#[test]
fn an_exception_of_a_thread_is_in_the_dossier_of_the_end_that_it_brought() {
    let (world, dossier) = Streaming::up("").dies("thread", |_| ());
    assert_eq!(dossier["code"], 4, "{dossier}");
    let traceback = dossier["traceback"].as_str().expect("a traceback");
    shows(traceback, &["in fail", "KeyError: 'of a thread'"]);
    shows(
        &page(&world),
        &["exited with code 4", "Exception in thread"],
    );
}

#[test]
fn a_kill_from_outside_leaves_no_word_of_its_own() {
    let (world, dossier) = Streaming::up("").dies("and wait", |world| {
        world.wait_for_agent("wild", "both runs", |agent| agent["in_flight"] == 2);
        send(world.pid("wild"), Signal::KILL);
    });
    assert_eq!(dossier["signal_name"], "SIGKILL", "{dossier}");
    assert_eq!(
        (&dossier["stacks"], &dossier["traceback"]),
        (&Value::Null, &Value::Null)
    );
    shows(
        &page(&world),
        &["killed by SIGKILL (signal 9)", "killed from outside"],
    );
}

#[test]
fn garbage_in_the_pipe_is_the_last_frame_and_the_reason() {
    let (world, dossier) = Streaming::up("").dies("garbage", |_| ());
    assert_eq!(dossier["reason"], "protocol_violation", "{dossier}");
    assert_eq!(
        dossier["signal_name"], "SIGKILL",
        "the runtime's own: {dossier}"
    );
    let last = dossier["frames"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    assert_eq!(
        (&last["from"], &last["kind"]),
        (&json!("agent"), &json!("unknown"))
    );
    assert_eq!(last["bytes"], u32::MAX);
    shows(
        &page(&world),
        &["protocol violation", "no conversation any more"],
    );
}

#[test]
fn a_start_that_fails_has_a_dossier_too() {
    let more = "deps = \"exits_at_start:connect\"\ndeps_scope = \"incarnation\"\n\
                env = { ONLY_IN = \"2\" }";
    let world = World::up(&tree(more).replace("dies_by:answer", "exits_at_start:answer"));
    world.run(&["kill", "wild"]).exits(0);
    world.wait_for_incarnation("wild", 3);
    let failed = dossier(&world, "2");
    assert_eq!(failed["reason"], "start_failed", "{failed}");
    assert_eq!(
        (&failed["code"], &failed["start_ms"]),
        (&json!(4), &Value::Null)
    );
    assert_eq!(failed["next"]["action"], "restart");
    assert_eq!(failed["next"]["restarts"], 2);
    let frames = failed["frames"].as_array().unwrap().iter();
    let kinds: Vec<_> = frames.map(|frame| frame["kind"].as_str()).collect();
    assert_eq!(kinds, [Some("hello"), Some("welcome")]);
    assert_eq!(dossier(&world, "1")["signal_name"], "SIGKILL");
    let log = logged(&world);
    assert_eq!(log.len(), 2, "{log:?}");
}

#[test]
fn an_end_that_was_asked_for_says_so() {
    let world = World::up(&tree(""));
    world.run(&["stop", "wild"]).exits(0);
    let stopped = dossier(&world, "last");
    assert_eq!(
        (&stopped["reason"], &stopped["code"]),
        (&json!("shutdown"), &json!(0))
    );
    assert_eq!(stopped["next"]["action"], "nothing", "{stopped}");
    assert_eq!(stopped["next"]["detail"], "it was told to stop");
    shows(
        &page(&world),
        &["it was told to stop", "no run: it was idle"],
    );
    one_object_everywhere(&world, &stopped);
}

#[test]
fn what_is_left_down_parked_or_given_up_for_is_told_apart() {
    let temporary = World::up(&tree("restart = \"temporary\""));
    temporary.run(&["kill", "wild"]).exits(0);
    temporary.wait_for_agent("wild", "down", |agent| agent["state"] == "failed");
    let next = dossier(&temporary, "last")["next"].clone();
    assert_eq!(next["action"], "left_down", "{next}");

    let park = tree("").replace("intensity = 5", "intensity = 0\non_exhausted = \"park\"");
    let parked = World::up(&park);
    parked.run(&["kill", "wild"]).exits(0);
    parked.wait_for_agent("wild", "down", |agent| agent["state"] == "failed");
    let next = dossier(&parked, "last")["next"].clone();
    assert_eq!(next["action"], "parked", "{next}");

    let group = r#"
[supervisor.root]
intensity = 5
children = ["group", "other"]
[supervisor.group]
intensity = 0
children = ["wild"]
[agent.wild]
entry = "dies_by:answer"
[agent.other]
entry = "plain:echo"
"#;
    let escalated = World::up(group);
    escalated.run(&["kill", "wild"]).exits(0);
    escalated.wait_for_incarnation("wild", 2);
    let next = dossier(&escalated, "1")["next"].clone();
    assert_eq!(next["action"], "gave_up", "{next}");
    assert_eq!(next["supervisor"], "root/group", "{next}");
}

#[test]
fn exits_are_asked_for_by_number_in_the_console_too() {
    let world = World::up(&tree(""));
    let none = world.run(&["inspect", "wild", "--exit", "last"]).exits(65);
    assert!(none.stderr.contains("wild has not ended yet"), "{none:?}");
    world.run(&["kill", "wild"]).exits(0);
    world.wait_for_incarnation("wild", 2);
    let none = world.run(&["inspect", "wild", "--exit", "7"]).exits(65);
    assert!(none.stderr.contains("those that are: #1"), "{none:?}");
    world.run(&["inspect", "wild", "--exit", "first"]).exits(2);
    world.run(&["inspect", "ecko", "--exit", "1"]).exits(65);
    let script = "/inspect wild --exit 1\n/inspect wild --frames\n";
    let shown = world.run_with_input(&["console"], script).exits(0).stdout;
    shows(
        &shown,
        &[
            "wild #1   killed by SIGKILL",
            "frames of #2",
            "from the agent   ready",
        ],
    );
}

#[test]
fn the_last_frames_of_what_lives_are_shown() {
    let world = World::up(&tree(""));
    for number in 0..30 {
        assert_eq!(world.call("other", &number.to_string()), number.to_string());
    }
    let page = world.run(&["inspect", "other", "--json"]).exits(0).json();
    let live = page["frames"][0].clone();
    assert_eq!(
        (&live["incarnation"], &live["replica"]),
        (&json!(1), &json!(0))
    );
    let frames = live["frames"].as_array().unwrap();
    assert_eq!(frames.len(), 50, "the last ones");
    for (frame, kind) in frames.iter().rev().zip(["result", "call"].iter().cycle()) {
        assert_eq!(frame["kind"], *kind, "{frame}");
        assert!(frame["bytes"].as_u64() > Some(2), "{frame}");
    }
    assert_eq!(frames[49]["run"], "r-30");
}

#[test]
fn of_replicas_each_exit_has_what_its_own_supervisor_did() {
    let world = World::up(
        "[supervisor.root]\nintensity = 1\nperiod = \"1h\"\non_exhausted = \"park\"\n\
         children = [\"wild\"]\n[agent.wild]\nentry = \"dies_by:answer\"\nreplicas = 2\n",
    );
    let kill = |replica: usize| {
        let all = world.agent("wild")["replicas"].clone();
        let pid = all[replica]["pid"].as_u64().expect("it lives");
        send(u32::try_from(pid).expect("a pid"), Signal::KILL);
        all[replica]["incarnation"].clone()
    };
    let next = |incarnation: &Value| {
        let exit = incarnation.to_string();
        wait_for("its supervisor to decide", || {
            let page = world.run(&["inspect", "wild", "--exit", &exit, "--json"]);
            let next = page.json()["next"].clone();
            crate::harness::holds(next.is_object(), &next).map(|()| next)
        })
    };
    // The second one, so that its number is not that of its supervisor's child.
    let first = kill(1);
    let of_first = next(&first);
    assert_eq!(of_first["action"], "restart", "{of_first}");
    assert_eq!(of_first["restarts"], 1, "{of_first}");
    world.wait_for_agent("wild", "back", |agent| {
        agent["replicas"][1]["state"] == "ready"
    });
    let second = kill(1);
    let of_second = next(&second);
    assert_eq!(of_second["action"], "parked", "{of_second}");
    let logged: Vec<_> = logged(&world);
    let logged: Vec<_> = logged.iter().map(|exit| &exit["incarnation"]).collect();
    assert_eq!(logged, [&first, &second]);
}
