//! From a spec to a running process and what its `welcome` will say. It refuses to know who owns it.

use std::convert::Infallible;
use std::sync::Arc;

use ractor::ActorRef;
use synapse_core::fault::report_chain;
use synapse_process::Child;
use synapse_wire::Greeting;
use tokio::sync::oneshot;

use crate::agent::Agent;
use crate::agent::process::Message;
use crate::node::Node;

/// Makes the process, away from the actor, which stays able to hear a stop: it drops the other end
/// of `unwanted` then, and nothing is waited for any more.
pub(super) async fn spawn(
    node: Arc<Node>,
    agent: Arc<Agent>,
    incarnation: u64,
    actor: ActorRef<Message>,
    unwanted: oneshot::Receiver<Infallible>,
) {
    let spawned = born(&node, &agent, incarnation, unwanted).await;
    // Where the actor is gone the child is dropped with the message, which kills it.
    drop(actor.cast(Message::Spawned(Box::new(spawned))));
}

async fn born(
    node: &Arc<Node>,
    agent: &Arc<Agent>,
    incarnation: u64,
    unwanted: oneshot::Receiver<Infallible>,
) -> Result<(Child, Greeting), String> {
    let (of_node, of_agent) = (Arc::clone(node), Arc::clone(agent));
    let spawning = node.environments.of(&agent.name);
    let in_environment = Arc::clone(&spawning);
    // It reads files, on whatever kind of disk.
    let launch = tokio::task::spawn_blocking(move || {
        of_node.launcher.launch(
            in_environment.python(),
            &of_agent.spec,
            (&of_node.name, incarnation),
            of_agent.uses_pydantic_ai(),
        )
    });
    let launch = launch.await.map_err(|error| report_chain(&error))?;
    let launch = launch.map_err(|error| report_chain(&error))?;
    // Before there is a process that could tell them.
    if !agent.secrets.add(launch.secrets) {
        tracing::warn!(agent = %agent.name, "too many secrets: some are not kept out of the log");
    }
    let greeting = Greeting {
        node: node.name.clone(),
        agent: agent.name.to_string(),
        incarnation,
        configuration: launch.configuration,
        ..Greeting::default()
    };
    let fork = launch.fork.as_ref();
    // A process that is being made is waited for even so: it must not live on unknown.
    tokio::select! {
        () = spawning.settled(fork) => {}
        _ = unwanted => return Err("told to end before it had a process".to_owned()),
    }
    let child = spawning.spawn(launch.command, fork).await;
    Ok((child.map_err(|error| report_chain(&error))?, greeting))
}
