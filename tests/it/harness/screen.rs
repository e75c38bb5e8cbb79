//! A terminal with a person at it: `script` gives the binary a real one, and a shell inside notes
//! the terminal's modes before and after.

use synapse_console::render::strip_escapes;

use super::command::Running;
use super::wait::wait_for;
use super::world::World;

/// What runs on the terminal. Ctrl-C goes to the shell, too, which must outlive it. The sizes are those of the transcripts in the documentation.
const INSIDE: &str = "trap : INT; stty rows 40 cols 100; stty -g > before; \"$IT_BINARY\" $IT_ARGUMENTS; \
                      echo \"code $?\"; stty -g > after";

/// A question of the line editor: where is the cursor?
const WHERE_IS_THE_CURSOR: &str = "\x1b[6n";

/// The binary on a terminal.
#[derive(Debug)]
pub(crate) struct Screen {
    shell: Running,
    /// How much of the output has been waited for, in bytes without escapes.
    seen: usize,
    answered: usize,
}

impl Screen {
    /// Starts the binary with these arguments.
    pub(crate) fn open(world: &World, arguments: &str) -> Self {
        let mut command = world.program("script", &["-qfec", INSIDE, "/dev/null"]);
        command.env("IT_BINARY", env!("CARGO_BIN_EXE_synapse"));
        command
            .env("IT_ARGUMENTS", arguments)
            .env("TERM", "xterm-256color");
        command.env("SHELL", "/bin/sh");
        let shell = Running::start_with_keyboard(command);
        Self {
            shell,
            seen: 0,
            answered: 0,
        }
    }

    /// Everything that was shown, without colours and cursor movements.
    fn text(&self) -> String {
        strip_escapes(&self.shell.stdout()).replace('\r', "")
    }

    /// Waits until this appears after what was waited for before.
    #[track_caller]
    pub(crate) fn shows(&mut self, text: &str) {
        let end = wait_for(&format!("{text:?} on the terminal"), || {
            self.answer_questions();
            let shown = self.text();
            let rest = shown.get(self.seen..).unwrap_or_default();
            let found = rest.find(text).map(|at| self.seen + at + text.len());
            found.ok_or_else(|| rest.to_owned())
        });
        self.seen = end;
    }

    fn answer_questions(&mut self) {
        let asked = self.shell.stdout().matches(WHERE_IS_THE_CURSOR).count();
        while self.answered < asked {
            self.answered += 1;
            self.types("\x1b[5;1R");
        }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.shell.type_in(keys);
    }

    /// Waits for the prompt and types a line.
    #[track_caller]
    pub(crate) fn says(&mut self, prompt: &str, line: &str) {
        self.shows(prompt);
        self.types(&format!("{line}\r"));
    }

    /// Waits for the end: this exit code, and the terminal as it was before.
    #[track_caller]
    pub(crate) fn ends_with(mut self, world: &World, code: u8) {
        self.shows(&format!("code {code}"));
        self.shell.outcome();
        assert_eq!(world.wait_for_file("before"), world.wait_for_file("after"));
    }
}
