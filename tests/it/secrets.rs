//! Secrets that an agent is given are told to nobody, whatever the agent does with them: not by
//! files, pages, events, faults, nor lists of processes.

use std::path::Path;

use serde_json::Value;

use crate::harness::{World, children_of, command_of, with_tag};

const OF_FILE: &str = "planted-file-7c1f";
const OF_TABLE: &str = "planted-table-92ab";
const OF_NODE: &str = "planted-node-44d0";
const OF_PROXY: &str = "planted-proxy-e07b";
const QUOTED: &str = "planted \\\"quoted%e51a";
const LINES: [&str; 2] = ["planted-line-one-5f12", "planted-line-two-6a38"];
/// What is the same in all of them, in every form that texts give them.
const ANY: &str = "planted";

/// An agent that tells what it knows, restarted as often as it dies.
fn tree(more: &str) -> String {
    format!(
        r#"
[supervisor.root]
intensity = 20
children = ["teller"]
[agent.teller]
entry = "tells_secrets:answer"
env_file = "secret.env"
env_pass = ["OF_NODE_TOKEN", "HTTP_PROXY"]
env = {{ OF_TABLE_KEY = "{OF_TABLE}", {more} }}
"#
    )
}

#[track_caller]
fn up(more: &str) -> World {
    let world = World::new(&tree(more));
    let file = format!(
        "OF_FILE={OF_FILE}\nQUOTED_SECRET='{QUOTED}'\nMANY_LINES_KEY=\"{}\\n{}\"\n",
        LINES[0], LINES[1]
    );
    world.write("secret.env", &file);
    let mut world = world
        .with_variable("OF_NODE_TOKEN", OF_NODE)
        .with_variable("HTTP_PROXY", &format!("http://me:{OF_PROXY}@127.0.0.1:9"));
    world.start();
    world
}

#[track_caller]
fn tells_none(what: &str, text: &str) {
    let at = text.find(ANY);
    let around = at.map(|at| {
        let chars = text.char_indices().map(|(at, _)| at);
        let from = chars.rev().find(|begin| *begin + 120 < at).unwrap_or(0);
        text[from..].chars().take(300).collect::<String>()
    });
    assert_eq!(around, None, "in {what}");
}

/// Every file of the world but the two that the secrets are given in.
fn files_tell_none(folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("the folder is ours") {
        let path = entry.expect("it can be read").path();
        let kind = std::fs::symlink_metadata(&path)
            .expect("it is there")
            .file_type();
        let name = path.file_name().expect("a name").to_string_lossy();
        if kind.is_dir() {
            files_tell_none(&path);
        } else if kind.is_file() && !matches!(&*name, "secret.env" | "supervision.toml") {
            let text = String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).into_owned();
            tells_none(&path.display().to_string(), &text);
        }
    }
}

/// Whatever the command line shows.
fn pages_tell_none(world: &World) {
    for page in [
        &["status"][..],
        &["status", "--json"],
        &["tree"],
        &["inspect", "teller"],
        &["inspect", "teller", "--json"],
        &["inspect", "teller", "--frames"],
        &["inspect", "teller", "--exit", "last"],
        &["inspect", "teller", "--exit", "last", "--json"],
        &["events", "--tail", "1000"],
        &["events", "--tail", "1000", "--json"],
        &["logs", "teller", "--tail", "10000"],
        &["logs", "teller", "--previous", "--tail", "10000", "--json"],
    ] {
        let outcome = world.run(page);
        tells_none(&page.join(" "), &outcome.stdout);
        tells_none(&page.join(" "), &outcome.stderr);
    }
}

/// What others see of the processes. An agent of a fresh interpreter has its environment where its
/// own user may read it, and so has the node its own.
fn processes_tell_none(world: &World) {
    let node = world.node_pid();
    let teller = world.pid("teller");
    for process in with_tag(&world.tag()) {
        tells_none("a command line", &process.command);
        let environ = std::fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        let environ = String::from_utf8_lossy(&environ).into_owned();
        let is_own = process.pid == node || process.pid == world.guard_pid();
        let is_fresh = process.pid == teller && !process.command.starts_with("synapse agent ");
        if is_own {
            for secret in [OF_FILE, OF_TABLE, LINES[0]] {
                assert!(!environ.contains(secret), "{process:?}");
            }
        } else if !is_fresh {
            tells_none(&format!("the environment of {process:?}"), &environ);
        }
    }
    let zygotes = children_of(node);
    let zygotes = zygotes
        .iter()
        .filter(|pid| command_of(**pid).contains("zygote"));
    for zygote in zygotes {
        let environ = std::fs::read(format!("/proc/{zygote}/environ")).expect("it lives");
        tells_none("a zygote", &String::from_utf8_lossy(&environ));
    }
}

/// It was told, and masked: the mask stands where the secret would.
#[track_caller]
fn was_masked(world: &World) {
    let log = world.log("teller").join("\n");
    assert!(log.contains("***"), "{log}");
}

#[test]
fn what_an_agent_prints_and_logs_is_masked() {
    let world = up("");
    for way in ["print", "log", "long"] {
        assert_eq!(world.call("teller", way), "told");
    }
    was_masked(&world);
    let log = world.log("teller").join("\n");
    assert!(log.contains("http://me:***@127.0.0.1:9"), "{log}");
    assert!(log.contains("… (cut)"), "{log}");
    pages_tell_none(&world);
    files_tell_none(&world.path(""));
    processes_tell_none(&world);
}

#[test]
fn what_an_agent_raises_is_masked_for_its_caller_too() {
    let world = up("");
    let fault = world.fault(&["teller", "raise"], 1);
    assert_eq!(fault["code"], "agent_error");
    assert!(
        fault["message"].as_str().unwrap().contains("***"),
        "{fault}"
    );
    tells_none("the fault", &fault.to_string());
    let outcome = world.run(&["call", "teller", "raise"]).exits(1);
    tells_none("the fault in words", &outcome.stderr);
    pages_tell_none(&world);
    files_tell_none(&world.path(""));
}

#[test]
fn what_an_agent_dies_with_is_masked_in_its_dossier() {
    for (way, incarnation) in [("die", 2), ("leave", 2)] {
        let world = up("");
        let fault = world.fault(&["teller", way], 1);
        assert_eq!(fault["code"], "agent_crashed", "{fault}");
        tells_none("the fault", &fault.to_string());
        world.wait_for_incarnation("teller", incarnation);
        let page = world.run(&["inspect", "teller", "--exit", "1", "--json"]);
        let dossier: Value = page.exits(0).json();
        assert!(dossier.to_string().contains("***"), "{dossier}");
        pages_tell_none(&world);
        files_tell_none(&world.path(""));
        processes_tell_none(&world);
    }
}

#[test]
fn what_an_agent_fails_to_start_with_is_masked() {
    let world = up("ONLY_IN = \"2\"");
    world.run(&["kill", "teller"]).exits(0);
    world.wait_for_incarnation("teller", 3);
    let page = world.run(&["inspect", "teller", "--exit", "2", "--json"]);
    let dossier: Value = page.exits(0).json();
    assert_eq!(dossier["reason"], "start_failed");
    assert!(
        dossier["detail"].as_str().unwrap().contains("***"),
        "{dossier}"
    );
    tells_none("the dossier", &dossier.to_string());
    pages_tell_none(&world);
    files_tell_none(&world.path(""));
}

#[test]
fn a_mistake_beside_a_secret_shows_its_place_and_not_the_secret() {
    let mistakes = [
        format!("env = {{ API_KEY = \"{OF_TABLE}\", PORT = 80 }}"),
        format!("env = {{ API_KEY = \"{OF_TABLE}\", PORT = }}"),
        format!("env_pass = [\"API_KEY={OF_TABLE}\"]"),
        format!("api_key = \"{OF_TABLE}\""),
        format!("env = {{ PROXY = \"http://me:{OF_PROXY}@h\", PORT = 80 }}"),
    ];
    for mistake in mistakes {
        let world = World::new(&format!(
            "[supervisor.root]\nchildren = [\"one\"]\n[agent.one]\nentry = \"plain:echo\"\n{mistake}\n"
        ));
        for verb in [
            &["check"][..],
            &["check", "--json"],
            &["up", "--no-console"],
        ] {
            let outcome = world.run(verb).exits(78);
            tells_none(&mistake, &outcome.stdout);
            tells_none(&mistake, &outcome.stderr);
        }
    }
}
