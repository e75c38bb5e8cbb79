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
