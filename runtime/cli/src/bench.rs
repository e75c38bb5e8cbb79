//! `synapse bench`: what the runtime adds to an agent, beside the floor measured in the same run.

mod figures;
mod floor;
mod memory;
mod neighbours;
mod starts;
mod subject;
mod times;
mod tree;

use std::io::Write;
use std::time::Duration;

use synapse_api::ExitCode;
use synapse_config::Configuration;
use synapse_core::fault::Fault;
use synapse_core::spec::{AgentSpec, TreeSpec};
use synapse_environment::Install;
use synapse_node::{Launcher, NodeEnd, NodeHandle, NodeSettings, Spawner};

use crate::arguments::BenchArguments;
use crate::check::print_line;
use crate::environment::Environments;
use crate::failure::{Failure, report_chain};
use crate::up::{launcher, own_spawner};
use figures::{Calls, Figures, Streams};
use floor::Floor;
use neighbours::Trouble;

/// Floor and agent are measured in turn, so that a machine that slows down slows both.
const ROUNDS: usize = 5;
/// The agent must be ready within this time.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// Pins this process, and so its children, to one processor. Before any thread is started.
#[cfg(target_os = "linux")]
pub(crate) fn pin(cpu: usize) -> Result<(), Failure> {
    let mut set = rustix::thread::CpuSet::new();
    if cpu >= rustix::thread::CpuSet::MAX_CPU {
        return Err(Failure::new(format!("there is no processor {cpu}")).exit(ExitCode::Usage));
    }
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set).map_err(|error| {
        Failure::new(format!("cannot use processor {cpu}: {error}")).exit(ExitCode::Usage)
    })
}

/// Elsewhere a process cannot choose its processor.
#[cfg(not(target_os = "linux"))]
pub(crate) fn pin(_cpu: usize) -> Result<(), Failure> {
    Err(Failure::new("--pin works on Linux alone").exit(ExitCode::Usage))
}

pub(crate) async fn bench(arguments: BenchArguments) -> Result<u8, Failure> {
    // On a worker thread of the runtime, as a server's tasks are: the thread that waits for the
    // whole would add its own wake-ups.
    let bench = tokio::spawn(measure(arguments)).await;
    bench.map_err(|error| Failure::new(format!("the bench failed: {error}")))?
}

async fn measure(arguments: BenchArguments) -> Result<u8, Failure> {
    let loaded = crate::machine::load(&arguments.config.file)
        .map_err(|errors| Failure::configuration(&errors))?;
    let configuration = loaded.configuration;
    let agent = spec_of(&configuration, &arguments.agent)?;
    let neighbours: Result<Vec<_>, _> = arguments
        .beside
        .iter()
        .map(|name| spec_of(&configuration, name))
        .collect();
    let neighbours = neighbours?;
    let spawner = own_spawner()?;
    let environments = Environments::prepare(&configuration, Install::WhenNeeded, &spawner).await?;
    let measured = &environments.of(&agent.name).prepared;
    let mut launcher = launcher::launcher(&configuration, &environments);
    // Copies of the agent have other names.
    launcher.python = launcher.python_of(agent.name.as_str()).clone();
    if arguments.spawn.is_some() || arguments.restarts.is_some() {
        let tree = &configuration.tree;
        let compared = starts::compare(&arguments, tree, &agent, &launcher, &spawner).await?;
        print_line(&if arguments.output.json {
            compared.json().to_string()
        } else {
            compared.text()
        })?;
        return Ok(0);
    }
    let begin = |tree| begin(launcher.clone(), tree, &spawner);
    let alone = tree::alone(&configuration.tree, &agent, arguments.in_flight);
    let (node, mut reference) = if neighbours.is_empty() {
        let floor = Floor::start(measured, &spawner).await?;
        (begin(alone).await?, Reference::Floor(Box::new(floor)))
    } else {
        let quiet = begin(alone.clone()).await?;
        (
            begin(tree::beside(alone, neighbours)).await?,
            Reference::Quiet(quiet),
        )
    };
    let figures = rounds(&arguments, &node, &mut reference).await;
    end(node).await;
    if let Reference::Quiet(quiet) = reference {
        end(quiet).await;
    }
    let figures = figures?;
    print_line(&if arguments.output.json {
        figures.json().to_string()
    } else {
        figures.text()
    })?;
    Ok(0)
}

/// What the agent is measured beside, in the same run.
enum Reference {
    /// Two bare pipes.
    Floor(Box<Floor>),
    /// The same agent in a node without neighbours.
    Quiet(NodeHandle),
}

fn spec_of(configuration: &Configuration, name: &str) -> Result<AgentSpec, Failure> {
    let spec = configuration.tree.agents.get(name).cloned();
    spec.ok_or_else(|| {
        let text = format!("no agent {name:?} in {}", configuration.file.display());
        Failure::new(text).exit(ExitCode::Data)
    })
}

async fn begin(
    launcher: Launcher,
    tree: TreeSpec,
    spawner: &Spawner,
) -> Result<NodeHandle, Failure> {
    let settings = NodeSettings {
        // One for all nodes: it is the process that orphans fall to.
        spawner: Some(spawner.clone()),
        ..NodeSettings::new("bench", tree, launcher)
    };
    let node = NodeHandle::begin(settings).map_err(|error| Failure::new(report_chain(&error)))?;
    ready(&node).await?;
    Ok(node)
}

async fn end(node: NodeHandle) {
    node.shutdown();
    node.ended().await;
}

async fn ready(node: &NodeHandle) -> Result<(), Failure> {
    tokio::select! {
        end = node.ended() => {
            let why = match end {
                NodeEnd::StartFailed { path, reason } => format!("{path} {reason}"),
                NodeEnd::Escalated { message } => message,
                NodeEnd::Stopped => "stopped".to_owned(),
            };
            Err(Failure::new(format!("the agent did not start: {why}")))
        }
        settled = node.wait_settled(READY_TIMEOUT) => settled.map(drop).map_err(|fault| of(&fault)),
    }
}

fn of(fault: &Fault) -> Failure {
    Failure::new(fault.to_string())
}

async fn rounds(
    arguments: &BenchArguments,
    node: &NodeHandle,
    reference: &mut Reference,
) -> Result<Figures, Failure> {
    let mut figures = Figures::new(arguments);
    // Not counted: it warms both sides.
    one_round(arguments, node, reference, &mut Figures::new(arguments)).await?;
    let before = memory::resident_kib();
    for round in 0..ROUNDS {
        note(&format!("round {} of {ROUNDS}", round + 1));
        one_round(arguments, node, reference, &mut figures).await?;
    }
    note("");
    figures.resident_kib = before.zip(memory::resident_kib());
    Ok(figures)
}

async fn one_round(
    arguments: &BenchArguments,
    node: &NodeHandle,
    reference: &mut Reference,
    figures: &mut Figures,
) -> Result<(), Failure> {
    match arguments.chunks {
        Some(chunks) => {
            let stream = reference_stream(arguments, reference, chunks).await?;
            figures.reference_streams.add(stream);
            let trouble = Trouble::make(node, &arguments.beside);
            let stream = subject::stream(node.clone(), arguments.agent.clone(), chunks).await;
            drop(trouble);
            figures.streams.add(stream.map_err(|fault| of(&fault))?);
        }
        None => {
            figures
                .reference
                .add(reference_calls(arguments, reference).await?);
            let trouble = Trouble::make(node, &arguments.beside);
            let calls = subject::calls(node, arguments).await;
            drop(trouble);
            figures.calls.add(calls.map_err(|fault| of(&fault))?);
        }
    }
    Ok(())
}

async fn reference_calls(
    arguments: &BenchArguments,
    reference: &mut Reference,
) -> Result<Calls, Failure> {
    match reference {
        Reference::Quiet(quiet) => subject::calls(quiet, arguments)
            .await
            .map_err(|fault| of(&fault)),
        Reference::Floor(floor) => {
            let text = "x".repeat(arguments.bytes);
            let (calls, in_flight) = (arguments.calls.div_ceil(ROUNDS), arguments.in_flight);
            let calls = floor.calls(calls, in_flight, &text).await;
            calls.map_err(|error| broken(&error))
        }
    }
}

async fn reference_stream(
    arguments: &BenchArguments,
    reference: &mut Reference,
    chunks: usize,
) -> Result<Streams, Failure> {
    match reference {
        Reference::Quiet(quiet) => {
            let stream = subject::stream(quiet.clone(), arguments.agent.clone(), chunks).await;
            stream.map_err(|fault| of(&fault))
        }
        Reference::Floor(floor) => {
            let (first, whole) = floor.stream(chunks).await.map_err(|error| broken(&error))?;
            Ok(Streams {
                chunks,
                first,
                whole,
            })
        }
    }
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::new(format!("the floor failed: {error}"))
}

/// Progress, on a terminal only.
fn note(text: &str) {
    let mut stderr = std::io::stderr().lock();
    if std::io::IsTerminal::is_terminal(&stderr) {
        // A closed stderr does not keep anything from being measured.
        drop(write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush()));
    }
}
