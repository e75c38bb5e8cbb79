//! Agents that give trouble beside the one that is measured: each is called without end, whatever
//! comes of it.

use std::time::Duration;

use serde_json::Value;
use synapse_core::fault::FaultCode;
use synapse_node::{CallRequest, NodeHandle};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Callers of each neighbour: with a mailbox of a few places it is full all the time.
const CALLERS: usize = 8;
/// How long one call may take.
const TIMEOUT: Duration = Duration::from_millis(200);
/// How long a caller waits that was refused at once: it is the neighbours' trouble that is to be
/// measured, not that of callers who do nothing but ask.
const PAUSE: Duration = Duration::from_millis(5);

/// Calls that go on until this is dropped.
#[derive(Debug)]
pub(super) struct Trouble {
    _callers: JoinSet<()>,
}

impl Trouble {
    pub(super) fn make(node: &NodeHandle, neighbours: &[String]) -> Self {
        let mut callers = JoinSet::new();
        for neighbour in neighbours {
            for _ in 0..CALLERS {
                callers.spawn(call_on_and_on(node.clone(), neighbour.clone()));
            }
        }
        Self { _callers: callers }
    }
}

async fn call_on_and_on(node: NodeHandle, agent: String) {
    loop {
        let request = CallRequest {
            input: Value::String("x".to_owned()),
            timeout: Some(TIMEOUT),
            ..CallRequest::default()
        };
        let refused = |code| matches!(code, FaultCode::Overloaded | FaultCode::AgentStopped);
        if node
            .call(&agent, request)
            .await
            .is_err_and(|fault| refused(fault.code))
        {
            sleep(PAUSE).await;
        }
    }
}
