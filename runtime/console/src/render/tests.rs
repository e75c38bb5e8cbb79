use expect_test::{Expect, expect};
use serde_json::{Map, Value, json};
use synapse_api::{
    ActionOutcome, AgentDetail, AgentStatus, AgentSummary, Fault, LastExit, LastFault,
    LivenessSummary, LogLine, NodeEvent, Program, ReplicaStatus, RunResult, SessionView, Status,
    SupervisorExit, SupervisorStatus, ToolEvent, Turn,
};

use super::*;

mod usage;

fn check(actual: &str, expected: &Expect) {
    let lines: Vec<&str> = actual.lines().collect();
    let clean = lines.iter().all(|line| line.trim_end() == *line);
    assert!(clean, "a line ends in spaces:\n{actual}");
    expected.assert_eq(&format!("{actual}\n"));
}

fn replica(index: u32, start_ms: u64) -> ReplicaStatus {
    ReplicaStatus {
        index,
        state: "ready".into(),
        incarnation: Some(1),
        pid: Some(4121 + index),
        uptime_ms: Some(41_000),
        in_flight: 0,
        start_ms: Some(start_ms),
        why_down: None,
        usage: None,
    }
}

fn agent(path: &str, start_ms: u64, program: Option<Program>) -> AgentStatus {
    AgentStatus {
        name: path.rsplit('/').next().unwrap().into(),
        path: path.into(),
        state: "ready".into(),
        incarnation: Some(1),
        pid: Some(4121),
        restarts: 0,
        uptime_ms: Some(41_000),
        in_flight: 0,
        queued: 0,
        mailbox: 256,
        mode: "run".into(),
        program,
        last_exit: None,
        spare_pid: None,
        usage: None,
        replicas: vec![replica(0, start_ms)],
    }
}

fn supervisor(path: &str, strategy: &str, children: &[&str]) -> SupervisorStatus {
    SupervisorStatus {
        name: path.rsplit('/').next().unwrap().into(),
        path: path.into(),
        strategy: strategy.into(),
        restarts_in_period: 0,
        intensity: 3,
        period_ms: 5_000,
        children: children.iter().map(|name| (*name).to_owned()).collect(),
        state: "ready".into(),
        on_exhausted: "escalate".into(),
        start_order: "sequential".into(),
        restarts: 0,
        last_exits: Vec::new(),
    }
}

fn model(output: Option<&str>) -> Program {
    Program {
        kind: "pydantic_ai".into(),
        streams: output.is_none(),
        model: Some("offline".into()),
        output_name: output.map(str::to_owned),
        output_fields: vec!["title".into(), "risk".into()],
    }
}

fn first_minute() -> Status {
    let function = Program {
        kind: "function".into(),
        ..Program::default()
    };
    Status {
        schema: 1,
        node: "local".into(),
        pid: 4100,
        guard_pid: None,
        version: "0.1.0".into(),
        uptime_ms: 200_000,
        agents: vec![
            agent("root/assistant", 9, Some(model(None))),
            agent("root/analyst", 11, Some(model(Some("Report")))),
            agent("root/echo", 8, Some(function)),
            agent("root/research/searcher", 9, None),
            agent("root/research/writer", 9, None),
        ],
        supervisors: vec![
            supervisor(
                "root",
                "one_for_one",
                &["assistant", "analyst", "echo", "research"],
            ),
            supervisor("root/research", "rest_for_one", &["searcher", "writer"]),
        ],
    }
}

fn exit(incarnation: u64) -> LastExit {
    LastExit {
        reason: "signalled".into(),
        detail: "killed by signal 9 after 41 s".into(),
        at: "2026-11-20T09:46:52.123Z".into(),
        incarnation,
        stderr_tail: vec!["loading".into(), "\u{1b}[2Jout of memory?".into()],
        pid: Some(4121),
        uptime_ms: 41_000,
        traceback: None,
        peak_resident_bytes: Some(70 * 1024 * 1024),
        runs_in_flight: vec!["r-17".into()],
        replica: 0,
    }
}

fn troubled() -> Status {
    let mut status = first_minute();
    let failing = &mut status.agents[1];
    failing.state = "backoff".into();
    failing.pid = None;
    failing.uptime_ms = None;
    failing.restarts = 3;
    failing.queued = 250;
    failing.last_exit = Some(exit(3));
    status.agents[0].replicas.push(ReplicaStatus {
        state: "starting".into(),
        ..replica(1, 0)
    });
    status.agents[0].in_flight = 12;
    status.supervisors[0].restarts_in_period = 3;
    status
}

#[test]
fn the_tree_of_the_first_minute() {
    let expected = expect![[r"
        root  one_for_one   0/3 restarts in 5s
        ├─ assistant   ready    9 ms   streams, model offline
        ├─ analyst     ready   11 ms   returns Report {title, risk}
        ├─ echo        ready    8 ms   plain Python, no model
        └─ research    rest_for_one   0/3 in 5s
           ├─ searcher ready    9 ms
           └─ writer   ready    9 ms
    "]];
    check(&tree(&first_minute(), 80, Palette::PLAIN), &expected);
}

#[test]
fn a_tree_in_trouble_says_why_and_fits_a_narrow_terminal() {
    let expected = expect![[r#"
        root  one_for_one   3/3 restarts in 5s
        ├─ assistant   ready     9 ms   streams, model offl…
        ├─ analyst     backoff          killed by signal 9 …
        ├─ echo        ready     8 ms   plain Python, no mo…
        └─ research    rest_for_one   0/3 in 5s
           ├─ searcher ready     9 ms
           └─ writer   ready     9 ms
    "#]];
    check(&tree(&troubled(), 52, Palette::PLAIN), &expected);
}

/// The group below has given up too often, and `echo` has crashed too often.
fn parked() -> Status {
    let mut status = first_minute();
    status.supervisors[0].on_exhausted = "park".into();
    status.supervisors[0].restarts_in_period = 2;
    let group = &mut status.supervisors[1];
    group.state = "failed".into();
    group.last_exits.push(SupervisorExit {
        at: "2026-11-20T09:46:52.123Z".into(),
        cause: "gave_up".into(),
        detail: "gave up after writer #4 exited with code 3".into(),
    });
    let echo = &mut status.agents[2];
    echo.state = "failed".into();
    echo.last_exit = Some(exit(3));
    echo.replicas[0].why_down = Some("parked".into());
    echo.replicas[0].state = "failed".into();
    echo.replicas.push(replica(1, 8));
    status
}

#[test]
fn who_is_parked_says_so_and_why() {
    check(
        &tree(&parked(), 100, Palette::PLAIN),
        &expect![[r#"
            root  one_for_one   2/3 restarts in 5s each
            ├─ assistant   ready     9 ms   streams, model offline
            ├─ analyst     ready    11 ms   returns Report {title, risk}
            ├─ echo        failed           parked: killed by signal 9 after 41 s, 1 of 2 replicas ready
            └─ research    rest_for_one   0/3 in 5s   failed   gave up after writer #4 exited with code 3
               ├─ searcher ready     9 ms
               └─ writer   ready     9 ms
        "#]],
    );
    check(
        &status(&parked(), 80, Palette::PLAIN),
        &expect![[r#"
            node local   pid 4100   up 3 min 20 s   synapse 0.1.0
            NAME        STATE    RESTARTS   UPTIME    PID   IN FLIGHT   QUEUED   MEMORY
            assistant   ready           0     41 s   4121           0    0/256        -
            analyst     ready           0     41 s   4121           0    0/256        -
            echo        failed          0     41 s   4121           0    0/256        -
              parked: killed by signal 9 after 41 s
            searcher    ready           0     41 s   4121           0    0/256        -
            writer      ready           0     41 s   4121           0    0/256        -
        "#]],
    );
}

#[test]
fn colours_change_no_width() {
    let coloured = tree(&troubled(), 80, Palette::COLOURS);
    assert!(coloured.contains("\u{1b}[31m3/3 restarts in 5s"));
    assert_eq!(
        strip_escapes(&coloured),
        tree(&troubled(), 80, Palette::PLAIN)
    );
    let coloured = status(&troubled(), 80, Palette::COLOURS);
    assert_eq!(
        strip_escapes(&coloured),
        status(&troubled(), 80, Palette::PLAIN)
    );
}

#[test]
fn the_status_of_agents_that_are_not_ready_has_its_reason() {
    let expected = expect![[r#"
        node local   pid 4100   up 3 min 20 s   synapse 0.1.0
        NAME        STATE     RESTARTS   UPTIME    PID   IN FLIGHT    QUEUED   MEMORY
        assistant   ready            0     41 s   4121          12     0/256        -
        analyst     backoff          3        -      -           0   250/256        -
          killed by signal 9 after 41 s
        echo        ready            0     41 s   4121           0     0/256        -
        searcher    ready            0     41 s   4121           0     0/256        -
        writer      ready            0     41 s   4121           0     0/256        -
    "#]];
    check(&status(&troubled(), 80, Palette::PLAIN), &expected);
}

#[test]
fn a_narrow_terminal_gets_fewer_columns() {
    let expected = expect![[r#"
        node local   pid 4100   up 3 min 20 s   syn…
        NAME        STATE     RESTARTS   UPTIME
        assistant   ready            0     41 s
        analyst     backoff          3        -
          killed by signal 9 after 41 s
        echo        ready            0     41 s
        searcher    ready            0     41 s
        writer      ready            0     41 s
    "#]];
    check(&status(&troubled(), 44, Palette::PLAIN), &expected);
}

fn last_fault() -> LastFault {
    LastFault {
        run: "r-18".into(),
        code: "agent_error".into(),
        origin: "agent".into(),
        message: "ValueError: no".into(),
        at: "2026-11-20T09:46:53Z".into(),
        incarnation: 3,
        traceback: Some("Traceback ...\nValueError: no".into()),
    }
}

fn liveness() -> LivenessSummary {
    LivenessSummary {
        interval_ms: 10_000,
        loop_lag_max_ms: 30_000,
        silence_max_ms: 60_000,
        action: "restart_silent".into(),
    }
}

fn summary() -> AgentSummary {
    AgentSummary {
        entry: Some("agents.analyst:agent".into()),
        model: Some("offline".into()),
        description: Some("Reads a text and\nweighs its risks.".into()),
        restart: "permanent".into(),
        shutdown: "5s".into(),
        concurrency: 8,
        prefetch: 0,
        replicas: 2,
        when_full: "reject".into(),
        start_timeout_ms: 30_000,
        call_timeout_ms: 600_000,
        liveness: liveness(),
        cancel_grace_ms: 10_000,
        ..AgentSummary::default()
    }
}

#[test]
fn inspect_shows_everything_with_the_evidence_of_the_last_crash() {
    let mut status = troubled().agents.remove(1);
    status.replicas.push(replica(1, 3));
    let manifest = json!({"tools": [{"name": "search"}, {"name": "add"}],
        "input_schema": {"type": "string"},
        "output_schema": {"properties": {"risk": {}, "title": {"type": "string"}}}});
    let traceback = "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'";
    let last = LastExit {
        traceback: Some(traceback.into()),
        ..exit(3)
    };
    let detail = AgentDetail {
        status,
        manifest: Some(manifest),
        spec: summary(),
        last_exits: vec![last, exit(2)],
        last_fault: Some(last_fault()),
        frames: Vec::new(),
    };
    let expected = expect![[r#"
        analyst #1   backoff   root/analyst
        about         Reads a text and
                      weighs its risks.
        process       none
        life          3 restarts since the node started
        load          0 in flight, 250 of 256 queued
        replicas      0 #1   ready   pid 4121   0 in flight
                      1 #1   ready   pid 4122   0 in flight
        is            returns Report {title, risk}
        tools         search, add
        input         string
        output        {risk, title: string}
        entry         agents.analyst:agent
        model         offline
        restart       permanent, shutdown 5s
        calls         concurrency 8, when_full reject
        liveness      loop lag 30s, silence 1m, then restart_silent
        timeouts      call 10m, start 30s
        last exit     #3 at 09:46:52: killed by signal 9 after 41 s
        more of it    --exit 3
        peak memory   70 MiB
        cut off       r-17
        traceback
          Traceback (most recent call last):
            File "a.py", line 1
          KeyError: 'x'
        stderr
          loading
          ^[[2Jout of memory?
        before        #2 at 09:46:52: killed by signal 9 after 41 s
                      ^[[2Jout of memory?
        last fault    r-18 of #3 at 09:46:53: agent_error: ValueError: no
        traceback
          Traceback ...
          ValueError: no
    "#]];
    check(&inspect(&detail, false, 80, Palette::PLAIN), &expected);
}

fn node_event(kind: &str, message: &str) -> NodeEvent {
    NodeEvent {
        seq: 1,
        at: "2026-11-20T09:46:52Z".into(),
        kind: kind.into(),
        agent: Some("assistant".into()),
        supervisor: None,
        incarnation: Some(2),
        message: message.into(),
        data: Map::new(),
    }
}

#[test]
fn notices_are_one_quiet_line_each() {
    let died = "assistant #1 killed by signal 9 after 41 s; restarting (1/3 in 5s)";
    let shown = |event: &NodeEvent, kept| notice(event, kept, Palette::PLAIN);
    assert_eq!(
        shown(&node_event("agent_restarting", died), None),
        Some(format!("  ! {died}"))
    );
    let ready = node_event("agent_ready", "assistant #2 ready in 11 ms");
    let kept = "  + assistant #2 ready in 11 ms, conversation kept (2 messages)";
    assert_eq!(shown(&ready, Some(2)).as_deref(), Some(kept));
    assert_eq!(
        shown(&ready, None).as_deref(),
        Some("  + assistant #2 ready in 11 ms")
    );
    assert_eq!(shown(&node_event("agent_starting", "x"), None), None);
    assert_eq!(shown(&node_event("of_the_future", "x"), None), None);
}

#[test]
fn events_and_log_lines_are_one_line_each() {
    let line = |stream: &str, level: &str, text: &str| LogLine {
        at: "2026-11-20T09:46:52.9Z".into(),
        agent: "echo".into(),
        incarnation: Some(2),
        stream: stream.into(),
        level: level.into(),
        text: text.into(),
    };
    let lines = [
        event(
            &node_event("agent_ready", "assistant #2 ready in 11 ms"),
            Palette::PLAIN,
        ),
        event(
            &node_event("supervisor_gave_up", "root gave up\nafter 4 restarts"),
            Palette::PLAIN,
        ),
        event(&node_event("agent_starting", ""), Palette::PLAIN),
        log_line(
            &line("stderr", "info", "hello \u{1b}[31mred"),
            Palette::PLAIN,
        ),
        log_line(&line("log", "warning", "slow"), Palette::PLAIN),
        log_line(&line("runtime", "error", "did not answer"), Palette::PLAIN),
    ];
    let expected = expect![[r#"
        09:46:52 agent_ready        assistant #2 ready in 11 ms
        09:46:52 supervisor_gave_up root gave up after 4 restarts
        09:46:52 agent_starting     assistant #2
        09:46:52 #2 hello ^[[31mred
        09:46:52 #2 warning slow
        09:46:52 #2 runtime did not answer
    "#]];
    check(&lines.join("\n"), &expected);
}

#[test]
fn faults_are_one_or_two_lines_and_never_a_traceback() {
    let shown = |code: &str, message: &str, details: Value, voice: Voice| {
        let fault = Fault {
            details,
            ..Fault::new(code, "agent", message)
        };
        super::fault(&fault, Some("echo"), voice, Palette::PLAIN)
    };
    let retryable = Fault {
        retryable: true,
        details: json!({"retry_after_s": 1.5}),
        ..Fault::new("model_error", "model", "429 from the provider")
    };
    let lines = [
        shown(
            "agent_crashed",
            "echo #1 was killed by signal 9",
            Value::Null,
            Voice::Console,
        ),
        shown(
            "agent_crashed",
            "echo #1 was killed by signal 9",
            Value::Null,
            Voice::CommandLine,
        ),
        shown(
            "agent_error",
            "ValueError: no\nTraceback (most recent call last):\n  File",
            json!({"agent": "other", "traceback": "Traceback ..."}),
            Voice::Console,
        ),
        shown(
            "agent_failed",
            "echo is down for good",
            Value::Null,
            Voice::CommandLine,
        ),
        shown(
            "agent_not_found",
            "no agent \"analist\"",
            json!({"nearest": "analyst"}),
            Voice::Console,
        ),
        shown("agent_not_found", "", Value::Null, Voice::Console),
        super::fault(&retryable, Some("echo"), Voice::Console, Palette::PLAIN),
        shown("of_the_future", "", Value::Null, Voice::Console),
    ];
    let expected = expect![[r#"
        agent_crashed: echo #1 was killed by signal 9
          /inspect echo --exit last shows what happened.
        agent_crashed: echo #1 was killed by signal 9
          synapse inspect echo --exit last shows what happened.
        agent_error: ValueError: no
          /inspect other shows the traceback.
        agent_failed: echo is down for good
          synapse status says why; synapse start echo tries again.
        no agent "analist". Did you mean analyst?
        the node does not say why.
        model_error: 429 from the provider
          The provider asks to wait 1.5 s.
        of_the_future: the node does not say why
    "#]];
    check(&lines.join("\n"), &expected);
}

#[test]
fn what_an_agent_does_meanwhile_is_one_line() {
    let call = ToolEvent {
        kind: "tool_call".into(),
        name: Some("search".into()),
        arguments: Some(json!({"limit": 3, "query": "rust"})),
        ..ToolEvent::default()
    };
    let result = |ok: bool| ToolEvent {
        kind: "tool_result".into(),
        name: Some("search".into()),
        ok: Some(ok),
        content: Some(json!(
            "two\nlines and a very long answer that does not fit the line"
        )),
        ..ToolEvent::default()
    };
    let other = ToolEvent {
        kind: "progress".into(),
        data: Some(json!({"done": 3})),
        ..ToolEvent::default()
    };
    let thought = ToolEvent {
        kind: "thinking".into(),
        text: Some("hm".into()),
        ..ToolEvent::default()
    };
    let events = [call, result(true), result(false), other, thought];
    let lines: Vec<String> = events
        .iter()
        .map(|it| tool(it, 50, Palette::PLAIN))
        .collect();
    let expected = expect![[r#"
        answer
          > search {"limit":3,"query":"rust"}
          < search two lines and a very long answer that…
          x search failed: two lines and a very long ans…
          . progress {"done":3}
          . thinking
    "#]];
    // A line without an indentation keeps that of the others.
    check(&format!("answer\n{}", lines.join("\n")), &expected);
}

#[test]
fn costs_name_tokens_where_there_are_any() {
    let result = |usage: Value| RunResult {
        run: "r-1".into(),
        agent: "echo".into(),
        incarnation: 1,
        attempts: 1,
        output: Value::Null,
        usage,
        duration_ms: 1_250,
    };
    let tokens = json!({"requests": 1, "input_tokens": 1, "output_tokens": 6});
    assert_eq!(cost(&result(tokens)), "1.2 s · 1 token in, 6 out");
    assert_eq!(cost(&result(Value::Null)), "1.2 s");
}

#[test]
fn a_conversation_reads_as_it_was_said() {
    let turn = |prompt: Value, answer: Value, partial: bool| Turn {
        prompt,
        answer,
        at: "2026-11-20T09:46:52Z".into(),
        partial,
    };
    let session = SessionView {
        id: "c-1".into(),
        agent: "analyst".into(),
        turns: vec![
            turn(json!("Is it\nrisky?"), json!({"risk": 3}), false),
            turn(
                json!("tell me a long story"),
                json!("Once upon a time there was a"),
                true,
            ),
        ],
        messages: 4,
        bytes: 1_536,
    };
    let expected = expect![[r#"
        09:46:52 > Is it
                   risky?
        {
          "risk": 3
        }
        09:46:52 > tell me a long story
        Once upon a time there was a [cut off]
        2 turns, 4 messages, 1.5 KiB, with analyst
    "#]];
    check(&history(&session, Palette::PLAIN), &expected);
}

#[test]
fn the_lines_around_a_start() {
    let troubled = troubled();
    let took = std::time::Duration::from_millis(940);
    let lines = [
        header("0.1.0", "supervision.toml", ".synapse", Palette::PLAIN),
        readiness(&first_minute(), took, Palette::PLAIN),
        readiness(&troubled, took, Palette::PLAIN),
        invitation(Some("assistant"), "stops"),
        invitation(None, "leaves"),
        attached(&troubled),
    ];
    let expected = expect![[r#"
        synapse 0.1.0   supervision.toml   data .synapse/
        All 5 ready in 0.9 s.
        4 of 5 ready in 0.9 s; not ready: analyst.
        Type to talk to assistant; /help lists commands; Ctrl-D stops.
        /help lists commands; Ctrl-D leaves.
        Attached to node local (pid 4100): 5 agents.
    "#]];
    check(&lines.join("\n"), &expected);
}

#[test]
fn actions_tell_what_they_did_to_whom() {
    let outcome = |agent: &str, ok: bool, message: &str| ActionOutcome {
        agent: agent.into(),
        ok,
        message: message.into(),
        pid: None,
        incarnation: None,
    };
    let outcomes = [
        outcome("assistant", true, "sent SIGKILL to assistant #1 (pid 4121)"),
        outcome("echo", false, "it has no process"),
    ];
    let expected = expect![[r#"
        sent SIGKILL to assistant #1 (pid 4121)
        echo: it has no process
    "#]];
    check(&actions(&outcomes, Palette::PLAIN), &expected);
    let none = "there are no agents below it: nothing was done";
    assert_eq!(actions(&[], Palette::PLAIN), none);
}

#[test]
fn help_lists_every_verb_and_explains_one() {
    use crate::verb::{VERBS, Verb};
    let listed = help(None, 80, Palette::PLAIN);
    assert!(VERBS.iter().all(|row| listed.contains(&row.usage())));
    assert!(listed.lines().all(|line| width(line) <= 80), "{listed}");
    let expected = expect![[r#"
        /logs AGENT [-f] [--previous]
          What an agent logged and printed. -f goes on until Ctrl-C;
          --previous shows the incarnation that died last.
    "#]];
    check(&help(Some(Verb::Logs), 60, Palette::PLAIN), &expected);
}
