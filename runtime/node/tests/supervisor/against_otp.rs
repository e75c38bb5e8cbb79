//! Scenarios against the real OTP: recorded traces, and Erlang itself where it is installed.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::comparison::differs;
use crate::generator;
use crate::script::{Scenario, Step};
use crate::{real_tree, virtual_tree};

/// How many random scenarios are run on Erlang; many more find more.
const SCENARIOS: &str = "SYNAPSE_OTP_SCENARIOS";
/// The first seed; the next ones follow.
const SEED: &str = "SYNAPSE_OTP_SEED";
const SCENARIOS_DEFAULT: u64 = 50;

/// One recorded run, one a line of the file.
#[derive(serde::Deserialize)]
struct Recorded {
    name: String,
    scenario: Scenario,
    trace: Vec<String>,
}

fn recorded(file: &str) -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/otp");
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn check(file: &str) {
    for run in recorded(file) {
        let ours = real_tree::trace(&run.scenario).await;
        assert_eq!(differs(&run.trace, &ours), None, "{}", run.name);
    }
}

#[tokio::test(start_paused = true)]
async fn the_shell_does_what_otp_did() {
    check("recorded.jsonl").await;
}

#[tokio::test(start_paused = true)]
async fn tree() {
    check("cases.jsonl").await;
}

/// The same scenarios on Erlang's supervisor, on the core, and on the actors.
#[tokio::test(start_paused = true)]
async fn core_and_shell_do_what_otp_does() {
    let first = number(SEED, 0);
    let seeds: Vec<u64> = (first..first + number(SCENARIOS, SCENARIOS_DEFAULT)).collect();
    let scenarios: Vec<Value> = seeds
        .iter()
        .map(|seed| generator::scenario(*seed))
        .collect();
    let Some(traces) = on_erlang(&scenarios) else {
        println!("erl is not installed: random scenarios were not compared with it");
        return;
    };
    assert_eq!(traces.len(), scenarios.len());
    let mut different = Vec::new();
    for ((seed, scenario), otp) in seeds.iter().zip(scenarios).zip(traces) {
        let parsed: Scenario = serde_json::from_value(scenario.clone()).unwrap();
        let core = differs(&otp, &virtual_tree::trace(&parsed));
        let shell = differs(&otp, &real_tree::trace(&parsed).await);
        for (side, difference) in [("core", core), ("shell", shell)] {
            if let Some(difference) = difference {
                different.push(format!("seed {seed}, {side}, {difference}\n{scenario}"));
            }
        }
    }
    let count = different.len();
    assert!(
        different.is_empty(),
        "{count} differ:\n{}",
        different.join("\n")
    );
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// The traces of these scenarios; `None` where there is no Erlang.
fn on_erlang(scenarios: &[Value]) -> Option<Vec<Vec<String>>> {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/supervisor/erlang_side.erl");
    let compiled = command("erlc")
        .arg("-o")
        .arg(folder.path())
        .arg(source)
        .status();
    match compiled {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        other => assert!(other.unwrap().success(), "erlc"),
    }
    let file = folder.path().join("scenarios.eterm");
    let numbered = scenarios.iter().enumerate();
    let text: String = numbered.map(|(number, one)| term_of(number, one)).collect();
    std::fs::write(&file, text).unwrap();
    let output = command("erl")
        .args([
            "+S",
            "1:1",
            "-noshell",
            "-kernel",
            "logger_level",
            "none",
            "-pa",
        ])
        .arg(folder.path())
        .args(["-run", "erlang_side", "main"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "erl: {}: {said}", output.status);
    let traces = said.split("## ").skip(1);
    Some(
        traces
            .map(|trace| trace.lines().skip(1).map(str::to_owned).collect())
            .collect(),
    )
}

#[expect(
    clippy::disallowed_methods,
    reason = "Erlang's own tools: no agent, no pipe that outlives them"
)]
fn command(program: &str) -> Command {
    Command::new(program)
}

/// The scenario as the Erlang side reads it: one term, with the label of each step.
fn term_of(number: usize, scenario: &Value) -> String {
    let mut scenario = scenario.clone();
    scenario["number"] = number.into();
    for step in scenario["steps"].as_array_mut().unwrap() {
        let parsed: Step = serde_json::from_value(step.clone()).unwrap();
        step["label"] = parsed.label().into();
    }
    let mut term = String::new();
    write_term(&mut term, &scenario, "");
    term + ".\n"
}

/// Ids, paths, names and labels are strings, all other words are atoms.
fn write_term(out: &mut String, value: &Value, key: &str) {
    let separate = |out: &mut String, index| out.push_str(if index == 0 { "" } else { ", " });
    match value {
        Value::Object(fields) => {
            out.push_str("#{");
            for (index, (key, value)) in fields.iter().enumerate() {
                separate(out, index);
                write!(out, "{key} => ").unwrap();
                write_term(out, value, key);
            }
            out.push('}');
        }
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                separate(out, index);
                write_term(out, value, key);
            }
            out.push(']');
        }
        Value::String(text) if ["id", "path", "sup", "name", "label"].contains(&key) => {
            write!(out, "{text:?}").unwrap();
        }
        Value::String(text) => match text.strip_prefix("shutdown:") {
            Some(detail) => write!(out, "{{shutdown, '{detail}'}}").unwrap(),
            None => write!(out, "'{text}'").unwrap(),
        },
        other => write!(out, "{other}").unwrap(),
    }
}
