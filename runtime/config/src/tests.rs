//! The crate as its callers see it: texts in, configurations and mistakes out.

mod accepted;
mod files;
mod keys;
mod mutations;
mod otp;
mod reference;
mod rules;
mod shape;
mod surprises;
mod values;

use std::path::Path;

use expect_test::Expect;

use crate::parse;

/// A tree that is right, for tests of one table.
const TREE: &str = "[supervisor.root]\nchildren = [\"one\"]\n";

/// What a user reads for `text`; "" where there is nothing to say.
fn check(text: &str, expect: &Expect) {
    expect.assert_eq(&said(text, Path::new("/nowhere/supervision.toml")));
}

/// The same for the table of the agent `one` in a tree that is right.
fn check_agent(table: &str, expect: &Expect) {
    check(&format!("{TREE}[agent.one]\n{table}\n"), expect);
}

fn said(text: &str, file: &Path) -> String {
    let rendered = match parse(text, file) {
        Ok(loaded) => loaded.warnings.render(false),
        Err(errors) => errors.render(false),
    };
    rendered.replace(&format!("{}/", file.parent().unwrap_or(file).display()), "")
}
