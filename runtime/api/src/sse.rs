//! Server-sent events, sans-I/O: bytes in, events out, however the bytes are cut.
//!
//! The reader follows the HTML standard's "Interpreting an event stream", without `id` and `retry`.

use std::collections::VecDeque;

/// Bytes of one event: the longest frame of an agent (16 MiB), each byte of which JSON may escape
/// to six, and its margin.
pub const EVENT_BYTES_MAX: usize = 97 * 1024 * 1024;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// Its name; `message` where the stream gives none.
    pub name: String,
    /// Its data, lines joined by a line feed.
    pub data: String,
}

/// A stream that is not one of server-sent events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event is longer than [`EVENT_BYTES_MAX`].
    #[error("read an event of more than {EVENT_BYTES_MAX} bytes")]
    TooLong,
    /// A line is not UTF-8.
    #[error("read an event that is not UTF-8")]
    NotText,
}

/// Reads events from bytes.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    after_carriage_return: bool,
    name: String,
    data: String,
    has_data: bool,
    events: VecDeque<SseEvent>,
}

impl SseParser {
    /// A parser at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// The stream is not one of events; the parser is of no further use.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), SseError> {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.after_carriage_return) && *first == b'\n' {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (part, ended, after) = match end {
                Some(at) => (rest.get(..at), rest.get(at), rest.get(at + 1..)),
                None => (Some(rest), None, None),
            };
            self.extend_line(part.unwrap_or_default())?;
            if let Some(ender) = ended {
                self.after_carriage_return = *ender == b'\r';
                self.end_line()?;
            }
            rest = after.unwrap_or_default();
        }
        Ok(())
    }

    /// The next event that is complete.
    pub fn next_event(&mut self) -> Option<SseEvent> {
        self.events.pop_front()
    }

    fn extend_line(&mut self, part: &[u8]) -> Result<(), SseError> {
        if self.line.len() + self.data.len() + part.len() > EVENT_BYTES_MAX {
            return Err(SseError::TooLong);
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), SseError> {
        let line = std::mem::take(&mut self.line);
        let line = str::from_utf8(&line).map_err(|_invalid| SseError::NotText)?;
        if line.is_empty() {
            self.end_event();
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => self.add_data(value),
            // An empty field is a comment (the ping); others are for readers that reconnect.
            _ => {}
        }
        Ok(())
    }

    fn add_data(&mut self, value: &str) {
        if self.has_data {
            self.data.push('\n');
        }
        self.has_data = true;
        self.data.push_str(value);
    }

    /// An empty line: an event without data is none, as the standard says.
    fn end_event(&mut self) {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        if std::mem::take(&mut self.has_data) {
            let name = if name.is_empty() {
                "message".to_owned()
            } else {
                name
            };
            self.events.push_back(SseEvent { name, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(parts: &[&[u8]]) -> Vec<(String, String)> {
        let mut parser = SseParser::new();
        let mut events = Vec::new();
        for part in parts {
            parser.push(part).unwrap();
            while let Some(event) = parser.next_event() {
                events.push((event.name, event.data));
            }
        }
        events
    }

    fn pair(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn name_and_data_make_an_event() {
        let events = parse(&[b"event: chunk\ndata: {\"seq\":0}\n\n"]);
        assert_eq!(events, [pair("chunk", "{\"seq\":0}")]);
    }

    #[test]
    fn pings_and_events_without_data_are_none() {
        assert_eq!(parse(&[b": ping\n\n:\n\nevent: x\n\nid: 4\n\n"]), []);
    }

    #[test]
    fn lines_of_data_are_joined_and_line_ends_are_of_three_kinds() {
        assert_eq!(
            parse(&[b"data: a\r\ndata:b\rdata\n\n", b"data: c\r\r"]),
            [pair("message", "a\nb\n"), pair("message", "c")]
        );
    }

    #[test]
    fn an_unfinished_event_is_kept_back() {
        assert_eq!(parse(&[b"event: a\ndata: 1\n"]), []);
    }

    #[test]
    fn bytes_that_are_not_text_are_an_error() {
        assert_eq!(
            SseParser::new().push(b"data: \xff\n"),
            Err(SseError::NotText)
        );
    }

    proptest! {
        #[test]
        fn bytes_cut_anywhere_give_the_same_events(
            pieces in prop::collection::vec("(event: [a-z]{1,4}|data: ?[a-zé]{0,6}|: x|)(\n|\r\n|\r)", 0..24),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let whole = pieces.concat().into_bytes();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len() + 1)).collect();
            places.extend([0, whole.len()]);
            places.sort_unstable();
            let parts: Vec<&[u8]> =
                places.windows(2).map(|pair| &whole[pair[0]..pair[1]]).collect();
            prop_assert_eq!(parse(&parts), parse(&[&whole]));
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let mut parser = SseParser::new();
            if parser.push(&bytes).is_ok() {
                while parser.next_event().is_some() {}
            }
        }
    }
}
