//! The same on Erlang's own supervisor, by `otp_supervision.erl`, where `erl` is installed.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;

use crate::figures::{Figures, Measure};

const SOURCE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../benches/supervision/otp_supervision.erl"
);

/// The compiled module.
pub(crate) struct Otp(TempDir);

impl Otp {
    /// `None` where Erlang is not installed.
    pub(crate) fn find() -> Option<Self> {
        let directory = TempDir::new().expect("a directory");
        let output = run("erlc", &["-o"], directory.path(), &[SOURCE])?;
        assert!(output.status.success(), "erlc: {output:?}");
        Some(Self(directory))
    }

    /// One round of everything.
    pub(crate) fn round(&self) -> Figures {
        let call = ["-noshell", "-run", "otp_supervision"];
        // Many processes, as in any system that means it.
        let limits = ["+P", "2000000", "-pa"];
        let output = run("erl", &limits, self.0.path(), &call).expect("it was there");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "erl: {output:?}");
        let mut figures = Figures::default();
        let names = Measure::all().map(|measure| (measure.to_string(), measure));
        let measures: HashMap<String, Measure> = names.collect();
        for line in text.lines() {
            let (name, nanoseconds) = line.split_once(' ').expect("a name and a figure");
            let taken = Duration::from_nanos(nanoseconds.parse().expect("nanoseconds"));
            figures.add(measures[name], taken, 1);
        }
        figures
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "Erlang ends by itself, and is not an agent"
)]
fn run(program: &str, before: &[&str], directory: &Path, after: &[&str]) -> Option<Output> {
    let mut command = Command::new(program);
    command.args(before).arg(directory).args(after);
    command.output().ok()
}
