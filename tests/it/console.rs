//! The console as people and scripts use it: a real terminal, the shipped tree, pipes.

use rustix::process::Signal;

use crate::harness::{Running, Screen, World, is_alive, send};

const TALKER: &str = r#"
[supervisor.root]
intensity = 3
period = "1m"
children = ["talker", "echo", "fails"]
[agent.talker]
entry = "talking:talker"
model = "offline"
mode = "run_stream"
[agent.echo]
entry = "plain:echo"
[agent.fails]
entry = "plain:fails"
"#;

const ECHO: &str =
    "[supervisor.root]\nchildren = [\"echo\"]\n[agent.echo]\nentry = \"plain:echo\"\n";

/// The clone, as far as a newcomer's first command needs it.
fn shipped() -> World {
    let world = World::bare("");
    world.copy("agents", "agents");
    world.copy_file("supervision.toml");
    world
}

#[test]
fn the_first_minute() {
    let world = shipped();
    let mut screen = Screen::open(&world, "");
    screen.shows("synapse 0.1.0   supervision.toml   data .synapse/");
    screen.shows("python 3.");
    screen.shows("root  one_for_one   0/3 restarts in 5s");
    for line in [
        "├─ assistant   ready",
        "├─ analyst     ready",
        "├─ echo        ready",
    ] {
        screen.shows(line);
    }
    screen.shows("└─ research    rest_for_one   0/3 in 5s");
    screen.shows("   ├─ searcher ready");
    screen.shows("   └─ writer   ready");
    screen.shows("All 5 ready in ");
    screen.shows("Type to talk to assistant; /help lists commands; Ctrl-D stops.");
    screen.says("assistant> ", "My name is Ada.");
    screen.shows("Nice to meet you, Ada.");
    screen.shows("tokens in");
    screen.says("assistant> ", "/kill assistant");
    screen.shows("sent SIGKILL to assistant #1 (pid ");
    screen.shows("  ! assistant #1 killed by signal 9 after");
    screen.shows("restarting (1/3 in 5s)");
    screen.shows("  + assistant #2 ready in");
    screen.shows("conversation kept (2 messages)");
    screen.says("assistant> ", "What is my name?");
    screen.shows("Your name is Ada.");
    screen.says("assistant> ", "/kill analist");
    screen.shows("no agent \"analist\". Did you mean analyst?");
    screen.says("assistant> ", "tell me a long story");
    screen.shows("Once upon a time there was a");
    screen.types("\x03");
    screen.shows("cancelled after");
    screen.shows("; the partial answer stays in the conversation");
    screen.says("assistant> ", "/call analyst the bridge is out");
    screen.shows("\"risk\"");
    screen.shows("assistant> ");
    screen.types("\x04");
    screen.ends_with(&world, 0);
}

#[test]
fn a_signal_in_the_middle_of_a_line_restores_the_terminal() {
    for (signal, code) in [(Signal::TERM, 0), (Signal::HUP, 0), (Signal::KILL, 137)] {
        let world = World::new(ECHO);
        let mut screen = Screen::open(&world, "");
        screen.shows("echo> ");
        screen.types("half a li");
        screen.shows("half a li");
        let node = world.status()["pid"].as_u64().unwrap();
        let node = u32::try_from(node).unwrap();
        let agent = world.pid("echo");
        send(node, signal);
        if signal == Signal::KILL {
            screen.shows(&format!(
                "(process {node}) was killed by signal 9 (SIGKILL)"
            ));
        }
        screen.ends_with(&world, code);
        assert!(!is_alive(agent));
    }
}

#[test]
fn ctrl_c_during_the_start_says_what_is_waited_for() {
    let late = "[supervisor.root]\nchildren = [\"late\"]\n[agent.late]\n\
                entry = \"ready_late:answer\"\nshutdown = \"brutal_kill\"\n\
                env = { SYNAPSE_TEST_LATE_S = \"60\" }\n";
    let world = World::new(late);
    let mut screen = Screen::open(&world, "");
    world.wait_for_agent("late", "its process runs", |agent| agent["pid"].is_u64());
    screen.types("\x03");
    screen.shows("stopping the agents in order; a second signal does not wait for them");
    screen.ends_with(&world, 0);
}

#[test]
fn an_attached_console_leaves_the_node_running() {
    let world = World::up(ECHO);
    let mut screen = Screen::open(&world, "console");
    screen.says("echo> ", "hello");
    screen.shows("hello\n");
    screen.shows("echo> ");
    screen.types("\x04");
    screen.ends_with(&world, 0);
    assert_eq!(world.call("echo", "still here"), "still here");
}

#[test]
fn an_attached_console_says_that_its_node_has_gone() {
    let mut world = World::up(ECHO);
    let mut screen = Screen::open(&world, "console");
    screen.shows("echo> ");
    world.run(&["down"]).exits(0);
    world.take_node().outcome().exits(0);
    screen.ends_with(&world, 69);
}

#[test]
fn a_tree_that_gives_up_under_the_console_ends_it_with_70() {
    let world = World::new(&ECHO.replace("children", "intensity = 0\nchildren"));
    let mut screen = Screen::open(&world, "");
    screen.says("echo> ", "/kill echo");
    screen.shows("root gave up");
    screen.ends_with(&world, 70);
}

#[test]
fn a_script_is_answered_line_by_line() {
    let world = World::new(TALKER);
    let script = "My name is Ada.\n/kill talker\nWhat is my name?\n/use echo\nhello\n/tree\n";
    let outcome = world.run_with_input(&[], script).exits(0);
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines[0], "Nice to meet you, Ada.");
    assert!(
        lines[1].starts_with("sent SIGKILL to talker #1 (pid "),
        "{lines:?}"
    );
    assert_eq!(lines[2], "Your name is Ada.");
    assert!(lines.contains(&"hello"), "{lines:?}");
    assert!(
        lines.contains(&"root  one_for_one   1/3 restarts in 1m"),
        "{lines:?}"
    );
    let all = outcome.stdout + &outcome.stderr;
    assert!(!all.contains('\x1b'), "plain: {all}");
    assert!(!all.contains("talker> "), "no prompt: {all}");
}

#[test]
fn a_script_goes_on_after_a_failure_and_ends_with_its_code() {
    let world = World::up(TALKER);
    let run = |script: &str| world.run_with_input(&["console"], script);
    let outcome = run("/call ecko hi\n/call echo after\n").exits(65);
    assert_eq!(outcome.stdout, "after\n");
    assert!(
        outcome.stderr.contains("Did you mean echo?"),
        "{}",
        outcome.stderr
    );
    let outcome = run("/call fails on purpose\n/call echo after\n").exits(1);
    assert!(outcome.stderr.contains("on purpose"), "{}", outcome.stderr);
    let outcome = run("/frob\n").exits(2);
    assert!(outcome.stderr.contains("/frob"), "{}", outcome.stderr);
    let outcome = run("").exits(0);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
    run("\n\n/quit\n/call ecko never\n").exits(0);
}

#[test]
fn every_verb_of_the_console_works_in_a_script() {
    let world = World::up(TALKER);
    let script = "/help\n/status\n/tree\n/inspect talker\n/logs echo\n/events\n/restart echo\n\
                  /stop echo\n/start echo\nMy name is Ada.\n/history\n/new\nWhat is my name?\n//x\n";
    let outcome = world.run_with_input(&["console"], script).exits(0);
    for part in [
        "/kill AGENT",
        "NAME",
        "one_for_one",
        "restarted echo",
        "stopped echo",
        "started echo",
        "You have not told me your name yet.",
        "\"/x\"",
    ] {
        assert!(
            outcome.stdout.contains(part),
            "{part:?} in {}",
            outcome.stdout
        );
    }
    assert_eq!(world.agent("echo")["incarnation"], 3);
}

#[test]
fn the_end_of_the_script_stops_the_node_of_its_own() {
    let world = World::new(ECHO);
    let mut console = Running::start_with_keyboard(world.command(&["up"]));
    console.type_in("/inspect echo\n");
    console.wait_for_stdout("plain:echo");
    let pids = [console.pid(), world.pid("echo")];
    assert_eq!(world.call("echo", "from outside"), "from outside");
    console.outcome().exits(0);
    assert_eq!(pids.map(is_alive), [false, false]);
}

#[test]
fn without_standard_input_it_runs_as_a_service() {
    let world = World::new(ECHO);
    let node = world.spawn(&[]);
    world.run(&["status", "--wait"]).exits(0);
    assert_eq!(world.call("echo", "here"), "here");
    node.signal(Signal::TERM);
    node.outcome().exits(0);
}
