//! What a valid file amounts to, and mistakes as data.

use std::path::{Path, PathBuf};

use synapse_core::spec::{ChildRef, Mode, Program, Shutdown, Start, Strategy, WhenFull};
use synapse_core::time::Millis;

use super::TREE;
use crate::{Configuration, Finding, LogLevel, parse};

const FILE: &str = "/srv/app/supervision.toml";

fn accepted(text: &str) -> Configuration {
    match parse(text, Path::new(FILE)) {
        Ok(loaded) => loaded.configuration,
        Err(errors) => panic!("{}", errors.render(false)),
    }
}

#[test]
fn a_small_file_gets_the_defaults() {
    let read = accepted(&format!("{TREE}[agent.one]\nentry = \"m:a\"\n"));
    let root = read.tree.supervisors.get("root").unwrap();
    assert_eq!(
        (root.strategy, root.intensity, root.period),
        (Strategy::OneForOne, 1, Millis(5000))
    );
    assert_eq!(root.shutdown, Shutdown::Infinity);
    let agent = read.tree.agents.get("one").unwrap();
    assert!(matches!(&agent.program, Program::Entry(entry) if entry.to_string() == "m:a"));
    assert_eq!(
        (agent.concurrency, agent.prefetch, agent.replicas),
        (1, 0, 1)
    );
    assert_eq!(
        (agent.mailbox.size, agent.mailbox.when_full),
        (256, WhenFull::Reject)
    );
    assert_eq!((agent.mode, agent.backoff), (None, None));
    assert_eq!((agent.start, agent.hibernate_after), (Start::Eager, None));
    assert_eq!(agent.shutdown, Shutdown::Timeout(Millis(5000)));
    assert_eq!(read.runtime.data_dir, PathBuf::from("/srv/app/.synapse"));
    assert_eq!(read.runtime.log.level, LogLevel::Info);
    assert_eq!(read.python.path, [PathBuf::from("/srv/app")]);
    assert_eq!(read.folder, PathBuf::from("/srv/app"));
}

#[test]
fn an_agent_may_begin_without_a_process_and_give_an_idle_one_back() {
    let read = accepted(&format!(
        "{TREE}[agent.one]\nentry = \"m:a\"\nstart = \"on_demand\"\nhibernate_after = \"10m\"\n"
    ));
    let agent = read.tree.agents.get("one").unwrap();
    let expected = (Start::OnDemand, Some(Millis::from_secs(600)));
    assert_eq!((agent.start, agent.hibernate_after), expected);
}

#[test]
fn dotted_keys_and_sub_tables_are_the_same() {
    let inline = accepted(&format!(
        "{TREE}[agent.one]\nentry = \"m:a\"\nmailbox = {{ size = 7 }}\n"
    ));
    let dotted = accepted(&format!(
        "{TREE}[agent.one]\nentry = \"m:a\"\nmailbox.size = 7\n"
    ));
    let table = accepted(&format!(
        "{TREE}[agent.one]\nentry = \"m:a\"\n[agent.one.mailbox]\nsize = 7\n"
    ));
    assert_eq!(inline, dotted);
    assert_eq!(inline, table);
}

#[test]
fn children_keep_their_order_and_get_their_kind() {
    let read = accepted(
        "[supervisor.root]\nchildren = [\"b\", \"inner\", \"a\"]\n[supervisor.inner]\nchildren = [\"c\"]\n\
         [agent.a]\nentry = \"m:a\"\n[agent.b]\nentry = \"m:a\"\n[agent.c]\nentry = \"m:a\"\nmode = \"run_stream\"\n",
    );
    let root = read.tree.supervisors.get("root").unwrap();
    assert!(matches!(
        root.children.as_slice(),
        [
            ChildRef::Agent(_),
            ChildRef::Supervisor(_),
            ChildRef::Agent(_)
        ]
    ));
    let order: Vec<&str> = read
        .tree
        .start_order()
        .iter()
        .map(|name| name.as_str())
        .collect();
    assert_eq!(order, ["b", "c", "a"]);
    assert_eq!(
        read.tree.agents.get("c").unwrap().mode,
        Some(Mode::RunStream)
    );
}

#[test]
fn mistakes_are_data_in_the_order_of_the_file() {
    let text = format!(
        "{TREE}[agent.one]\nentry = \"m:a\"\nconcurency = 1\nmode = \"größe\"\nx\u{e4} = 1\n"
    )
    .replace("x\u{e4}", "\"x\u{e4}\"");
    let list = parse(&text, Path::new("supervision.toml"))
        .unwrap_err()
        .list();
    let places: Vec<_> = list
        .iter()
        .map(|f| (f.line.unwrap(), f.column.unwrap()))
        .collect();
    assert_eq!(places, [(5, 1), (6, 8), (7, 1)]);
    let Finding {
        severity,
        file,
        key,
        help,
        ..
    } = list.first().unwrap();
    assert_eq!((*severity, file.as_str()), ("error", "supervision.toml"));
    assert_eq!(key.as_deref(), Some("agent.one.concurency"));
    assert_eq!(help, &["did you mean `concurrency`?"]);
    assert_eq!(serde_json::to_value(&list).unwrap()[0]["line"], 5);
}

#[test]
fn the_number_of_mistakes_is_the_summary() {
    let summary = |text: &str| parse(text, Path::new("s.toml")).unwrap_err().to_string();
    assert_eq!(summary("[supervisor.root]\n"), "1 mistake in s.toml");
    assert_eq!(
        summary("[supervisor.root]\nx = 1\n"),
        "2 mistakes in s.toml"
    );
}

#[test]
fn an_agent_may_have_packages_and_preloads_in_place_of_those_of_all() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["all.txt", "own.txt"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let text = r#"
[python]
requirements = "all.txt"
preload = ["json"]
[supervisor.root]
children = ["plain", "packages", "preloads", "both"]
[agent.plain]
entry = "m:a"
[agent.packages]
entry = "m:a"
requirements = "own.txt"
[agent.preloads]
entry = "m:a"
preload = ["email", "email"]
[agent.both]
entry = "m:a"
requirements = "own.txt"
preload = ["html"]
"#;
    let file = folder.path().join("supervision.toml");
    let python = parse(text, &file).unwrap().configuration.python;
    let own = || Some(folder.path().join("own.txt"));
    let said: Vec<_> = python
        .agents
        .iter()
        .map(|(name, python)| {
            let preload = python.preload.join(" ");
            (name.as_str(), python.requirements.clone(), preload)
        })
        .collect();
    let expected = [
        ("both", own(), "html".to_owned()),
        // What all preload need not be among its packages.
        ("packages", own(), String::new()),
        ("preloads", None, "email".to_owned()),
    ];
    assert_eq!(said, expected);
}
