//! What a dead process's stderr says of its end: the last lines, and Python's own accounts of a
//! failure among them. It knows Python's words, and nothing of processes.

use crate::logs::LINE_BYTES_MAX;

/// Bytes of a tail of stderr: it is copied into events, exits and the faults of callers.
const TAIL_BYTES_MAX: usize = LINE_BYTES_MAX + 64;
/// Bytes of a dump or a traceback; of a longer one the beginning of a dump is kept, where the thread
/// that failed stands, and the end of a traceback, which says what happened.
const ACCOUNT_BYTES_MAX: usize = 16 * 1024;

/// How a traceback begins.
const TRACEBACK: &str = "Traceback (most recent call last):";
/// How faulthandler begins when the interpreter dies of a signal.
const FATAL: &str = "Fatal Python error: ";
/// How faulthandler begins with each thread.
const THREADS: [&str; 2] = ["Thread 0x", "Current thread 0x"];
/// How other lines of its dump begin.
const IN_DUMP: [&str; 6] = [
    "  ",
    "Stack (most recent call first)",
    "Current thread's C stack trace",
    "<",
    "Extension modules:",
    "Python runtime state:",
];
/// What stands between the tracebacks of one failure.
const CHAINED: [&str; 2] = [
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
];

/// The last lines, as far as they are short enough.
pub(super) fn tail(written: &[String], lines: usize) -> Vec<String> {
    let mut room = TAIL_BYTES_MAX;
    let mut tail: Vec<String> = written
        .iter()
        .rev()
        .take(lines)
        .take_while(|text| {
            let fits = text.len() <= room;
            room = room.saturating_sub(text.len());
            fits
        })
        .cloned()
        .collect();
    tail.reverse();
    tail
}

/// The last dump of all threads' stacks that Python wrote: taken out of the other lines, which it
/// would push out of their tail, but for the error that it begins with.
pub(super) fn take_stacks(written: &mut Vec<String>) -> Option<String> {
    let last = written.iter().rposition(|line| begins(line, &THREADS))?;
    let (before, from_last) = written.split_at_checked(last)?;
    let dumped = |line: &&String| begins(line, &THREADS) || begins(line, &IN_DUMP);
    let above = before.iter().rev().take_while(dumped).count();
    // Lines of the program may stand right above the first thread.
    let other_threads = written.get(last - above..last)?;
    let skipped = other_threads
        .iter()
        .position(|line| begins(line, &THREADS))
        .unwrap_or(above);
    let from = last - above + skipped;
    let to = last + from_last.iter().take_while(dumped).count();
    let error = from.checked_sub(1).and_then(|at| written.get(at));
    let error = error.filter(|line| line.starts_with(FATAL)).cloned();
    let mut dump: Vec<String> = error.into_iter().collect();
    dump.extend(written.drain(from..to));
    let mut room = ACCOUNT_BYTES_MAX;
    let fitting = dump.iter().take_while(|line| {
        let fits = line.len() < room;
        room = room.saturating_sub(line.len() + 1);
        fits
    });
    let fitting: Vec<&str> = fitting.map(String::as_str).collect();
    Some(fitting.join("\n"))
}

/// The last traceback that Python printed, with those that it is a consequence of.
pub(super) fn traceback(written: &[String]) -> Option<String> {
    let mut from = written.iter().rposition(|line| line == TRACEBACK)?;
    let frames = written.get(from + 1..)?.iter();
    let frames = frames.take_while(|line| line.starts_with(' ')).count();
    // What was raised; a text of several lines is told apart from other output by nothing.
    let to = (from + frames + 2).min(written.len());
    while let Some(before) = chained(written, from) {
        from = before;
    }
    let text = written.get(from..to)?.join("\n");
    let cut = text.len().saturating_sub(ACCOUNT_BYTES_MAX);
    let cut = (cut..=text.len()).find(|at| text.is_char_boundary(*at))?;
    text.get(cut..).map(str::to_owned)
}

/// Where the traceback begins that the one at `at` is a consequence of.
fn chained(written: &[String], at: usize) -> Option<usize> {
    let link = written.get(at.checked_sub(1)?)?;
    if !CHAINED.contains(&link.as_str()) {
        return None;
    }
    let before = written.get(..at)?;
    before.iter().rposition(|line| line == TRACEBACK)
}

fn begins(line: &str, words: &[&str]) -> bool {
    words.iter().any(|word| line.starts_with(word))
}

#[cfg(test)]
mod tests;
