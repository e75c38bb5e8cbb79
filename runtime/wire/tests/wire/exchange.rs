//! What the runtime sends and the agent answers, or the other way round: credit, cancel, tool calls,
//! output checks, pings, stop.

use serde_json::Value;
use synapse_wire::frame::*;
use synapse_wire::limits::{PINGS_OPEN_MAX, REQUESTS_OPEN_MAX, STREAM_CREDIT_INITIAL};
use synapse_wire::{CallFrame, Event, Greeting, OpenRun, Refused, RuntimeSession};

use crate::conversation::*;

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
