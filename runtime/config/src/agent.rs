//! One `[agent.NAME]`: rules between its keys, and the files that it names.

use std::path::PathBuf;

use serde_json::Value;
use synapse_core::name::Name;
use synapse_core::spec::{
    AgentSpec, DepsScope, Liveness, MailboxSpec, Mode, Program, Restart, Shutdown, Spawn, Start,
    UsageLimits, WhenFull,
};
use synapse_core::time::Millis;

use crate::backoff;
use crate::element::{Duration, Whole};
use crate::folder::{Folder, Kind};
use crate::key::{Field, Spanned};
use crate::limits::Machine;
use crate::problem::{Problem, Problems};
use crate::raw::{RawAgent, RawLiveness, RawPython, RawUsageLimits};
use crate::settings::count;
use crate::{crash, limits, model, module, output_schema, surprise};

const SHUTDOWN: Millis = Millis::from_secs(5);
const MAILBOX_SIZE: u64 = 256;
const START_TIMEOUT: Millis = Millis::from_secs(60);
const CALL_TIMEOUT: Millis = Millis::from_secs(600);
const CANCEL_GRACE: Millis = Millis::from_secs(10);
const SPAWN: Spawn = if cfg!(target_os = "linux") {
    Spawn::Fork
} else {
    Spawn::Exec
};

/// What holds for every agent: by `[python]`, and by the system that it is to run on.
#[derive(Debug)]
pub(crate) struct ForAgents<'a> {
    path: &'a [PathBuf],
    spawn: Spawn,
    machine: Machine,
}

impl<'a> ForAgents<'a> {
    pub(crate) fn new(raw: Option<&RawPython>, path: &'a [PathBuf], machine: Machine) -> Self {
        let spawn = raw.and_then(|raw| raw.spawn.value()).copied();
        Self {
            path,
            spawn: spawn.unwrap_or(SPAWN),
            machine,
        }
    }
}

/// The checked form of an agent. What is wrong is reported; the form is then of no use.
pub(crate) fn spec(
    name: &Spanned<Name>,
    raw: &RawAgent,
    folder: &Folder,
    for_agents: &ForAgents<'_>,
    problems: &mut Problems,
) -> AgentSpec {
    let path = format!("agent.{}", name.value);
    check(name, raw, &path, for_agents, problems);
    let mailbox = raw.mailbox.value().cloned().unwrap_or_default();
    AgentSpec {
        name: name.value.clone(),
        program: raw
            .entry
            .value()
            .map_or(Program::Declared, |entry| Program::Entry(entry.clone())),
        mode: raw.mode.value().copied(),
        description: raw.description.value().cloned(),
        model: raw.model.value().cloned(),
        model_settings: raw
            .model_settings
            .value()
            .map(|table| table.0.clone())
            .unwrap_or_default(),
        instructions: raw.instructions.value().cloned(),
        output_schema: schema(raw, &path, folder, problems),
        usage_limits: raw
            .usage_limits
            .value()
            .map(usage_limits)
            .unwrap_or_default(),
        deps: raw.deps.value().cloned(),
        deps_scope: raw.deps_scope.or(DepsScope::Incarnation),
        spawn: raw.spawn.or(for_agents.spawn),
        env: raw
            .env
            .value()
            .map(|variables| variables.0.clone())
            .unwrap_or_default(),
        env_file: raw.env_file.given().and_then(|written| {
            folder.existing(written, &format!("{path}.env_file"), Kind::File, problems)
        }),
        env_pass: env_pass(raw),
        start: raw.start.or(Start::Eager),
        hibernate_after: raw.hibernate_after.value().map(|time| time.0),
        standby: raw.standby.or(Whole(0)).0 > 0,
        restart: raw.restart.or(Restart::Permanent),
        shutdown: raw.shutdown.or(Shutdown::Timeout(SHUTDOWN)),
        significant: raw.significant.or(false),
        concurrency: count(raw.concurrency.or(Whole(1))),
        prefetch: count(raw.prefetch.or(Whole(0))),
        replicas: count(raw.replicas.or(Whole(1))),
        mailbox: MailboxSpec {
            size: count(mailbox.size.or(Whole(MAILBOX_SIZE))),
            when_full: mailbox.when_full.or(WhenFull::Reject),
        },
        backoff: raw.backoff.value().map(backoff::resolve),
        start_timeout: raw.start_timeout.or(Duration(START_TIMEOUT)).0,
        call_timeout: raw.call_timeout.or(Duration(CALL_TIMEOUT)).0,
        run_timeout: raw.run_timeout.value().map(|span| span.0),
        liveness: raw.liveness.value().map(liveness).unwrap_or_default(),
        cancel_grace: raw.cancel_grace.or(Duration(CANCEL_GRACE)).0,
        limits: raw.limits.value().map(limits::resolve).unwrap_or_default(),
        crash: crash::spec(raw),
    }
}

/// How long its processes may take to stop, one by one; `None`: without end.
pub(crate) fn stop_time(raw: &RawAgent) -> Option<Millis> {
    let shutdown = raw.shutdown.or(Shutdown::Timeout(SHUTDOWN));
    surprise::stop_time(shutdown, raw.replicas.or(Whole(1)).0)
}

fn check(
    name: &Spanned<Name>,
    raw: &RawAgent,
    path: &str,
    for_agents: &ForAgents<'_>,
    problems: &mut Problems,
) {
    program(name, raw, path, problems);
    for (key, entry) in [("entry", &raw.entry), ("deps", &raw.deps)] {
        if let Some(entry) = entry.given() {
            module::check(entry, &format!("{path}.{key}"), for_agents.path, problems);
        }
    }
    if let Some(model) = raw.model.given() {
        model::check(model, &format!("{path}.model"), problems);
    }
    if let Some(backoff) = raw.backoff.given() {
        backoff::check(backoff, &format!("{path}.backoff"), problems);
    }
    if let Some(given) = raw.limits.given() {
        let key = format!("{path}.limits");
        limits::check(&given.value, &key, for_agents.machine, problems);
    }
    one_at_a_time(raw, path, problems);
    crash::check(raw, path, problems);
    passed_and_set(raw, path, problems);
    timeouts(raw, path, problems);
    without_code(raw, path, problems);
}

/// Either code, or a model and instructions.
fn program(name: &Spanned<Name>, raw: &RawAgent, path: &str, problems: &mut Problems) {
    if !raw.entry.is_absent() {
        return;
    }
    let missing = match (raw.model.is_absent(), raw.instructions.is_absent()) {
        (false, false) => return,
        (true, true) => "`entry`, and not `model` and `instructions` either",
        (true, false) => "`entry`, so it needs a `model`",
        (false, true) => "`entry`, so it needs `instructions`",
    };
    let message = format!("agent `{}` has no {missing}", name.value);
    problems.push(
        Problem::error(path, message)
            .at(name.span.clone(), "")
            .help("with code: entry = \"module:attribute\"")
            .help("without code: model = \"offline\" and instructions = \"...\""),
    );
}

/// Keys that mean something only with code, or only without.
fn without_code(raw: &RawAgent, path: &str, problems: &mut Problems) {
    if let (Some(schema), Some(entry)) = (raw.output_schema.given(), raw.entry.given()) {
        let message = format!("`{path}.output_schema` cannot be used with `entry`");
        problems.push(
            Problem::error(format!("{path}.output_schema"), message)
                .at(schema.key.clone(), "")
                .at(entry.key.clone(), "this code says its own output type")
                .help("give the agent an `output_type`, or annotate what the function returns"),
        );
    }
    if let Some(deps) = raw.deps.given().filter(|_| raw.entry.is_absent()) {
        let message =
            format!("`{path}.deps` needs an `entry`: an agent without code takes no dependencies");
        problems.push(Problem::error(format!("{path}.deps"), message).at(deps.key.clone(), ""));
    }
    if let Some(scope) = raw.deps_scope.given().filter(|_| raw.deps.is_absent()) {
        let message = format!("`{path}.deps_scope` has no effect without `deps`");
        problems.push(
            Problem::warning(format!("{path}.deps_scope"), message).at(scope.key.clone(), ""),
        );
    }
}

fn one_at_a_time(raw: &RawAgent, path: &str, problems: &mut Problems) {
    let (Some(mode), Some(concurrency)) = (raw.mode.given(), raw.concurrency.given()) else {
        return;
    };
    if mode.value == Mode::RunSync && concurrency.value.0 > 1 {
        let key = format!("{path}.concurrency");
        let message = format!(
            "`{key}` must be 1 with `mode = \"run_sync\"`, found {}",
            concurrency.value.0
        );
        problems.push(
            Problem::error(key, message)
                .at(concurrency.span.clone(), "")
                .at(mode.span.clone(), "one run at a time, on the main thread")
                .help(
                    "for more at once use replicas, or the mode \"run\" if the code does not block",
                ),
        );
    }
}

/// A run is part of its call.
fn timeouts(raw: &RawAgent, path: &str, problems: &mut Problems) {
    let Some(run) = raw.run_timeout.given() else {
        return;
    };
    if run.value.0 < raw.call_timeout.or(Duration(CALL_TIMEOUT)).0 {
        return;
    }
    let key = format!("{path}.run_timeout");
    let message = format!("`{key}` has no effect: it is not shorter than `call_timeout`");
    let problem = Problem::warning(key, message).at(run.span.clone(), "");
    problems.push(match raw.call_timeout.given() {
        Some(call) => problem.at(
            call.span.clone(),
            "the longest time of a call, its run included",
        ),
        None => problem.help("`call_timeout` is \"10m\" by default"),
    });
}

fn passed_and_set(raw: &RawAgent, path: &str, problems: &mut Problems) {
    let (Some(set), Some(passed)) = (raw.env.given(), raw.env_pass.value()) else {
        return;
    };
    for name in passed
        .0
        .iter()
        .filter(|name| set.value.0.contains_key(&name.value.0))
    {
        let message = format!(
            "`{path}.env_pass` has no effect for `{}`, which `env` sets",
            name.value.0
        );
        problems.push(
            Problem::warning(format!("{path}.env_pass"), message)
                .at(name.span.clone(), "")
                .at(set.key.clone(), "set here"),
        );
    }
}

fn env_pass(raw: &RawAgent) -> Vec<String> {
    let names = raw
        .env_pass
        .value()
        .map(|list| list.0.as_slice())
        .unwrap_or_default();
    names.iter().map(|name| name.value.0.clone()).collect()
}

fn schema(raw: &RawAgent, path: &str, folder: &Folder, problems: &mut Problems) -> Option<Value> {
    let key = format!("{path}.output_schema");
    output_schema::resolve(raw.output_schema.given()?, &key, folder, problems)
}

fn liveness(raw: &RawLiveness) -> Liveness {
    let default = Liveness::default();
    Liveness {
        interval: raw.interval.or(Duration(default.interval)).0,
        loop_lag_max: raw.loop_lag_max.or(Duration(default.loop_lag_max)).0,
        silence_max: raw.silence_max.or(Duration(default.silence_max)).0,
        action: raw.action.or(default.action),
    }
}

fn usage_limits(raw: &RawUsageLimits) -> UsageLimits {
    fn limit<const MIN: u64, const MAX: u64>(field: &Field<Whole<MIN, MAX>>) -> Option<u64> {
        field.value().map(|number| number.0)
    }
    UsageLimits {
        requests: limit(&raw.requests),
        tool_calls: limit(&raw.tool_calls),
        input_tokens: limit(&raw.input_tokens),
        output_tokens: limit(&raw.output_tokens),
        total_tokens: limit(&raw.total_tokens),
    }
}
