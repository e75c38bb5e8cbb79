use super::*;
use synapse_core::fault::FaultCode;
use tokio::time::Duration;

/// A call of this number that nobody holds yet, due in an hour.
pub(crate) fn call(id: u64) -> Arc<Call> {
    call_within(id, Duration::from_secs(3600), None)
}

pub(crate) fn call_within(id: u64, within: Duration, lease: Option<Lease>) -> Arc<Call> {
    let now = Instant::now();
    let input = CallInput::default();
    Arc::new(Call::new(
        RunId(id),
        "echo".into(),
        input,
        now,
        now + within,
        lease,
    ))
}

fn next(call: &Call) -> Poll<Option<RunEvent>> {
    call.poll_next(&mut Context::from_waker(Waker::noop()))
}

fn text(seq: u64) -> RunEvent {
    let text = format!("piece {seq}");
    RunEvent::Text { seq, text }
}

fn done(call: &Call) -> Result<RunOutcome, Fault> {
    Ok(RunOutcome {
        run: call.id,
        agent: Arc::clone(&call.agent),
        incarnation: 1,
        attempts: 1,
        output: Value::Null,
        usage: Value::Null,
        duration: Duration::ZERO,
    })
}

fn fault(code: FaultCode) -> Fault {
    Fault::new(code, "for a test")
}

#[test]
fn a_caller_reads_start_chunks_and_outcome_in_order() {
    let call = call(1);
    assert!(next(&call).is_pending());
    assert!(call.claim(&Arc::default()));
    assert!(next(&call).is_pending(), "taken is not begun");
    call.begin(7);
    call.chunk(text(0));
    call.chunk(text(1));
    assert!(call.finish(done(&call)));
    let started = RunEvent::Started { incarnation: 7 };
    for expected in [started, text(0), text(1), RunEvent::Finished(done(&call))] {
        assert_eq!(next(&call), Poll::Ready(Some(expected)));
    }
    assert_eq!(next(&call), Poll::Ready(None));
}

#[test]
fn only_the_first_end_counts() {
    type End = fn(&Call) -> bool;
    let ends: [(&str, End); 3] = [
        ("finish", |call| call.finish(done(call))),
        ("fail", |call| {
            call.finish(Err(fault(FaultCode::AgentCrashed)))
        }),
        ("abandon", |call| {
            let whence = call.abandon(|| fault(FaultCode::Cancelled));
            !matches!(whence, Abandoned::Finished)
        }),
    ];
    for (first_name, first) in ends {
        for (second_name, second) in ends {
            let call = call(1);
            call.claim(&Arc::default());
            assert!(first(&call), "{first_name}");
            assert!(!second(&call), "{second_name} after {first_name}");
            call.chunk(text(0));
            call.begin(1);
            assert!(matches!(
                next(&call),
                Poll::Ready(Some(RunEvent::Finished(_)))
            ));
            assert_eq!(next(&call), Poll::Ready(None));
        }
    }
}

#[test]
fn who_abandons_learns_where_the_call_was() {
    let cancelled = || fault(FaultCode::Cancelled);
    assert!(matches!(call(1).abandon(cancelled), Abandoned::Queued));
    let running = call(2);
    running.claim(&Arc::default());
    assert!(matches!(running.abandon(cancelled), Abandoned::Running(_)));
    assert!(matches!(running.abandon(cancelled), Abandoned::Finished));
}

#[test]
fn a_call_that_ended_is_neither_claimed_nor_given_back() {
    let queued = call(1);
    queued.abandon(|| fault(FaultCode::Cancelled));
    assert!(!queued.claim(&Arc::default()));
    let running = call(2);
    assert!(running.claim(&Arc::default()));
    running.finish(done(&running));
    assert!(!running.unclaim());
}

#[test]
fn credit_is_told_in_batches_of_what_was_read() {
    let call = call(1);
    let port = Arc::<LinkPort>::default();
    call.claim(&port);
    for seq in 0..u64::from(2 * CREDIT_BATCH) {
        call.chunk(text(seq));
    }
    let granted = || {
        let mut commands = Vec::new();
        port.take(&mut commands);
        format!("{commands:?}")
    };
    for _ in 1..CREDIT_BATCH {
        assert!(next(&call).is_ready());
    }
    assert_eq!(granted(), "[]");
    assert!(next(&call).is_ready());
    assert_eq!(granted(), "[Taken { run: RunId(1), chunks: 32 }]");
}

#[test]
fn the_waiting_reader_is_woken_by_each_thing_that_comes() {
    struct Count(std::sync::atomic::AtomicUsize);
    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }
    let count = Arc::new(Count(0.into()));
    let waker = Waker::from(Arc::clone(&count));
    let call = call(1);
    call.claim(&Arc::default());
    let steps: [&dyn Fn(); 3] = [&|| call.begin(1), &|| call.chunk(text(0)), &|| {
        assert!(call.finish(done(&call)))
    }];
    for (number, step) in steps.into_iter().enumerate() {
        assert!(
            call.poll_next(&mut Context::from_waker(&waker))
                .is_pending()
        );
        step();
        assert_eq!(
            count.0.load(std::sync::atomic::Ordering::Relaxed),
            number + 1
        );
        assert!(next(&call).is_ready());
    }
}

const IDEMPOTENT: CrashSpec = CrashSpec {
    idempotent: true,
    retry_on_crash: 2,
    poison_after: 0,
};

fn stream(restarts: bool) -> Call {
    let input = CallInput {
        stream: true,
        restarts,
        ..CallInput::default()
    };
    let now = Instant::now();
    let due = now + Duration::from_secs(3600);
    Call::new(RunId(1), "echo".into(), input, now, due, None)
}

fn die(call: &Call, outcome: Outcome) -> Fate {
    let loss = Loss {
        ending: Ending::Crashed,
        outcome,
        blame: Blame::Alone,
        deaths: 1,
    };
    call.lost(loss, &IDEMPOTENT)
}

#[test]
fn a_stream_that_nobody_has_read_of_begins_again_as_if_it_had_never_been() {
    let call = stream(false);
    call.claim(&Arc::default());
    call.begin(1);
    assert!(next(&call).is_ready(), "its start is no part of the answer");
    call.chunk(text(0));
    call.chunk(text(1));
    assert_eq!(die(&call, Outcome::Unknown), Fate::Again);
    assert!(next(&call).is_pending(), "nothing of the first try is left");
    assert_eq!(call.partial(), None);
    assert!(call.unclaim());
    assert!(call.claim(&Arc::default()));
    call.begin(2);
    call.chunk(text(0));
    assert!(call.finish(Err(fault(FaultCode::AgentError))));
    let started = RunEvent::Started { incarnation: 2 };
    for expected in [started, text(0)] {
        assert_eq!(next(&call), Poll::Ready(Some(expected)));
    }
    let Poll::Ready(Some(RunEvent::Finished(Err(fault)))) = next(&call) else {
        panic!("no fault");
    };
    assert_eq!(fault.details, json!({"attempts": 2, "outcome": "unknown"}));
}

#[test]
fn a_stream_that_was_read_begins_again_only_for_who_can_forget() {
    for (restarts, expected) in [
        (false, Fate::Answered { retryable: true }),
        (true, Fate::Again),
    ] {
        let call = stream(restarts);
        call.claim(&Arc::default());
        call.begin(1);
        call.chunk(text(0));
        assert!(next(&call).is_ready() && next(&call).is_ready());
        call.chunk(text(1));
        assert_eq!(die(&call, Outcome::Unknown), expected);
        let partial = json!({"text": "piece 0piece 1", "chunks": 2, "truncated": false});
        let kept = (!restarts).then_some(partial);
        assert_eq!(call.partial(), kept);
    }
}

#[test]
fn credit_of_a_stream_that_begins_again_is_counted_anew() {
    let call = stream(true);
    call.claim(&Arc::default());
    for seq in 0..u64::from(CREDIT_BATCH) - 1 {
        call.chunk(text(seq));
        assert!(next(&call).is_ready());
    }
    assert_eq!(die(&call, Outcome::Unknown), Fate::Again);
    let port = Arc::<LinkPort>::default();
    assert!(call.unclaim() && call.claim(&port));
    call.chunk(text(0));
    assert!(next(&call).is_ready());
    let mut commands = Vec::new();
    port.take(&mut commands);
    assert!(commands.is_empty(), "{commands:?}");
}

#[test]
fn a_call_that_had_not_begun_has_no_attempt_to_tell_of() {
    let call = call(1);
    call.claim(&Arc::default());
    assert_eq!(die(&call, Outcome::NotStarted), Fate::Waits);
    assert!(call.unclaim());
    call.abandon(|| fault(FaultCode::Cancelled));
    let Poll::Ready(Some(RunEvent::Finished(Err(told)))) = next(&call) else {
        panic!("no fault");
    };
    assert_eq!(told.details, Value::Null);
}

/// A step of a call's life, in whatever order they come.
#[derive(Clone, Copy, Debug)]
enum Step {
    Claim,
    Begin,
    Chunk,
    Read,
    Die,
    GiveBack,
    Cancel,
    Deadline,
    Answer,
    Stop,
}

/// Every order of these steps of this length: whatever comes when, a reader sees at most one end,
/// nothing after it, and the chunks before it in order, from 0 after each start.
#[test]
fn whatever_comes_when_a_call_has_one_end() {
    use Step::{Answer, Begin, Cancel, Chunk, Claim, Deadline, Die, GiveBack, Read, Stop};
    const STEPS: [Step; 10] = [
        Claim, Begin, Chunk, Read, Die, GiveBack, Cancel, Deadline, Answer, Stop,
    ];
    const LENGTH: u32 = 5;
    for number in 0..STEPS.len().pow(LENGTH) {
        let mut rest = number;
        // Each begins with a claim: nothing else can happen to a call that matters here.
        let order = std::iter::once(Claim).chain((0..LENGTH).map(|_| {
            let step = STEPS[rest % STEPS.len()];
            rest /= STEPS.len();
            step
        }));
        live(&order.collect::<Vec<_>>());
    }
}

fn live(order: &[Step]) {
    let call = stream(false);
    let mut seen = Vec::new();
    let mut read = || {
        if let Poll::Ready(Some(event)) = next(&call) {
            seen.push(event);
        }
    };
    let (mut seq, mut lost) = (0, false);
    for step in order {
        match step {
            Step::Claim => {
                if call.claim(&Arc::default()) {
                    (seq, lost) = (0, false);
                }
            }
            Step::Begin if !lost => call.begin(1),
            Step::Chunk if !lost => {
                call.chunk(text(seq));
                seq += 1;
            }
            Step::Read => read(),
            Step::Die if !lost => {
                lost = true;
                if let Fate::Answered { .. } = die(&call, Outcome::Unknown) {
                    call.finish(Err(fault(FaultCode::AgentCrashed)));
                }
            }
            Step::GiveBack if lost => drop(call.unclaim()),
            Step::Cancel => drop(call.abandon(|| fault(FaultCode::Cancelled))),
            Step::Deadline => drop(call.abandon(|| fault(FaultCode::DeadlineExceeded))),
            Step::Answer if !lost => drop(call.finish(done(&call))),
            Step::Stop => drop(call.finish(Err(fault(FaultCode::AgentStopped)))),
            // A dead process says nothing, and dies once.
            Step::Begin | Step::Chunk | Step::Die | Step::GiveBack | Step::Answer => {}
        }
    }
    call.abandon(|| fault(FaultCode::Cancelled));
    while let Poll::Ready(Some(event)) = next(&call) {
        seen.push(event);
    }
    let ends = seen
        .iter()
        .filter(|event| matches!(event, RunEvent::Finished(_)));
    assert_eq!(ends.count(), 1, "{order:?}: {seen:?}");
    assert!(
        matches!(seen.last(), Some(RunEvent::Finished(_))),
        "{order:?}: {seen:?}"
    );
    let seqs = seen.iter().filter_map(|event| match event {
        RunEvent::Text { seq, .. } => Some(*seq),
        _ => None,
    });
    // This caller cannot forget, so that it never reads a chunk twice.
    assert!(seqs.eq(0..seen_chunks(&seen)), "{order:?}: {seen:?}");
}

fn seen_chunks(seen: &[RunEvent]) -> u64 {
    let chunks = seen
        .iter()
        .filter(|event| matches!(event, RunEvent::Text { .. }));
    u64::try_from(chunks.count()).unwrap()
}
