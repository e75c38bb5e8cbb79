//! Who may say what, when: the session's rules, one situation each.

use serde_json::Value;
use synapse_wire::frame::*;
use synapse_wire::{CallFrame, Event, FrameDecoder, Greeting, Refused, RuntimeSession, Violation};

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

pub(crate) fn hello(versions: &[u64]) -> FromAgent {
    let (versions, sdk, python) = (versions.to_vec(), "sdk".to_owned(), "3.11".to_owned());
    Hello {
        versions,
        sdk,
        python,
        pid: 7,
        sources: None,
    }
    .into()
}

pub(crate) fn ready() -> FromAgent {
    Ready {
        manifest: Map::new(),
    }
    .into()
}

pub(crate) fn chunk(run: u64, seq: u64) -> FromAgent {
    Chunk {
        run,
        seq,
        data: ChunkData::Text("x".to_owned()),
    }
    .into()
}

pub(crate) fn result(run: u64) -> FromAgent {
    RunResult {
        run,
        output: Value::Null,
        new_messages: None,
        message_count: 0,
        usage: None,
    }
    .into()
}

pub(crate) fn fault(run: u64) -> FromAgent {
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

pub(crate) fn tool_call(run: u64, call: u64) -> FromAgent {
    ToolCall {
        run,
        call,
        name: "t".to_owned(),
        arguments: Map::new(),
    }
    .into()
}

pub(crate) fn output_check(run: u64, check: u64) -> FromAgent {
    OutputCheck {
        run,
        check,
        output: Value::Null,
    }
    .into()
}

pub(crate) fn log(run: u64) -> FromAgent {
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

pub(crate) fn pong(nonce: u64) -> FromAgent {
    Pong {
        nonce,
        lag_us: 0,
        resident_bytes: 0,
    }
    .into()
}

/// A ready session with run 1 (plain), 2 (a stream) and 3 (prefetched, a stream).
pub(crate) struct Conversation {
    pub(crate) session: RuntimeSession,
    pub(crate) out: Vec<u8>,
}

impl Conversation {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn received(&mut self, frame: FromAgent) -> Result<Event, Violation> {
        self.session.received(frame)
    }

    /// The frames written since the last look.
    pub(crate) fn written(&mut self) -> Vec<FromRuntime> {
        let written = std::mem::take(&mut self.out);
        crate::read(&mut FrameDecoder::new(), &written, &[usize::MAX]).unwrap()
    }
}

/// Each frame is taken but the last, which is the named violation, whatever comes after it too.
pub(crate) fn check(frames: Vec<FromAgent>, violation: &str) {
    let mut conversation = Conversation::new();
    check_from(&mut conversation.session, frames, violation);
}

pub(crate) fn check_from(
    session: &mut RuntimeSession,
    mut frames: Vec<FromAgent>,
    violation: &str,
) {
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
        check_from(&mut RuntimeSession::new(), vec![frame], "unexpected_frame");
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
    let effect = Effect { run: 3 }.into();
    for frame in [
        chunk(3, 0),
        result(3),
        tool_call(3, 0),
        output_check(3, 0),
        effect,
    ] {
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
fn effects_are_told_of_open_runs_as_often_as_the_sdk_likes() {
    let mut conversation = Conversation::new();
    for _ in 0..2 {
        assert_eq!(
            conversation.received(Effect { run: 1 }.into()),
            Ok(Event::Effect { run: 1 })
        );
    }
    check(vec![result(1), Effect { run: 1 }.into()], "unknown_run");
}

#[test]
fn log_lines_may_outlive_their_run() {
    let mut conversation = Conversation::new();
    conversation.received(result(1)).unwrap();
    conversation.received(log(1)).unwrap();
}
