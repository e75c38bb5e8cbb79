//! Nothing is left, whoever dies and however.

use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{
    Running, World, bury, children_of, command_of, holds, is_alive, reap, send, state_of, wait_for,
    wait_within, with_tag,
};

const TREE: &str = r#"
[supervisor.root]
intensity = 5
children = ["idle", "hold", "blocked", "busy", "deaf", "locked", "escaping", "group"]
[supervisor.group]
children = ["nested"]
[agent.idle]
entry = "plain:echo"
[agent.hold]
entry = "plain:hold"
shutdown = "100ms"
[agent.blocked]
entry = "blocks_its_loop:answer"
shutdown = "100ms"
[agent.busy]
entry = "plain:spin"
shutdown = "100ms"
[agent.deaf]
entry = "ignores_sigterm:answer"
shutdown = "100ms"
[agent.locked]
entry = "holds_gil:answer"
shutdown = "100ms"
[agent.escaping]
entry = "escapes:answer"
[agent.nested]
entry = "forks_grandchild:answer"
"#;

const AGENTS: [&str; 8] = [
    "idle", "hold", "blocked", "busy", "deaf", "locked", "escaping", "nested",
];

/// How long after a death the last of what it concerns may be there.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// The tree with every agent at its work or its mischief.
struct Busy {
    world: World,
    calls: Vec<Running>,
    agents: Vec<u32>,
    /// What the agents have started.
    others: Vec<u32>,
}

impl Busy {
    #[track_caller]
    fn up() -> Self {
        Self::with(&["daemon", "bare", "family", "restless"])
    }

    /// With these that have escaped.
    #[track_caller]
    fn with(escaped: &[&str]) -> Self {
        Self::of(TREE, escaped)
    }

    #[track_caller]
    fn of(tree: &str, escaped: &[&str]) -> Self {
        let world = World::up(tree);
        let calls = vec![
            world.spawn(&["call", "hold", "held"]),
            world.spawn(&["call", "blocked", "3600"]),
            world.spawn(&["call", "busy", "x"]),
            world.spawn(&["call", "deaf", "x"]),
            world.spawn(&["call", "locked", "3600"]),
        ];
        let mut others = numbers(&world.call("nested", "fork"));
        others.extend(numbers(&world.call("nested", "daemon")));
        for prompt in escaped {
            others.extend(numbers(&world.call("escaping", prompt)));
        }
        world.wait_for_file("held.begun");
        for agent in ["blocked", "busy", "deaf"] {
            world.wait_for_agent(agent, "at work", |agent| agent["in_flight"] == 1);
        }
        for (agent, line) in [("deaf", "deaf to SIGTERM"), ("locked", "holding")] {
            wait_for("the misbehaviour", || {
                let log = world.log(agent);
                holds(
                    log.iter().any(|said| said.contains(line)),
                    format!("{log:?}"),
                )
            });
        }
        let agents = AGENTS.map(|agent| world.pid(agent)).to_vec();
        Self {
            world,
            calls,
            agents,
            others,
        }
    }

    /// Nothing may be left, dead or alive, and nothing in the way of the next start.
    #[track_caller]
    fn expect_gone(mut self, within: Duration) {
        let all = [self.agents.as_slice(), &self.others].concat();
        expect_none(&all, within);
        self.world.wait_until_nothing_is_left(within);
        self.calls.clear();
        self.world.start();
        assert_eq!(self.world.call("idle", "again"), "again");
    }
}

fn numbers(text: &str) -> Vec<u32> {
    let numbers = text.split_whitespace().map(str::parse);
    numbers.collect::<Result<_, _>>().expect("process numbers")
}

/// `NAME=VALUE` in the environment of a process.
fn variable_of(pid: u32, name: &str) -> String {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).expect("it is there");
    let text = String::from_utf8_lossy(&environment);
    let named = |variable: &&str| variable.split('=').next() == Some(name);
    text.split('\0').find(named).expect("it has one").to_owned()
}

/// None of them may be there, not even as a zombie: that would have fallen to this process.
#[track_caller]
fn expect_none(pids: &[u32], within: Duration) {
    wait_within("every process to be gone", within, || {
        let left = pids
            .iter()
            .map(|pid| (pid, state_of(*pid)))
            .filter(|(_, state)| state.is_some());
        let left: Vec<_> = left.collect();
        holds(left.is_empty(), format!("{left:?}"))
    });
}

#[test]
fn when_the_node_is_killed_everything_is_gone_within_a_second() {
    let mut busy = Busy::up();
    busy.world.kill_node().exits(137);
    busy.expect_gone(GONE_WITHIN);
}

#[test]
fn when_a_stopped_node_is_killed_everything_is_gone_within_a_second() {
    let mut busy = Busy::up();
    let node = busy.world.node_pid();
    send(node, Signal::STOP);
    wait_for("the node to be stopped", || {
        let state = state_of(node);
        holds(state == Some('T'), format!("{state:?}"))
    });
    busy.world.kill_node().exits(137);
    busy.expect_gone(GONE_WITHIN);
}

#[test]
fn when_the_guard_is_killed_the_node_stops_in_order() {
    let mut busy = Busy::up();
    let node = busy.world.node_pid();
    let guard = busy.world.take_node();
    guard.signal(Signal::KILL);
    busy.world.write("held.release", "");
    let answer = busy.calls.remove(0).outcome();
    assert_eq!(answer.text(), "held held", "a stop drains");
    wait_for("the node to end", || {
        holds(!is_alive(node), format!("{:?}", state_of(node)))
    });
    // It has fallen to this process, which is the system's first as far as it knows.
    assert_eq!(reap(node).code(), Some(0));
    let log = std::fs::read_to_string(busy.world.path(".synapse/synapse.log")).expect("a log");
    assert!(log.contains("the guard has died"), "{log}");
    guard.outcome();
    busy.expect_gone(GONE_WITHIN);
}

/// Guard and node are killed at once; every agent is gone then, and what has escaped is not.
#[track_caller]
fn kill_both_at_once(busy: &mut Busy) {
    let node = busy.world.node_pid();
    let guard = busy.world.take_node();
    // Stopped, neither can hear of the other's end before its own.
    for pid in [guard.pid(), node] {
        send(pid, Signal::STOP);
    }
    for pid in [guard.pid(), node] {
        send(pid, Signal::KILL);
    }
    guard.outcome();
    reap(node);
    wait_within("every agent to be gone", GONE_WITHIN, || {
        let left: Vec<_> = busy.agents.iter().filter(|pid| is_alive(**pid)).collect();
        holds(left.is_empty(), format!("{left:?}"))
    });
    busy.calls.clear();
}

#[test]
fn when_guard_and_node_are_killed_at_once_only_what_has_escaped_is_left() {
    let tree = format!("[runtime]\ncgroup = \"off\"\n{TREE}");
    let mut busy = Busy::of(&tree, &["daemon", "bare", "family"]);
    assert!(!busy.world.path(CONTROL_GROUP).exists());
    kill_both_at_once(&mut busy);
    // What is left is what docs/processes.md says, and it does not hinder the next start.
    busy.world.start();
    assert_eq!(busy.world.call("idle", "again"), "again");
    let left: Vec<_> = busy.others.iter().filter(|pid| is_alive(**pid)).collect();
    assert!(left.len() >= 3, "what this is about: {left:?}");
    for pid in left {
        send(*pid, Signal::KILL);
    }
    for pid in [busy.agents, busy.others].concat() {
        bury(pid);
    }
}

#[test]
fn what_guard_and_node_left_when_they_were_killed_at_once_is_ended_by_the_next_start() {
    let mut busy = Busy::with(&["daemon", "bare", "family"]);
    let Some(group) = control_group(&busy.world) else {
        return;
    };
    kill_both_at_once(&mut busy);
    let left: Vec<_> = busy.others.iter().filter(|pid| is_alive(**pid)).collect();
    assert!(left.len() >= 3, "what this is about: {left:?}");
    busy.world.start();
    for pid in [busy.agents, busy.others].concat() {
        assert!(!is_alive(pid), "{pid} has outlived the next start");
        bury(pid);
    }
    assert!(!group.exists(), "{} is left", group.display());
    let log = std::fs::read_to_string(busy.world.path(".synapse/synapse.log")).expect("a log");
    assert!(log.contains("was killed with its guard"), "{log}");
    assert_eq!(busy.world.call("idle", "again"), "again");
    // A node that stops in order leaves no group, and nothing to look for.
    let group = control_group(&busy.world).expect("it had one before");
    busy.world.run(&["down"]).exits(0);
    busy.world.take_node().outcome().exits(0);
    assert!(!group.exists(), "{} is left", group.display());
    assert!(!busy.world.path(CONTROL_GROUP).exists());
}

#[test]
fn a_copy_of_a_data_directory_ends_nothing_of_the_one_it_was_copied_from() {
    let world = World::up(
        "[supervisor.root]\nchildren = [\"idle\"]\n[agent.idle]\nentry = \"plain:echo\"\n",
    );
    if control_group(&world).is_none() {
        return;
    }
    let record = std::fs::read(world.path(CONTROL_GROUP)).unwrap();
    let copy = World::new("[supervisor.root]\nchildren = []\n");
    copy.write(CONTROL_GROUP, &String::from_utf8(record).unwrap());
    let mut copy = copy;
    copy.start();
    assert_eq!(world.call("idle", "well"), "well");
    assert_eq!(world.agent("idle")["restarts"], 0);
}

/// Where a node keeps the name of its control group.
const CONTROL_GROUP: &str = ".synapse/control-group.json";

/// The control group of the node; `None`, and a word of it on stderr, where it may not have one.
fn control_group(world: &World) -> Option<std::path::PathBuf> {
    use std::io::Write;
    let Ok(record) = std::fs::read(world.path(CONTROL_GROUP)) else {
        let why = "skipped: no control group of version 2 may be made here";
        writeln!(std::io::stderr(), "{why}").ok();
        return None;
    };
    let record: serde_json::Value = serde_json::from_slice(&record).expect("JSON");
    let path = std::path::PathBuf::from(record["path"].as_str().expect("a path"));
    let members = std::fs::read_to_string(path.join("cgroup.procs")).expect("it is there");
    let node = world.node_pid().to_string();
    assert!(members.lines().any(|pid| pid == node), "{members}");
    Some(path)
}

#[test]
fn when_an_agent_is_killed_what_it_has_started_is_gone() {
    let busy = Busy::up();
    let daemons = ["daemon", "family", "restless"]
        .map(|prompt| numbers(&busy.world.call("escaping", prompt)));
    let of_nested = numbers(&busy.world.call("nested", "daemon"));
    let tag = variable_of(busy.world.pid("escaping"), "SYNAPSE_TAG");
    busy.world.run(&["kill", "escaping"]).exits(0);
    expect_none(&daemons.concat(), GONE_WITHIN);
    wait_within("the restless to be gone", GONE_WITHIN, || {
        let left = with_tag(&tag);
        holds(left.is_empty(), format!("{left:?}"))
    });
    assert!(is_alive(of_nested[0]), "its agent lives");
    busy.world.wait_for_incarnation("escaping", 2);
    assert_eq!(busy.world.call("idle", "again"), "again");
}

#[test]
fn when_the_node_is_killed_in_the_middle_of_a_start_nothing_is_left() {
    let names: Vec<String> = (0..50).map(|number| format!("a{number}")).collect();
    let agents = names
        .iter()
        .map(|name| format!("[agent.{name}]\nentry = \"plain:echo\"\n"));
    let tree = format!(
        "[supervisor.root]\nchildren = {names:?}\n{}",
        agents.collect::<String>()
    );
    let mut world = World::new(&tree);
    for begun in [0, 1, 10, 25] {
        world.begin();
        wait_for("some agents to be started", || {
            let agents = children_of(world.node_pid()).len();
            holds(agents >= begun, agents)
        });
        let mut all = children_of(world.node_pid());
        all.push(world.node_pid());
        world.kill_node().exits(137);
        world.wait_until_nothing_is_left(GONE_WITHIN);
        expect_none(&all, GONE_WITHIN);
    }
    world.start();
    assert_eq!(world.call("a49", "all of them"), "all of them");
}

#[test]
fn a_node_that_is_stopped_and_continued_goes_on() {
    let world = World::up(
        "[supervisor.root]\nchildren = [\"echo\"]\n[agent.echo]\nentry = \"plain:echo\"\n",
    );
    let pid = world.node_pid();
    send(pid, Signal::STOP);
    wait_for("the node to be stopped", || {
        let state = state_of(pid);
        holds(state == Some('T'), format!("{state:?}"))
    });
    let call = world.spawn(&["call", "echo", "patience"]);
    send(pid, Signal::CONT);
    assert_eq!(call.outcome().text(), "patience");
    assert_eq!(world.agent("echo")["incarnation"], 1);
}

#[test]
fn dead_agents_are_waited_for() {
    let world = World::up(
        r#"
[supervisor.root]
intensity = 50
period = "1m"
children = ["echo"]
[agent.echo]
entry = "plain:leaves"
"#,
    );
    for incarnation in 2..12 {
        world.fault(&["echo", "3"], 1);
        world.wait_for_incarnation("echo", incarnation);
    }
    wait_for(
        "one child to be left beside the zygote and its newborn, and no zombie",
        || {
            let mut children = children_of(world.node_pid());
            children.retain(|pid| {
                let command = command_of(*pid);
                !command.contains("synapse_zygote.py") && command != "synapse newborn"
            });
            let states: Vec<_> = children.iter().map(|pid| state_of(*pid)).collect();
            holds(
                states.len() == 1 && states[0] != Some('Z'),
                format!("{states:?}"),
            )
        },
    );
}
