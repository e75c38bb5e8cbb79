//! The console on a real terminal (by `script`) and on pipes, in front of a stand-in for the node.
//!
//! The console runs in a process of its own: this test binary, started again for one "test".

mod stub;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use stub::StubNode;
use synapse_console::{ConsoleOptions, Place};

const DATA_DIR: &str = "CONSOLE_TEST_DATA_DIR";
const DEADLINE: Duration = Duration::from_secs(20);

/// Not a test: the console that the tests talk to.
#[test]
fn child_console() {
    let Some(data_dir) = std::env::var_os(DATA_DIR).map(PathBuf::from) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let end = runtime.block_on(async {
        let client = synapse_api::Client::connect(&data_dir).await.unwrap();
        let history_file = Some(data_dir.join("history"));
        let options = ConsoleOptions {
            place: Place::Attached,
            history_file,
        };
        synapse_console::run(options, client).await.unwrap()
    });
    std::fs::write(data_dir.join("end"), format!("{end:?}")).unwrap();
    std::process::exit(i32::from(end.exit_code()));
}

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("console-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn console_command() -> String {
    let binary = std::env::current_exe().unwrap();
    format!(
        "{} --exact child_console --nocapture --quiet",
        binary.display()
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's own child, waited for or killed below"
)]
fn shell(script: &str, data_dir: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", script])
        .env(DATA_DIR, data_dir)
        .env("TERM", "xterm-256color");
    command
        .env_remove("NO_COLOR")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command.stderr(Stdio::piped());
    command
}

/// A console on a terminal, with the terminal's modes noted before and after.
struct Screen {
    folder: Folder,
    child: Child,
    keys: ChildStdin,
    output: Receiver<Vec<u8>>,
    seen: String,
}

impl Screen {
    fn open(folder: Folder) -> Self {
        let inner = "stty rows 30 cols 80; stty -g > $CONSOLE_TEST_DATA_DIR/before; \
             $CONSOLE_TEST_COMMAND; echo code $?; stty -g > $CONSOLE_TEST_DATA_DIR/after";
        let mut command = shell(
            "exec script -qfec \"$CONSOLE_TEST_INNER\" /dev/null",
            &folder.0,
        );
        command
            .env("CONSOLE_TEST_INNER", inner)
            .env("CONSOLE_TEST_COMMAND", console_command());
        let mut child = command.spawn().unwrap();
        let keys = child.stdin.take().unwrap();
        let mut terminal = child.stdout.take().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = terminal.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            folder,
            child,
            keys,
            output,
            seen: String::new(),
        }
    }

    /// Waits until this appears after what was waited for before.
    #[expect(
        clippy::disallowed_methods,
        reason = "the deadline of a wait on another process"
    )]
    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            let rest = deadline.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.output.recv_timeout(rest) else {
                panic!("waited for {text:?}, saw {:?}", self.seen);
            };
            self.answer_queries(&bytes);
            self.seen.push_str(&plain(&String::from_utf8_lossy(&bytes)));
        }
    }

    /// The line editor asks its terminal where the cursor is.
    fn answer_queries(&mut self, bytes: &[u8]) {
        for _ in bytes.windows(4).filter(|it| it == b"\x1b[6n") {
            self.type_keys("\x1b[5;1R");
        }
    }

    fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the end: the exit code, and the terminal as it was.
    fn ends_with(mut self, code: &str, end: &str) {
        self.wait_for(&format!("code {code}"));
        self.child.wait().unwrap();
        assert_eq!(self.folder.read("before"), self.folder.read("after"));
        assert_eq!(self.folder.read("end"), end);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn plain(text: &str) -> String {
    synapse_console::render::strip_escapes(text).replace('\r', "")
}

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
    let script = "pkill -TERM -P $(pgrep -P $CONSOLE_SCRIPT)";
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
