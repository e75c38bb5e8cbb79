//! Everything about one agent: the only view, beside logs, that shows tracebacks.

use serde_json::Value;
use synapse_api::{
    AgentDetail, AgentStatus, AgentSummary, LastExit, LastFault, LivenessSummary, Program,
    ReplicaStatus, ResourceLimits, Usage,
};

use super::measure::{bytes, clock, count, duration_ms, setting_ms};
use super::page::Page;
use super::tree::is_parked;
use super::{Palette, printable, state_colour};

/// The exits that are shown with all their evidence; of older ones its last line.
const EXITS_WITH_EVIDENCE: usize = 1;

/// The view of `/inspect`; where they are asked for, with the last frames of what lives.
#[must_use]
pub fn inspect(detail: &AgentDetail, all_frames: bool, cells: usize, palette: Palette) -> String {
    let AgentDetail {
        status,
        manifest,
        spec,
        last_exits,
        last_fault,
        frames,
    } = detail;
    let mut page = Page::new(cells, palette);
    page.head(status, spec);
    page.process(status);
    if let Some(program) = status.program.as_ref().map(Program::describe) {
        page.pair("is", &program);
    } else if status.is_hibernated() {
        page.pair("is", "not known before its first call, which starts it");
    }
    if let Some(manifest) = manifest {
        page.manifest(manifest);
    }
    page.spec(spec);
    page.exits(last_exits);
    if let Some(fault) = last_fault {
        page.fault(fault);
    }
    for live in frames.iter().filter(|_| all_frames) {
        let key = format!("frames of #{}", live.incarnation);
        page.frames(&key, &live.frames, true);
    }
    page.text()
}

impl Page {
    fn head(&mut self, status: &AgentStatus, spec: &AgentSummary) {
        let name = self.palette.strong(&status.name);
        let state = state_colour(&status.state, self.palette);
        let incarnation = status
            .incarnation
            .map_or_else(String::new, |it| format!(" #{it}"));
        self.lines.push(format!(
            "{name}{incarnation}   {state}   {}",
            self.palette.dim(&status.path)
        ));
        if let Some(description) = &spec.description {
            self.pair("about", description);
        }
    }

    fn process(&mut self, status: &AgentStatus) {
        let up = status
            .uptime_ms
            .map(|ms| format!("   up {}", duration_ms(ms)));
        let up = up.unwrap_or_default();
        let pid = status
            .pid
            .map_or_else(|| "none".to_owned(), |pid| format!("pid {pid}{up}"));
        let without = if status.is_hibernated() {
            "; the next call starts one"
        } else {
            ""
        };
        self.pair("process", &format!("{pid}{without}"));
        if let Some(usage) = &status.usage {
            self.pair("uses", &uses(usage));
        }
        if let Some(spare) = status.spare_pid {
            self.pair("spare", &format!("pid {spare}, its modules imported"));
        }
        if is_parked(status) {
            let name = &status.name;
            let why = format!("it exhausted its budget of restarts; `start {name}` revives it");
            self.pair("parked", &why);
        }
        let restarts = count(status.restarts, "restart", "restarts");
        self.pair("life", &format!("{restarts} since the node started"));
        let AgentStatus {
            in_flight,
            queued,
            mailbox,
            ..
        } = status;
        self.pair(
            "load",
            &format!("{in_flight} in flight, {queued} of {mailbox} queued"),
        );
        if status.replicas.len() > 1 {
            let replicas: Vec<String> = status.replicas.iter().map(replica).collect();
            self.pair("replicas", &replicas.join("\n"));
        }
    }

    fn manifest(&mut self, manifest: &Value) {
        let tools = manifest.get("tools").and_then(Value::as_array);
        let names: Vec<&str> = tools
            .into_iter()
            .flatten()
            .filter_map(|tool| tool.get("name")?.as_str())
            .collect();
        if !names.is_empty() {
            self.pair("tools", &names.join(", "));
        }
        for (key, field) in [
            ("input", "input_schema"),
            ("output", "output_schema"),
            ("deps", "deps_schema"),
        ] {
            if let Some(schema) = manifest.get(field).filter(|it| !it.is_null()) {
                self.pair(key, &schema_line(schema));
            }
        }
    }

    fn spec(&mut self, spec: &AgentSummary) {
        let entry = spec
            .entry
            .as_deref()
            .unwrap_or("declared in supervision.toml, no code");
        self.pair("entry", entry);
        if let Some(model) = &spec.model {
            self.pair("model", model);
        }
        self.pair(
            "restart",
            &format!("{}, shutdown {}", spec.restart, spec.shutdown),
        );
        let AgentSummary {
            concurrency,
            prefetch,
            when_full,
            ..
        } = spec;
        let prefetch = if *prefetch > 0 {
            format!(", prefetch {prefetch}")
        } else {
            String::new()
        };
        self.pair(
            "calls",
            &format!("concurrency {concurrency}{prefetch}, when_full {when_full}"),
        );
        if spec.retry_on_crash > 0 {
            let times = count(spec.retry_on_crash, "time", "times");
            self.pair("crashes", &format!("a call is executed again, {times}"));
        }
        let call = setting_ms(spec.call_timeout_ms);
        let start = setting_ms(spec.start_timeout_ms);
        let run = spec.run_timeout_ms.map(setting_ms);
        let run = run.map_or_else(String::new, |run| format!(", run {run}"));
        if let Some(limits) = limits(&spec.limits) {
            self.pair("limits", &limits);
        }
        let LivenessSummary {
            loop_lag_max_ms,
            silence_max_ms,
            action,
            ..
        } = &spec.liveness;
        let (lag, silence) = (setting_ms(*loop_lag_max_ms), setting_ms(*silence_max_ms));
        self.pair(
            "liveness",
            &format!("loop lag {lag}, silence {silence}, then {action}"),
        );
        self.pair("timeouts", &format!("call {call}{run}, start {start}"));
    }

    fn exits(&mut self, exits: &[LastExit]) {
        for (index, exit) in exits.iter().enumerate() {
            let key = if index == 0 { "last exit" } else { "before" };
            let LastExit {
                at, incarnation, ..
            } = exit;
            let head = format!("#{incarnation} at {}: {}", clock(at), detail(exit));
            if index < EXITS_WITH_EVIDENCE {
                self.pair(key, &head);
                self.evidence(exit);
            } else {
                self.pair(key, &format!("{head}{}", gist(exit)));
            }
        }
    }

    fn evidence(&mut self, exit: &LastExit) {
        self.pair("more of it", &format!("--exit {}", exit.incarnation));
        if let Some(peak) = exit.peak_resident_bytes {
            self.pair("peak memory", &bytes(peak));
        }
        if !exit.runs_in_flight.is_empty() {
            self.pair("cut off", &exit.runs_in_flight.join(", "));
        }
        self.quote("traceback", exit.traceback.as_deref().unwrap_or_default());
        let tail = exit.stderr_tail.join("\n");
        if exit
            .traceback
            .as_deref()
            .is_none_or(|it| it.trim() != tail.trim())
        {
            self.quote("stderr", &tail);
        }
    }

    fn fault(&mut self, fault: &LastFault) {
        let LastFault {
            run,
            code,
            message,
            at,
            incarnation,
            ..
        } = fault;
        let text = format!(
            "{run} of #{incarnation} at {}: {code}: {message}",
            clock(at)
        );
        self.pair("last fault", &text);
        self.quote("traceback", fault.traceback.as_deref().unwrap_or_default());
    }
}

/// The last line of what it left, where the reason does not say it.
fn gist(exit: &LastExit) -> String {
    let traceback = exit.traceback.iter().flat_map(|text| text.lines());
    let stderr = exit.stderr_tail.iter().map(String::as_str);
    let line = stderr
        .chain(traceback)
        .rfind(|line| !line.trim().is_empty());
    let line = line.filter(|line| !exit.detail.contains(line.trim()));
    line.map_or_else(String::new, |line| format!("\n{}", printable(line.trim())))
}

/// The reason, and how long it lived, where the reason does not say so.
fn detail(exit: &LastExit) -> String {
    let LastExit {
        detail, uptime_ms, ..
    } = exit;
    if *uptime_ms == 0 || detail.contains(" after ") {
        detail.clone()
    } else {
        format!("{detail} after {}", duration_ms(*uptime_ms))
    }
}

fn replica(replica: &ReplicaStatus) -> String {
    let ReplicaStatus {
        index,
        state,
        incarnation,
        pid,
        in_flight,
        ..
    } = replica;
    let incarnation = incarnation.map_or_else(String::new, |it| format!(" #{it}"));
    let pid = pid.map_or_else(String::new, |pid| format!("   pid {pid}"));
    format!("{index}{incarnation}   {state}{pid}   {in_flight} in flight")
}

/// `61 MiB of memory (13 MiB by its part of what is shared), 2% of a processor …`
fn uses(usage: &Usage) -> String {
    let part = usage.proportional_bytes.map(|part| {
        let part = bytes(part);
        format!(" ({part} where shared pages count by its part)")
    });
    let files = usage
        .open_files
        .map(|files| format!(", {}", count(files, "open file", "open files")));
    format!(
        "{} of memory{}, {:.0}% of a processor ({} since its start), {}{}",
        bytes(usage.resident_bytes),
        part.unwrap_or_default(),
        usage.cpu_percent,
        duration_ms(usage.cpu_ms),
        count(usage.threads, "thread", "threads"),
        files.unwrap_or_default(),
    )
}

/// As they stand in the file; `None` where there are none.
fn limits(limits: &ResourceLimits) -> Option<String> {
    let named = [
        limits
            .memory_bytes
            .map(|max| format!("memory {}", bytes(max))),
        limits.open_files.map(|max| format!("open_files {max}")),
        limits.processes.map(|max| format!("processes {max}")),
        limits
            .cpu_ms
            .map(|max| format!("cpu_time {}", setting_ms(max))),
    ];
    let given: Vec<String> = named.into_iter().flatten().collect();
    (!given.is_empty()).then(|| given.join(", "))
}

/// A schema's properties, or its type.
fn schema_line(schema: &Value) -> String {
    let properties = schema.get("properties").and_then(Value::as_object);
    if let Some(properties) = properties {
        let names: Vec<String> = properties
            .iter()
            .map(|(name, it)| property(name, it))
            .collect();
        return format!("{{{}}}", names.join(", "));
    }
    let kind = schema.get("type").and_then(Value::as_str);
    kind.map_or_else(|| schema.to_string(), str::to_owned)
}

fn property(name: &str, schema: &Value) -> String {
    match schema.get("type").and_then(Value::as_str) {
        Some(kind) => format!("{name}: {kind}"),
        None => name.to_owned(),
    }
}
