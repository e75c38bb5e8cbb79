//! docs/cli.md repeats the binary's own help and its exit codes. `UPDATE_EXPECT=1` rewrites it.

use std::fs;

use synapse_api::ExitCode;

use crate::tree::root;

const PAGE: &str = "docs/cli.md";

#[expect(
    clippy::disallowed_methods,
    reason = "prints its help and ends, with the test's pipes"
)]
fn help(verb: &str) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_synapse"));
    // Empty, since the help shows variables with their values; and as wide as it gets.
    command.env_clear().env("COLUMNS", "100");
    if !verb.is_empty() {
        command.arg(verb);
    }
    let output = command.arg("--help").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// The verbs that the binary lists.
fn verbs() -> Vec<String> {
    let help = help("");
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = lines.take_while(|line| line.starts_with("  "));
    let named = listed.filter(|line| !line.starts_with("   "));
    let verbs = named.filter_map(|line| line.split_whitespace().next());
    verbs
        .filter(|verb| *verb != "help")
        .map(str::to_owned)
        .collect()
}

/// The page, with what stands between each pair of marks replaced by what is true.
fn truth(page: &str) -> String {
    let mut page = page.to_owned();
    for verb in verbs().into_iter().chain([String::new()]) {
        let begin = match verb.is_empty() {
            true => "<!-- help -->\n".to_owned(),
            false => format!("<!-- help: {verb} -->\n"),
        };
        replace(&mut page, &begin, &format!("```text\n{}```\n", help(&verb)));
    }
    let mut codes = "| code | meaning |\n| --- | --- |\n".to_owned();
    for (exit, meaning) in ExitCode::ALL {
        codes.push_str(&format!("| {} | {meaning} |\n", exit.code()));
    }
    replace(&mut page, "<!-- exit codes -->\n", &codes);
    page
}

fn replace(page: &mut String, begin: &str, text: &str) {
    let at = page.find(begin);
    let start = at.unwrap_or_else(|| panic!("{PAGE} has no {begin:?}")) + begin.len();
    let length = page[start..].find("<!-- end -->");
    let length = length.unwrap_or_else(|| panic!("{begin:?} has no end in {PAGE}"));
    page.replace_range(start..start + length, text);
}

#[test]
fn the_page_says_what_the_binary_says() {
    let path = root().join(PAGE);
    let page = fs::read_to_string(&path).unwrap();
    let truth = truth(&page);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, truth).unwrap();
        return;
    }
    let line = page
        .lines()
        .zip(truth.lines())
        .find(|(page, truth)| page != truth);
    assert!(
        page == truth,
        "{PAGE} is not true (UPDATE_EXPECT=1 rewrites it): {line:?}"
    );
}
