//! The dossier of an exit, for who was not there: what it was, what it means, what came of it, and
//! then the evidence.

use synapse_api::{Dossier, Frame, RunCutOff};

use super::Palette;
use super::layout::{Align, columns};
use super::measure::{bytes, clock, count, duration_ms};
use super::page::Page;

/// Frames that are shown unless all are asked for.
const FRAMES_SHOWN: usize = 5;

/// The view of `/inspect AGENT --exit N`, with every frame or with the last ones.
#[must_use]
pub fn dossier(dossier: &Dossier, all_frames: bool, cells: usize, palette: Palette) -> String {
    let mut page = Page::new(cells, palette);
    page.ending(dossier);
    page.life(dossier);
    page.cut_off(&dossier.runs);
    page.frames("frames", &dossier.frames, all_frames);
    let traceback = dossier.traceback.as_deref().unwrap_or_default();
    let stacks = dossier.stacks.as_deref().unwrap_or_default();
    page.quote("traceback", traceback);
    page.quote("stacks", stacks);
    let stderr = without(&dossier.stderr_tail, [traceback, stacks]);
    page.quote("stderr", &stderr.join("\n"));
    page.text()
}

impl Page {
    fn ending(&mut self, dossier: &Dossier) {
        let Dossier {
            agent,
            incarnation,
            replica,
            ..
        } = dossier;
        let name = self.palette.strong(agent);
        let replica = match replica {
            0 => String::new(),
            replica => format!("   replica {replica}"),
        };
        let end = self.palette.bad(&super::printable(&end(dossier)));
        self.lines
            .push(format!("{name} #{incarnation}{replica}   {end}"));
        if let Some(meaning) = meaning(dossier) {
            self.pair("that is", meaning);
        }
        if let Some(said) = &dossier.kernel {
            self.pair("kernel", said);
        }
        if let Some(place) = place(dossier) {
            self.pair("where", place);
        }
        match &dossier.next {
            Some(next) => self.pair("then", &format!("{}: {}", next.supervisor, next.detail)),
            None => self.pair("then", "its supervisor has not decided yet"),
        }
    }

    fn life(&mut self, dossier: &Dossier) {
        let Dossier {
            at,
            started_at,
            uptime_ms,
            ..
        } = dossier;
        let day = started_at.get(..10).unwrap_or_default();
        let ready = dossier.start_ms.map_or_else(
            || "never ready".to_owned(),
            |ms| format!("ready after {}", duration_ms(ms)),
        );
        self.pair(
            "lived",
            &format!(
                "{}, {ready}; {day} {} to {} UTC",
                duration_ms(*uptime_ms),
                clock(started_at),
                clock(at)
            ),
        );
        let pid = dossier.pid.map_or_else(
            || "none was made".to_owned(),
            |pid| match dossier.peak_resident_bytes {
                Some(peak) => format!("pid {pid}, at most {} of memory", bytes(peak)),
                None => format!("pid {pid}"),
            },
        );
        self.pair("process", &pid);
    }

    fn cut_off(&mut self, runs: &[RunCutOff]) {
        let lines: Vec<String> = runs.iter().map(run_cut_off).collect();
        let lines = match lines.is_empty() {
            true => "no run: it was idle".to_owned(),
            false => lines.join("\n"),
        };
        self.pair("cut off", &lines);
    }

    /// Frames, the oldest first, with what they are counted back from in the key.
    pub(super) fn frames(&mut self, key: &str, frames: &[Frame], all: bool) {
        let shown = if all { frames.len() } else { FRAMES_SHOWN };
        let hidden = frames.len().saturating_sub(shown);
        let rows: Vec<Vec<String>> = frames.iter().skip(hidden).map(frame).collect();
        if rows.is_empty() {
            return;
        }
        let aligns = [
            Align::Right,
            Align::Left,
            Align::Left,
            Align::Left,
            Align::Right,
        ];
        let mut lines = columns(&aligns, &rows);
        if hidden > 0 {
            lines.insert(0, format!("({hidden} before these: --frames)"));
        }
        self.pair(key, &lines.join("\n"));
    }
}

/// What a process of Python's exits with that SIGTERM has ended.
const TERMINATED: i32 = 128 + 15;

/// How it ended, in a few words: `killed by SIGSEGV (signal 11), core dumped, after 41 s`.
fn end(dossier: &Dossier) -> String {
    let mut words = dossier.detail.clone();
    if let (Some(signal), Some(name)) = (dossier.signal, &dossier.signal_name) {
        let plain = format!("killed by signal {signal}");
        words = match words == plain {
            true => format!("killed by {name} (signal {signal})"),
            false => format!("{words}, by {name} (signal {signal})"),
        };
    }
    if dossier.core_dumped {
        words.push_str(", core dumped,");
    }
    format!("{words} after {}", duration_ms(dossier.uptime_ms))
}

/// What people ask next: what such an end means.
fn meaning(dossier: &Dossier) -> Option<&'static str> {
    Some(
        match (dossier.reason.as_str(), dossier.signal_name.as_deref()) {
            ("signalled", Some("SIGSEGV" | "SIGBUS")) => {
                "native code (an extension, ctypes) touched memory not its own"
            }
            ("signalled", Some("SIGABRT")) => {
                "it aborted itself: a failed check in native code, or a fatal error of Python"
            }
            ("signalled", Some("SIGILL" | "SIGFPE" | "SIGTRAP")) => {
                "native code failed on an instruction"
            }
            ("signalled", Some("SIGKILL")) => {
                "killed from outside: by `synapse kill`, by somebody else, or by the system, as where \
             memory has run out"
            }
            ("signalled", Some(_)) => "somebody else sent it the signal, or it did so itself",
            ("exited", _) if dossier.code == Some(TERMINATED) => {
                "somebody else asked it to end, by SIGTERM, and it did"
            }
            ("exited", _) => "its code ended the process with that code, which says failure",
            ("normal", _) => "its code ended the process, and said success",
            ("start_failed", _) => "it never took a call",
            ("killed", _) => {
                "its supervisor killed it: by brutal_kill, or when its shutdown time was over"
            }
            ("shutdown", _) => "it was told to stop, and did",
            ("limit_exceeded", _) => "it went beyond one of its `limits`",
            ("out_of_memory", _) => "the system ended it, since memory had run out",
            ("unresponsive", _) => "it lived and did not do what it was asked to, so it was killed",
            ("protocol_violation", _) => {
                "what it wrote into its pipe is no conversation any more, so it was killed"
            }
            _ => return None,
        },
    )
}

/// The line of code that it was at: of the thread that failed, or of the last traceback.
fn place(dossier: &Dossier) -> Option<&str> {
    let is_place = |line: &&str| line.trim_start().starts_with("File ");
    let line = match (&dossier.traceback, &dossier.stacks) {
        (Some(traceback), _) => traceback.lines().rfind(is_place),
        (None, Some(stacks)) => {
            let lines = stacks.lines();
            let mut of_thread = lines.skip_while(|line| !line.starts_with("Current thread"));
            of_thread.find(is_place)
        }
        (None, None) => None,
    };
    line.map(str::trim)
}

fn run_cut_off(run: &RunCutOff) -> String {
    let RunCutOff {
        run: name,
        running_ms,
        stream,
        chunks,
        tool_calls,
        cancelled,
        outcome,
        again,
        dead_letter,
    } = run;
    let mut words = format!("{name} after {}", duration_ms(*running_ms));
    if *stream {
        words.push_str(&format!(", {} streamed", count(*chunks, "chunk", "chunks")));
    }
    if *tool_calls > 0 {
        let calls = count(*tool_calls, "tool call", "tool calls");
        words.push_str(&format!(", {calls}"));
    }
    if *cancelled {
        words.push_str(", told to stop");
    }
    if outcome == "no_effect" {
        words.push_str(", no tool had begun");
    }
    if *again {
        words.push_str(", executed again");
    }
    if let Some(letter) = dead_letter {
        words.push_str(&format!(", dead letter {letter}"));
    }
    words
}

fn frame(frame: &Frame) -> Vec<String> {
    let way = match frame.from.as_str() {
        "runtime" => "to the agent",
        _ => "from the agent",
    };
    vec![
        format!("-{}", duration_ms(frame.age_ms)),
        way.to_owned(),
        frame.kind.clone(),
        frame.run.clone().unwrap_or_default(),
        bytes(frame.bytes),
    ]
}

/// The lines that are not in these texts already.
fn without<'a>(lines: &'a [String], texts: [&str; 2]) -> Vec<&'a str> {
    let told = |line: &str| {
        texts
            .iter()
            .any(|text| text.lines().any(|told| told == line))
    };
    let lines = lines.iter().map(String::as_str);
    lines.filter(|line| !told(line)).collect()
}

#[cfg(test)]
mod tests;
