//! Agents without a process until a call needs one, with the real Python, forked and not.

use serde_json::json;

use crate::harness::{World, children_of, is_alive, wait_for};

/// An agent that naps, one that nobody has called, and one that does neither.
const NAPS: &str = r#"
[supervisor.root]
strategy = "one_for_all"
intensity = 5
children = ["naps", "lazy", "stays"]
[agent.naps]
entry = "napping:answer"
hibernate_after = "300ms"
[agent.lazy]
entry = "napping:answer"
start = "on_demand"
[agent.stays]
entry = "plain:hold"
"#;

/// Says in a file that it ends in order, and answers with what it is.
const NAPPING: &str = "import atexit, os, pathlib\n\
    number = os.environ['SYNAPSE_INCARNATION']\n\
    name = os.environ['SYNAPSE_AGENT']\n\
    atexit.register(lambda: pathlib.Path(f'{name}.{number}.ended').write_text('in order'))\n\
    def answer(prompt: str) -> str:\n    return f'{prompt} of {name} {number}'\n";

fn napping() -> World {
    let mut world = World::new(NAPS);
    world.write("napping.py", NAPPING);
    world.start();
    world
}

#[track_caller]
fn hibernated(world: &World, name: &str) -> serde_json::Value {
    world.wait_for_agent(name, "hibernated", |agent| agent["state"] == "hibernated")
}

#[test]
fn an_idle_agent_gives_its_process_back_in_order_and_the_next_call_gets_a_new_one() {
    let world = napping();
    let agent = hibernated(&world, "naps");
    assert_eq!(agent["pid"], json!(null));
    assert_eq!(agent["restarts"], 0);
    assert_eq!(agent["last_exit"], json!(null));
    assert_eq!(agent["program"]["kind"], "function", "the manifest is kept");
    assert_eq!(world.wait_for_file("naps.1.ended"), "in order");
    let siblings = children_of(world.node_pid());
    assert_eq!(world.call("naps", "call"), "call of naps 2");
    for kind in ["agent_exited", "agent_restarting", "crash_report"] {
        let of_kind = world.agents_of_events(kind);
        assert!(of_kind.is_empty(), "{kind}: {of_kind:?}");
    }
    assert!(siblings.contains(&world.pid("stays")), "left alone");
    assert_eq!(world.agent("stays")["incarnation"], 1);
    hibernated(&world, "naps");
    assert_eq!(world.wait_for_file("naps.2.ended"), "in order");
}

#[test]
fn a_crash_after_a_sleep_is_told_by_the_number_of_its_incarnation() {
    let mut world = World::new(
        "[supervisor.root]\nchildren = [\"leaves\"]\n\
         [agent.leaves]\nentry = \"plain:leaves\"\nhibernate_after = \"100ms\"\n",
    );
    world.start();
    hibernated(&world, "leaves");
    world.fault(&["leaves", "7"], 1);
    let events = world.events();
    let of_kind = |kind: &str| events.iter().find(|event| event["kind"] == kind).cloned();
    let exited = of_kind("agent_exited").expect("it has exited");
    let report = of_kind("crash_report").expect("it was reported");
    assert_eq!(exited["incarnation"], 2);
    assert_eq!(report["data"]["offender"]["incarnation"], 2, "{report}");
    world.wait_for_agent("leaves", "restarted", |agent| agent["restarts"] == 1);
    let restarting = world
        .events()
        .into_iter()
        .find(|event| event["kind"] == "agent_restarting");
    let restarting = restarting.expect("it was restarted");
    assert_eq!(restarting["incarnation"], 2, "{restarting}");
    let dossier = world.run(&["inspect", "leaves", "--exit", "2", "--json"]);
    let next = dossier.exits(0).json()["next"].clone();
    assert_eq!(
        (&next["action"], &next["restarts"]),
        (&json!("restart"), &json!(1)),
        "{next}"
    );
}

#[test]
fn who_starts_on_demand_is_counted_as_ready_and_runs_the_code_of_its_first_call() {
    let mut world = napping();
    let agent = hibernated(&world, "lazy");
    assert_eq!(agent["incarnation"], json!(null));
    assert_eq!(agent["mode"], "unknown");
    world.run(&["status", "--wait"]).exits(0);
    let inspected = world.run(&["inspect", "lazy"]).text();
    for said in ["next call starts one", "not known before its first call"] {
        assert!(inspected.contains(said), "{inspected}");
    }
    world.write(
        "napping.py",
        &NAPPING.replace("{prompt}", "edited {prompt}"),
    );
    assert_eq!(world.call("lazy", "call"), "edited call of lazy 1");
    let up = world.node().stdout();
    assert!(up.contains("All 3 ready"), "{up}");
}

#[test]
fn a_siblings_crash_wakes_nobody() {
    let world = napping();
    hibernated(&world, "naps");
    world.run(&["kill", "stays"]).exits(0);
    world.wait_for_incarnation("stays", 2);
    assert_eq!(hibernated(&world, "naps")["incarnation"], 1);
    assert_eq!(hibernated(&world, "lazy")["incarnation"], json!(null));
    assert_eq!(world.call("naps", "call"), "call of naps 2");
}

#[test]
fn a_module_that_fails_at_the_wake_up_crashes_by_the_rules_and_the_call_waits() {
    let world = World::new(
        r#"
[supervisor.root]
intensity = 100
children = ["lazy"]
[agent.lazy]
entry = "broken:answer"
start = "on_demand"
backoff = { initial = "50ms", max = "50ms" }
"#,
    );
    world.write("broken.py", "raise RuntimeError('half edited')\n");
    let mut world = world;
    world.start();
    let call = world.spawn(&["call", "lazy", "hello"]);
    let agent = world.wait_for_agent("lazy", "restarted", |agent| {
        agent["restarts"].as_u64() > Some(0)
    });
    assert_eq!(agent["last_exit"]["reason"], "start_failed");
    world.write(
        "broken.py",
        "def answer(prompt: str) -> str:\n    return prompt\n",
    );
    assert_eq!(call.outcome().text(), "hello");
    let agent = world.agent("lazy");
    assert_eq!(agent["state"], "ready");
    let restarts = agent["restarts"].as_u64().expect("a number");
    assert_eq!(agent["incarnation"], restarts + 1);
}

#[test]
fn what_an_operator_says_to_a_hibernated_agent_starts_no_process() {
    let world = napping();
    hibernated(&world, "lazy");
    for (verb, exit) in [("restart", 0), ("start", 0), ("kill", 1)] {
        let told = world.run(&[verb, "lazy"]).exits(exit);
        let text = format!("{}{}", told.stdout, told.stderr);
        assert!(text.contains("its next call starts a process"), "{text}");
        hibernated(&world, "lazy");
    }
    world.run(&["stop", "lazy"]).exits(0);
    assert_eq!(world.agent("lazy")["state"], "stopped");
    assert_eq!(world.fault(&["lazy", "call"], 1)["code"], "agent_stopped");
    world.run(&["start", "lazy"]).exits(0);
    hibernated(&world, "lazy");
    assert_eq!(world.call("lazy", "call"), "call of lazy 1");
}

#[test]
fn a_run_that_is_under_way_keeps_its_process() {
    let mut world = World::new(
        r#"
[supervisor.root]
children = ["busy", "clock"]
[agent.busy]
entry = "plain:hold"
hibernate_after = "200ms"
[agent.clock]
entry = "plain:echo"
hibernate_after = "200ms"
"#,
    );
    world.start();
    let call = world.spawn(&["call", "busy", "run"]);
    world.wait_for_file("run.begun");
    let pid = world.pid("busy");
    // What another one does twice in this time, it does not.
    for incarnation in 2..=3 {
        hibernated(&world, "clock");
        world.call("clock", "tick");
        assert_eq!(world.agent("clock")["incarnation"], incarnation);
    }
    assert_eq!(world.pid("busy"), pid);
    world.write("run.release", "");
    assert_eq!(call.outcome().text(), "held run");
    hibernated(&world, "busy");
    wait_for("its process to be gone", || {
        if is_alive(pid) {
            Err(pid.to_string())
        } else {
            Ok(())
        }
    });
}
