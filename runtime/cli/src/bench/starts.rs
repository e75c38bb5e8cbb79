//! What a start costs: of one agent, of many at once, and from the death of one to its next answer;
//! and the memory of each. Beside it the same agent, started by a fresh interpreter each time.

use std::time::Duration;

use serde_json::{Value, json};
use synapse_core::fault::Fault;
use synapse_core::name::Name;
use synapse_core::spec::{AgentSpec, Spawn, TreeSpec};
use synapse_node::{CallRequest, Launcher, NodeHandle, Spawner};
use synapse_process::{proportional_bytes, resident_bytes};
use tokio::time::{Instant, sleep};

use super::{READY_TIMEOUT, begin, end, note, of, tree};
use crate::arguments::BenchArguments;
use crate::failure::Failure;

/// How often each thing is done.
#[derive(Clone, Copy, Debug)]
struct Rounds {
    /// Starts of one agent alone.
    one: usize,
    /// Starts of all at once.
    all: usize,
    /// Deaths of one.
    restarts: usize,
}

/// Starts of one agent, and of many.
const ROUNDS: Rounds = Rounds {
    one: 15,
    all: 3,
    restarts: 0,
};
/// Of the reference: each start costs an import, and many at once would take minutes.
const REFERENCE_ROUNDS: Rounds = Rounds {
    one: 5,
    all: 0,
    restarts: 5,
};

/// How long an agent lives before it is killed. Where one death follows the other at once, the next
/// child is not warm yet: the README of the benches has that figure, too.
const LIFE: Duration = Duration::from_millis(200);

/// What was measured of one way to start.
#[derive(Debug, Default)]
struct Starts {
    one: Vec<Duration>,
    all: Vec<Duration>,
    answers: Vec<Duration>,
    resident_bytes: Vec<u64>,
    proportional_bytes: Vec<u64>,
}

/// Both ways.
#[derive(Debug)]
pub(super) struct Comparison {
    agent: String,
    number: usize,
    restarts: usize,
    measured: Starts,
    reference: Starts,
}

/// Measures the agent as it is configured, then by `spawn = "exec"`.
pub(super) async fn compare(
    arguments: &BenchArguments,
    tree: &TreeSpec,
    agent: &AgentSpec,
    launcher: &Launcher,
    spawner: &Spawner,
) -> Result<Comparison, Failure> {
    let number = arguments.spawn.unwrap_or(1);
    let restarts = arguments.restarts.unwrap_or(0);
    let subject = Subject::new(tree, agent, number)?;
    let node = begin(launcher.clone(), subject.tree.clone(), spawner).await?;
    let measured = subject.measure(&node, Rounds { restarts, ..ROUNDS }).await;
    end(node).await;
    let exec = AgentSpec {
        spawn: Spawn::Exec,
        ..agent.clone()
    };
    let subject = Subject::new(tree, &exec, 1)?;
    let node = begin(launcher.clone(), subject.tree.clone(), spawner).await?;
    let few = Rounds {
        restarts: restarts.min(REFERENCE_ROUNDS.restarts),
        ..REFERENCE_ROUNDS
    };
    let reference = subject.measure(&node, few).await;
    end(node).await;
    note("");
    Ok(Comparison {
        agent: arguments.agent.clone(),
        number,
        restarts,
        measured: measured?,
        reference: reference?,
    })
}

/// Agents that are alike.
struct Subject {
    tree: TreeSpec,
    names: Vec<String>,
}

impl Subject {
    fn new(tree: &TreeSpec, agent: &AgentSpec, number: usize) -> Result<Self, Failure> {
        let names: Result<Vec<Name>, _> = (0..number)
            .map(|index| Name::new(format!("bench-{index}")))
            .collect();
        let names = names.map_err(|error| Failure::new(error.to_string()))?;
        Ok(Self {
            tree: tree::copies(tree, agent, &names),
            names: names.iter().map(ToString::to_string).collect(),
        })
    }

    async fn measure(&self, node: &NodeHandle, rounds: Rounds) -> Result<Starts, Failure> {
        let mut starts = Starts::default();
        let one = self.names.get(..1).unwrap_or_default();
        for round in 0..rounds.one {
            note(&format!("start {} of {}", round + 1, rounds.one));
            start_anew(node, one).await?;
            starts.one.extend(start_took(node, one)?);
        }
        for round in 0..rounds.all {
            note(&format!(
                "{} at once, {} of {}",
                self.names.len(),
                round + 1,
                rounds.all
            ));
            starts.all.push(start_anew(node, &self.names).await?);
        }
        for name in &self.names {
            call(node, name).await?;
        }
        for pid in self.pids(node)? {
            starts.resident_bytes.extend(resident_bytes(pid));
            starts.proportional_bytes.extend(proportional_bytes(pid));
        }
        for round in 0..rounds.restarts {
            note(&format!("death {} of {}", round + 1, rounds.restarts));
            sleep(LIFE).await;
            for name in one {
                kill(node, one)?;
                starts.answers.push(call(node, name).await?);
            }
        }
        Ok(starts)
    }

    fn pids(&self, node: &NodeHandle) -> Result<Vec<u32>, Failure> {
        let mut pids = Vec::new();
        for name in &self.names {
            let view = node.agent(name).map_err(|fault| of(&fault))?.view;
            pids.extend(view.replicas.iter().filter_map(|replica| replica.pid));
        }
        Ok(pids)
    }
}

/// Kills agents at once; the time until all are ready again.
async fn start_anew(node: &NodeHandle, names: &[String]) -> Result<Duration, Failure> {
    let began = Instant::now();
    kill(node, names)?;
    let settled = node.wait_settled(READY_TIMEOUT).await;
    settled.map_err(|fault| of(&fault))?;
    Ok(began.elapsed())
}

fn kill(node: &NodeHandle, names: &[String]) -> Result<(), Failure> {
    node.kill(names).map(drop).map_err(|fault| of(&fault))
}

/// How long the last start of each took, from its spawn to `ready`.
fn start_took(node: &NodeHandle, names: &[String]) -> Result<Vec<Duration>, Failure> {
    let mut took = Vec::new();
    for name in names {
        let view = node.agent(name).map_err(|fault| of(&fault))?.view;
        took.extend(
            view.replicas
                .iter()
                .filter_map(|replica| replica.start_took),
        );
    }
    Ok(took)
}

/// One call; how long its answer took.
async fn call(node: &NodeHandle, agent: &str) -> Result<Duration, Failure> {
    let request = CallRequest {
        input: Value::String("x".to_owned()),
        ..CallRequest::default()
    };
    let began = Instant::now();
    let answered: Result<_, Fault> = node.call(agent, request).await;
    answered.map_err(|fault| of(&fault))?;
    Ok(began.elapsed())
}

struct Row {
    key: &'static str,
    label: String,
    agent: Option<f64>,
    exec: Option<f64>,
}

impl Comparison {
    fn rows(&self) -> Vec<Row> {
        let row = |key, label: String, figure: &dyn Fn(&Starts) -> Option<f64>| Row {
            key,
            label,
            agent: figure(&self.measured),
            exec: figure(&self.reference),
        };
        let mut rows = vec![row(
            "start_ms",
            "start to ready, ms".to_owned(),
            &|starts| percentile_ms(&starts.one, 50),
        )];
        if self.number > 1 {
            let label = format!("{} at once, ms", self.number);
            rows.push(row("all_ms", label, &|starts| {
                percentile_ms(&starts.all, 50)
            }));
        }
        if self.restarts > 0 {
            for (key, label, percent) in [
                ("answer_p50_ms", "death to answer, p50", 50),
                ("answer_p99_ms", "death to answer, p99", 99),
            ] {
                rows.push(row(key, label.to_owned(), &|starts| {
                    percentile_ms(&starts.answers, percent)
                }));
            }
        }
        rows.push(row("rss_mb", "RSS each, MB".to_owned(), &|starts| {
            mean_mb(&starts.resident_bytes)
        }));
        rows.push(row("pss_mb", "PSS each, MB".to_owned(), &|starts| {
            mean_mb(&starts.proportional_bytes)
        }));
        rows
    }

    pub(super) fn json(&self) -> Value {
        let mut object = json!({
            "schema": 1,
            "agent": self.agent,
            "spawn": self.number,
            "restarts": self.restarts,
        });
        for row in self.rows() {
            if let Some(object) = object.as_object_mut() {
                let figures = json!({ "agent": row.agent, "exec": row.exec });
                object.insert(row.key.to_owned(), figures);
            }
        }
        object
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{}: {} started, {} killed; medians\n{:<22}{:>12}{:>12}{:>9}",
            self.agent, self.number, self.restarts, "", "agent", "exec", "ratio"
        );
        let shown =
            |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |f| format!("{f:.1}"));
        for row in self.rows() {
            let ratio = row.agent.zip(row.exec).map(|(agent, exec)| agent / exec);
            let ratio = ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
            let (agent, exec) = (shown(row.agent), shown(row.exec));
            text.push_str(&format!(
                "\n{:<22}{agent:>12}{exec:>12}{ratio:>9}",
                row.label
            ));
        }
        text
    }
}

fn percentile_ms(times: &[Duration], percent: usize) -> Option<f64> {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = times.len().saturating_sub(1) * percent / 100;
    times.get(at).map(|time| time.as_secs_f64() * 1e3)
}

#[expect(clippy::cast_precision_loss, reason = "no process has 2^53 bytes")]
fn mean_mb(bytes: &[u64]) -> Option<f64> {
    let sum: u64 = bytes.iter().sum();
    (!bytes.is_empty()).then(|| sum as f64 / bytes.len() as f64 / 1e6)
}
