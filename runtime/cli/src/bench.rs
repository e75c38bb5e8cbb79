//! `synapse bench`: what the runtime adds to an agent, beside the floor measured in the same run.

mod figures;
mod floor;
mod subject;

use std::io::Write;
use std::time::Duration;

use synapse_api::ExitCode;
use synapse_core::fault::Fault;
use synapse_core::spec::{AgentSpec, ChildRef, Strategy, TreeSpec};
use synapse_environment::Install;
use synapse_node::{NodeEnd, NodeHandle, NodeSettings, Spawner};

use crate::arguments::BenchArguments;
use crate::check::print_line;
use crate::environment;
use crate::failure::{Failure, report_chain};
use crate::up::launcher;
use figures::{Calls, Figures, Streams};
use floor::Floor;

/// Floor and agent are measured in turn, so that a machine that slows down slows both.
const ROUNDS: usize = 5;
/// The agent must be ready within this time.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// Pins this process, and so its children, to one processor. Before any thread is started.
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

pub(crate) async fn bench(arguments: BenchArguments) -> Result<u8, Failure> {
    // On a worker thread of the runtime, as a server's tasks are: the thread that waits for the
    // whole would add its own wake-ups.
    let bench = tokio::spawn(measure(arguments)).await;
    bench.map_err(|error| Failure::new(format!("the bench failed: {error}")))?
}

async fn measure(arguments: BenchArguments) -> Result<u8, Failure> {
    let loaded = synapse_config::load(&arguments.config)
        .map_err(|errors| Failure::configuration(&errors))?;
    let configuration = loaded.configuration;
    let Some(spec) = configuration.tree.agents.get(arguments.agent.as_str()) else {
        let text = format!(
            "no agent {:?} in {}",
            arguments.agent,
            arguments.config.display()
        );
        return Err(Failure::new(text).exit(ExitCode::Data));
    };
    let install = Install::WhenNeeded;
    let prepared =
        environment::prepare(&configuration.folder, &configuration.python, install).await?;
    let spawner = Spawner::start()
        .map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
    let tree = alone(&configuration.tree, spec.clone(), arguments.in_flight);
    let launcher = launcher::launcher(&configuration, &prepared);
    let node = NodeHandle::begin(NodeSettings::new("bench", tree, launcher))
        .map_err(|error| Failure::new(report_chain(&error)))?;
    ready(&node).await?;
    let mut floor = Floor::start(&prepared, &spawner).await?;
    let figures = rounds(&arguments, &node, &mut floor).await;
    node.shutdown();
    node.ended().await;
    let figures = figures?;
    if arguments.json {
        print_line(&figures.json().to_string())?;
    } else {
        print_line(&figures.text())?;
    }
    Ok(0)
}

/// The agent alone under a root, with a mailbox that holds what the bench sends.
fn alone(tree: &TreeSpec, mut agent: AgentSpec, in_flight: usize) -> TreeSpec {
    let mut tree = tree.clone();
    let name = agent.name.clone();
    agent.mailbox.size = agent.mailbox.size.max(in_flight);
    tree.supervisors
        .retain(|supervisor, _| *supervisor == tree.root);
    if let Some(root) = tree.supervisors.get_mut(&tree.root) {
        root.strategy = Strategy::OneForOne;
        root.children = vec![ChildRef::Agent(name.clone())];
    }
    tree.agents.clear();
    tree.agents.insert(name, agent);
    tree
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
    floor: &mut Floor,
) -> Result<Figures, Failure> {
    let text = "x".repeat(arguments.bytes);
    let mut figures = Figures::new(arguments);
    // Not counted: it warms both sides.
    one_round(arguments, node, floor, &text, &mut Figures::new(arguments)).await?;
    for round in 0..ROUNDS {
        note(&format!("round {} of {ROUNDS}", round + 1));
        one_round(arguments, node, floor, &text, &mut figures).await?;
    }
    note("");
    Ok(figures)
}

async fn one_round(
    arguments: &BenchArguments,
    node: &NodeHandle,
    floor: &mut Floor,
    text: &str,
    figures: &mut Figures,
) -> Result<(), Failure> {
    let broken = |error: std::io::Error| Failure::new(format!("the floor failed: {error}"));
    let calls = arguments.calls.div_ceil(ROUNDS);
    let (agent, in_flight) = (arguments.agent.as_str(), arguments.in_flight);
    if let Some(chunks) = arguments.chunks {
        let (first, whole) = floor.stream(chunks).await.map_err(broken)?;
        figures.floor_streams.add(Streams {
            chunks,
            first,
            whole,
        });
        let prompt = chunks.to_string();
        let stream = subject::stream(node.clone(), agent.to_owned(), prompt).await;
        let (chunks, first, whole) = stream.map_err(|fault| of(&fault))?;
        figures.streams.add(Streams {
            chunks,
            first,
            whole,
        });
        return Ok(());
    }
    let began = tokio::time::Instant::now();
    let times = floor.calls(calls, in_flight, text).await.map_err(broken)?;
    figures.floor.add(Calls {
        times,
        whole: began.elapsed(),
    });
    let began = tokio::time::Instant::now();
    let times = subject::calls(node, agent, calls, in_flight, text).await;
    let times = times.map_err(|fault| of(&fault))?;
    figures.calls.add(Calls {
        times,
        whole: began.elapsed(),
    });
    Ok(())
}

/// Progress, on a terminal only.
fn note(text: &str) {
    let mut stderr = std::io::stderr().lock();
    if std::io::IsTerminal::is_terminal(&stderr) {
        // A closed stderr does not keep anything from being measured.
        drop(write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush()));
    }
}
