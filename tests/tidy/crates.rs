//! The arrows between crates. A crate exists to forbid one, so its Cargo.toml is where they show.

use std::fs;

use crate::tree::{files_ending, none, root};

/// What each crate may depend on of ours; anything else is an arrow that must never be.
const ARROWS: [(&str, &[&str]); 9] = [
    ("api", &[]),
    ("config", &["core"]),
    ("console", &["api"]),
    ("core", &[]),
    ("environment", &["process"]),
    ("gateway", &["api", "core", "node"]),
    ("node", &["core", "process", "wire"]),
    ("process", &[]),
    ("wire", &[]),
];

/// Arrows of tests alone, each with its reason.
const TEST_ARROWS: [(&str, &str); 1] = [
    // Its test program is also the agent that it starts, and an agent speaks the protocol.
    ("gateway", "wire"),
];

/// What core must not know: it decides, and others act.
const FORBIDDEN_IN_CORE: [&str; 7] = [
    "tokio",
    "ractor",
    "rand",
    "std::fs",
    "std::net",
    "Instant::now",
    "SystemTime",
];

struct Crate {
    name: String,
    manifest: String,
}

fn crates() -> Vec<Crate> {
    let folders = fs::read_dir(root().join("runtime")).unwrap();
    let mut crates: Vec<Crate> = folders
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let manifest = fs::read_to_string(path.join("Cargo.toml")).ok()?;
            let name = path.file_name()?.to_string_lossy().into_owned();
            Some(Crate { name, manifest })
        })
        .collect();
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    crates
}

impl Crate {
    /// The names under tables whose headings end so: `dependencies`, `dev-dependencies`.
    fn dependencies(&self, table: &str) -> Vec<&str> {
        let mut inside = false;
        let mut names = Vec::new();
        for line in self.manifest.lines().map(str::trim) {
            if let Some(heading) = line.strip_prefix('[') {
                let heading = heading.trim_end_matches(']');
                inside = heading == table || heading.ends_with(&format!(".{table}"));
            } else if inside && let Some((key, _)) = line.split_once('=') {
                names.push(
                    key.split('.')
                        .next()
                        .unwrap_or(key)
                        .trim()
                        .trim_matches('"'),
                );
            }
        }
        names
    }

    fn ours(&self, table: &str) -> Vec<&str> {
        let names = self.dependencies(table);
        names
            .into_iter()
            .filter_map(|name| name.strip_prefix("synapse-"))
            .collect()
    }
}

#[test]
fn no_crate_depends_on_what_it_must_not_know() {
    let mut findings = Vec::new();
    for krate in crates() {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == krate.name) else {
            findings.push(format!("{} is not in the list of arrows", krate.name));
            continue;
        };
        let normal = ["dependencies", "build-dependencies"];
        for ours in normal.iter().flat_map(|table| krate.ours(table)) {
            if !allowed.contains(&ours) {
                findings.push(format!("{} -> {ours}", krate.name));
            }
        }
        for ours in krate.ours("dev-dependencies") {
            let of_tests = TEST_ARROWS.contains(&(krate.name.as_str(), ours));
            if !allowed.contains(&ours) && !of_tests {
                findings.push(format!("{} -> {ours} (tests)", krate.name));
            }
        }
    }
    none("arrows that must never be", &findings);
}

#[test]
fn only_config_knows_toml() {
    let knowing = crates().into_iter().filter(|krate| {
        let tables = ["dependencies", "dev-dependencies", "build-dependencies"];
        let mut names = tables.iter().flat_map(|table| krate.dependencies(table));
        krate.name != "config" && names.any(|name| name.starts_with("toml"))
    });
    none(
        "crates that know TOML",
        &knowing.map(|krate| krate.name).collect::<Vec<_>>(),
    );
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let binary = Crate {
        name: "cli".to_owned(),
        manifest,
    };
    let own = binary
        .manifest
        .split("[workspace]")
        .next()
        .unwrap_or_default();
    assert!(!own.contains("toml_edit"), "the binary knows TOML");
    assert!(
        binary.ours("dependencies").contains(&"config"),
        "the manifest was not understood"
    );
}

#[test]
fn core_decides_and_does_nothing() {
    let mut findings = Vec::new();
    for file in files_ending(".rs") {
        if !file.path.starts_with("runtime/core/src/") {
            continue;
        }
        for (number, line) in file.text.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            if !comment && FORBIDDEN_IN_CORE.iter().any(|word| line.contains(word)) {
                findings.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    none("core acts", &findings);
}

#[test]
fn every_crate_says_why_it_exists() {
    let mut findings = Vec::new();
    for krate in crates() {
        if !krate.manifest.contains("\ndescription = \"") {
            findings.push(format!("{}: no description", krate.name));
        }
        if !krate.manifest.contains("[lints]\nworkspace = true") {
            findings.push(format!("{}: the workspace's lints are off", krate.name));
        }
        let lib = root().join("runtime").join(&krate.name).join("src/lib.rs");
        let lib = fs::read_to_string(lib).unwrap();
        if !lib.contains("#![warn(missing_docs)]") {
            findings.push(format!(
                "{}: public items may go without a word",
                krate.name
            ));
        }
        // Declarations, re-exports and documentation only.
        let code = ["fn ", "struct ", "enum ", "impl ", "trait "];
        let begins = |line: &str| {
            let line = line
                .trim_start_matches("pub ")
                .trim_start_matches("pub(crate) ");
            code.iter().any(|word| line.starts_with(word))
        };
        if lib.lines().any(begins) {
            findings.push(format!("{}: lib.rs has code in it", krate.name));
        }
    }
    none("crates without a reason or a rule", &findings);
}
