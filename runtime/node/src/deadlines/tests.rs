use tokio::time::Duration;

use super::*;
use crate::call::tests::call_within;

fn due(id: u64, ms: u64) -> Arc<Call> {
    call_within(id, Duration::from_millis(ms), None)
}

#[tokio::test(start_paused = true)]
async fn deadlines_pass_in_their_order_and_at_their_time() {
    let deadlines = Deadlines::default();
    let begun = Instant::now();
    for (id, ms) in [(1, 30), (2, 10), (3, 20), (4, 10)] {
        deadlines.watch(&due(id, ms));
    }
    for (id, ms) in [(2, 10), (4, 10), (3, 20), (1, 30)] {
        assert_eq!(deadlines.next().await.0.id, RunId(id));
        assert_eq!(begun.elapsed().as_millis(), ms);
    }
}

#[tokio::test(start_paused = true)]
async fn an_earlier_deadline_is_heard_during_the_sleep() {
    let deadlines = Arc::new(Deadlines::default());
    deadlines.watch(&due(1, 1000));
    let keeper = Arc::clone(&deadlines);
    let next = tokio::spawn(async move { keeper.next().await.0.id });
    tokio::time::sleep(Duration::from_millis(1)).await;
    deadlines.watch(&due(2, 10));
    let begun = Instant::now();
    assert_eq!(next.await.unwrap(), RunId(2));
    assert_eq!(begun.elapsed().as_millis(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_first_deadline_is_heard_by_who_waits_for_none() {
    let deadlines = Arc::new(Deadlines::default());
    let keeper = Arc::clone(&deadlines);
    let next = tokio::spawn(async move { keeper.next().await.0.id });
    tokio::task::yield_now().await;
    deadlines.watch(&due(1, 5));
    assert_eq!(next.await.unwrap(), RunId(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_does_not_pass() {
    let deadlines = Deadlines::default();
    let (first, second) = (due(1, 10), due(2, 20));
    deadlines.watch(&first);
    deadlines.watch(&second);
    assert!(deadlines.find(RunId(1)).is_some());
    deadlines.forget(&first);
    assert!(deadlines.find(RunId(1)).is_none());
    assert_eq!(deadlines.next().await.0.id, RunId(2));
    assert!(deadlines.state.lock().calls.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_has_its_own_limit_from_its_start() {
    let deadlines = Arc::new(Deadlines::default());
    let call = due(1, 1000);
    deadlines.watch(&call);
    let keeper = Arc::clone(&deadlines);
    let next = tokio::spawn(async move { keeper.next().await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    deadlines.limit_run(&call, Duration::from_millis(30));
    let (due, limit) = next.await.unwrap();
    assert_eq!((due.id, limit), (RunId(1), Limit::Run));
    assert_eq!(begun.elapsed().as_millis(), 30);
    assert!(deadlines.state.lock().runs.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_may_take_longer_than_its_call_ends_with_that() {
    let deadlines = Deadlines::default();
    let call = due(1, 20);
    deadlines.watch(&call);
    deadlines.limit_run(&call, Duration::from_millis(30));
    assert_eq!(deadlines.next().await.1, Limit::Call);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_again_has_its_own_deadline_again() {
    let deadlines = Deadlines::default();
    let (call, begun) = (due(1, 100), Instant::now());
    deadlines.watch(&call);
    deadlines.limit_run(&call, Duration::from_millis(10));
    deadlines.lift_run_limit(&call);
    assert_eq!(deadlines.next().await.1, Limit::Call);
    assert_eq!(begun.elapsed().as_millis(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_ended_gets_no_limit_and_leaves_none() {
    let deadlines = Deadlines::default();
    let call = due(1, 100);
    deadlines.watch(&call);
    deadlines.limit_run(&call, Duration::from_millis(10));
    deadlines.forget(&call);
    deadlines.limit_run(&call, Duration::from_millis(10));
    let state = deadlines.state.lock();
    assert!(state.calls.is_empty() && state.runs.is_empty());
}
