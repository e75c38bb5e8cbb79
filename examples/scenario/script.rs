//! A supervision scenario as data: a tree, and the steps that are done to it.
//!
//! The format is that of the OTP oracle, which runs the same files on Erlang's `supervisor`.

use serde::Deserialize;
use synapse_core::exit::ExitReason;
use synapse_core::spec::{AutoShutdown, Restart, Shutdown, Strategy};
use synapse_core::supervisor::{ChildKind, ChildSpec, DynamicFlags, Flags};
use synapse_core::time::Millis;

/// A tree and its steps.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Scenario {
    /// The root supervisor.
    pub(crate) tree: Node,
    /// Done one after the other, each when the last has come to rest.
    pub(crate) steps: Vec<Step>,
}

/// A supervisor or a worker, told apart by `type`; the root has neither `id` nor `type`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Node {
    /// Its name below its supervisor.
    pub(crate) id: String,
    /// `supervisor`, or a worker.
    pub(crate) r#type: Kind,
    /// Its restart type.
    pub(crate) restart: Restart,
    /// Its shutdown rule.
    pub(crate) shutdown: Option<ShutdownWord>,
    /// Whether its end counts for `auto_shutdown`.
    pub(crate) significant: bool,
    /// How long a worker takes to obey.
    pub(crate) stop_delay_ms: u64,
    /// Start attempts that fail, from 1.
    pub(crate) fail_starts: Vec<u32>,
    /// Start attempts that answer `ignore`, from 1.
    pub(crate) ignore_starts: Vec<u32>,
    /// Whether it is the template of a dynamic supervisor.
    pub(crate) template: bool,
    /// A supervisor's strategy.
    pub(crate) strategy: StrategyWord,
    /// A supervisor's intensity; 1 where it is missing.
    pub(crate) intensity: Option<u32>,
    /// Its window in seconds; 5 where it is missing.
    pub(crate) period: Option<u64>,
    /// Whether significant children end it.
    pub(crate) auto_shutdown: AutoShutdown,
    /// A supervisor's children.
    pub(crate) children: Vec<Node>,
}

/// OTP's child types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The default.
    #[default]
    Worker,
    /// A supervisor.
    Supervisor,
}

/// OTP's strategies, the dynamic one included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StrategyWord {
    /// Only the child that ended.
    #[default]
    OneForOne,
    /// Every child.
    OneForAll,
    /// It and those behind it.
    RestForOne,
    /// Children that come and go.
    SimpleOneForOne,
}

/// `brutal_kill`, `infinity` or milliseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "serde_json::Value")]
pub(crate) struct ShutdownWord(Shutdown);

impl TryFrom<serde_json::Value> for ShutdownWord {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        match (value.as_u64(), value.as_str()) {
            (Some(ms), _) => Ok(Self(Shutdown::Timeout(Millis(ms)))),
            (_, Some("brutal_kill")) => Ok(Self(Shutdown::BrutalKill)),
            (_, Some("infinity")) => Ok(Self(Shutdown::Infinity)),
            _ => Err(format!("{value} is not a shutdown value")),
        }
    }
}

/// One step.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Step {
    Exit {
        path: String,
        reason: String,
    },
    Wait {
        ms: u64,
    },
    StartChild {
        sup: String,
        child: Option<Box<Node>>,
        name: Option<String>,
    },
    TerminateChild {
        sup: String,
        id: String,
    },
    RestartChild {
        sup: String,
        id: String,
    },
    DeleteChild {
        sup: String,
        id: String,
    },
    WhichChildren {
        sup: String,
    },
    CountChildren {
        sup: String,
    },
    StopRoot,
}

impl Step {
    /// The line that begins the step in the trace.
    #[must_use]
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Exit { path, reason } => format!("exit {path} {reason}"),
            Self::Wait { ms } => format!("wait {ms}"),
            Self::StartChild { sup, child, name } => {
                let child = child.as_ref().map(|child| child.id.as_str());
                format!(
                    "start_child {sup} {}",
                    child.or(name.as_deref()).unwrap_or_default()
                )
            }
            Self::TerminateChild { sup, id } => format!("terminate_child {sup} {id}"),
            Self::RestartChild { sup, id } => format!("restart_child {sup} {id}"),
            Self::DeleteChild { sup, id } => format!("delete_child {sup} {id}"),
            Self::WhichChildren { sup } => format!("which_children {sup}"),
            Self::CountChildren { sup } => format!("count_children {sup}"),
            Self::StopRoot => "stop_root".to_owned(),
        }
    }
}

impl Node {
    /// The node as the child of a supervisor.
    #[must_use]
    pub(crate) fn child_spec(&self) -> ChildSpec {
        let (kind, default) = match self.r#type {
            Kind::Worker => (ChildKind::Worker, Shutdown::Timeout(Millis(5000))),
            Kind::Supervisor => (ChildKind::Supervisor, Shutdown::Infinity),
        };
        ChildSpec {
            kind,
            restart: self.restart,
            shutdown: self.shutdown.map_or(default, |word| word.0),
            significant: self.significant,
            ..ChildSpec::worker(self.id.as_str())
        }
    }

    /// A supervisor's flags; `None` for a dynamic one.
    #[must_use]
    pub(crate) fn flags(&self) -> Option<Flags> {
        let strategy = match self.strategy {
            StrategyWord::OneForOne => Strategy::OneForOne,
            StrategyWord::OneForAll => Strategy::OneForAll,
            StrategyWord::RestForOne => Strategy::RestForOne,
            StrategyWord::SimpleOneForOne => return None,
        };
        let (intensity, period) = self.window();
        Some(Flags {
            strategy,
            intensity,
            period,
            auto_shutdown: self.auto_shutdown,
            ..Flags::default()
        })
    }

    /// A dynamic supervisor's flags.
    #[must_use]
    pub(crate) fn dynamic_flags(&self) -> DynamicFlags {
        let (intensity, period) = self.window();
        let template = self.children.first().map(Self::child_spec);
        DynamicFlags {
            intensity,
            period,
            max_children: usize::MAX,
            template,
        }
    }

    fn window(&self) -> (u32, Millis) {
        (
            self.intensity.unwrap_or(1),
            Millis::from_secs(self.period.unwrap_or(5)),
        )
    }
}

/// An exit reason of a step.
#[must_use]
pub(crate) fn reason(word: &str) -> ExitReason {
    match (word, word.strip_prefix("shutdown:")) {
        ("normal", _) => ExitReason::Normal,
        ("shutdown", _) => ExitReason::Shutdown(None),
        ("kill", _) => ExitReason::Killed,
        (_, Some(detail)) => ExitReason::Shutdown(Some(detail.to_owned())),
        (crash, None) => ExitReason::Error(crash.to_owned()),
    }
}

/// An exit reason as the trace shows it.
#[must_use]
pub(crate) fn shown(reason: &ExitReason) -> String {
    match reason {
        ExitReason::Shutdown(Some(detail)) => format!("shutdown:{detail}"),
        ExitReason::Error(word) => word.clone(),
        other => other.word().to_owned(),
    }
}
