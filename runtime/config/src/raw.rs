//! What the file says: its tables, key by key, with places. The only list of keys there is; the
//! schema and docs/configuration.md are made from it. It knows no rule between two keys.

use synapse_core::name::Name;
use synapse_core::spec::{
    AutoShutdown, DepsScope, Entry, LivenessAction, Mode, OnExhausted, Restart, Shutdown, Spawn,
    Start, StartOrder, Strategy, WhenFull,
};

use crate::configuration::{ControlGroups, LogFormat, LogLevel};
use crate::element::{
    Duration, Factor, JsonTable, List, ModuleName, Named, SchemaSource, Share, Size, VariableName,
    Variables, Whole, choice,
};
use crate::key::table;

/// Restarts are remembered one by one, so their number is bounded.
const INTENSITY_MAX: u64 = 10_000;
/// Runs in one process; each costs a task and its history there.
const CONCURRENCY_MAX: u64 = 4096;
/// Calls written ahead to one process; what is written is memory in two processes.
const PREFETCH_MAX: u64 = 4096;
/// Processes of one agent: more than a machine has use for.
const REPLICAS_MAX: u64 = 1024;
/// A second spare would only help where the first one's successor dies before a new one is made.
const STANDBY_MAX: u64 = 1;
/// Calls that wait for one agent; each holds its input.
const MAILBOX_MAX: u64 = 1_000_000;
/// Log files that are kept.
const LOG_FILES_MAX: u64 = 1000;
/// Conversations in memory.
const SESSIONS_MAX: u64 = 1_000_000;
/// A smaller log file would be rotated with every few lines.
const LOG_FILE_BYTES_MIN: u64 = 64 * 1024;
/// One conversation of any length needs this much.
const SESSION_BYTES_MIN: u64 = 64 * 1024;
/// No Python process lives with less.
const MEMORY_BYTES_MIN: u64 = 16 * 1024 * 1024;
/// What a worker opens itself, and what Python opens to import a module.
const OPEN_FILES_MIN: u64 = 64;
/// More than any kernel gives one process by default.
const OPEN_FILES_MAX: u64 = 1 << 30;
/// The most processes that Linux can number.
const PROCESSES_MAX: u64 = 1 << 22;
/// The kernel counts a limit of processor time in whole seconds.
const CPU_TIME_MIN_MS: u64 = 1000;
/// A process that is asked more often has less time for its work.
const INTERVAL_MIN_MS: u64 = 100;
/// Shorter absences are everyday life on a machine at work.
const LOOP_LAG_MIN_MS: u64 = 250;
/// The same of silence: a whole process may wait that long for a processor.
const SILENCE_MIN_MS: u64 = 1_000;
/// Further tries of a call whose process dies: each costs every run of that process.
const RETRIES_MAX: u64 = 10;
/// Deaths by one call until it is refused.
const POISON_MAX: u64 = 100;
/// Any whole number that TOML can write.
const ANY: u64 = i64::MAX.unsigned_abs();

choice!(Strategy {
    "one_for_one" => Self::OneForOne,
    "one_for_all" => Self::OneForAll,
    "rest_for_one" => Self::RestForOne,
});
choice!(Restart {
    "permanent" => Self::Permanent,
    "transient" => Self::Transient,
    "temporary" => Self::Temporary,
});
choice!(OnExhausted { "escalate" => Self::Escalate, "park" => Self::Park });
choice!(StartOrder { "sequential" => Self::Sequential, "concurrent" => Self::Concurrent });
choice!(AutoShutdown {
    "never" => Self::Never,
    "any_significant" => Self::AnySignificant,
    "all_significant" => Self::AllSignificant,
});
choice!(Mode { "run" => Self::Run, "run_stream" => Self::RunStream, "run_sync" => Self::RunSync });
choice!(WhenFull { "reject" => Self::Reject, "wait" => Self::Wait });
choice!(DepsScope { "incarnation" => Self::Incarnation, "run" => Self::Run });
choice!(LogLevel {
    "trace" => Self::Trace,
    "debug" => Self::Debug,
    "info" => Self::Info,
    "warning" => Self::Warning,
    "error" => Self::Error,
});
choice!(LogFormat { "pretty" => Self::Pretty, "json" => Self::Json });
choice!(Start { "eager" => Self::Eager, "on_demand" => Self::OnDemand });
choice!(LivenessAction {
    "warn" => Self::Warn,
    "restart_silent" => Self::RestartSilent,
    "restart" => Self::Restart,
});
choice!(ControlGroups { "auto" => Self::Auto, "off" => Self::Off });
choice!(Spawn { "fork" => Self::Fork, "exec" => Self::Exec });

table! {
    /// The tree of agents that Synapse runs, and how it runs them.
    RawTree, "a table" {
        /// The node's own settings.
        runtime: RawRuntime, "{}", "";
        /// The interpreter and the packages that agents run with.
        python: RawPython, "{}", "";
        /// Supervisors by name; `root` is the top one.
        supervisor: Named<RawSupervisor>, "{}", "";
        /// Agents by name.
        agent: Named<RawAgent>, "{}", "";
    }
}

table! {
    /// The node's own settings.
    RawRuntime, "a table" {
        /// Where the node keeps its socket and logs, relative to this file.
        /// The flag `--data-dir` wins over it.
        data_dir: String, "\".synapse\"", "\"/var/lib/synapse\"";
        /// The name of this node, in its status and in what agents are told.
        node: Name, "\"synapse\"", "\"lab-1\"";
        /// The node's own log.
        log: RawLog, "{}", "{ level = \"debug\", files = 3 }";
        /// Whether the node makes a control group for itself and all that it starts, where it may
        /// (Linux), so that the next start can end what a killed node and guard have left (`auto`).
        cgroup: ControlGroups, "\"auto\"", "\"off\"";
        /// Limits of the conversations in memory.
        sessions: RawSessions, "{}", "{ count = 100 }";
    }
}

table! {
    /// The node's own log.
    RawLog, "a table" {
        /// The least important lines that are written.
        level: LogLevel, "\"info\"", "\"debug\"";
        /// How lines look on stderr.
        format: LogFormat, "pretty on a terminal, JSON lines elsewhere", "\"json\"";
        /// The size at which a log file is closed and the next one begun.
        file_size: Size<LOG_FILE_BYTES_MIN>, "\"10MiB\"", "\"64MiB\"";
        /// Log files that are kept, the current one included.
        files: Whole<1, LOG_FILES_MAX>, "5", "10";
    }
}

table! {
    /// Limits of the conversations in memory; the oldest idle one makes place for a new one.
    RawSessions, "a table" {
        /// Conversations that are kept.
        count: Whole<1, SESSIONS_MAX>, "1000", "100";
        /// Bytes of all their messages.
        bytes: Size<SESSION_BYTES_MIN>, "\"64MiB\"", "\"256MiB\"";
    }
}

table! {
    /// The interpreter and the packages that agents run with.
    RawPython, "a table" {
        /// A ready virtual environment, used as it is and never written to.
        venv: String, "none: Synapse builds its own", "\".venv\"";
        /// A requirements file, installed beside what Synapse itself needs.
        requirements: String, "none", "\"requirements.txt\"";
        /// The Python 3.11 or later that environments are built from.
        /// The variable `SYNAPSE_PYTHON` wins over it.
        interpreter: String, "the first suitable one on PATH", "\"/usr/bin/python3.12\"";
        /// More folders that agents import from, relative to this file.
        /// The folder of this file always is one.
        path: List<String>, "[]", "[\"src\"]";
        /// How processes are made: forked from a warm one in milliseconds (`fork`), or each by a
        /// fresh interpreter (`exec`). An agent's own `spawn` wins over it.
        spawn: Spawn, "by fork on Linux, by exec elsewhere", "\"exec\"";
        /// Modules of packages that are imported before a process is forked, so that agents which
        /// use them start without that wait. Never modules of your own.
        preload: List<ModuleName>, "[]", "[\"pandas\"]";
    }
}

table! {
    /// A supervisor: it starts its children in order, stops them in reverse, restarts them by its
    /// strategy, and gives up when they fail too often.
    RawSupervisor, "a table" {
        /// Which children restart when one ends: only that one (`one_for_one`), all of them
        /// (`one_for_all`), or that one and those after it (`rest_for_one`).
        strategy: Strategy, "\"one_for_one\"", "\"rest_for_one\"";
        /// Restarts that are allowed within the period; with one more the supervisor gives up:
        /// it stops its children and ends, which its own supervisor sees as a crash.
        intensity: Whole<0, INTENSITY_MAX>, "1", "3";
        /// The window of `intensity`.
        period: Duration<1>, "\"5s\"", "\"1m\"";
        /// What one restart too many means: the supervisor gives up (`escalate`), or each child
        /// has the intensity for itself, and one that exceeds it stays down as failed until it is
        /// started by hand (`park`; only with `one_for_one`).
        on_exhausted: OnExhausted, "\"escalate\"", "\"park\"";
        /// Whether each child waits at the first start until the one before it is up
        /// (`sequential`), or all start at once (`concurrent`; only with `one_for_one`).
        start_order: StartOrder, "\"sequential\"", "\"concurrent\"";
        /// Names of agents and supervisors, in start order. Each stands in exactly one list.
        children: List<String>, "required", "[\"searcher\", \"writer\"]";
        /// Whether its own supervisor restarts it: always (`permanent`), only after a crash
        /// (`transient`; giving up is none, so it is then not restarted), or never (`temporary`).
        restart: Restart, "\"permanent\"", "\"temporary\"";
        /// How long it may take to stop with all its children.
        shutdown: Shutdown, "\"infinity\"", "\"30s\"";
        /// Whether its end counts for `auto_shutdown` of its own supervisor.
        significant: bool, "false", "true";
        /// Whether it ends when its significant children have: `never`, with the first
        /// (`any_significant`), or with the last (`all_significant`).
        auto_shutdown: AutoShutdown, "\"never\"", "\"any_significant\"";
    }
}

table! {
    /// An agent: Python code, or a model with instructions, in a process of its own.
    RawAgent, "a table" {
        /// The Python object to run, `module:attribute`: a pydantic-ai agent, a factory of one,
        /// or a function. Without it the agent is declared by `model` and `instructions`.
        entry: Entry, "none", "\"agents.assistant:agent\"";
        /// How pydantic-ai runs it: `run` (many at once), `run_stream` (the same, streamed), or
        /// `run_sync` (one at a time, for code that blocks).
        mode: Mode, "what the entry is made for", "\"run_stream\"";
        /// A line about it for people.
        description: String, "the entry's own", "\"answers questions\"";
        /// The model, over the entry's own; `offline` needs no key and no network.
        model: String, "the entry's own", "\"openai:gpt-5\"";
        /// Settings for the model, over the entry's own, key by key.
        model_settings: JsonTable, "{}", "{ temperature = 0.2 }";
        /// Instructions for the model, over the entry's own.
        instructions: String, "the entry's own", "\"Answer in one sentence.\"";
        /// The JSON Schema of its output (an object), here or in a .json file. Only for agents
        /// without `entry`; code says its own output type.
        output_schema: SchemaSource, "none: text", "\"schemas/report.json\"";
        /// Limits of one run.
        usage_limits: RawUsageLimits, "{}", "{ requests = 10 }";
        /// A factory for dependencies that JSON cannot carry, `module:attribute`.
        deps: Entry, "none", "\"agents.shop:connect\"";
        /// How long what the factory made lives: as long as the process (`incarnation`), or for
        /// one run (`run`).
        deps_scope: DepsScope, "\"incarnation\"", "\"run\"";
        /// How its processes are made, over that of `[python]`.
        spawn: Spawn, "as [python] has it", "\"exec\"";
        /// A requirements file in place of that of `[python]`: the agent gets an environment of its
        /// own, which it shares with agents of the same requirements.
        requirements: String, "as [python] has it", "\"requirements-writer.txt\"";
        /// Modules that are imported before its process is forked, in place of those of `[python]`.
        preload: List<ModuleName>, "as [python] has it; [] with `requirements`", "[\"numpy\"]";
        /// Variables of the process's environment.
        env: Variables, "{}", "{ TZ = \"UTC\" }";
        /// A file of NAME=VALUE lines, read at every start, relative to this file.
        env_file: String, "none", "\".env\"";
        /// Variables that pass from the environment of Synapse; those of its own provider do
        /// without being named.
        env_pass: List<VariableName>, "[]", "[\"DATABASE_URL\"]";
        /// When its first process is made: with its supervisor (`eager`), or with its first call
        /// (`on_demand`); until then it is `hibernated`.
        start: Start, "\"eager\"", "\"on_demand\"";
        /// An agent that has been idle this long gives its process back, and gets a new one with
        /// the next call; in between it is `hibernated`.
        hibernate_after: Duration<1>, "none: it keeps its process", "\"10m\"";
        /// Spare processes that have imported its modules, so that after a crash no import is
        /// waited for. What an import does, a spare does too, before it is needed.
        standby: Whole<0, STANDBY_MAX>, "0", "1";
        /// Whether it is restarted when it ends: always (`permanent`), only after a crash
        /// (`transient`), or never (`temporary`).
        restart: Restart, "\"permanent\"", "\"transient\"";
        /// How it is stopped: asked, and killed when this time is over; `brutal_kill` kills at
        /// once, `infinity` waits.
        shutdown: Shutdown, "\"5s\"", "\"30s\"";
        /// Whether its end counts for `auto_shutdown` of its supervisor.
        significant: bool, "false", "true";
        /// Runs at the same time in one process.
        concurrency: Whole<1, CONCURRENCY_MAX>, "1", "8";
        /// Calls that are written to the process ahead of a free place, for fast agents.
        prefetch: Whole<0, PREFETCH_MAX>, "0", "64";
        /// Processes that share its mailbox.
        replicas: Whole<1, REPLICAS_MAX>, "1", "4";
        /// Where its calls wait.
        mailbox: RawMailbox, "{}", "{ size = 64, when_full = \"wait\" }";
        /// The delay before a restart; without it a restart comes at once, as in OTP.
        backoff: RawBackoff, "none", "{ initial = \"100ms\", max = \"30s\" }";
        /// When its process counts as hung, and what follows.
        liveness: RawLiveness, "{}", "{ silence_max = \"20s\", action = \"restart\" }";
        /// The longest time from the process to its readiness.
        start_timeout: Duration<1>, "\"60s\"", "\"10s\"";
        /// The longest time of a call, waiting included; a caller may only shorten it.
        call_timeout: Duration<1>, "\"10m\"", "\"30s\"";
        /// The longest time of a run, counted from its start: time in the queue is none of it.
        run_timeout: Duration<1>, "none: `call_timeout` alone", "\"30s\"";
        /// How long cancelled code may go on before its process is killed.
        cancel_grace: Duration<0>, "\"10s\"", "\"2s\"";
        /// What each of its processes, with all that it starts, may use.
        limits: RawLimits, "{}", "{ memory = \"512MiB\", processes = 16 }";
        /// Whether a run may be executed twice without harm.
        idempotent: bool, "false", "true";
        /// How often a call whose process dies is executed again, within its deadline. Only with
        /// `idempotent = true`.
        retry_on_crash: Whole<0, RETRIES_MAX>, "0", "2";
        /// A call that has killed the agent this often is refused, and kept as a dead letter;
        /// 0: never.
        poison_after: Whole<0, POISON_MAX>, "0", "3";
    }
}

table! {
    /// Where the calls of an agent wait; it outlives the agent's processes.
    RawMailbox, "a table" {
        /// Calls that may wait.
        size: Whole<1, MAILBOX_MAX>, "256", "64";
        /// One more call is refused at once (`reject`), or waits for a place (`wait`), as up to
        /// 1,024 do.
        when_full: WhenFull, "\"reject\"", "\"wait\"";
    }
}

table! {
    /// What a process of the agent may use, with all that it starts. Each replica has it for
    /// itself. What this system cannot enforce is an error.
    RawLimits, "a table" {
        /// Memory; of what is shared with other processes its part counts. More is the end of the
        /// incarnation, with the reason `limit_exceeded`.
        memory: Size<MEMORY_BYTES_MIN>, "none", "\"512MiB\"";
        /// Open files of each process; one more cannot be opened, which Python raises as `OSError`.
        open_files: Whole<OPEN_FILES_MIN, OPEN_FILES_MAX>, "the system's", "256";
        /// Processes, the agent's own included. One more is the end of the incarnation.
        processes: Whole<1, PROCESSES_MAX>, "none", "16";
        /// Processor time of each process, in whole seconds. More is its end.
        cpu_time: Duration<CPU_TIME_MIN_MS>, "none", "\"10m\"";
    }
}

table! {
    /// The delay before a restart: `initial`, grown by `factor` each time, up to `max`.
    RawBackoff, "a table" {
        /// The first delay.
        initial: Duration<1>, "\"100ms\"", "\"1s\"";
        /// The longest delay.
        max: Duration<1>, "\"30s\"", "\"5m\"";
        /// Growth from one delay to the next.
        factor: Factor, "2.0", "1.5";
        /// The part of a delay that is random, so that agents do not restart in step.
        jitter: Share, "0.2", "0.0";
        /// After this time in good health the next delay is the first one again.
        reset_after: Duration<1>, "\"60s\"", "\"10m\"";
    }
}

table! {
    /// When a process counts as hung. A long run or a slow model is no hang, and a node that did
    /// not run itself finds nobody guilty.
    RawLiveness, "a table" {
        /// How often a process that has runs is asked for a sign of life; an idle one is asked six
        /// times more seldom.
        interval: Duration<INTERVAL_MIN_MS>, "\"10s\"", "\"2s\"";
        /// How late the event loop of an async agent may be: code that blocks it keeps all its
        /// runs waiting. Of no matter to sync agents.
        loop_lag_max: Duration<LOOP_LAG_MIN_MS>, "\"30s\"", "\"5s\"";
        /// How long a process may give no sign of life: because it is stopped, or C code holds the
        /// interpreter.
        silence_max: Duration<SILENCE_MIN_MS>, "\"60s\"", "\"20s\"";
        /// A hung process is told of (`warn`), ended and restarted (`restart`), or ended only where
        /// it gives no sign of life, and told of where its loop is blocked (`restart_silent`).
        action: LivenessAction, "\"restart_silent\"", "\"restart\"";
    }
}

table! {
    /// Limits of one run; the run that reaches one ends with the fault `limit_exceeded`.
    RawUsageLimits, "a table" {
        /// Requests to the model.
        requests: Whole<0, ANY>, "pydantic-ai's own, 50", "10";
        /// Calls of tools.
        tool_calls: Whole<0, ANY>, "none", "20";
        /// Tokens that are sent.
        input_tokens: Whole<0, ANY>, "none", "100000";
        /// Tokens that are received.
        output_tokens: Whole<0, ANY>, "none", "10000";
        /// Tokens both ways.
        total_tokens: Whole<0, ANY>, "none", "100000";
    }
}
