//! The shape of source files.

use crate::tree::{File, files, files_ending, none};

/// Lines that a file may have; its unit tests, where they stand at its end, are not counted.
const LINES_MAX: usize = 800;
/// Names that say nothing of what a file holds.
const EMPTY_NAMES: [&str; 7] = [
    "utils", "helpers", "common", "misc", "imp", "types", "manager",
];
/// The only sources that may be unsafe: the system calls without a safe form, and a test's allocator.
const UNSAFE: [&str; 3] = [
    "runtime/process/src/kernel.rs",
    "runtime/process/src/held_signals.rs",
    "runtime/wire/tests/wire/memory.rs",
];

fn sources() -> Vec<File> {
    files()
        .into_iter()
        .filter(|file| file.is(".rs") || file.is(".py"))
        .collect()
}

#[test]
fn no_file_is_too_long() {
    let long = sources().into_iter().filter_map(|file| {
        let code = file
            .text
            .split("\n#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let lines = code.lines().count();
        (lines > LINES_MAX).then(|| format!("{}: {lines} lines", file.path))
    });
    none("files of more than 800 lines", &long.collect::<Vec<_>>());
}

#[test]
fn every_file_is_named_for_what_it_holds() {
    let empty = files().into_iter().filter(|file| {
        file.path
            .split('/')
            .any(|part| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or("")))
    });
    none(
        "names that say nothing",
        &empty.map(|file| file.path).collect::<Vec<_>>(),
    );
}

#[test]
fn every_module_opens_with_its_job() {
    let silent = sources().into_iter().filter(|file| {
        let start = file.text.trim_start();
        let documented = match file.is(".rs") {
            true => start.starts_with("//!") || start.starts_with("/*!"),
            false => start.starts_with('"') || start.starts_with("r\"") || start.starts_with('#'),
        };
        // A file of unit tests belongs to its module, which says it.
        !documented && !start.is_empty() && file.name() != "tests.rs"
    });
    none(
        "modules without a first sentence",
        &silent.map(|file| file.path).collect::<Vec<_>>(),
    );
}

#[test]
fn unsafe_code_stays_where_it_is() {
    let lint = "unsafe_code";
    let others = files_ending(".rs").into_iter().filter(|file| {
        let allowed = UNSAFE.contains(&file.path.as_str()) || file.path.starts_with("tests/tidy/");
        !allowed && file.text.contains(lint)
    });
    none(
        "files that allow unsafe code",
        &others.map(|file| file.path).collect::<Vec<_>>(),
    );
}

#[test]
fn nothing_names_a_machine_or_a_registry() {
    // In two parts, so that this file does not name them either.
    let words = [
        ("/ro", "ot/"),
        ("/ho", "me/"),
        ("/Use", "rs/"),
        ("/wo", "rk/"),
        ("py", "pi.org"),
        ("pythonho", "sted.org"),
        ("crat", "es.io"),
    ];
    let named = files().into_iter().flat_map(|file| {
        let found = words.map(|(first, second)| format!("{first}{second}"));
        let lines = file.text.lines().enumerate().flat_map(|(number, line)| {
            let hits = found.iter().filter(|word| line.contains(word.as_str()));
            hits.map(|word| format!("{}:{}: {word}", file.path, number + 1))
                .collect::<Vec<_>>()
        });
        lines.collect::<Vec<_>>()
    });
    none(
        "paths of machines, hosts of registries",
        &named.collect::<Vec<_>>(),
    );
}
