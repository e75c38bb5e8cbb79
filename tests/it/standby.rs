//! Spares: processes that have imported an agent's modules before they are needed.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{World, command_of, is_alive, send, wait_for};

/// An agent whose import takes its time and says when, with a spare.
const SLOW: &str = r#"
[supervisor.root]
intensity = 50
period = "1m"
children = ["slow", "other"]
[agent.slow]
entry = "slow:answer"
deps = "slow:connect"
standby = 1
[agent.other]
entry = "plain:echo"
"#;

/// What is imported says which process did; dependencies are made by an incarnation alone.
const MODULE: &str = "import os, pathlib, sys, time\n\
    pathlib.Path('imported').open('a').write(f'{os.getpid()}\\n')\n\
    IMPORTED_AS = os.environ['SYNAPSE_INCARNATION']\n\
    print('imported', file=sys.stderr)\n\
    def connect():\n    pathlib.Path('connected').open('a').write(f'{os.getpid()}\\n')\n    return 1\n\
    def answer(prompt: str, deps: int) -> dict[str, object]:\n    \
        return {'pid': os.getpid(), 'number': os.environ['SYNAPSE_INCARNATION'],\n            \
                'imported_as': IMPORTED_AS, 'version': 1}\n";

fn slow() -> World {
    let mut world = World::new(SLOW);
    world.write("slow.py", MODULE);
    // Older than any spare: what was written just now may be written again unseen.
    age(&world, "slow.py");
    world.start();
    world
}

fn age(world: &World, name: &str) {
    let file = std::fs::File::options().append(true).open(world.path(name));
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    file.and_then(|file| file.set_modified(past))
        .expect("the file is ours");
}

/// Waits until there is a spare; its process.
#[track_caller]
fn spare(world: &World) -> u32 {
    let agent = world.wait_for_agent("slow", "with a spare", |agent| agent["spare_pid"].is_u64());
    u32::try_from(agent["spare_pid"].as_u64().expect("a number")).expect("a pid")
}

#[track_caller]
fn ask(world: &World) -> Value {
    let outcome = world.run(&["call", "slow", "hello", "--json"]).exits(0);
    let lines = outcome.json_lines();
    lines.last().expect("a line")["output"].clone()
}

fn lines(world: &World, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(world.path(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn after_a_crash_the_spare_is_the_next_incarnation_and_another_one_is_made() {
    let world = slow();
    let (first, waiting) = (world.pid("slow"), spare(&world));
    assert_eq!(lines(&world, "imported").len(), 2);
    assert_eq!(lines(&world, "connected"), [first.to_string()]);
    world.run(&["kill", "slow"]).exits(0);
    let agent = world.wait_for_incarnation("slow", 2);
    assert_eq!(agent["pid"], waiting);
    assert_eq!(agent["restarts"], 1);
    let answer = ask(&world);
    assert_eq!(answer["pid"], waiting);
    assert_eq!(answer["number"], "2", "told with its number");
    assert_eq!(answer["imported_as"], "0", "imported before it had one");
    let connected = lines(&world, "connected");
    assert_eq!(connected, [first.to_string(), waiting.to_string()]);
    assert!(world.log("slow").contains(&"imported".to_owned()));
    let next = spare(&world);
    assert_ne!(next, waiting);
    assert_eq!(lines(&world, "connected").len(), 2, "made by no spare");
}

#[test]
fn a_spare_shows_what_it_is() {
    let world = slow();
    let waiting = spare(&world);
    let comm = || std::fs::read_to_string(format!("/proc/{waiting}/comm")).expect("it lives");
    assert_eq!(comm().trim_end(), "spare slow");
    let forked = command_of(waiting).starts_with("synapse");
    if forked {
        assert_eq!(command_of(waiting), "synapse spare of slow");
    }
    world.run(&["kill", "slow"]).exits(0);
    world.wait_for_incarnation("slow", 2);
    assert_eq!(comm().trim_end(), "slow");
    if forked {
        assert_eq!(command_of(waiting), "synapse agent slow");
    }
}

#[test]
fn a_spare_that_is_older_than_an_edit_is_not_used() {
    let world = slow();
    let waiting = spare(&world);
    world.write("slow.py", &MODULE.replace("'version': 1", "'version': 2"));
    world.run(&["kill", "slow"]).exits(0);
    let agent = world.wait_for_incarnation("slow", 2);
    assert_ne!(agent["pid"], waiting);
    assert_eq!(ask(&world)["version"], 2);
    wait_for("the old spare to be gone", || match is_alive(waiting) {
        true => Err(waiting.to_string()),
        false => Ok(()),
    });
}

#[test]
fn a_spare_that_dies_is_made_again_and_is_no_crash() {
    let world = slow();
    let waiting = spare(&world);
    send(waiting, Signal::KILL);
    world.wait_for_agent("slow", "with another spare", |agent| {
        agent["spare_pid"]
            .as_u64()
            .is_some_and(|pid| pid != u64::from(waiting))
    });
    let agent = world.agent("slow");
    assert_eq!(
        (&agent["restarts"], &agent["incarnation"]),
        (&json!(0), &json!(1))
    );
    let told = world.log("slow");
    let told = told.iter().filter(|line| line.contains("no spare"));
    assert_eq!(told.count(), 1);
    assert!(world.agents_of_events("agent_exited").is_empty());
}

#[test]
fn an_import_that_fails_in_the_spare_alone_is_told_and_counts_nothing() {
    let mut world = World::new(SLOW);
    let fails = "import os\nif os.environ['SYNAPSE_INCARNATION'] == '0':\n    \
                 raise RuntimeError('not twice')\n";
    world.write("slow.py", &format!("{fails}{MODULE}"));
    world.start();
    wait_for("the failure to be told", || {
        let log = world.log("slow");
        let told = |line: &String| line.contains("no spare") && line.contains("not twice");
        log.iter().any(told).then_some(()).ok_or(format!("{log:?}"))
    });
    assert_eq!(world.agent("slow")["restarts"], 0);
    world.run(&["kill", "slow"]).exits(0);
    world.wait_for_incarnation("slow", 2);
    assert_eq!(ask(&world)["imported_as"], "2");
}

#[test]
fn a_spare_ends_with_its_agents_stop_and_comes_back_with_its_start() {
    let world = slow();
    let waiting = spare(&world);
    world.run(&["stop", "slow"]).exits(0);
    assert_eq!(world.agent("slow")["spare_pid"], json!(null));
    wait_for("the spare to be gone", || match is_alive(waiting) {
        true => Err(waiting.to_string()),
        false => Ok(()),
    });
    world.run(&["start", "slow"]).exits(0);
    spare(&world);
}

#[test]
fn a_spare_that_hangs_while_it_imports_costs_no_start() {
    let mut world = World::new(
        "[supervisor.root]\nchildren = [\"one\"]\n\
         [agent.one]\nentry = \"hangs:answer\"\nstandby = 1\nstart_timeout = \"10s\"\n",
    );
    let module = "import os, pathlib, threading\n\
        if os.environ['SYNAPSE_INCARNATION'] == '0':\n    \
            pathlib.Path('hanging').write_text('for ever')\n    \
            threading.Event().wait()\n\
        def answer(prompt: str) -> str:\n    return prompt\n";
    world.write("hangs.py", module);
    world.start();
    world.wait_for_file("hanging");
    world.run(&["kill", "one"]).exits(0);
    let agent = world.wait_for_incarnation("one", 2);
    assert_eq!(agent["last_exit"]["reason"], "signalled", "{agent}");
    // Half of its time was for the spare, and the other half is for a process of its own.
    let took = agent["replicas"][0]["start_ms"].as_u64();
    assert!(took < Some(9_000), "{agent}");
    assert_eq!(world.call("one", "hello"), "hello");
}
