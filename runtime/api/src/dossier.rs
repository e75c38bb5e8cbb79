//! The dossier of an exit: what is known of an end, for who was not there. The same object in
//! `inspect --exit`, in the event `agent_exited` and in the log. Fields are only added.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How an incarnation ended, with all its evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dossier {
    /// Whose.
    pub agent: String,
    /// Which incarnation.
    pub incarnation: u64,
    /// Which replica's it was, from 0.
    pub replica: u32,
    /// The exit reason: `normal`, `exited`, `signalled`, `start_failed`, …
    pub reason: String,
    /// The reason in words, such as `killed by signal 11`.
    pub detail: String,
    /// The code that the process exited with; null where a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended the process; null where it exited.
    pub signal: Option<i32>,
    /// The name of that signal, such as `SIGSEGV`.
    pub signal_name: Option<String>,
    /// Whether the system has dumped its core.
    pub core_dumped: bool,
    /// Its process; null where there was none.
    pub pid: Option<u32>,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
    /// When it ended, RFC 3339 in UTC.
    pub at: String,
    /// How long it lived.
    pub uptime_ms: u64,
    /// From its spawn to ready; null where it was never ready.
    pub start_ms: Option<u64>,
    /// Its largest resident size, in bytes; null where that is not known.
    pub peak_resident_bytes: Option<u64>,
    /// The names of the runs that were in flight.
    pub runs_in_flight: Vec<String>,
    /// The same runs, with what they had done.
    pub runs: Vec<RunCutOff>,
    /// The last frames that were exchanged, the oldest first.
    pub frames: Vec<Frame>,
    /// The last lines that it wrote to stderr.
    pub stderr_tail: Vec<String>,
    /// The Python traceback that it reported, or printed last; null where there was none.
    pub traceback: Option<String>,
    /// The stacks of its threads, where Python has dumped them.
    pub stacks: Option<String>,
    /// What the kernel says to an end for lack of memory, or, of an end by SIGKILL, what speaks for
    /// one; null where it says nothing.
    pub kernel: Option<String>,
    /// What its supervisor did next; null until that is decided.
    pub next: Option<NextStep>,
}

/// A run that ended with its process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunCutOff {
    /// Its name.
    pub run: String,
    /// How long it had run.
    pub running_ms: u64,
    /// Whether its caller reads a stream.
    pub stream: bool,
    /// Chunks that had come of it.
    pub chunks: u64,
    /// Tools that it was seen to call.
    pub tool_calls: u64,
    /// Whether it had been told to stop.
    pub cancelled: bool,
    /// What may have come of it: `no_effect` or `unknown`.
    pub outcome: String,
    /// Whether it is executed again.
    pub again: bool,
    /// The dead letter that it was made; null where it was none.
    pub dead_letter: Option<String>,
}

/// A frame that went over the pipe, without what it said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Frame {
    /// Who wrote it: `runtime` or `agent`.
    pub from: String,
    /// Its name in `docs/protocol.md`; `unknown` where it has none.
    pub kind: String,
    /// Its run; null where it has none.
    pub run: Option<String>,
    /// The length that it announced.
    pub bytes: u64,
    /// How long before the end, or before now, it passed.
    pub age_ms: u64,
}

/// The last frames of a living incarnation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveFrames {
    /// Which replica's, from 0.
    pub replica: u32,
    /// Which incarnation's.
    pub incarnation: u64,
    /// The frames, the oldest first.
    pub frames: Vec<Frame>,
}

/// What a supervisor did about an exit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NextStep {
    /// `restart`, `left_down`, `parked`, `gave_up` or `nothing`; readers tolerate others.
    pub action: String,
    /// The same in words.
    pub detail: String,
    /// The path of the supervisor.
    pub supervisor: String,
    /// How long until the restart; null where there is none.
    pub delay_ms: Option<u64>,
    /// Which restart of the period this is; null where there is none.
    pub restarts: Option<u32>,
    /// How many there may be in the period.
    pub intensity: Option<u32>,
    /// The period.
    pub period_ms: Option<u64>,
}

/// Which exit of an agent is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichExit {
    /// The last one, of whatever replica.
    Last,
    /// That of this incarnation.
    Of(u64),
}

/// Neither `last` nor a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no exit: give the number of an incarnation, or `last`")]
pub struct NoExit(String);

impl FromStr for WhichExit {
    type Err = NoExit;

    fn from_str(text: &str) -> Result<Self, NoExit> {
        match text {
            "last" => Ok(Self::Last),
            number => {
                let number = number.strip_prefix('#').unwrap_or(number).parse();
                number
                    .map(Self::Of)
                    .map_err(|_no_number| NoExit(text.to_owned()))
            }
        }
    }
}

impl fmt::Display for WhichExit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last => formatter.write_str("last"),
            Self::Of(incarnation) => write!(formatter, "{incarnation}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_named_by_its_incarnation_or_as_the_last() {
        assert_eq!("last".parse(), Ok(WhichExit::Last));
        assert_eq!("7".parse(), Ok(WhichExit::Of(7)));
        assert_eq!("#7".parse(), Ok(WhichExit::Of(7)));
        assert_eq!(WhichExit::Of(7).to_string(), "7");
        for wrong in ["", "-1", "first", "1.5", "##1"] {
            assert!(wrong.parse::<WhichExit>().is_err(), "{wrong:?}");
        }
    }
}
