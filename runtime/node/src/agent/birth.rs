//! From a spec to a running process and what its `welcome` will say. It refuses to know who owns it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use synapse_core::fault::report_chain;
use synapse_wire::Greeting;
use tokio::sync::oneshot;

use crate::agent::Agent;
use crate::agent::launch::PythonEnvironment;
use crate::agent::newborn::Newborn;
use crate::agent::process::Message;
use crate::agent::standby::Spare;
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
    mut unwanted: oneshot::Receiver<Infallible>,
) -> Result<(Newborn, Greeting), String> {
    // What is left is for a process without one.
    let patience = Duration::from(agent.spec.start_timeout) / 2;
    let spare = tokio::select! {
        spare = agent.standby.take(patience) => spare,
        _ = &mut unwanted => return Err(unborn()),
    };
    let (of_node, of_agent) = (Arc::clone(node), Arc::clone(agent));
    let spawning = node.environments.of(&agent.name);
    let in_environment = Arc::clone(&spawning);
    // It reads files, on whatever kind of disk.
    let prepared = tokio::task::spawn_blocking(move || {
        let python = in_environment.python();
        let spare = spare.and_then(|spare| fresh(&of_node, python, &of_agent, spare));
        let launch = of_node.launcher.launch(
            python,
            &of_agent.spec,
            (&of_node.name, incarnation),
            of_agent.uses_pydantic_ai(),
        );
        launch.map(|launch| (launch, spare))
    });
    let prepared = prepared.await.map_err(|error| report_chain(&error))?;
    let (launch, spare) = prepared.map_err(|error| report_chain(&error))?;
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
    if let Some(spare) = spare {
        spare.newborn.becomes(agent, incarnation);
        return Ok((spare.newborn, greeting));
    }
    let fork = launch.fork.as_ref();
    // A process that is being made is waited for even so: it must not live on unknown.
    tokio::select! {
        () = spawning.settled(fork) => {}
        _ = unwanted => return Err(unborn()),
    }
    let child = spawning.spawn(launch.command, fork).await;
    let child = child.map_err(|error| report_chain(&error))?;
    let newborn = Newborn::new(agent, incarnation, child);
    let newborn = newborn.map_err(|error| format!("its pipes cannot be used: {error}"))?;
    Ok((newborn, greeting))
}

fn unborn() -> String {
    "told to end before it had a process".to_owned()
}

/// The spare, where it runs what a new process would run. Looks at files.
fn fresh(
    node: &Node,
    python: &PythonEnvironment,
    agent: &Agent,
    spare: Box<Spare>,
) -> Option<Box<Spare>> {
    let (launcher, name) = (&node.launcher, &node.name);
    let launch = launcher.spare(python, &agent.spec, name, agent.uses_pydantic_ai());
    // What is wrong with it, the launch of a new process tells.
    match spare.is_fresh(&launch.ok()?.command) {
        Ok(()) => Some(spare),
        Err(why) => {
            tracing::info!(agent = %agent.name, "the spare is not used: {why}");
            None
        }
    }
}
