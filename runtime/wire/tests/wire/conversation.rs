//! Who may say what, when: the session's rules, one situation each.

use serde_json::Value;
use synapse_wire::frame::*;
use synapse_wire::limits::{PINGS_OPEN_MAX, REQUESTS_OPEN_MAX, STREAM_CREDIT_INITIAL};
use synapse_wire::{
    CallFrame, Event, FrameDecoder, Greeting, OpenRun, Refused, RuntimeSession, Violation,
};

pub(crate) fn make_ready(session: &mut RuntimeSession, out: &mut Vec<u8>) {
    session.received(hello(&[1])).unwrap();
    session.welcome(Greeting::default(), out).unwrap();
    session
        .received(
            Ready {
                manifest: Map::new(),
            }
            .into(),
        )
        .unwrap();
}

/// One of the commands, as the arguments of an arbitrary call say.
pub(crate) fn command(
    session: &mut RuntimeSession,
    number: u8,
    call: &Call,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    let (run, message) = (call.run, call.model.clone());
    match number {
        0 => session.welcome(Greeting::default(), out),
        1 => session.call(&call.borrow(), out),
        2 => session.taken(run, call.credit, out).map(drop),
        3 => session.cancel(run, CancelReason::Shutdown, out),
        4 => {
            let (value, status) = (call.input.clone(), ToolStatus::Ok);
            session.tool_result(
                &ToolResult {
                    run,
                    call: 1,
                    status,
                    value,
                    message,
                },
                out,
            )
        }
        5 => session.output_verdict(
            &OutputVerdict {
                run,
                check: 1,
                ok: true,
                message,
            },
            out,
        ),
        6 => session.ping(out).map(drop),
        7 => session.stop(call.credit.into(), out),
        _ => Ok(()),
    }
}

fn hello(versions: &[u64]) -> FromAgent {
    let (versions, sdk, python) = (versions.to_vec(), "sdk".to_owned(), "3.11".to_owned());
    Hello {
        versions,
        sdk,
        python,
        pid: 7,
    }
    .into()
}

fn ready() -> FromAgent {
    Ready {
        manifest: Map::new(),
    }
    .into()
}

fn chunk(run: u64, seq: u64) -> FromAgent {
    Chunk {
        run,
        seq,
        data: ChunkData::Text("x".to_owned()),
    }
    .into()
}

fn result(run: u64) -> FromAgent {
    RunResult {
        run,
        output: Value::Null,
        new_messages: None,
        message_count: 0,
        usage: None,
    }
    .into()
}

fn fault(run: u64) -> FromAgent {
    let (origin, code, message) = ("caller".to_owned(), "cancelled".to_owned(), String::new());
    let (details, new_messages, usage) = (None, None, None);
    let (retryable, message_count) = (false, 0);
    Fault {
        run,
        origin,
        code,
        message,
        retryable,
        details,
        new_messages,
        message_count,
        usage,
    }
    .into()
}

fn tool_call(run: u64, call: u64) -> FromAgent {
    ToolCall {
        run,
        call,
        name: "t".to_owned(),
        arguments: Map::new(),
    }
    .into()
}

fn output_check(run: u64, check: u64) -> FromAgent {
    OutputCheck {
        run,
        check,
        output: Value::Null,
    }
    .into()
}

fn log(run: u64) -> FromAgent {
    let (logger, message) = (String::new(), String::new());
    Log {
        run,
        level: LogLevel::Info,
        logger,
        message,
        fields: None,
        dropped: 0,
    }
    .into()
}

fn pong(nonce: u64) -> FromAgent {
    Pong {
        nonce,
        lag_us: 0,
        resident_bytes: 0,
    }
    .into()
}

/// A ready session with run 1 (plain), 2 (a stream) and 3 (prefetched, a stream).
struct Conversation {
    session: RuntimeSession,
    out: Vec<u8>,
}

impl Conversation {
    fn new() -> Self {
        let (mut session, mut out) = (RuntimeSession::new(), Vec::new());
        make_ready(&mut session, &mut out);
        for run in 1..=3 {
            let input = Value::Null;
            let call = CallFrame {
                prefetched: run == 3,
                ..CallFrame::new(run, &input, run > 1)
            };
            session.call(&call, &mut out).unwrap();
        }
        out.clear();
        Self { session, out }
    }

    fn received(&mut self, frame: FromAgent) -> Result<Event, Violation> {
        self.session.received(frame)
    }

    /// The frames written since the last look.
    fn written(&mut self) -> Vec<FromRuntime> {
        let written = std::mem::take(&mut self.out);
        crate::read(&mut FrameDecoder::new(), &written, &[usize::MAX]).unwrap()
    }
}

/// Each frame is taken but the last, which is the named violation, whatever comes after it too.
fn check(frames: Vec<FromAgent>, violation: &str) {
    let mut conversation = Conversation::new();
    check_from(&mut conversation.session, frames, violation);
}

fn check_from(session: &mut RuntimeSession, mut frames: Vec<FromAgent>, violation: &str) {
    let last = frames.pop().unwrap();
    for frame in frames {
        session.received(frame).unwrap();
    }
    assert_eq!(session.received(last).unwrap_err().name(), violation);
    assert_eq!(
        session.received(log(0)).unwrap_err().name(),
        "unexpected_frame"
    );
}

#[test]
fn handshake_leads_to_ready() {
    let (mut session, mut out) = (RuntimeSession::new(), Vec::new());
    assert!(matches!(
        session.received(hello(&[1, 9])),
        Ok(Event::Hello(_))
    ));
    assert_eq!(
        session.call(&CallFrame::new(1, &Value::Null, false), &mut out),
        Err(Refused::State)
    );
    let greeting = Greeting {
        agent: "echo".to_owned(),
        incarnation: 4,
        ..Greeting::default()
    };
    session.welcome(greeting, &mut out).unwrap();
    assert!(!session.is_ready());
    session.received(log(0)).unwrap();
    assert!(matches!(session.received(ready()), Ok(Event::Ready(_))));
    assert!(session.is_ready());

    let Ok(FromRuntime::Welcome(welcome)) = FromRuntime::decode(&out[4..]) else {
        panic!()
    };
    assert_eq!(
        (welcome.version, welcome.versions.as_slice()),
        (1, [1].as_slice())
    );
    assert_eq!((welcome.agent.as_str(), welcome.incarnation), ("echo", 4));
    assert_eq!(welcome.limits, Limits::default());
}

#[test]
fn no_common_version_is_refused() {
    check_from(
        &mut RuntimeSession::new(),
        vec![hello(&[2, 3])],
        "version_unsupported",
    );
    check_from(
        &mut RuntimeSession::new(),
        vec![hello(&[])],
        "version_unsupported",
    );
}

#[test]
fn nothing_comes_before_hello() {
    for frame in [
        ready(),
        log(0),
        pong(0),
        fault(0),
        fault(1),
        chunk(1, 0),
        result(1),
    ] {
        let mut session = RuntimeSession::new();
        let violation = session.received(frame).unwrap_err();
        assert!(
            matches!(violation.name(), "unexpected_frame" | "unknown_ping"),
            "{violation}"
        );
    }
}

#[test]
fn run_frames_before_ready_are_unexpected() {
    for frame in [chunk(1, 0), result(1), fault(1), tool_call(1, 0)] {
        check_from(
            &mut RuntimeSession::new(),
            vec![hello(&[1]), frame],
            "unexpected_frame",
        );
    }
}

#[test]
fn hello_and_ready_come_once() {
    check(vec![hello(&[1])], "unexpected_frame");
    check(vec![ready()], "unexpected_frame");
}

#[test]
fn agent_that_cannot_start_says_so_and_nothing_more() {
    let (mut session, mut out) = (RuntimeSession::new(), Vec::new());
    session.received(hello(&[1])).unwrap();
    session.welcome(Greeting::default(), &mut out).unwrap();
    assert!(matches!(
        session.received(fault(0)),
        Ok(Event::StartFailed(_))
    ));
    assert_eq!(
        session.received(ready()).unwrap_err().name(),
        "unexpected_frame"
    );
    check(vec![fault(0)], "unexpected_frame");
}

#[test]
fn run_ends_once() {
    check(vec![result(1), result(1)], "unknown_run");
    check(vec![fault(1), result(1)], "unknown_run");
    check(vec![result(2), chunk(2, 0)], "unknown_run");
    check(vec![result(1), tool_call(1, 0)], "unknown_run");
    check(vec![result(99)], "unknown_run");
}

#[test]
fn cancelled_run_still_owes_its_end() {
    let mut conversation = Conversation::new();
    for _ in 0..2 {
        let reason = CancelReason::CallerGone;
        conversation
            .session
            .cancel(2, reason, &mut conversation.out)
            .unwrap();
    }
    let cancel = Cancel {
        run: 2,
        reason: CancelReason::CallerGone,
    };
    assert_eq!(conversation.written(), [cancel.into()]);
    conversation.received(chunk(2, 0)).unwrap();
    let open = OpenRun {
        run: 2,
        started: true,
        cancelled: true,
    };
    assert!(conversation.session.open_runs().any(|run| run == open));
    assert!(matches!(
        conversation.received(fault(2)),
        Ok(Event::Fault(_))
    ));
    assert_eq!(conversation.session.open_count(), 2);
    let refused = conversation
        .session
        .cancel(2, CancelReason::Cancelled, &mut conversation.out);
    assert_eq!(refused, Err(Refused::UnknownRun));
}

#[test]
fn started_is_for_prefetched_runs_and_once() {
    let mut conversation = Conversation::new();
    assert_eq!(
        conversation.received(Started { run: 3 }.into()),
        Ok(Event::Started { run: 3 })
    );
    conversation.received(chunk(3, 0)).unwrap();
    check(
        vec![Started { run: 3 }.into(), Started { run: 3 }.into()],
        "unexpected_start",
    );
    check(vec![Started { run: 1 }.into()], "unexpected_start");
    check(vec![Started { run: 9 }.into()], "unknown_run");
}

#[test]
fn prefetched_run_does_nothing_before_it_starts_but_fail() {
    for frame in [chunk(3, 0), result(3), tool_call(3, 0), output_check(3, 0)] {
        check(vec![frame], "unexpected_frame");
    }
    let mut conversation = Conversation::new();
    assert!(
        conversation
            .session
            .open_runs()
            .any(|open| open.run == 3 && !open.started)
    );
    conversation.received(fault(3)).unwrap();
}

#[test]
fn chunks_keep_their_order_and_are_of_streams() {
    check(vec![chunk(1, 0)], "not_streaming");
    check(vec![chunk(2, 1)], "wrong_sequence");
    check(vec![chunk(2, 0), chunk(2, 0)], "wrong_sequence");
    check(vec![chunk(2, 0), chunk(2, 2)], "wrong_sequence");
}

#[test]
fn chunks_beyond_credit_are_a_violation_and_taking_them_grants_more() {
    let initial = u64::from(STREAM_CREDIT_INITIAL);
    check(
        (0..=initial).map(|seq| chunk(2, seq)).collect(),
        "credit_exceeded",
    );

    let mut conversation = Conversation::new();
    for seq in 0..initial {
        conversation.received(chunk(2, seq)).unwrap();
    }
    let Conversation { session, out } = &mut conversation;
    assert_eq!(session.taken(2, 31, out), Ok(0));
    assert_eq!(session.taken(2, 1, out), Ok(32));
    assert_eq!(session.taken(1, 1, out), Ok(0), "run 1 is no stream");
    assert_eq!(session.taken(9, 1, out), Err(Refused::UnknownRun));
    assert_eq!(
        conversation.written(),
        [Credit { run: 2, chunks: 32 }.into()]
    );
    for seq in initial..initial + 32 {
        conversation.received(chunk(2, seq)).unwrap();
    }
    assert_eq!(
        conversation
            .received(chunk(2, initial + 32))
            .unwrap_err()
            .name(),
        "credit_exceeded"
    );
}

#[test]
fn streams_have_credit_of_their_own() {
    let mut conversation = Conversation::new();
    conversation.received(Started { run: 3 }.into()).unwrap();
    for seq in 0..u64::from(STREAM_CREDIT_INITIAL) {
        conversation.received(chunk(2, seq)).unwrap();
        conversation.received(chunk(3, seq)).unwrap();
    }
}

#[test]
fn tool_call_is_answered_once() {
    let mut conversation = Conversation::new();
    conversation.received(tool_call(1, 5)).unwrap();
    let Conversation { session, out } = &mut conversation;
    let status = ToolStatus::Retry;
    let mut answer = ToolResult {
        run: 1,
        call: 6,
        status,
        value: Value::Null,
        message: None,
    };
    assert_eq!(
        session.tool_result(&answer, out),
        Err(Refused::UnknownRequest)
    );
    answer.call = 5;
    assert_eq!(session.tool_result(&answer, out), Ok(()));
    assert_eq!(
        session.tool_result(&answer, out),
        Err(Refused::UnknownRequest)
    );
    assert_eq!(conversation.written(), [answer.into()]);
    conversation.received(tool_call(1, 5)).unwrap();
}

#[test]
fn answer_that_is_too_long_leaves_the_tool_call_open() {
    let mut conversation = Conversation::new();
    conversation.received(tool_call(1, 5)).unwrap();
    let Conversation { session, out } = &mut conversation;
    let value = Value::from("x".repeat(17 * 1024 * 1024));
    let mut answer = ToolResult {
        run: 1,
        call: 5,
        status: ToolStatus::Ok,
        value,
        message: None,
    };
    assert!(matches!(
        session.tool_result(&answer, out),
        Err(Refused::Encode(_))
    ));
    answer.value = Value::Null;
    answer.status = ToolStatus::Fail;
    assert_eq!(session.tool_result(&answer, out), Ok(()));
}

#[test]
fn output_check_is_answered_once() {
    let mut conversation = Conversation::new();
    conversation.received(output_check(1, 0)).unwrap();
    let Conversation { session, out } = &mut conversation;
    let verdict = OutputVerdict {
        run: 1,
        check: 0,
        ok: false,
        message: Some("no".to_owned()),
    };
    assert_eq!(session.output_verdict(&verdict, out), Ok(()));
    assert_eq!(
        session.output_verdict(&verdict, out),
        Err(Refused::UnknownRequest)
    );
    assert_eq!(conversation.written(), [verdict.into()]);
}

#[test]
fn open_requests_are_distinct_and_bounded() {
    check(vec![tool_call(1, 0), tool_call(1, 0)], "duplicate_request");
    check(
        vec![output_check(1, 0), output_check(1, 0)],
        "duplicate_request",
    );
    let max = REQUESTS_OPEN_MAX as u64;
    check(
        (0..=max).map(|call| tool_call(1, call)).collect(),
        "too_many_requests",
    );
    check(
        (0..=max).map(|check| output_check(1, check)).collect(),
        "too_many_requests",
    );
}

#[test]
fn pong_answers_an_open_ping() {
    let mut conversation = Conversation::new();
    let Conversation { session, out } = &mut conversation;
    let first = session.ping(out).unwrap();
    let second = session.ping(out).unwrap();
    conversation.received(pong(second)).unwrap();
    assert_eq!(
        conversation.received(pong(first)).unwrap_err().name(),
        "unknown_ping"
    );
    check(vec![pong(1)], "unknown_ping");
}

#[test]
fn pings_without_an_answer_are_bounded() {
    let Conversation {
        mut session,
        mut out,
    } = Conversation::new();
    for _ in 0..PINGS_OPEN_MAX {
        session.ping(&mut out).unwrap();
    }
    assert_eq!(session.ping(&mut out), Err(Refused::TooManyPings));
}

#[test]
fn stop_lets_runs_finish_and_takes_no_new_ones() {
    let mut conversation = Conversation::new();
    let Conversation { session, out } = &mut conversation;
    session.stop(5000, out).unwrap();
    assert!(!session.is_ready());
    assert_eq!(
        session.call(&CallFrame::new(9, &Value::Null, false), out),
        Err(Refused::State)
    );
    assert_eq!(conversation.written(), [Stop { deadline_ms: 5000 }.into()]);
    conversation.received(chunk(2, 0)).unwrap();
    conversation.received(result(1)).unwrap();
    assert_eq!(
        conversation.received(ready()).unwrap_err().name(),
        "unexpected_frame"
    );
}

#[test]
fn agent_that_is_stopped_while_it_loads_may_still_become_ready() {
    let (mut session, mut out) = (RuntimeSession::new(), Vec::new());
    assert_eq!(session.stop(1, &mut out), Err(Refused::State));
    session.received(hello(&[1])).unwrap();
    session.welcome(Greeting::default(), &mut out).unwrap();
    session.stop(1, &mut out).unwrap();
    session.received(ready()).unwrap();
    assert!(!session.is_ready());
}

#[test]
fn log_lines_may_outlive_their_run() {
    let mut conversation = Conversation::new();
    conversation.received(result(1)).unwrap();
    conversation.received(log(1)).unwrap();
}

#[test]
fn run_numbers_are_not_shared_and_never_0() {
    let Conversation {
        mut session,
        mut out,
    } = Conversation::new();
    for run in [0, 1] {
        let call = CallFrame::new(run, &Value::Null, false);
        assert_eq!(session.call(&call, &mut out), Err(Refused::RunInUse));
    }
    assert!(out.is_empty());
}
