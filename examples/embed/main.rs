//! A node inside a Rust program: `cargo run --example embed`.
//!
//! It starts the tree of supervision.toml, talks to its agent, kills the agent's process, and goes
//! on with the same conversation. No socket, no second program.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the program's output is what it shows"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

use synapse_config::Configuration;
use synapse_environment::{Environment, Settings};
use synapse_node::{CallRequest, Launcher, NodeHandle, NodeSettings, PythonEnvironment, Spawner};

/// A fresh machine first builds the Python environment; after that the tree is up in a second.
const START_TIMEOUT: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/embed");
    let configuration = synapse_config::load(&folder.join("supervision.toml"))?.configuration;
    let launcher = launcher(&configuration).await?;

    let node = NodeHandle::begin(NodeSettings::new("embedded", configuration.tree, launcher))?;
    node.wait_settled(START_TIMEOUT).await?;

    say(&node, "My name is Ada.").await?;
    for killed in node.kill(&["greeter".to_owned()])? {
        println!("{}", killed.message);
    }
    // The call waits for the restart, and the conversation is the node's, not the process's.
    say(&node, "What is my name?").await?;

    node.shutdown();
    println!("{:?}", node.ended().await);
    Ok(())
}

/// How agents are started: with the Python environment that the file asks for, built where it is
/// not there yet, and with this program's own environment, of which each agent gets its part.
async fn launcher(configuration: &Configuration) -> Result<Launcher, Box<dyn Error>> {
    let settings = Settings::new(&configuration.folder);
    let environment = Environment::new(settings, Spawner::start()?)?;
    let prepared = environment
        .prepare(&|stage| eprintln!("{stage} ..."))
        .await?;
    let (program, args) = prepared.worker_command();
    Ok(Launcher {
        // Forking agents would change this whole program: orphans of theirs would fall to it.
        python: PythonEnvironment {
            program,
            args,
            zygote: None,
        },
        pythons: BTreeMap::new(),
        folder: configuration.folder.clone(),
        path: configuration.python.path.clone(),
        environment: std::env::vars_os().collect(),
    })
}

/// One turn of the conversation "demo".
async fn say(node: &NodeHandle, prompt: &str) -> Result<(), Box<dyn Error>> {
    let request = CallRequest {
        input: prompt.into(),
        session: Some("demo".to_owned()),
        ..CallRequest::default()
    };
    let outcome = node.call("greeter", request).await?;
    println!("you: {prompt}");
    let answer = outcome.output.as_str().unwrap_or("(no text)");
    println!("greeter #{}: {answer}", outcome.incarnation);
    Ok(())
}
