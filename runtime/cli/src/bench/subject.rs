//! The agent under test, driven through a node of its own as a program of the user's would.

use std::sync::Arc;

use serde_json::Value;
use synapse_core::fault::Fault;
use synapse_node::{CallRequest, NodeHandle, RunEvent};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::arguments::BenchArguments;
use crate::bench::ROUNDS;
use crate::bench::figures::{Calls, Streams};
use crate::bench::times::Times;

/// One round's calls with `in_flight` under way.
pub(super) async fn calls(node: &NodeHandle, arguments: &BenchArguments) -> Result<Calls, Fault> {
    let calls = arguments.calls.div_ceil(ROUNDS);
    let in_flight = arguments.in_flight.min(calls).max(1);
    let text = "x".repeat(arguments.bytes);
    let began = Instant::now();
    let times = Arc::new(Times::new());
    let mut callers = JoinSet::new();
    for caller in 0..in_flight {
        let share = calls / in_flight + usize::from(caller < calls % in_flight);
        callers.spawn(caller_of(
            node.clone(),
            arguments.agent.clone(),
            share,
            text.clone(),
            Arc::clone(&times),
        ));
    }
    for done in callers.join_all().await {
        done?;
    }
    Ok(Calls::new(&times, calls, began.elapsed()))
}

async fn caller_of(
    node: NodeHandle,
    agent: String,
    calls: usize,
    text: String,
    times: Arc<Times>,
) -> Result<(), Fault> {
    for _ in 0..calls {
        let input = Value::String(text.clone());
        let request = CallRequest {
            input,
            ..CallRequest::default()
        };
        let began = Instant::now();
        std::hint::black_box(node.call(&agent, request).await?);
        times.add(began.elapsed());
    }
    Ok(())
}

/// One stream of an agent that sends as many chunks as its prompt says.
pub(super) async fn stream(
    node: NodeHandle,
    agent: String,
    chunks: usize,
) -> Result<Streams, Fault> {
    let request = CallRequest {
        input: Value::String(chunks.to_string()),
        stream: true,
        ..CallRequest::default()
    };
    let began = Instant::now();
    let mut run = node.start_run(&agent, request).await?;
    let mut first = None;
    let mut chunks = 0;
    while let Some(event) = run.next().await {
        match event {
            RunEvent::Text { .. } | RunEvent::Item { .. } => {
                first.get_or_insert_with(|| began.elapsed());
                chunks += 1;
            }
            RunEvent::Finished(outcome) => {
                outcome?;
            }
            RunEvent::Started { .. } => {}
        }
    }
    let whole = began.elapsed();
    Ok(Streams {
        chunks,
        first: first.unwrap_or(whole),
        whole,
    })
}
