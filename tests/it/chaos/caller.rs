//! Callers, as programs call: HTTP over the control socket, read to its last byte, so that a second
//! outcome would be seen.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::random::Random;
use crate::harness::World;

/// What calls ask for, the usual things more often.
const DEEDS: [&str; 29] = [
    "answer", "answer", "answer", "answer", "answer", "answer", "answer", "answer", "answer",
    "answer", "wait", "wait", "wait", "wait", "raise", "raise", "leave", "exit", "abort", "fault",
    "kill", "kill", "stop", "corrupt", "close", "flood", "hang", "lock", "escape",
];
/// Longer than any call may take.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// What a caller does who was refused: it comes back later.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);
/// Calls of the ordered caller that have no outcome yet.
const UNDER_WAY_MAX: usize = 16;

/// Every call and what became of it.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<BTreeMap<u64, Called>>);

#[derive(Clone, Debug)]
pub(super) struct Called {
    pub(super) agent: String,
    #[expect(dead_code, reason = "read by people, of a call that went wrong")]
    pub(super) deed: String,
    pub(super) verdict: Verdict,
}

#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// It was not accepted.
    Refused(String),
    /// It was accepted, and told this: one, where all is well.
    Outcomes(Vec<Outcome>),
    /// Its caller did not wait for the outcome.
    Left,
}

#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Result(String),
    Fault(String),
}

impl Outcome {
    pub(super) fn word(&self) -> String {
        match self {
            Self::Result(_) => "result".to_owned(),
            Self::Fault(code) => code.clone(),
        }
    }
}

impl Verdict {
    /// What it was answered.
    pub(super) fn output(&self) -> Option<&str> {
        match self {
            Self::Outcomes(outcomes) => outcomes.iter().find_map(|outcome| match outcome {
                Outcome::Result(output) => Some(output.as_str()),
                Outcome::Fault(_) => None,
            }),
            Self::Refused(_) | Self::Left => None,
        }
    }
}

impl Ledger {
    fn note(&self, number: u64, (agent, deed): (&str, &str), verdict: Verdict) {
        let called = Called {
            agent: agent.to_owned(),
            deed: deed.to_owned(),
            verdict,
        };
        self.0
            .lock()
            .expect("no caller panics with it")
            .insert(number, called);
    }

    pub(super) fn calls(&self) -> BTreeMap<u64, Called> {
        self.0.lock().expect("no caller panics with it").clone()
    }
}

/// One call of whatever kind, to its end.
pub(super) fn call(world: &World, agent: &str, number: u64, random: &mut Random, ledger: &Ledger) {
    let deed = random.one_of(&DEEDS);
    call_for(world, agent, number, deed, random, ledger);
}

/// One call for this deed.
pub(super) fn call_for(
    world: &World,
    agent: &str,
    number: u64,
    deed: &str,
    random: &mut Random,
    ledger: &Ledger,
) {
    let verdict = match begin(world, agent, number, deed, random) {
        Err(code) => {
            // One that is stopped refuses at once, again and again.
            std::thread::park_timeout(REFUSED_PAUSE);
            Verdict::Refused(code)
        }
        // Only those that have a number do: the others want an answer.
        Ok(answer) if number != 0 && random.below(16) == 0 => {
            drop(answer);
            Verdict::Left
        }
        Ok(answer) => Verdict::Outcomes(outcomes(answer)),
    };
    ledger.note(number, (agent, deed), verdict);
}

/// Calls that are accepted one after the other, and under way together.
pub(super) fn call_in_order(
    world: &World,
    agent: &str,
    next: impl Fn() -> u64,
    mut random: Random,
    until: Instant,
    ledger: &Ledger,
) {
    std::thread::scope(|threads| {
        let (place, places) = sync_channel(UNDER_WAY_MAX);
        let places = std::sync::Arc::new(Mutex::new(places));
        while Instant::now() < until {
            let (number, deed) = (next(), random.one_of(&DEEDS));
            place.send(()).expect("the other end is here");
            let answer = begin(world, agent, number, deed, &mut random);
            let places = std::sync::Arc::clone(&places);
            threads.spawn(move || {
                let verdict = match answer {
                    Ok(answer) => Verdict::Outcomes(outcomes(answer)),
                    Err(code) => Verdict::Refused(code),
                };
                ledger.note(number, (agent, deed), verdict);
                let places = places.lock().expect("nobody panics with it");
                places.recv().expect("this call has a place");
            });
        }
    });
}

/// Asks; `Ok` is an accepted call whose events come, `Err` the code of a refusal.
fn begin(
    world: &World,
    agent: &str,
    number: u64,
    deed: &str,
    random: &mut Random,
) -> Result<BufReader<UnixStream>, String> {
    let socket = synapse_api::socket_path(&world.path(".synapse")).expect("it can be read");
    let mut stream = UnixStream::connect(socket).expect("the node listens");
    stream
        .set_read_timeout(Some(SILENCE_MAX))
        .expect("not zero");
    let body = json!({
        "prompt": format!("{number} {deed}"),
        "stream": true,
        "timeout_ms": 300 + random.below(700),
    })
    .to_string();
    write!(
        stream,
        "POST /v1/agents/{agent}/runs HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("the node reads");
    let mut answer = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let read = answer.read_line(&mut head).expect("the node answers");
        assert_ne!(read, 0, "call {number}: an answer without a head: {head:?}");
    }
    if head.contains(" 200 ") {
        return Ok(answer);
    }
    let mut problem = String::new();
    answer.read_to_string(&mut problem).expect("a problem");
    let problem: Value = serde_json::from_str(&problem).unwrap_or_else(|error| {
        panic!("call {number}: {error} in {head}{problem}");
    });
    Err(problem["code"].as_str().unwrap_or_default().to_owned())
}

/// Reads to the end of the connection.
fn outcomes(mut answer: BufReader<UnixStream>) -> Vec<Outcome> {
    let mut text = String::new();
    answer
        .read_to_string(&mut text)
        .expect("the node ends every answer");
    let (mut outcomes, mut streamed) = (Vec::new(), String::new());
    for event in text.split("\n\n") {
        let field = |name: &str| {
            let of = event.lines().filter_map(|line| line.strip_prefix(name));
            of.collect::<String>()
        };
        let data = || {
            let data = field("data: ");
            serde_json::from_str::<Value>(&data)
                .unwrap_or_else(|error| panic!("{error} in {event}"))
        };
        match field("event: ").as_str() {
            "chunk" => streamed += data()["text"].as_str().unwrap_or_default(),
            "result" => {
                let output = data()["output"].as_str().unwrap_or_default().to_owned();
                outcomes.push(Outcome::Result(format!("{output} {streamed}")));
            }
            "error" => {
                let code = data()["error"]["code"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                outcomes.push(Outcome::Fault(code));
            }
            _ => {}
        }
    }
    outcomes
}
