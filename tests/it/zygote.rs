//! Agents that are forked from a zygote: as those of a fresh interpreter in everything but time and
//! memory, whatever becomes of the zygote.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{
    World, children_of, command_of, holds, is_alive, send, state_of, wait_for, wait_within,
};

/// Two agents, the first without pydantic-ai.
const TREE: &str = r#"
[supervisor.root]
intensity = 50
children = ["echo", "declared"]
[agent.echo]
entry = "plain:echo"
[agent.declared]
model = "offline"
instructions = "Answer."
"#;

fn one(entry: &str, more: &str) -> String {
    format!(
        "[supervisor.root]\nintensity = 50\nchildren = [\"one\"]\n[agent.one]\nentry = \"{entry}\"\n{more}\n"
    )
}

/// The forks of a zygote are told by what they show as their command.
fn is_forked(pid: u32) -> bool {
    command_of(pid).starts_with("synapse agent ")
}

fn zygotes(world: &World) -> Vec<u32> {
    let children = children_of(world.node_pid()).into_iter();
    children
        .filter(|pid| command_of(*pid).contains("synapse_zygote.py"))
        .collect()
}

/// Those that are forked ahead.
fn newborns(world: &World) -> Vec<u32> {
    let children = children_of(world.node_pid()).into_iter();
    children
        .filter(|pid| command_of(*pid) == "synapse newborn")
        .collect()
}

/// The one that waits to be the next agent.
#[track_caller]
fn newborn(world: &World) -> u32 {
    wait_for("a child that is forked ahead", || {
        let now = newborns(world);
        now.first().copied().ok_or(format!("{now:?}"))
    })
}

/// Kills an agent, and waits for its next incarnation.
#[track_caller]
fn restart(world: &World, agent: &str, incarnation: u64) -> u32 {
    send(world.pid(agent), Signal::KILL);
    world.wait_for_incarnation(agent, incarnation);
    world.pid(agent)
}

#[test]
fn a_fork_is_the_nodes_own_child_with_a_name_and_a_group_of_its_own() {
    let world = World::up(TREE);
    for agent in ["echo", "declared"] {
        let pid = world.pid(agent);
        assert_eq!(command_of(pid), format!("synapse agent {agent}"));
        let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
        assert_eq!(comm.trim(), agent);
        assert!(children_of(world.node_pid()).contains(&pid));
        let raw = i32::try_from(pid).unwrap();
        let group = rustix::process::getpgid(rustix::process::Pid::from_raw(raw)).unwrap();
        assert_eq!(group.as_raw_pid(), raw);
    }
    assert_eq!(world.call("echo", "hello"), "hello");
    assert!(world.call("declared", "hello").starts_with("Hello"));
    assert_eq!(zygotes(&world).len(), 2);
}

#[test]
fn where_agents_are_started_by_exec_there_is_no_zygote() {
    let world = World::up(&one("plain:echo", "spawn = \"exec\""));
    assert!(!is_forked(world.pid("one")));
    assert!(zygotes(&world).is_empty());
}

#[test]
fn both_ways_see_the_same_environment_and_folder() {
    let text = r#"
[supervisor.root]
children = ["forked", "fresh"]
[agent.forked]
entry = "plain:surroundings"
env = { COLOUR = "green", PATH = "/usr/bin:/bin" }
[agent.fresh]
entry = "plain:surroundings"
env = { COLOUR = "green", PATH = "/usr/bin:/bin" }
spawn = "exec"
"#;
    let world = World::new(text).with_variable("OPENAI_API_KEY", "secret");
    let mut world = world.with_variable("OTHER", "never");
    world.start();
    assert!(is_forked(world.pid("forked")) && !is_forked(world.pid("fresh")));
    let seen = |agent: &str| {
        let text = world.call(agent, "x");
        let mut seen: Value = serde_json::from_str(&text).unwrap();
        let variables = seen["environment"].as_object_mut().unwrap();
        assert_eq!(variables["SYNAPSE_AGENT"], agent);
        for of_its_own in ["SYNAPSE_AGENT", "SYNAPSE_TAG"] {
            variables.remove(of_its_own);
        }
        seen
    };
    let forked = seen("forked");
    assert_eq!(forked["environment"]["COLOUR"], "green");
    assert_eq!(forked, seen("fresh"));
    // Of the zygote's own environment nothing was left over, and no key was ever in it.
    for zygote in zygotes(&world) {
        let environment = std::fs::read(format!("/proc/{zygote}/environ")).unwrap();
        let environment = String::from_utf8_lossy(&environment);
        assert!(!environment.contains("secret"), "{environment}");
    }
}

#[test]
fn what_python_and_its_libraries_read_at_their_start_is_not_given_to_a_fork() {
    let tree = r#"
[supervisor.root]
children = ["of_python", "of_a_library", "of_neither"]
[agent.of_python]
entry = "plain:echo"
env = { PYTHONHASHSEED = "1" }
[agent.of_a_library]
entry = "plain:echo"
env = { OPENAI_LOG = "debug" }
[agent.of_neither]
entry = "plain:echo"
env = { OPENAI_BASE_URL = "http://localhost" }
"#;
    let world = World::up(tree);
    let forked = ["of_python", "of_a_library", "of_neither"].map(|name| is_forked(world.pid(name)));
    assert_eq!(forked, [false, false, true]);
}

#[test]
fn chance_differs_between_forks() {
    let tree = r#"
[supervisor.root]
children = ["one", "two"]
[agent.one]
entry = "plain:chance"
[agent.two]
entry = "plain:chance"
"#;
    let world = World::up(tree);
    let of = |agent: &str| -> Value { serde_json::from_str(&world.call(agent, "x")).unwrap() };
    let (one, two) = (of("one"), of("two"));
    for (first, second) in one.as_array().unwrap().iter().zip(two.as_array().unwrap()) {
        assert_ne!(first, second);
    }
}

#[test]
fn edited_code_is_what_the_next_incarnation_runs() {
    let mut world = World::new(&one("edited:answer", ""));
    world.write(
        "edited.py",
        "def answer(prompt: str) -> str:\n    return 'first'\n",
    );
    world.start();
    assert_eq!(world.call("one", "x"), "first");
    world.write(
        "edited.py",
        "def answer(prompt: str) -> str:\n    return 'the second'\n",
    );
    assert!(is_forked(restart(&world, "one", 2)));
    assert_eq!(world.call("one", "x"), "the second");
}

#[test]
fn an_agent_that_hides_its_use_of_pydantic_ai_is_forked_warm_from_its_second_start_on() {
    let mut world = World::new(&one("outer:agent", ""));
    world.write("outer.py", "from inner import agent\n");
    world.write(
        "inner.py",
        "from pydantic_ai import Agent\nagent = Agent('test')\n",
    );
    world.start();
    assert_eq!(zygotes(&world).len(), 1);
    assert!(is_forked(restart(&world, "one", 2)));
    assert_eq!(zygotes(&world).len(), 2);
}

#[test]
fn a_zygote_that_is_killed_harms_nobody_and_is_replaced() {
    let world = World::up(&one("plain:echo", ""));
    let (agent, zygote) = (world.pid("one"), zygotes(&world)[0]);
    send(zygote, Signal::KILL);
    wait_for("another zygote", || {
        let now = zygotes(&world);
        holds(now.len() == 1 && now != [zygote], format!("{now:?}"))
    });
    assert!(is_alive(agent));
    assert_eq!(world.call("one", "still here"), "still here");
    assert_eq!(world.agent("one")["incarnation"], 1);
    forked_in_the_end(&world, 2);
}

#[test]
fn the_next_incarnation_is_one_that_was_forked_ahead() {
    let world = World::up(&one("plain:pid", ""));
    for incarnation in 2..5 {
        let ahead = newborn(&world);
        assert_eq!(restart(&world, "one", incarnation), ahead);
        assert!(is_forked(ahead));
        assert_eq!(world.call("one", "x"), ahead.to_string());
    }
    newborn(&world);
    assert_eq!(newborns(&world).len(), 1);
}

#[test]
fn one_that_was_forked_ahead_and_is_killed_or_stopped_is_replaced() {
    let world = World::up(&one("plain:echo", ""));
    for (incarnation, signal) in [(2, Signal::KILL), (3, Signal::STOP)] {
        let ahead = newborn(&world);
        send(ahead, signal);
        let pid = restart(&world, "one", incarnation);
        assert!(pid != ahead && is_forked(pid), "{}", command_of(pid));
        assert_eq!(world.call("one", "hello"), "hello");
        wait_for("it to be gone", || holds(!is_alive(ahead), "it is there"));
    }
}

#[test]
fn an_agent_starts_by_exec_while_its_zygote_does_not_answer() {
    let world = World::up(&one("plain:echo", ""));
    let zygote = zygotes(&world)[0];
    let ahead = newborn(&world);
    send(zygote, Signal::STOP);
    send(ahead, Signal::KILL);
    wait_for("the zygote to be stopped", || {
        let state = state_of(zygote);
        let stopped = state == Some('T') && !is_alive(ahead);
        holds(stopped, format!("{state:?}"))
    });
    assert!(!is_forked(restart(&world, "one", 2)));
    assert_eq!(world.call("one", "hello"), "hello");
    wait_for("it to be replaced", || {
        holds(!is_alive(zygote), "it is still there")
    });
    forked_in_the_end(&world, 3);
    let log = std::fs::read_to_string(world.path(".synapse/synapse.log")).unwrap();
    let said = log.matches("start without being forked").count();
    assert_eq!(said, 1, "{log}");
    assert!(log.contains("no answer within 1000 ms"), "{log}");
    assert!(log.contains("forked again"), "{log}");
}

#[test]
fn a_stop_does_not_wait_until_a_zygote_is_warm() {
    // Otherwise its agent would wait for it as long as it may take at all.
    let mut world = World::new(&one("plain:echo", "start_timeout = \"1h\""));
    world.begin();
    let zygote = wait_for("a zygote", || {
        zygotes(&world).first().copied().ok_or("none".to_owned())
    });
    send(zygote, Signal::STOP);
    let mut node = world.take_node();
    node.signal(Signal::TERM);
    wait_within("the node's end", Duration::from_secs(20), || {
        holds(node.has_ended(), "it runs")
    });
}

/// Kills the agent until it comes back as a fork.
#[track_caller]
fn forked_in_the_end(world: &World, mut incarnation: u64) {
    wait_for("the agent to be forked again", || {
        let pid = restart(world, "one", incarnation);
        incarnation += 1;
        holds(is_forked(pid), command_of(pid))
    });
}

#[test]
fn a_module_that_cannot_be_preloaded_is_told_and_left_out() {
    let text = format!(
        "[python]\npreload = [\"nowhere\", \"json.tool\"]\npath = [\"{}\"]\n{}",
        crate::harness::AGENTS,
        one("plain:modules", "")
    );
    let mut world = World::bare(&text);
    world.start();
    assert!(is_forked(world.pid("one")));
    let modules: Vec<String> = serde_json::from_str(&world.call("one", "x")).unwrap();
    assert!(modules.contains(&"json.tool".to_owned()), "{modules:?}");
    let log = std::fs::read_to_string(world.path(".synapse/synapse.log")).unwrap();
    let why = "nowhere: ModuleNotFoundError: No module named 'nowhere'";
    assert!(log.contains(why), "{log}");
}

#[test]
fn twenty_that_are_killed_at_once_are_all_back_as_forks() {
    let names: Vec<String> = (0..20).map(|number| format!("a{number}")).collect();
    let agents: String = names
        .iter()
        .map(|name| format!("[agent.{name}]\nentry = \"plain:pid\"\n"))
        .collect();
    let tree = format!(
        "[supervisor.root]\nintensity = 100\nchildren = {}\n{agents}",
        json!(names)
    );
    let world = World::up(&tree);
    let pids: Vec<u32> = names.iter().map(|name| world.pid(name)).collect();
    for pid in &pids {
        send(*pid, Signal::KILL);
    }
    for name in &names {
        world.wait_for_incarnation(name, 2);
        let pid = world.pid(name);
        assert!(is_forked(pid), "{name}: {}", command_of(pid));
        assert_eq!(world.call(name, "x"), pid.to_string());
    }
}

#[test]
fn the_end_of_the_node_is_the_end_of_its_zygotes() {
    let mut world = World::up(TREE);
    let mut all = zygotes(&world);
    wait_for("both to have forked ahead", || {
        let now = newborns(&world);
        holds(now.len() == 2, format!("{now:?}"))
    });
    all.extend(newborns(&world));
    let mut node = world.take_node();
    node.signal(Signal::TERM);
    wait_for("the node's end", || holds(node.has_ended(), "it runs"));
    wait_within("its zygotes to be gone", Duration::from_secs(1), || {
        let left: Vec<_> = all.iter().filter(|pid| is_alive(**pid)).collect();
        holds(left.is_empty(), format!("{left:?}"))
    });
}
