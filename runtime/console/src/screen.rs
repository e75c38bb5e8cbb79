//! Views to text, in the right place: above the prompt, on lines of their own in the middle of an
//! answer, or on the other stream. It does not decide what is shown.

use std::collections::VecDeque;
use std::io::{self, Write};

use synapse_api::RunResult;

use crate::end::Place;
use crate::flow::Flow;
use crate::machine::View;
use crate::render::{self, Palette, Voice};
use crate::surroundings::{CELLS_UNLIMITED, terminal_cells};

/// Lines that wait for room above the prompt, or for the prompt to go; more are counted, not kept.
const LINES_HELD_MAX: usize = 1_000;

/// Who is looked at by whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) palette: Palette,
    pub(crate) place: Place,
    /// Whether a person reads along: then all goes to one stream, and costs stand at the right.
    pub(crate) typed: bool,
    /// Whether the terminal can take words back, so that lines break between them.
    pub(crate) flows: bool,
}

/// A piece of text and the stream that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Whether it is an answer, or else a word about one.
    pub(crate) answer: bool,
    pub(crate) text: String,
}

/// What was written last decides how the next piece begins.
#[derive(Debug)]
pub(crate) struct Composer {
    look: Look,
    flow: Flow,
}

impl Composer {
    pub(crate) fn new(look: Look) -> Self {
        Self {
            look,
            flow: Flow::default(),
        }
    }

    /// The text of a view, in a terminal of this width.
    pub(crate) fn compose(&mut self, view: View, cells: usize) -> Vec<Piece> {
        match view {
            View::Text(text) => vec![self.open(&text, cells)],
            View::Output(value) => {
                let mut pieces = self.close();
                pieces.push(self.open(&render::output(&value), cells));
                pieces
            }
            View::Cost(result) => self.cost(&result, cells),
            // A terminal without a line editor has echoed it.
            View::Interrupted if self.look.typed && !self.look.flows => {
                self.flow.advance("^C".len());
                Vec::new()
            }
            View::Interrupted => vec![self.about("^C".to_owned())],
            other => {
                let Some((answer, text)) = self.lines(other, cells) else {
                    return Vec::new();
                };
                let mut pieces = self.close();
                pieces.push(Piece {
                    answer,
                    text: format!("{text}\n"),
                });
                pieces
            }
        }
    }

    /// The line that is open is ended.
    pub(crate) fn close(&mut self) -> Vec<Piece> {
        let open = self.flow.column() > 0;
        self.flow.reset();
        let end = Piece {
            answer: true,
            text: "\n".to_owned(),
        };
        open.then_some(end).into_iter().collect()
    }

    /// A piece of an answer; the line stays open for more.
    fn open(&mut self, text: &str, cells: usize) -> Piece {
        let text = render::printable(text);
        let flowing = self.flow.push(&text, cells);
        Piece {
            answer: true,
            text: if self.look.flows { flowing } else { text },
        }
    }

    /// A word in the open line that is no part of the answer.
    fn about(&mut self, text: String) -> Piece {
        self.flow.advance(render::width(&text));
        Piece {
            answer: false,
            text,
        }
    }

    fn cost(&mut self, result: &RunResult, cells: usize) -> Vec<Piece> {
        let cost = render::cost(result);
        let Look { palette, typed, .. } = self.look;
        if !typed {
            let mut pieces = self.close();
            pieces.push(Piece {
                answer: false,
                text: format!("{cost}\n"),
            });
            return pieces;
        }
        let text = render::cost_at_right(&cost, self.flow.column(), cells, palette);
        self.flow.reset();
        vec![Piece {
            answer: false,
            text: format!("{text}\n"),
        }]
    }

    /// Views that are whole lines: whether they are what was asked for, and their text.
    fn lines(&self, view: View, cells: usize) -> Option<(bool, String)> {
        let palette = self.look.palette;
        let wrap = |text: &str, indent: &str| render::wrap(text, cells.saturating_sub(1), indent);
        Some(match view {
            View::Attached(status) => (false, wrap(&self.greeting(&status), "")),
            View::Help(topic) => (true, render::help(topic, cells, palette)),
            View::Tree(status) => (true, render::tree(&status, cells, palette)),
            View::Status(status) => (true, render::status(&status, cells, palette)),
            View::Inspect { detail, frames } => {
                (true, render::inspect(&detail, frames, cells, palette))
            }
            View::Exit { dossier, frames } => {
                (true, render::dossier(&dossier, frames, cells, palette))
            }
            View::Stack(list) => (true, render::stacks(&list, palette)),
            View::History(session) => (true, render::history(&session, palette)),
            View::Log(line) => (true, render::log_line(&line, palette)),
            View::Event(event) => (true, render::event(&event, palette)),
            View::Letters(list) => (
                true,
                render::dead_letters(&list, cells, Voice::Console, palette),
            ),
            View::Letter(letter) => (
                true,
                render::dead_letter(&letter, cells, Voice::Console, palette),
            ),
            View::Acted(outcomes) => (true, render::actions(&outcomes, palette)),
            View::Tool(event) => (false, render::tool(&event, cells, palette)),
            View::Notice { event, kept } => {
                (false, wrap(&render::notice(&event, kept, palette)?, "    "))
            }
            View::Remark(text) => (false, palette.dim(&wrap(&text, ""))),
            View::Trouble(text) => (false, palette.bad(&wrap(&text, ""))),
            View::Fault { fault, agent } => {
                let text = render::fault(&fault, agent.as_deref(), Voice::Console, palette);
                (false, wrap(&text, "  "))
            }
            // These are no whole lines; `compose` has taken them.
            View::Text(_) | View::Output(_) | View::Cost(_) | View::Interrupted => return None,
        })
    }

    fn greeting(&self, status: &synapse_api::Status) -> String {
        let first = status.agents.first().map(|agent| agent.name.as_str());
        let invitation = render::invitation(first, self.look.place.leaving());
        format!("{}\n{invitation}", render::attached(status))
    }
}

/// Where the pieces go.
#[derive(Debug)]
pub(crate) struct Screen {
    composer: Composer,
    typed: bool,
    /// The prompt that stands open on a terminal without a line editor.
    prompt: Option<String>,
    /// Lines that could not be printed above the prompt yet.
    held: VecDeque<String>,
    dropped: u64,
}

impl Screen {
    pub(crate) fn new(look: Look) -> Self {
        let typed = look.typed;
        Self {
            composer: Composer::new(look),
            typed,
            prompt: None,
            held: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Shows a view; while a line is edited `above` prints above it, and gives back what it cannot
    /// print now.
    pub(crate) fn show(
        &mut self,
        view: View,
        above: Option<&dyn Fn(String) -> Result<(), String>>,
    ) -> io::Result<()> {
        let cells = if self.typed {
            terminal_cells()
        } else {
            CELLS_UNLIMITED
        };
        let pieces = self.composer.compose(view, cells);
        let Some(above) = above else {
            let again = self.prompt_piece().filter(|_| !pieces.is_empty());
            self.write(&pieces)?;
            return self.write(again.as_slice());
        };
        for piece in pieces {
            self.hold(piece.text);
        }
        self.try_release(above);
        Ok(())
    }

    /// Prints above the prompt what can be printed there now, in order.
    fn try_release(&mut self, above: &dyn Fn(String) -> Result<(), String>) {
        while let Some(text) = self.held.pop_front() {
            if let Err(text) = above(text) {
                self.held.push_front(text);
                return;
            }
        }
    }

    /// No line is edited any more: what waited for that is written.
    pub(crate) fn release(&mut self) -> io::Result<()> {
        let mut lines: Vec<String> = self.held.drain(..).collect();
        if std::mem::take(&mut self.dropped) > 0 {
            lines.push("  ! more happened than can be shown; /events has it\n".to_owned());
        }
        let pieces: Vec<Piece> = lines
            .into_iter()
            .map(|text| Piece {
                answer: false,
                text,
            })
            .collect();
        self.write(&pieces)
    }

    /// A prompt for a terminal without a line editor.
    pub(crate) fn prompt(&mut self, agent: Option<&str>) -> io::Result<()> {
        self.prompt = Some(format!("{}> ", agent.unwrap_or("synapse")));
        let mut pieces = self.composer.close();
        pieces.extend(self.prompt_piece());
        self.write(&pieces)
    }

    fn prompt_piece(&mut self) -> Option<Piece> {
        let text = self.prompt.clone()?;
        Some(self.composer.about(text))
    }

    /// The prompt was answered; with a line, whose end the terminal has echoed, or otherwise.
    pub(crate) fn answered(&mut self, with_line: bool) {
        self.prompt = None;
        if with_line {
            self.composer.flow.reset();
        }
    }

    /// An open line is ended, such as one with an abandoned prompt.
    pub(crate) fn end_line(&mut self, prompted: bool) -> io::Result<()> {
        let mut pieces = self.composer.close();
        if prompted {
            pieces.push(Piece {
                answer: true,
                text: "\n".to_owned(),
            });
        }
        self.write(&pieces)
    }

    fn hold(&mut self, text: String) {
        if self.held.len() < LINES_HELD_MAX {
            self.held.push_back(text);
        } else {
            self.dropped += 1;
        }
    }

    fn write(&self, pieces: &[Piece]) -> io::Result<()> {
        for piece in pieces {
            if piece.answer || self.typed {
                let mut output = io::stdout().lock();
                output.write_all(piece.text.as_bytes())?;
                output.flush()?;
            } else {
                io::stderr().lock().write_all(piece.text.as_bytes())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};
    use synapse_api::NodeEvent;

    use super::*;

    const CELLS: usize = 60;

    fn composer(typed: bool) -> Composer {
        Composer::new(Look {
            palette: Palette::PLAIN,
            place: Place::Own,
            typed,
            flows: typed,
        })
    }

    fn text(pieces: &[Piece]) -> String {
        pieces.iter().map(|piece| piece.text.as_str()).collect()
    }

    fn shown(composer: &mut Composer, views: Vec<View>) -> String {
        views
            .into_iter()
            .map(|view| text(&composer.compose(view, CELLS)))
            .collect()
    }

    fn result() -> RunResult {
        RunResult {
            run: "r-1".into(),
            agent: "assistant".into(),
            incarnation: 1,
            attempts: 1,
            output: json!("x"),
            usage: json!({"input_tokens": 5, "output_tokens": 6}),
            duration_ms: 4,
        }
    }

    fn notice() -> View {
        let event = NodeEvent {
            seq: 1,
            at: "2026-11-20T09:46:52Z".into(),
            kind: "agent_restarting".into(),
            agent: Some("echo".into()),
            supervisor: None,
            incarnation: Some(1),
            message: "echo #1 killed by signal 9 after 41 s; restarting (1/3 in 5s)".into(),
            data: Map::new(),
        };
        View::Notice { event, kept: None }
    }

    #[test]
    fn the_cost_stands_at_the_right_of_a_short_answer() {
        let views = vec![
            View::Text("Nice to ".into()),
            View::Text("meet you.".into()),
            View::Cost(result()),
        ];
        let expected = "Nice to meet you.                 4 ms · 5 tokens in, 6 out\n";
        assert_eq!(shown(&mut composer(true), views), expected);
        assert_eq!(render::width(expected.trim_end()), 60 - 1);
    }

    #[test]
    fn the_cost_stands_below_a_long_answer() {
        let long = "x".repeat(50);
        let views = vec![View::Text(long.clone()), View::Cost(result())];
        let cost = "                                  4 ms · 5 tokens in, 6 out";
        assert_eq!(
            shown(&mut composer(true), views),
            format!("{long}\n{cost}\n")
        );
    }

    #[test]
    fn a_notice_in_the_middle_of_an_answer_has_its_own_line() {
        let views = vec![
            View::Text("Once".into()),
            notice(),
            View::Text(" upon".into()),
        ];
        let line = "  ! echo #1 killed by signal 9 after 41 s; restarting (1/3\n    in 5s)";
        assert_eq!(
            shown(&mut composer(true), views),
            format!("Once\n{line}\n upon")
        );
    }

    #[test]
    fn an_interrupt_stands_where_it_was_typed() {
        let remark = "cancelled after 212 ms".to_owned();
        let views = vec![
            View::Text("there was a".into()),
            View::Interrupted,
            View::Remark(remark),
        ];
        let expected = "there was a^C\ncancelled after 212 ms\n";
        assert_eq!(shown(&mut composer(true), views), expected);
    }

    #[test]
    fn a_script_has_answers_on_one_stream_and_words_about_them_on_the_other() {
        let mut composer = composer(false);
        let mut pieces = composer.compose(View::Output(json!("hello")), 60);
        pieces.extend(composer.compose(View::Cost(result()), 60));
        let answers: Vec<&Piece> = pieces.iter().filter(|piece| piece.answer).collect();
        assert_eq!(
            answers
                .iter()
                .map(|piece| piece.text.as_str())
                .collect::<String>(),
            "hello\n"
        );
        assert_eq!(pieces.last().unwrap().text, "4 ms · 5 tokens in, 6 out\n");
    }

    #[test]
    fn an_empty_output_costs_a_line() {
        let views = vec![View::Output(json!("")), View::Cost(result())];
        assert!(shown(&mut composer(true), views).ends_with("6 out\n"));
    }
}
