//! What OTP's supervisor suite holds against specs and flags, held against supervision.toml: a
//! tree that comes from a file is checked where it is read.

use std::path::Path;

use super::{TREE, said};

fn of(text: &str) -> String {
    said(text, Path::new("/nowhere/supervision.toml"))
}

/// The file is refused with an error that names all of these.
fn refused(text: &str, words: &[&str]) {
    let said = of(text);
    assert!(said.contains("error: "), "{text}\n{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} for\n{text}\nin\n{said}");
    }
}

fn accepted(text: &str) {
    let said = of(text);
    assert!(!said.contains("error: "), "{text}\n{said}");
}

fn agent(keys: &str) -> String {
    format!("{TREE}[agent.one]\nentry = \"m:a\"\n{keys}\n")
}

fn root(keys: &str) -> String {
    format!("[supervisor.root]\nchildren = [\"one\"]\n{keys}\n[agent.one]\nentry = \"m:a\"\n")
}

#[test]
fn sup_start_map_faulty_specs() {
    // No id, no start, nothing that is a child spec.
    refused(&format!("{TREE}[agent]\nentry = \"m:a\"\n"), &["agent"]);
    refused(&format!("{TREE}[agent.one]\n"), &["one", "entry"]);
    refused(TREE, &["\"one\""]);
    refused("[supervisor.root]\nchildren = [4]\n", &["children"]);
    // OTP ignores what it does not know; here a typing error is told.
    refused(&agent("silly_flag = true"), &["unknown key `silly_flag`"]);
}

#[test]
fn child_specs() {
    refused(&agent("restart = \"prmanent\""), &["restart", "permanent"]);
    refused(&agent("shutdown = -10"), &["shutdown", "brutal_kill"]);
    refused(&agent("shutdown = \"-10ms\""), &["shutdown"]);
    refused(&agent("significant = \"maybe\""), &["significant"]);
    refused(
        &agent("entry = 4").replace("entry = \"m:a\"\n", ""),
        &["entry"],
    );
    let twice = "[supervisor.root]\nchildren = [\"one\", \"one\"]\n[agent.one]\nentry = \"m:a\"\n";
    refused(twice, &["one"]);
    let again = format!("{}[agent.one]\nentry = \"m:b\"\n", agent(""));
    refused(&again, &["one"]);
    for restart in ["permanent", "transient", "temporary"] {
        for shutdown in ["0ms", "1s", "infinity", "brutal_kill"] {
            let keys = format!("restart = \"{restart}\"\nshutdown = \"{shutdown}\"");
            accepted(&agent(&keys));
            let inner = format!(
                "[supervisor.root]\nchildren = [\"inner\"]\n[supervisor.inner]\n{keys}\n\
                 children = [\"one\"]\n[agent.one]\nentry = \"m:a\"\n"
            );
            accepted(&inner);
        }
    }
}

#[test]
fn child_specs_map() {
    for auto_shutdown in ["never", "any_significant", "all_significant"] {
        for restart in ["permanent", "transient", "temporary"] {
            for significant in [false, true] {
                let text = root(&format!("auto_shutdown = \"{auto_shutdown}\""))
                    + &format!("restart = \"{restart}\"\nsignificant = {significant}\n");
                let never = auto_shutdown == "never";
                if significant && (never || restart == "permanent") {
                    refused(&text, &["significant"]);
                } else {
                    accepted(&text);
                }
            }
        }
    }
}

#[test]
fn sup_flags() {
    refused(
        &root("strategy = \"none_for_one\""),
        &["strategy", "one_for_one"],
    );
    refused(&root("intensity = \"infinity\""), &["intensity"]);
    refused(&root("intensity = -1"), &["intensity"]);
    refused(&root("period = \"0s\""), &["period"]);
    refused(&root("period = \"infinity\""), &["period"]);
    refused(
        &root("auto_shutdown = \"sometimes\""),
        &["auto_shutdown", "never"],
    );
    refused("supervisor = 4\n", &["supervisor"]);
    // OTP ignores what it does not know; here a typing error is told.
    refused(&root("silly_flag = true"), &["unknown key `silly_flag`"]);
    accepted(&root(
        "strategy = \"rest_for_one\"\nintensity = 0\nperiod = \"1s\"\nauto_shutdown = \"never\"",
    ));
}
