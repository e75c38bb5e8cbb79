//! docs/configuration.md and the keys are held to each other here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use serde_json::Value;
use synapse_core::spec::{OnExhausted, StartOrder};

use crate::key::{Element, KeyDoc};
use crate::raw::{
    RawAgent, RawBackoff, RawLimits, RawLog, RawMailbox, RawPython, RawRuntime, RawSessions,
    RawSupervisor, RawTree, RawUsageLimits,
};
use crate::{Configuration, load, parse, schema};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn tables() -> [(&'static str, Option<&'static [KeyDoc]>); 10] {
    [
        ("runtime", RawRuntime::keys()),
        ("runtime.log", RawLog::keys()),
        ("runtime.sessions", RawSessions::keys()),
        ("python", RawPython::keys()),
        ("supervisor.NAME", RawSupervisor::keys()),
        ("agent.NAME", RawAgent::keys()),
        ("agent.NAME.mailbox", RawMailbox::keys()),
        ("agent.NAME.limits", RawLimits::keys()),
        ("agent.NAME.backoff", RawBackoff::keys()),
        ("agent.NAME.usage_limits", RawUsageLimits::keys()),
    ]
}

/// The rows of one table in the documentation.
fn rows(keys: &[KeyDoc]) -> String {
    let mut text = String::from(
        "| key | value | default | meaning | example |\n| --- | --- | --- | --- | --- |\n",
    );
    for key in keys {
        let words = key.default.contains(' ') && !key.default.starts_with(['{', '"', '[']);
        let default = if words || ["none", "required"].contains(&key.default) {
            key.default.to_owned()
        } else {
            format!("`{}`", key.default)
        };
        let example = if key.example.is_empty() {
            String::new()
        } else {
            format!("`{} = {}`", key.name, key.example)
        };
        let wanted = (key.wanted)().replace('|', "\\|");
        let doc = key.doc.trim().replace("  ", " ").replace('|', "\\|");
        text.push_str(&format!(
            "| `{}` | {wanted} | {default} | {doc} | {example} |\n",
            key.name
        ));
    }
    text
}

/// Replaces what stands between `<!-- keys: NAME -->` and `<!-- end -->`.
fn filled(text: &str, name: &str, keys: &[KeyDoc]) -> String {
    let begin = format!("<!-- keys: {name} -->\n");
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("no {begin} in the documentation"));
    let (_, after) = rest.split_once("<!-- end -->").expect("an end");
    format!("{before}{begin}{}<!-- end -->{after}", rows(keys))
}

/// Run with UPDATE_EXPECT=1 after a change of the keys.
#[test]
fn every_key_is_documented() {
    let path = repository().join("docs/configuration.md");
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (name, keys) in tables() {
        text = filled(&text, name, keys.unwrap());
    }
    expect_file![path].assert_eq(&text);
}

#[test]
fn every_key_is_in_the_schema_and_the_schema_has_no_other() {
    let schema = schema();
    for (name, keys) in tables() {
        let pointer = name
            .split('.')
            .fold(String::new(), |pointer, part| match part {
                "NAME" => format!("{pointer}/additionalProperties"),
                part => format!("{pointer}/properties/{part}"),
            });
        let table = schema
            .pointer(&pointer)
            .unwrap_or_else(|| panic!("no {pointer}"));
        let known: BTreeSet<&str> = keys.unwrap().iter().map(|key| key.name).collect();
        let described: BTreeSet<&str> = table["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(described, known, "{name}");
        assert_eq!(table["additionalProperties"], Value::Bool(false), "{name}");
    }
}

#[test]
fn the_schema_is_one() {
    assert!(jsonschema::meta::is_valid(&schema()));
}

/// The shipped file and all examples: valid to the parser without a warning, and to the schema.
#[test]
fn every_shipped_file_is_valid() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for file in shipped() {
        match load(&file) {
            Ok(loaded) => assert!(
                loaded.warnings.is_empty(),
                "{}",
                loaded.warnings.render(false)
            ),
            Err(errors) => panic!("{}", errors.render(false)),
        }
        let json = json(&std::fs::read_to_string(&file).unwrap());
        let faults: Vec<String> = validator
            .iter_errors(&json)
            .map(|e| e.to_string())
            .collect();
        assert!(faults.is_empty(), "{}: {faults:?}", file.display());
    }
}

fn shipped() -> Vec<PathBuf> {
    let mut files = vec![repository().join("supervision.toml")];
    for example in std::fs::read_dir(repository().join("examples")).unwrap() {
        let file = example.unwrap().path().join("supervision.toml");
        files.extend(file.is_file().then_some(file));
    }
    files
}

fn json(toml: &str) -> Value {
    let mut problems = crate::problem::Problems::default();
    let root = crate::document::parse(toml).unwrap();
    Value::Object(
        crate::element::JsonTable::read(&root, "", &mut problems)
            .unwrap()
            .0,
    )
}

/// What one key alone makes wrong is wrong to an editor too.
#[test]
fn the_schema_refuses_what_the_parser_refuses() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let right = "[supervisor.root]\nchildren = [\"one\"]\n[agent.one]\nentry = \"m:a\"\n";
    assert!(validator.is_valid(&json(right)));
    for line in [
        "concurency = 1",
        "concurrency = 0",
        "concurrency = \"8\"",
        "mode = \"stream\"",
        "call_timeout = 5",
        "call_timeout = \"5 s\"",
        "shutdown = \"brutal\"",
        "mailbox = { size = 0 }",
        "backoff = { factor = 0.5 }",
        "backoff = { jitter = 2 }",
        "env = { \"A-B\" = \"x\" }",
        "env = { PORT = 80 }",
        "env_pass = [\"A=1\"]",
        "deps = \"a/b.py:c\"",
        "output_schema = { type = \"string\" }",
        "significant = \"true\"",
        "description = \"\"",
    ] {
        let text = format!("{right}{line}\n");
        assert!(
            parse(&text, Path::new("/nowhere/s.toml")).is_err(),
            "the parser takes {line}"
        );
        assert!(!validator.is_valid(&json(&text)), "the schema takes {line}");
    }
}

/// A tree whose agent and supervisor say of every key what `value` picks.
fn spelled(value: impl Fn(&KeyDoc) -> Option<&'static str>) -> String {
    let lines = |keys: &[KeyDoc], skip: &[&str]| -> String {
        keys.iter()
            .filter(|key| !skip.contains(&key.name))
            .filter_map(|key| value(key).map(|value| format!("{} = {value}\n", key.name)))
            .collect()
    };
    let table = |name: &str, keys: Option<&[KeyDoc]>, skip: &[&str]| {
        format!("[{name}]\n{}", lines(keys.unwrap(), skip))
    };
    [
        table("runtime", RawRuntime::keys(), &["log", "sessions"]),
        table("runtime.log", RawLog::keys(), &[]),
        table("runtime.sessions", RawSessions::keys(), &[]),
        table(
            "python",
            RawPython::keys(),
            &["venv", "requirements", "interpreter", "path"],
        ),
        table(
            "supervisor.root",
            RawSupervisor::keys(),
            &["children", "restart", "significant"],
        ),
        "children = [\"one\"]\n".to_owned(),
        table(
            "agent.one",
            RawAgent::keys(),
            &[
                "mailbox",
                "backoff",
                "usage_limits",
                "limits",
                "output_schema",
                "requirements",
                "env_file",
            ],
        ),
        table("agent.one.mailbox", RawMailbox::keys(), &[]),
        table("agent.one.usage_limits", RawUsageLimits::keys(), &[]),
        table("agent.one.limits", RawLimits::keys(), &[]),
    ]
    .join("")
}

fn configuration(text: &str) -> Configuration {
    match parse(text, Path::new("/nowhere/supervision.toml")) {
        Ok(loaded) => loaded.configuration,
        Err(errors) => panic!("{}\n{text}", errors.render(false)),
    }
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    let toml = |key: &KeyDoc| {
        let is_value = key.default.starts_with(['"', '{', '[', 't', 'f'])
            || key.default.starts_with(|c: char| c.is_ascii_digit());
        let words = ["the ", "none"]
            .iter()
            .any(|word| key.default.starts_with(word));
        (is_value && !words).then_some(key.default)
    };
    let with = "[agent.one]\nentry = \"m:a\"\n";
    let spelled = spelled(toml).replace("[agent.one]\n", with);
    let bare = format!("[supervisor.root]\nchildren = [\"one\"]\n{with}");
    assert_eq!(configuration(&spelled), configuration(&bare));
}

#[test]
fn the_documented_examples_are_accepted_and_make_a_difference() {
    let spelled = spelled(|key| Some(key.example).filter(|example| !example.is_empty()));
    // The one example that excludes others: a group neither parks nor starts at once.
    let spelled = spelled.replace("strategy = \"rest_for_one\"\n", "");
    let read = configuration(&spelled);
    let agent = read.tree.agents.values().next().unwrap();
    assert_eq!(agent.concurrency, 8);
    assert_eq!(agent.prefetch, 64);
    assert_eq!(agent.call_timeout.0, 30_000);
    assert_eq!(agent.env_pass, ["DATABASE_URL"]);
    assert_eq!(agent.usage_limits.requests, Some(10));
    assert_eq!(agent.limits.memory_bytes, Some(512 << 20));
    assert_eq!(agent.limits.cpu_seconds, Some(600));
    let root = &read.tree.supervisors[&read.tree.root];
    assert_eq!(root.on_exhausted, OnExhausted::Park);
    assert_eq!(root.start_order, StartOrder::Concurrent);
    assert_eq!(read.runtime.node.as_str(), "lab-1");
    assert_eq!(read.runtime.sessions.bytes_max, 256 << 20);
    let faults = jsonschema::validator_for(&schema())
        .unwrap()
        .is_valid(&json(&spelled));
    assert!(faults, "the schema refuses the examples");
}

#[test]
fn every_table_of_the_file_is_documented() {
    let documented: BTreeSet<&str> = tables()
        .iter()
        .filter_map(|(name, _)| name.split('.').next())
        .collect();
    let known: BTreeSet<&str> = RawTree::keys()
        .unwrap()
        .iter()
        .map(|key| key.name)
        .collect();
    assert_eq!(documented, known);
}
