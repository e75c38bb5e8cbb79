//! Everything at once, by a seed: callers, cancels, deadlines, kills, restarts. Whatever happens,
//! each accepted call has exactly one outcome, and nothing is left behind.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use synapse_core::spec::WhenFull;
use synapse_core::time::Millis;
use synapse_node::{AgentState, CallRequest, NodeHandle};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::world::{PATIENCE, World, agent, asked, code, eventually, outcome, told, tree};
use crate::{Outcome, cases};

cases! {
    each_accepted_call_has_one_outcome_whatever_happens,
}

/// How long it goes on.
const CHAOS: Duration = Duration::from_secs(3);
const CALLERS: u64 = 12;
const SEED: u64 = 0x5EED_2026;

async fn each_accepted_call_has_one_outcome_whatever_happens() -> Outcome {
    let one = agent("one", |spec| {
        (spec.concurrency, spec.prefetch) = (2, 4);
        spec.env.insert("FAKE_SLOTS".into(), "2".into());
        spec.cancel_grace = Millis(100);
    });
    let two = agent("two", |spec| {
        (spec.concurrency, spec.replicas) = (1, 2);
        spec.mailbox.size = 2;
        spec.mailbox.when_full = WhenFull::Wait;
        spec.cancel_grace = Millis(100);
    });
    let world = World::begin(tree(vec![one, two], |root| root.intensity = 1_000_000))?;
    world.node.wait_settled(PATIENCE).await.map_err(told)?;
    for name in ["one", "two"] {
        settled(&world, name).await?;
    }
    let tasks = Handle::current().metrics().num_alive_tasks();
    let until = Instant::now() + CHAOS;
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..CALLERS {
        let node = world.node.clone();
        callers.spawn(async move { caller(node, Random(SEED + number), until).await });
    }
    let node = world.node.clone();
    let operator = tokio::spawn(async move { operator(node, Random(SEED), until).await });
    let mut seen = BTreeMap::new();
    while let Some(outcomes) = callers.join_next().await {
        for (code, count) in outcomes?.map_err(|error| error.to_string())? {
            *seen.entry(code).or_insert(0) += count;
        }
    }
    operator.await?;
    for expected in ["ok", "cancelled", "agent_crashed", "deadline_exceeded"] {
        crate::world::that(
            seen.contains_key(expected),
            &format!("{expected} in {seen:?}"),
        )?;
    }
    for name in ["one", "two"] {
        settled(&world, name).await?;
    }
    eventually("as many tasks as before", || {
        match Handle::current().metrics().num_alive_tasks() {
            now if now <= tasks => Ok(()),
            now => Err(format!("{now} after {tasks}")),
        }
    })
    .await?;
    world.stop().await
}

/// Nothing waits and nothing runs, and the agent answers.
async fn settled(world: &World, name: &str) -> Outcome {
    world.node.start(&[name.to_owned()]).await.map_err(told)?;
    world.until_state(name, AgentState::Ready).await?;
    world.call(name, json!("after all")).await.map_err(told)?;
    world.until_in_flight(name, 0).await?;
    eventually("nothing waits", || {
        match world
            .node
            .agent(name)
            .map_err(|fault| fault.message)?
            .view
            .queued
        {
            0 => Ok(()),
            queued => Err(queued.to_string()),
        }
    })
    .await
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

async fn caller(
    node: NodeHandle,
    mut random: Random,
    until: Instant,
) -> Result<BTreeMap<&'static str, u64>, Failed> {
    let mut seen = BTreeMap::new();
    while Instant::now() < until {
        let name = random.one_of(&["one", "two"]);
        let request = CallRequest {
            stream: random.below(2) == 0,
            session: (random.below(4) == 0).then(|| format!("s-{}", random.below(3))),
            timeout: Some(Duration::from_millis(1 + random.below(400))),
            ..asked(input(&mut random))
        };
        let mut run = match node.start_run(name, request).await {
            Ok(run) => run,
            Err(fault) => {
                *seen.entry(fault.code.as_str()).or_insert(0) += 1;
                continue;
            }
        };
        match random.below(6) {
            0 => run.cancel(),
            1 => {
                // Reads a little, and leaves.
                drop(tokio::time::timeout(Duration::from_millis(2), run.next()).await);
                continue;
            }
            _ => {}
        }
        let done = outcome(&mut run).await.map_err(|error| error.to_string())?;
        if run.next().await.is_some() {
            return Err("an event after the outcome".into());
        }
        *seen.entry(code(&done)).or_insert(0) += 1;
    }
    Ok(seen)
}

fn input(random: &mut Random) -> Value {
    match random.below(40) {
        0 => json!({"do": "abort"}),
        1 => json!({"do": "exit", "code": 1}),
        2 => json!({"do": "answer_and_abort"}),
        3 => json!({"do": "garbage"}),
        4 => json!({"do": "torn_abort"}),
        5 => json!({"do": "stubborn"}),
        6..10 => json!({"do": "late"}),
        10..15 => json!({"do": "wait"}),
        15..20 => json!({"do": "slow", "ms": random.below(20)}),
        _ => json!("echo"),
    }
}

async fn operator(node: NodeHandle, mut random: Random, until: Instant) {
    while Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(random.below(60))).await;
        let target = [random.one_of(&["one", "two", "*"]).to_owned()];
        // Refused where a supervisor is busy with the same agent: that is not what is tested.
        match random.below(8) {
            0 => drop(node.restart(&target).await),
            1 => {
                drop(node.stop(&target).await);
                drop(node.start(&target).await);
            }
            _ => drop(node.kill(&target)),
        }
    }
}

/// A small generator, the same on every machine (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        let at = self.below(words.len() as u64);
        words[usize::try_from(at).unwrap_or_default()]
    }
}
