//! A console in a process of its own, on a terminal or on pipes: this test binary, started again
//! for one "test".

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use synapse_console::{ConsoleOptions, Place};

const DATA_DIR: &str = "CONSOLE_TEST_DATA_DIR";
const DEADLINE: Duration = Duration::from_secs(20);

/// Not a test: the console that the tests talk to.
#[test]
#[expect(clippy::exit, reason = "the code of the process is what is tested")]
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
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("console-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

pub(crate) fn console_command() -> String {
    let binary = std::env::current_exe().unwrap();
    format!(
        "{} --exact screen::child_console --nocapture --quiet",
        binary.display()
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's own child, waited for or killed below"
)]
pub(crate) fn shell(script: &str, data_dir: &Path) -> Command {
    let mut command = Command::new("sh");
    // Of the one who runs the tests only where programs are: not the shell, the colours, the width.
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm-256color")
        .env(DATA_DIR, data_dir);
    command
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A console on a terminal, with the terminal's modes noted before and after.
pub(crate) struct Screen {
    pub(crate) folder: Folder,
    pub(crate) child: Child,
    keys: ChildStdin,
    output: Receiver<Vec<u8>>,
    seen: String,
}

impl Screen {
    pub(crate) fn open(folder: Folder) -> Self {
        // Ctrl-C goes to the shell, too, which must outlive it.
        let inner = "trap : INT; stty rows 30 cols 80; stty -g > $CONSOLE_TEST_DATA_DIR/before; \
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
    pub(crate) fn wait_for(&mut self, text: &str) {
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

    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the end: the exit code, and the terminal as it was.
    pub(crate) fn ends_with(mut self, code: &str, end: &str) {
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
