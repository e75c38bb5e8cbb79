//! What a person sees at a terminal, and what a script gets on its pipes.

use std::io::Write;

use crate::screen::{Folder, Screen, console_command, shell};
use crate::stub::StubNode;

fn opened(name: &str) -> (StubNode, Screen) {
    let folder = Folder::new(name);
    let node = StubNode::start(&folder.0);
    let mut screen = Screen::open(folder);
    screen.wait_for("Attached to node local (pid 4100): 2 agents.");
    screen.wait_for("assistant> ");
    (node, screen)
}

const LEFT: &str = "Left { exit: 0 }";

#[test]
fn a_conversation_with_a_crash_in_it() {
    let (_node, mut screen) = opened("conversation");
    screen.type_keys("My name is Ada.\r");
    screen.wait_for("You said: My name is Ada.");
    screen.wait_for("4 ms · 5 tokens in, 6 out");
    screen.wait_for("assistant> ");
    screen.type_keys("/kill assistant\r");
    screen.wait_for("sent SIGKILL to assistant #1 (pid 4121)");
    screen.wait_for("  ! assistant #1 killed by signal 9 after 41 s; restarting (1/3 in 5s)");
    screen.wait_for("  + assistant #2 ready in 11 ms, conversation kept (2 messages)");
    screen.wait_for("assistant> ");
    screen.type_keys("/use analist\r");
    screen.wait_for("no agent \"analist\". Did you mean analyst?");
    screen.wait_for("assistant> ");
    screen.type_keys("\x04");
    screen.ends_with("0", LEFT);
}

#[test]
fn an_event_above_a_half_typed_line_leaves_it_as_it_is() {
    let (node, mut screen) = opened("half-typed");
    screen.type_keys("half a li");
    screen.wait_for("half a li");
    node.emit("agent_down", "assistant is down");
    screen.wait_for("  ! assistant is down");
    screen.wait_for("assistant> half a li");
    screen.type_keys("ne\r");
    screen.wait_for("You said: half a line");
    screen.wait_for("assistant> ");
    screen.type_keys("\x04");
    screen.ends_with("0", LEFT);
}

#[test]
fn an_event_waits_while_a_long_line_is_typed() {
    let (node, mut screen) = opened("long-line");
    screen.type_keys(&"long ".repeat(30));
    screen.wait_for("long long");
    node.emit("agent_down", "assistant is down");
    screen.type_keys("END");
    screen.wait_for("END");
    screen.type_keys("\r");
    screen.wait_for("  ! assistant is down");
    screen.wait_for("You said: long long");
    screen.wait_for("assistant> ");
    screen.type_keys("\x04");
    screen.ends_with("0", LEFT);
}

#[test]
fn ctrl_c_cancels_the_call_and_at_the_prompt_gives_a_hint() {
    let (_node, mut screen) = opened("cancel");
    screen.type_keys("tell me a long story\r");
    screen.wait_for("Once upon a time there was a");
    screen.type_keys("\x03");
    screen.wait_for("^C");
    screen.wait_for("; the partial answer stays in the conversation");
    screen.wait_for("assistant> ");
    screen.type_keys("\x03");
    screen.wait_for("Nothing is running. Ctrl-C cancels a call, Ctrl-D leaves");
    screen.wait_for("assistant> ");
    screen.type_keys("\x04");
    screen.ends_with("0", LEFT);
}

#[test]
fn what_is_typed_while_an_answer_streams_is_not_lost() {
    let (node, mut screen) = opened("ahead");
    screen.type_keys("tell me a long story\r");
    screen.wait_for("Once upon a time there was a");
    screen.type_keys("typed ahead");
    node.end_story();
    screen.wait_for("cancelled: by another caller");
    screen.wait_for("assistant> typed ahead");
    screen.type_keys("\r");
    screen.wait_for("You said: typed ahead");
    screen.wait_for("assistant> ");
    screen.type_keys("\x04");
    screen.ends_with("0", LEFT);
}

#[test]
fn the_node_going_away_is_one_line_and_a_code() {
    let (node, mut screen) = opened("gone");
    node.die();
    screen.wait_for("the node has gone away");
    screen.ends_with("69", "NodeGone");
}

#[test]
fn a_signal_restores_the_terminal() {
    let (_node, mut screen) = opened("signal");
    screen.type_keys("half");
    screen.wait_for("half");
    let script = "for child in $(cat /proc/$CONSOLE_SCRIPT/task/*/children); do \
                  kill -TERM $(cat /proc/$child/task/*/children); done";
    let mut kill = shell(script, &screen.folder.0);
    kill.env("CONSOLE_SCRIPT", screen.child.id().to_string());
    assert!(kill.status().unwrap().success());
    screen.ends_with("143", "Signalled(15)");
}

/// A console on pipes: what it printed on both streams, and its code.
fn script(name: &str, input: &str) -> (String, String, Option<i32>) {
    let folder = Folder::new(name);
    let _node = StubNode::start(&folder.0);
    let mut child = shell(&console_command(), &folder.0).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    // The test harness around the child says one thing before it.
    let answers = text(output.stdout).replace("\nrunning 1 test\n", "");
    (answers, text(output.stderr), output.status.code())
}

#[test]
fn a_script_is_answered_plainly() {
    let (answers, remarks, code) = script("script", "hello\n//slash\n");
    assert_eq!(answers, "You said: hello\nYou said: /slash\n");
    assert_eq!(
        remarks,
        "4 ms · 5 tokens in, 6 out\n4 ms · 5 tokens in, 6 out\n"
    );
    assert_eq!(code, Some(0));
}

#[test]
fn a_script_goes_on_after_a_failure_and_ends_with_its_code() {
    let (answers, remarks, code) = script("failing", "/call analist hi\n/tre\nhello");
    assert_eq!(answers, "You said: hello\n");
    let first = "no agent \"analist\". Did you mean analyst?\n";
    assert!(remarks.starts_with(first), "{remarks}");
    assert!(
        remarks.contains("no command \"/tre\". Did you mean /tree?"),
        "{remarks}"
    );
    assert_eq!(code, Some(65));
}
