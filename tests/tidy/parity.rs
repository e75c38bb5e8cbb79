//! docs/otp-parity.md: no case is missing, and every test that it names is one.

use std::collections::BTreeSet;

use crate::tree::{File, files_ending, none};

/// What a row says where there is no test, followed by the reason.
const NO_TEST: &str = "not applicable: ";
/// Of supervisor_SUITE, so many cases are executed at least.
const EXECUTED_MIN: usize = 85;
/// The sections of the page, and how many cases each has.
const CASES: [(&str, usize); 3] = [
    ("supervisor_SUITE", 97),
    ("DynamicSupervisor", 41),
    ("Supervisor", 16),
];
/// What a map of names has of Elixir's Registry, at least.
const REGISTRY_CASES_MIN: usize = 12;

struct Row {
    case: String,
    /// The tests, or why there is none.
    test: String,
}

impl Row {
    fn is_executed(&self) -> bool {
        !self.test.starts_with(NO_TEST)
    }
}

fn page() -> File {
    let pages = files_ending("docs/otp-parity.md");
    pages.into_iter().next().expect("docs/otp-parity.md")
}

/// The rows of the table in this section.
fn rows(page: &File, section: &str) -> Vec<Row> {
    let heading = format!("## {section}");
    let lines = page.text.lines().skip_while(|line| **line != heading);
    let section = lines.skip(1).take_while(|line| !line.starts_with("## "));
    let cells = |line: &str| -> Option<Row> {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let cells: Vec<&str> = line.split(" | ").collect();
        assert_eq!(cells.len(), 3, "{line}");
        let (case, test) = (cells[0].to_owned(), cells[2].to_owned());
        Some(Row { case, test })
    };
    section.filter_map(cells).skip(2).collect()
}

#[test]
fn every_case_has_a_row_with_a_test_or_a_reason() {
    let page = page();
    let mut findings = Vec::new();
    let registry = rows(&page, "Registry");
    for (section, count) in CASES {
        let rows = rows(&page, section);
        let cases: BTreeSet<&str> = rows.iter().map(|row| row.case.as_str()).collect();
        if (rows.len(), cases.len()) != (count, count) {
            let (rows, cases) = (rows.len(), cases.len());
            findings.push(format!(
                "{section}: {rows} rows, {cases} cases, not {count}"
            ));
        }
    }
    if registry.len() < REGISTRY_CASES_MIN {
        findings.push(format!("Registry: {} rows", registry.len()));
    }
    let suites = CASES.iter().flat_map(|(section, _)| rows(&page, section));
    for row in suites.chain(registry) {
        let says = match row.test.strip_prefix(NO_TEST) {
            Some(reason) => reason.len() > 10,
            None => !tests_in(&row.test).is_empty(),
        };
        if !says {
            findings.push(format!("{}: neither test nor reason", row.case));
        }
    }
    none("docs/otp-parity.md is complete", &findings);
}

#[test]
fn most_cases_of_the_suite_are_executed_as_the_page_says() {
    let page = page();
    let rows = rows(&page, CASES[0].0);
    let executed = rows.iter().filter(|row| row.is_executed()).count();
    assert!(executed >= EXECUTED_MIN, "{executed} executed");
    let said = format!("{} cases, {executed} executed.", rows.len());
    assert!(page.text.contains(&said), "the page does not say: {said}");
}

#[test]
fn every_test_that_it_names_exists() {
    let sources = files_ending(".rs");
    let mut findings = Vec::new();
    let page = page();
    let named = tests_in(&page.text);
    assert!(named.len() > 100, "{} tests named", named.len());
    for test in named {
        let (module, name) = test.rsplit_once("::").unwrap();
        let files = places(module);
        let at = |path: &String| sources.iter().find(|source| source.path == *path);
        let file = files.iter().find_map(at);
        match file {
            None => findings.push(format!("{test}: no file {}", files.join(" or "))),
            Some(file) if !has_test(file, name) => {
                findings.push(format!("{test}: no such test in {}", file.path));
            }
            Some(file) if !is_part_of_its_binary(file, &sources) => {
                findings.push(format!("{test}: {} is not compiled", file.path));
            }
            Some(_) => {}
        }
    }
    none("a test named in docs/otp-parity.md exists", &findings);
}

/// The names of tests in a text: in backticks, with a path of at least two parts.
fn tests_in(text: &str) -> BTreeSet<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let word =
        |part: &str| !part.is_empty() && part.chars().all(|c| c == '_' || c.is_alphanumeric());
    quoted
        .filter(|name| name.matches("::").count() >= 2 && name.split("::").all(word))
        .collect()
}

/// Where a module of tests may be, the first that is there: `core::supervisor::admin`,
/// `config::tests::otp`.
fn places(module: &str) -> Vec<String> {
    let (member, path) = module.split_once("::").unwrap_or((module, ""));
    let path = path.replace("::", "/");
    vec![
        format!("runtime/{member}/tests/{path}.rs"),
        format!("runtime/{member}/src/{path}.rs"),
    ]
}

fn has_test(file: &File, name: &str) -> bool {
    let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
    let opening = format!("fn {name}(");
    let is_test = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    let attributes = |at: usize| {
        let above = lines[..at].iter().rev();
        above.take_while(|line| line.starts_with('#') || line.starts_with("///"))
    };
    let found = lines.iter().enumerate();
    let mut found = found.filter(|(_, line)| line.contains(&opening));
    found.any(|(at, _)| attributes(at).any(is_test))
}

/// Whether the root of a test binary declares the file; unit tests are declared where they stand.
fn is_part_of_its_binary(file: &File, sources: &[File]) -> bool {
    let Some((folder, name)) = file.path.rsplit_once('/') else {
        return false;
    };
    let main = format!("{folder}/main.rs");
    let declaration = format!("mod {};", name.trim_end_matches(".rs"));
    let main = sources.iter().find(|source| source.path == main);
    main.is_none_or(|main| main.text.contains(&declaration))
}
