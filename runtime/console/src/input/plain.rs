//! Lines as they come from a script, a pipe or a dumb terminal.

use std::io::{BufRead, ErrorKind, Read, stdin};

use super::Reader;
use crate::machine::Event;

/// The longest line: more than any prompt, less than what would hurt.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Standard input, line by line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    ended: bool,
}

impl Reader for Lines {
    fn read(&mut self, _agent: Option<&str>) -> Option<Event> {
        if self.ended {
            return Some(Event::InputEnded);
        }
        let event = next_line(&mut stdin().lock());
        self.ended = !matches!(event, Event::Line(_));
        Some(event)
    }
}

fn next_line(input: &mut impl BufRead) -> Event {
    let mut line = Vec::new();
    match input.take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line) {
        Ok(0) => Event::InputEnded,
        Ok(_) if line.len() as u64 > LINE_BYTES_MAX => {
            Event::InputBroken(format!("a line is longer than {LINE_BYTES_MAX} bytes"))
        }
        Ok(_) => Event::Line(
            String::from_utf8_lossy(&line)
                .trim_end_matches(['\n', '\r'])
                .into(),
        ),
        Err(error) if error.kind() == ErrorKind::Interrupted => next_line(input),
        Err(error) => Event::InputBroken(format!("cannot read standard input: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_anyhow_and_the_last_needs_no_end() {
        let mut input: &[u8] = b"one\r\ntwo\n\nthree";
        let mut lines = Vec::new();
        while let Event::Line(line) = next_line(&mut input) {
            lines.push(line);
        }
        assert_eq!(lines, ["one", "two", "", "three"]);
        assert!(matches!(next_line(&mut input), Event::InputEnded));
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let mut input: &[u8] = b"a\xffb\n";
        assert!(matches!(next_line(&mut input), Event::Line(line) if line == "a\u{fffd}b"));
    }
}
