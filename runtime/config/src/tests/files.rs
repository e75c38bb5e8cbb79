//! Files that the configuration names.

use std::path::Path;

use expect_test::{Expect, expect};
use tempfile::TempDir;

use super::{TREE, said};
use crate::load;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn check(files: &[(&str, &str)], table: &str, expect: &Expect) {
    let folder = folder(files);
    let text = format!("{TREE}[agent.one]\n{table}\n");
    expect.assert_eq(&said(&text, &folder.path().join("supervision.toml")));
}

#[test]
fn a_module_that_is_there_is_right() {
    let files = [
        ("agents/assistant.py", "agent = 1\n"),
        ("main.py", "def run(): ...\n"),
        ("pkg/__init__.py", "from .a import agent\n"),
    ];
    for entry in [
        "agents.assistant:agent",
        "main:run",
        "pkg:agent",
        "installed_package.module:agent",
    ] {
        check(&files, &format!("entry = \"{entry}\""), &expect![""]);
    }
}

#[test]
fn a_missing_module_suggests_its_neighbour() {
    let files = [("agents/assistant.py", ""), ("agents/echo.py", "")];
    check(
        &files,
        "entry = \"agents.assistent:agent\"",
        &expect![[r#"
        error: `agent.one.entry`: there is no module `assistent` in agents/
         --> supervision.toml:4:9
          |
        4 | entry = "agents.assistent:agent"
          |         ^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: did you mean "agents.assistant:agent"?

    "#]],
    );
    check(
        &files,
        "entry = \"agents.other:agent\"",
        &expect![[r#"
        error: `agent.one.entry`: there is no module `other` in agents/
         --> supervision.toml:4:9
          |
        4 | entry = "agents.other:agent"
          |         ^^^^^^^^^^^^^^^^^^^^
          |
          = help: the modules there are assistant, echo

    "#]],
    );
}

#[test]
fn a_module_of_no_folder_that_is_like_one_is_a_warning() {
    check(
        &[("agents/assistant.py", "")],
        "entry = \"agent.assistant:agent\"",
        &expect![[r#"
        warning: `agent.one.entry`: there is no module `agent` in the folder of this file
         --> supervision.toml:4:9
          |
        4 | entry = "agent.assistant:agent"
          |         ^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: did you mean "agents.assistant:agent"?
          = help: this is right if the module is installed in the Python environment

    "#]],
    );
}

#[test]
fn a_missing_attribute_is_a_warning() {
    let files = [(
        "agents/assistant.py",
        "assistant = make()\ndef helper(): ...\n",
    )];
    check(
        &files,
        "entry = \"agents.assistant:asistant\"",
        &expect![[r#"
        warning: `agent.one.entry`: nothing in module `agents.assistant` is called `asistant`
         --> supervision.toml:4:9
          |
        4 | entry = "agents.assistant:asistant"
          |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: did you mean "agents.assistant:assistant"?

    "#]],
    );
    check(
        &files,
        "entry = \"agents.assistant:zzz\"",
        &expect![[r#"
        warning: `agent.one.entry`: nothing in module `agents.assistant` is called `zzz`
         --> supervision.toml:4:9
          |
        4 | entry = "agents.assistant:zzz"
          |         ^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: it defines `assistant` and `helper`

    "#]],
    );
}

#[test]
fn an_attribute_that_only_python_finds_is_left_to_it() {
    let files = [
        ("a.py", "from b import *\n"),
        ("c.py", "def __getattr__(name): ...\n"),
    ];
    check(&files, "entry = \"a:agent\"", &expect![""]);
    check(&files, "entry = \"c:agent\"", &expect![""]);
}

#[test]
fn a_missing_file_suggests_its_neighbour() {
    check(
        &[(".env.local", "")],
        "entry = \"m:a\"\nenv_file = \".env.locl\"",
        &expect![[r#"
        error: `agent.one.env_file`: there is no file ".env.locl"
         --> supervision.toml:5:12
          |
        5 | env_file = ".env.locl"
          |            ^^^^^^^^^^^
          |
          = help: did you mean ".env.local"?

    "#]],
    );
}

#[test]
fn an_output_schema_is_read_from_its_file() {
    let declared = "model = \"offline\"\ninstructions = \"x\"\noutput_schema = \"report.json\"";
    check(
        &[("report.json", "{\"type\": \"object\"}")],
        declared,
        &expect![""],
    );
    check(
        &[("report.json", "{\"type\": ")],
        declared,
        &expect![[r#"
        error: `agent.one.output_schema`: report.json is not JSON: EOF while parsing a value at line 1 column 9
         --> supervision.toml:6:17
          |
        6 | output_schema = "report.json"
          |                 ^^^^^^^^^^^^^

    "#]],
    );
    check(
        &[("report.json", "[]")],
        declared,
        &expect![[r#"
        error: `agent.one.output_schema` must be the schema of an object: its "type" is missing
         --> supervision.toml:6:17
          |
        6 | output_schema = "report.json"
          |                 ^^^^^^^^^^^^^
          |
          = help: for example { type = "object", properties = { title = { type = "string" } } }

    "#]],
    );
    check(
        &[("reports.json", "{}")],
        declared,
        &expect![[r#"
        error: `agent.one.output_schema`: there is no file "report.json"
         --> supervision.toml:6:17
          |
        6 | output_schema = "report.json"
          |                 ^^^^^^^^^^^^^
          |
          = help: did you mean "reports.json"?

    "#]],
    );
}

#[test]
fn a_venv_is_used_alone() {
    let files = [("requirements.txt", "")];
    check(
        &files,
        "entry = \"m:a\"\n[python]\nvenv = \".venv\"\nrequirements = \"requirements.txt\"",
        &expect![[r#"
            error: `python.venv`: there is no folder ".venv"
             --> supervision.toml:6:8
              |
            6 | venv = ".venv"
              |        ^^^^^^^
              |
              = help: create it with `python3 -m venv .venv`
              = help: or leave the key out: Synapse then builds its own environment

            error: `python.requirements` cannot be used with `python.venv`
             --> supervision.toml:7:1
              |
            6 | venv = ".venv"
              | ---- this environment is used as it is
            7 | requirements = "requirements.txt"
              | ^^^^^^^^^^^^
              |
              = help: remove one: without `venv`, Synapse builds an environment with `requirements`

        "#]],
    );
}

#[test]
fn a_missing_configuration_says_how_to_name_one() {
    let errors = load(Path::new("nowhere/supervision.toml")).unwrap_err();
    expect![[r#"
        error: the file cannot be read: No such file or directory (os error 2)
        --> nowhere/supervision.toml
         = help: run synapse in a folder with a supervision.toml, or name one with --config FILE

    "#]]
    .assert_eq(&errors.render(false));
}

#[test]
fn a_file_that_is_not_text_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("supervision.toml");
    std::fs::write(&file, [0x61, 0xff]).unwrap();
    let rendered = load(&file).unwrap_err().render(false);
    assert!(
        rendered.contains("is not UTF-8 text: byte 1 begins no character"),
        "{rendered}"
    );
}

#[test]
fn requirements_of_an_agent_are_a_file_that_is_there() {
    let files = [("m.py", "a = 1\n"), ("requirements.txt", "x\n")];
    let asked = |written: &str| format!("entry = \"m:a\"\nrequirements = \"{written}\"");
    check(&files, &asked("requirements.txt"), &expect![""]);
    check(
        &files,
        &asked("requirement.txt"),
        &expect![[r#"
        error: `agent.one.requirements`: there is no file "requirement.txt"
         --> supervision.toml:5:16
          |
        5 | requirements = "requirement.txt"
          |                ^^^^^^^^^^^^^^^^^
          |
          = help: did you mean "requirements.txt"?

    "#]],
    );
}

#[test]
fn requirements_of_an_agent_have_no_place_in_a_ready_environment() {
    let files = [
        ("m.py", "a = 1\n"),
        ("requirements.txt", "x\n"),
        (".venv/bin/python", ""),
    ];
    check(
        &files,
        "entry = \"m:a\"\nrequirements = \"requirements.txt\"\n[python]\nvenv = \".venv\"",
        &expect![[r#"
            error: `agent.one.requirements` cannot be used with `python.venv`
             --> supervision.toml:5:1
              |
            5 | requirements = "requirements.txt"
              | ^^^^^^^^^^^^
            6 | [python]
            7 | venv = ".venv"
              | ---- this environment is used as it is
              |
              = help: remove one: without `venv`, Synapse builds an environment for this agent

        "#]],
    );
}
