//! `docs/control-api.md` and the types say the same: every field, every code, every exit code.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{
    ActionAnswer, ActionOutcome, ActionRequest, AgentDetail, AgentStatus, AgentSummary, DeadLetter,
    DeadLetterHead, DeadLetterList, Dossier, Dropped, ErrorBody, EventList, ExitCode, Fault, Frame,
    LastExit, LastFault, LiveFrames, LivenessSummary, LogLine, LogList, NextStep, NodeEvent,
    Problem, Program, ReplicaStatus, ResourceLimits, RunCutOff, RunEvent, RunRequest, RunResult,
    SessionView, Stack, StackList, Status, SupervisorExit, SupervisorStatus, ToolEvent, Turn,
    Usage,
};
use serde_json::{Map, Value, json};

fn reference() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/control-api.md");
    std::fs::read_to_string(path).unwrap()
}

/// The rows of the table under this heading, each as its cells.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let text = reference();
    let mut lines = text
        .lines()
        .skip_while(|line| line.trim_start_matches('#').trim() != heading);
    assert!(lines.next().is_some(), "no heading {heading:?}");
    lines
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with('|'))
        .skip(2)
        .map(|row| {
            row.trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect()
}

fn code_of(cell: &str) -> &str {
    cell.trim_matches('`')
}

fn sample<T: serde::de::DeserializeOwned + serde::Serialize>(text: Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(text).unwrap()).unwrap()
}

fn exit() -> LastExit {
    serde_json::from_value(json!({
        "reason": "signalled", "detail": "", "at": "", "incarnation": 1, "stderr_tail": [],
        "pid": 1, "uptime_ms": 1, "traceback": "", "peak_resident_bytes": 1, "runs_in_flight": [],
        "replica": 0,
    }))
    .unwrap()
}

fn agent() -> AgentStatus {
    AgentStatus {
        name: "a".into(),
        path: "root/a".into(),
        state: "ready".into(),
        incarnation: Some(1),
        pid: Some(1),
        restarts: 0,
        uptime_ms: Some(1),
        in_flight: 0,
        queued: 0,
        mailbox: 1,
        mode: "run".into(),
        program: Some(Program::default()),
        last_exit: Some(exit()),
        spare_pid: Some(1),
        usage: Some(Usage::default()),
        replicas: Vec::new(),
    }
}

fn tool() -> ToolEvent {
    ToolEvent {
        seq: 0,
        kind: "tool_call".into(),
        name: Some(String::new()),
        tool_call_id: Some(String::new()),
        arguments: Some(json!({})),
        ok: Some(true),
        content: Some(json!({})),
        text: Some(String::new()),
        data: Some(json!({})),
    }
}

fn request() -> RunRequest {
    RunRequest {
        prompt: Some(String::new()),
        input: Some(json!(1)),
        session: Some(String::new()),
        deps: Some(json!(1)),
        history: Some(Vec::new()),
        model: Some(String::new()),
        settings: Some(Map::new()),
        instructions: Some(String::new()),
        usage_limits: Some(Map::new()),
        stream: true,
        restarts: true,
        timeout_ms: Some(1),
    }
}

fn fault() -> Fault {
    Fault {
        details: json!({}),
        ..Fault::new("agent_crashed", "agent", "gone")
    }
}

/// Each documented object, with every field there.
fn samples() -> Vec<(&'static str, Value)> {
    [
        of_runs(),
        of_status(),
        of_actions_and_lists(),
        of_sessions_and_faults(),
    ]
    .concat()
}

fn of_runs() -> Vec<(&'static str, Value)> {
    let run = RunEvent::Run {
        run: "r-1".into(),
        agent: "a".into(),
        incarnation: 1,
    };
    let chunk = RunEvent::Chunk {
        seq: 0,
        text: String::new(),
    };
    let result = json!({"run": "", "agent": "", "incarnation": 1, "output": 1, "duration_ms": 1});
    vec![
        ("Event run", run.to_json()),
        ("Event chunk", chunk.to_json()),
        ("Event tool", RunEvent::Tool(tool()).to_json()),
        ("RunRequest", json!(request())),
        ("RunResult", sample::<RunResult>(result)),
    ]
}

fn of_status() -> Vec<(&'static str, Value)> {
    let status = json!({
        "schema": 1, "node": "", "pid": 1, "version": "", "uptime_ms": 1, "agents": [],
        "supervisors": [],
    });
    let supervisor = json!({
        "name": "", "path": "", "strategy": "", "restarts_in_period": 0, "intensity": 1,
        "period_ms": 1,
    });
    let supervisor_exit = json!({"at": "", "cause": "", "detail": ""});
    let replica = json!({"index": 0, "state": "", "in_flight": 0});
    vec![
        ("Status", sample::<Status>(status)),
        ("AgentStatus", json!(agent())),
        ("Program", json!(Program::default())),
        ("LastExit", json!(exit())),
        ("Usage", json!(Usage::default())),
        ("ResourceLimits", json!(ResourceLimits::default())),
        ("ReplicaStatus", sample::<ReplicaStatus>(replica)),
        ("SupervisorStatus", sample::<SupervisorStatus>(supervisor)),
        ("SupervisorExit", sample::<SupervisorExit>(supervisor_exit)),
        (
            "AgentDetail",
            sample::<AgentDetail>(json!({"status": agent(), "spec": {}})),
        ),
        ("AgentSummary", json!(AgentSummary::default())),
        ("LivenessSummary", json!(LivenessSummary::default())),
        ("StackList", json!(StackList::default())),
        ("Stack", json!(Stack::default())),
        ("LastFault", json!(LastFault::default())),
        ("Dossier", json!(Dossier::default())),
        ("RunCutOff", json!(RunCutOff::default())),
        ("Frame", json!(Frame::default())),
        ("LiveFrames", json!(LiveFrames::default())),
        ("NextStep", json!(NextStep::default())),
        ("DeadLetterList", json!(DeadLetterList::default())),
        ("DeadLetterHead", json!(DeadLetterHead::default())),
        ("DeadLetter", json!(DeadLetter::default())),
        ("Dropped", json!(Dropped::default())),
    ]
}

fn of_actions_and_lists() -> Vec<(&'static str, Value)> {
    let outcome = json!({"agent": "", "ok": true, "message": "", "pid": 1, "incarnation": 1});
    vec![
        ("ActionRequest", json!(ActionRequest::default())),
        ("ActionAnswer", json!(ActionAnswer::default())),
        ("ActionOutcome", sample::<ActionOutcome>(outcome)),
        ("LogList", json!(LogList::default())),
        (
            "LogLine",
            sample::<LogLine>(json!({"at": "", "agent": "", "stream": "", "text": ""})),
        ),
        ("EventList", json!(EventList::default())),
        (
            "NodeEvent",
            sample::<NodeEvent>(json!({"seq": 1, "at": "", "kind": ""})),
        ),
    ]
}

fn of_sessions_and_faults() -> Vec<(&'static str, Value)> {
    let session = json!({"id": "", "agent": "", "messages": 0, "bytes": 0});
    vec![
        ("SessionView", sample::<SessionView>(session)),
        (
            "Turn",
            sample::<Turn>(json!({"prompt": "", "answer": "", "at": ""})),
        ),
        ("ErrorBody", json!(ErrorBody { error: fault() })),
        ("Fault", json!(fault())),
        ("Problem", json!(Problem::from(fault()))),
    ]
}

#[test]
fn every_field_of_every_object_is_documented_and_no_other() {
    for (heading, value) in samples() {
        let written: BTreeSet<String> = value.as_object().unwrap().keys().cloned().collect();
        let documented: BTreeSet<String> = rows(heading)
            .iter()
            .map(|row| code_of(&row[0]).to_owned())
            .collect();
        assert_eq!(written, documented, "the fields of {heading}");
    }
}

#[test]
fn every_object_that_is_documented_has_a_sample() {
    let text = reference();
    let objects = text.split("\n## Objects\n").nth(1).unwrap();
    let documented: BTreeSet<&str> = objects
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let sampled: BTreeSet<&str> = samples()
        .into_iter()
        .map(|(heading, _value)| heading)
        .collect();
    assert!(
        documented.is_subset(&sampled),
        "{documented:?} and {sampled:?}"
    );
}

#[test]
fn every_fault_has_the_documented_status_and_exit_code() {
    for row in rows("Errors") {
        let fault = Fault::new(code_of(&row[0]), &row[1], "");
        let shown = (
            fault.http_status().to_string(),
            fault.exit_code().code().to_string(),
        );
        assert_eq!(shown, (row[2].clone(), row[3].clone()), "{}", row[0]);
    }
    let unknown = Fault::new("of_a_newer_node", "agent", "");
    assert_eq!(
        (unknown.http_status(), unknown.exit_code()),
        (500, ExitCode::Failure)
    );
}

#[test]
fn every_exit_code_is_documented() {
    let documented: Vec<(String, String)> = rows("Exit codes")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let ours = ExitCode::ALL.map(|(exit, when)| (exit.code().to_string(), when.to_owned()));
    assert_eq!(documented, ours);
}
