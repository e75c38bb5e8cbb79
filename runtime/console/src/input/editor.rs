//! The line editor: reedline with this console's keys, prompt, history and hints.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nu_ansi_term::{Color, Style};
use reedline::{
    ColumnarMenu, DefaultHinter, Emacs, ExternalPrinter, FileBackedHistory, KeyCode, KeyModifiers,
    MenuBuilder, Prompt, PromptEditMode, PromptHistorySearch, PromptHistorySearchStatus, Reedline,
    ReedlineEvent, ReedlineMenu, Signal, default_emacs_keybindings,
};

use super::hints::{LineHinter, NameCompleter, VerbHighlighter};
use super::line_state::LineState;
use super::{Reader, Settings};
use crate::machine::Event;
use crate::render;

/// How often the editor looks for lines to print above the prompt, and whether it should leave.
/// Twenty times a second is at once to a person and nothing to a processor.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Lines that the history keeps.
const HISTORY_LINES_MAX: usize = 2_000;
const MENU: &str = "completions";
const SUSPEND: &str = "suspend";
const PROMPT_END: &str = "> ";

/// The editor, on the terminal only while a line is read.
pub(super) struct Editor {
    line_editor: Reedline,
    stop: Arc<AtomicBool>,
    state: Arc<LineState>,
}

impl Editor {
    pub(super) fn new(
        settings: Settings,
        stop: Arc<AtomicBool>,
        state: Arc<LineState>,
        above: ExternalPrinter<String>,
    ) -> Self {
        let Settings {
            history_file,
            palette,
            names,
        } = settings;
        let colours = palette.has_colours();
        let dim = Style::new().dimmed();
        let hinter = LineHinter {
            names: names.clone(),
            messages: DefaultHinter::default().with_style(dim),
            style: dim,
            command: None,
        };
        let menu = ColumnarMenu::default()
            .with_name(MENU)
            .with_marker(PROMPT_END);
        let highlighter = VerbHighlighter {
            colours,
            state: Arc::clone(&state),
        };
        let line_editor = Reedline::create()
            .with_history(Box::new(history(history_file)))
            .with_history_exclusion_prefix(Some(" ".to_owned()))
            .with_completer(Box::new(NameCompleter { names }))
            .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
            .with_quick_completions(true)
            .with_partial_completions(true)
            .with_hinter(Box::new(hinter))
            .with_highlighter(Box::new(highlighter))
            .with_ansi_colors(colours)
            .with_edit_mode(Box::new(Emacs::new(keys())))
            .use_bracketed_paste(true)
            .with_break_signal(Arc::clone(&stop))
            .with_poll_interval(POLL_INTERVAL)
            .with_external_printer(above);
        Self {
            line_editor,
            stop,
            state,
        }
    }

    fn event(&mut self, signal: Signal) -> Option<Event> {
        Some(match signal {
            Signal::Success(line) => {
                self.keep_history();
                Event::Line(line)
            }
            Signal::CtrlC => Event::Interrupted {
                empty: self.state.is_empty(),
            },
            Signal::CtrlD => Event::InputEnded,
            Signal::HostCommand(_) => Event::SuspendTyped,
            Signal::ExternalBreak(_) => return None,
            other => Event::InputBroken(format!("the line editor said {other:?}")),
        })
    }

    /// On disk after each line, so that a console that is killed has kept it.
    fn keep_history(&mut self) {
        // A history that cannot be written is no reason to disturb a conversation; the lines stay
        // in memory.
        let _kept = self.line_editor.sync_history();
    }
}

impl Reader for Editor {
    fn read(&mut self, agent: Option<&str>) -> Option<Event> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let prompt = AgentPrompt {
            agent: agent.unwrap_or("synapse").to_owned(),
        };
        self.state
            .begin(render::width(&prompt.agent) + PROMPT_END.len());
        match self.line_editor.read_line(&prompt) {
            Ok(signal) => self.event(signal),
            Err(_) if self.stop.load(Ordering::Relaxed) => None,
            Err(error) => Some(Event::InputBroken(format!(
                "cannot read from the terminal: {error}"
            ))),
        }
    }
}

/// The keys of Emacs and readline, with Tab for completion and Ctrl-Z for job control.
fn keys() -> reedline::Keybindings {
    let mut keys = default_emacs_keybindings();
    let menu = [
        ReedlineEvent::Menu(MENU.to_owned()),
        ReedlineEvent::MenuNext,
    ];
    keys.add_binding(
        KeyModifiers::NONE,
        KeyCode::Tab,
        ReedlineEvent::UntilFound(menu.to_vec()),
    );
    keys.add_binding(
        KeyModifiers::SHIFT,
        KeyCode::BackTab,
        ReedlineEvent::MenuPrevious,
    );
    let suspend = ReedlineEvent::ExecuteHostCommand(SUSPEND.to_owned());
    keys.add_binding(KeyModifiers::CONTROL, KeyCode::Char('z'), suspend);
    keys
}

/// The history of this file, readable by its owner only; in memory where that cannot be.
fn history(file: Option<PathBuf>) -> FileBackedHistory {
    let kept = file.and_then(|file| {
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&file)
            .ok()?;
        FileBackedHistory::with_file(HISTORY_LINES_MAX, file).ok()
    });
    kept.unwrap_or_default()
}

/// `assistant> `
struct AgentPrompt {
    agent: String,
}

impl Prompt for AgentPrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.agent)
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed(PROMPT_END)
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("  ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let failing = matches!(search.status, PromptHistorySearchStatus::Failing);
        let word = if failing { "nothing for" } else { "search" };
        Cow::Owned(format!(" ({word} {:?})> ", search.term))
    }

    fn get_prompt_color(&self) -> Color {
        Color::Cyan
    }

    fn get_indicator_color(&self) -> Color {
        Color::Cyan
    }
}
